"""Edges of an epoch that no fold compares: what stands in the headers of a dead letter."""

from shared.contract.repayments import REPAYMENTS
from shared.contract.ticks import LOAN_CLOCK
from shared.contract.topics import DEAD_LETTERS
from tests.shared.engine.test_epoch import one_partition
from tests.shared.engine.toy import START_MS, tick


def instants(harness):
    """Place and instant that the headers of each dead letter name."""
    letters = [letter for it in harness.transactions for letter in it.outputs.get((DEAD_LETTERS, 0), ())]
    headers = [dict(letter.headers) for letter in letters]
    return [(found["duecourse-coordinates"].decode(), int(found["duecourse-at"])) for found in headers]


def test_a_dead_letter_names_the_tick_at_which_the_record_was_read():
    """The second record lies behind the first tick's barrier: it is dead at the second tick, and says so."""
    clock = [tick(START_MS, {REPAYMENTS: 1}), tick(START_MS + 7000, {REPAYMENTS: 2})]
    harness = one_partition(paid=[(b"L1", b"{"), (b"L2", b"{")], clock=clock)
    harness.run()
    assert instants(harness) == [(f"{REPAYMENTS}/0/0", START_MS), (f"{REPAYMENTS}/0/1", START_MS + 7000)]


def test_a_tick_that_cannot_be_read_is_passed_by():
    """Garbage on the clock topic is counted, and nobody's letter; the ticks around it are applied."""
    clock = [tick(START_MS, {}), (None, b"{"), tick(START_MS + 7000, {})]
    harness = one_partition(clock=clock)
    harness.run()
    assert (harness.loop.progress.at, harness.loop.progress.clock_offset) == (START_MS + 7000, 3)
    assert (harness.loop.progress.counts[LOAN_CLOCK].dead, instants(harness)) == (1, [])
