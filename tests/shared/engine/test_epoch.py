from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.arrangements import ARRANGEMENTS, DeadLetterDiscarded
from shared.contract.codec import Envelope, decode, encode
from shared.contract.loans import DUE_DATES
from shared.contract.outreach import LOAN_CONTACTS, OUTREACH
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import REMINDERS
from shared.contract.ticks import LOAN_CLOCK, PROBE_AT, FactQuarantined
from shared.contract.topics import DEAD_LETTERS
from shared.engine.deployment import passing_by
from shared.engine.epoch import BrokenInvariant, EpochLoop, Limits
from shared.engine.processor import Processor
from shared.engine.progress import birth
from shared.engine.state import StateCodec
from shared.engine.store import STATE_PREFIX, MemoryStore
from shared.kernel.step import Emit, Step
from tests.shared.engine.fold import LogRecord, fold
from tests.shared.engine.harness import Harness, assert_equal, gate_logs, random_logs
from tests.shared.engine.toy import (
    CRASHING_MINOR,
    CRASHING_WAKE_MINOR,
    GATE,
    HOUR_MS,
    LOANS,
    POLICY,
    START_MS,
    ToyLoan,
    deployment,
    due,
    repayment,
    tick,
)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    facts_and_wakes=st.sampled_from((1, 2, 7, 50, 1000)),
    ticks=st.sampled_from((1, 3, 512)),
    crash=st.sampled_from((0.0, 0.1, 0.4)),
    born=st.sampled_from((0, 0, 11)),
)
def test_every_cut_and_every_crash_gives_the_bytes_of_the_plain_fold(seed, facts_and_wakes, ticks, crash, born):
    """Outputs, states and counts do not depend on transaction bounds, feeding or crashes (P2, P8)."""
    where = deployment(Limits(facts_and_wakes, ticks), loans=2)
    logs = random_logs(LOANS, where, 1, seed)
    harness = Harness(LOANS, where, 1, logs, seed, crash, born)
    harness.run()
    folded = fold(LOANS, where.topology, 1, logs, policies=where.policies, born=born)
    assert len(folded.outputs) > 1
    assert_equal(harness, folded)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    facts_and_wakes=st.sampled_from((1, 3, 1000)),
    crash=st.sampled_from((0.0, 0.3)),
)
def test_a_shared_allowance_is_spent_alike_whatever_the_cuts(seed, facts_and_wakes, crash):
    """What the keys woken before took of a tick's allowance is known to those that follow, after a crash too."""
    where = deployment(Limits(facts_and_wakes, 512), borrowers=1)
    logs = gate_logs(seed)
    harness = Harness(GATE, where, 0, logs, seed, crash)
    harness.run()
    folded = fold(GATE, where.topology, 0, logs, policies=where.policies)
    assert len(folded.outputs[OUTREACH, 0]) > 20
    assert_equal(harness, folded)


def one_partition(**logs):
    """Return a harness over one partition whose logs are given as lists of (key, value)."""
    named = {"dues": DUE_DATES, "paid": REPAYMENTS, "back": LOAN_CONTACTS, "clock": LOAN_CLOCK}
    records = {
        topic: [LogRecord(i, key, value) for i, (key, value) in enumerate(logs.get(name, ()))]
        for name, topic in named.items()
    }
    return Harness(LOANS, deployment(loans=1, borrowers=1), 0, records, born=logs.get("born", 0))


def outputs_of(harness, topic=REMINDERS):
    """Return the events on a topic, as (tick, type, request id)."""
    found = []
    for (name, _), values in harness.outputs.items():
        if name == topic:
            envelopes = [decode(topic, key, value) for key, value in values]
            found += [(e.time_ms, e.data.request_id) for e in envelopes if isinstance(e, Envelope)]
    return found


def test_a_fact_below_the_barrier_is_answered_by_its_own_tick():
    """What a fact changes is acted upon at the tick that follows it, never before."""
    harness = one_partition(
        dues=[due("L1", 1), due("L2", 1)], clock=[tick(START_MS, {DUE_DATES: 1}), tick(START_MS + 1, {DUE_DATES: 2})]
    )
    harness.run()
    assert outputs_of(harness) == [(START_MS, "L1-0"), (START_MS + 1, "L2-0")]


def test_a_tick_waits_for_every_record_below_its_barriers():
    """A barrier that the reader has not reached holds the tick back and says for what."""
    harness = one_partition(dues=[due("L1", 1)], clock=[tick(START_MS, {DUE_DATES: 9})])
    harness.run()
    assert outputs_of(harness) == []
    assert harness.loop.waiting is not None
    assert (harness.loop.waiting.topic, harness.loop.waiting.offset) == (DUE_DATES, 9)
    harness.loop.feed(DUE_DATES, (), 9)
    transaction = harness.loop.advance()
    assert transaction is not None
    assert {(REMINDERS, 0)} == set(transaction.outputs)


def test_a_tick_that_does_not_advance_is_ignored():
    """A second clock's tick of the same instant, or an earlier one, changes nothing (rule 3)."""
    clock = [tick(START_MS, {}), tick(START_MS, {DUE_DATES: 1}), tick(START_MS - 5, {DUE_DATES: 1})]
    harness = one_partition(dues=[due("L1", 1)], clock=clock)
    harness.run()
    assert outputs_of(harness) == []
    assert harness.loop.progress.clock_offset == 3
    assert sum(t.ignored_ticks for t in harness.transactions) == 2


def test_the_earliest_instant_is_no_tick():
    """A clock asks for the broker's time with it; nobody's time begins with it."""
    harness = one_partition(dues=[due("L1", 1)], clock=[tick(PROBE_AT, {DUE_DATES: 1})])
    harness.run()
    assert outputs_of(harness) == []
    assert (harness.loop.progress.at, harness.loop.progress.offsets[DUE_DATES]) == (PROBE_AT, 0)


def test_a_barrier_never_goes_back():
    """A later tick with a lower barrier applies what an earlier one allowed (stale clock)."""
    clock = [tick(START_MS, {DUE_DATES: 2}), tick(START_MS + 1, {DUE_DATES: 1})]
    harness = one_partition(dues=[due("L1", 1), due("L2", 1)], clock=clock)
    harness.run()
    assert harness.loop.progress.offsets == {DUE_DATES: 2, REPAYMENTS: 0, LOAN_CONTACTS: 0}


def test_a_service_born_late_applies_old_facts_but_old_ticks_wake_nobody():
    """At the first new tick each key is judged once; what was missed before birth is not made up for (rule 9)."""
    clock = [tick(START_MS + i * 4 * HOUR_MS, {DUE_DATES: 1}) for i in range(6)]
    harness = one_partition(dues=[due("L1", 1)], clock=clock, born=4)
    harness.run()
    assert outputs_of(harness) == [(START_MS + 16 * HOUR_MS, "L1-0"), (START_MS + 20 * HOUR_MS, "L1-1")]


def test_birth_is_written_down_before_anything_else():
    """The first transaction holds the progress record alone, so that a fold knows which ticks woke nobody."""
    harness = one_partition(born=7)
    harness.run()
    assert [t.progress.n for t in harness.transactions] == [1]
    assert harness.transactions[0].progress.born_at_clock_offset == 7
    assert list(harness.transactions[0].changes.records) == [b"p"]


def test_a_tick_without_content_is_reported_but_not_stored():
    """Quiet epochs cost no transaction."""
    harness = one_partition(clock=[tick(START_MS, {}), tick(START_MS + 1, {})])
    harness.run()
    quiet = harness.transactions[1:]
    assert quiet
    assert not any(t.durable for t in quiet)
    assert f"{START_MS + 1}@1" == quiet[-1].metadata


def test_only_what_is_stored_counts_as_a_transaction():
    """Reports of quiet ticks in between leave no gap: by its number a lost changelog is noticed."""
    clock = [tick(START_MS, {}), tick(START_MS + 1, {}), tick(START_MS + 2, {DUE_DATES: 1})]
    harness = one_partition(dues=[due("L1", 1)], clock=clock)
    harness.deployment = deployment(Limits(ticks=1), loans=1, borrowers=1)
    harness.restart(wiped=True)
    harness.run()
    assert [t.durable for t in harness.transactions] == [True, False, False, True]
    assert [t.progress.n for t in harness.transactions] == [1, 1, 1, 2]


def test_nothing_is_computed_on_top_of_an_open_transaction():
    """Whoever asks for the next one before the last is committed or given up breaks an invariant."""
    harness = one_partition(dues=[due("L1", 1)], clock=[tick(START_MS, {DUE_DATES: 1})])
    assert harness.loop.advance() is not None
    with pytest.raises(BrokenInvariant, match="still open"):
        harness.loop.advance()


def test_an_instance_without_the_policy_in_force_waits():
    """A tick under an unknown policy is not applied (section 3)."""
    harness = one_partition(clock=[tick(START_MS, {}, policy="b2")])
    harness.run()
    assert harness.loop.waiting is not None
    assert (harness.loop.waiting.what, harness.loop.waiting.policy) == ("policy", "b2")
    assert harness.loop.progress.at == PROBE_AT


def test_a_misrouted_key_is_a_dead_letter_that_names_the_partitioner_that_explains_it():
    """A record on the wrong partition is buried, with the likely cause in its text."""
    where = deployment(loans=4, borrowers=1)
    crc_only = next(
        n
        for n in (f"L{i}" for i in range(99))
        if where.topology.partition_of(DUE_DATES, n.encode()) != 0
        and where.topology.explains(DUE_DATES, n.encode(), 0) is not None
    )
    logs = {
        DUE_DATES: [LogRecord(0, *due(crc_only, 1))],
        REPAYMENTS: [],
        LOAN_CONTACTS: [],
        LOAN_CLOCK: [LogRecord(0, *tick(START_MS, {DUE_DATES: 1}))],
    }
    harness = Harness(LOANS, where, 0, logs)
    harness.run()
    ((_, letters),) = [
        (place, t.outputs[place]) for t in harness.transactions for place in t.outputs if place[0] == DEAD_LETTERS
    ]
    headers = dict(letters[0].headers)
    assert headers["duecourse-reason"] == b"misrouted_key"
    assert b"crc32 would explain it" in headers["duecourse-detail"]
    assert crc_only.encode() == headers["duecourse-key"]
    assert harness.states() == {}


def test_an_unreadable_fact_is_buried_and_its_loan_is_doubted():
    """The core hears of a dead letter whose key could be read, so that it can stop chasing the loan."""
    harness = one_partition(paid=[(b"L1", b"{")], clock=[tick(START_MS, {REPAYMENTS: 1})])
    harness.run()
    assert [(f"{REPAYMENTS}/0/0".encode(), b"{")] == harness.outputs[DEAD_LETTERS, 0]
    assert (
        harness.loop.progress.counts[REPAYMENTS].applied,
        harness.loop.progress.counts[REPAYMENTS].duplicate,
        harness.loop.progress.counts[REPAYMENTS].dead,
    ) == (0, 0, 1)
    summary = harness.transactions[-1].epochs[0]
    assert dict(summary.dead) == {"not_json": 1}
    assert summary.wakes == 1


def test_a_fact_that_the_core_calls_impossible_is_a_dead_letter():
    """`Step(dead=...)` buries the record as it was, and its key is doubted like that of an unreadable one."""
    key, value = due("L1", 1, minor=13)
    harness = one_partition(dues=[due("L1", 2), (key, value)], clock=[tick(START_MS, {DUE_DATES: 2})])
    harness.run()
    assert [(f"{DUE_DATES}/0/1".encode(), value)] == harness.outputs[DEAD_LETTERS, 0]
    loan, _ = StateCodec(ToyLoan).decode(harness.states()[b"L1"])
    assert loan.doubted == 1


def test_a_core_that_answers_a_fact_with_an_event_is_stopped():
    """Facts change what is true, only ticks act: anything else is a broken invariant."""

    def noisy(state, key, given, now, policy):
        return Step(ToyLoan(), events=(Emit(REMINDERS, key, None),))

    rude = Processor("reminder", LOAN_CLOCK, (DUE_DATES,), (REMINDERS,), (), ToyLoan, noisy)
    where = deployment(loans=1, borrowers=1)
    loop = EpochLoop(rude, where, 0, MemoryStore(), birth((DUE_DATES,), 0, {}, ""))
    loop.committed(loop.advance(), 0)
    loop.feed(DUE_DATES, [LogRecord(0, *due("L1", 1))])
    loop.feed(LOAN_CLOCK, [LogRecord(0, *tick(START_MS, {DUE_DATES: 1}))])
    with pytest.raises(BrokenInvariant, match="only ticks act"):
        loop.advance()


def test_a_key_is_woken_once_in_a_tick_whatever_its_core_wishes():
    """A core that wants to be woken at the very tick that wakes it is woken at the next one (rule 5)."""

    def impatient(state, key, given, now, policy):
        return Step(ToyLoan(asked=state.asked + 1 if state else 0), wake_at=now)

    eager = Processor("reminder", LOAN_CLOCK, (DUE_DATES,), (REMINDERS,), (), ToyLoan, impatient)
    loop = EpochLoop(eager, deployment(loans=1, borrowers=1), 0, MemoryStore(), birth((DUE_DATES,), 0, {}, ""))
    loop.committed(loop.advance(), 0)
    loop.feed(DUE_DATES, [LogRecord(0, *due("L1", 1))])
    loop.feed(LOAN_CLOCK, [LogRecord(0, *tick(START_MS, {DUE_DATES: 1}))])
    transaction = loop.advance()
    state, wake_at = StateCodec(ToyLoan).decode(transaction.changes.records[STATE_PREFIX + b"L1"])
    assert (transaction.wakes, state.asked, wake_at) == (1, 1, START_MS + 1)


def test_those_woken_are_counted_while_a_tick_lasts_and_forgotten_at_its_end():
    """Whoever folds the log in the middle of a tick learns how many it has woken, and nobody learns it afterwards."""
    where = deployment(loans=1, borrowers=1, limits=Limits(1, 1))
    logs = {
        DUE_DATES: [LogRecord(at, *due(f"L{at}", 1)) for at in range(2)],
        LOAN_CLOCK: [LogRecord(0, *tick(START_MS, {DUE_DATES: 2}))],
        REPAYMENTS: [],
        LOAN_CONTACTS: [],
    }
    harness = Harness(LOANS, where, 0, logs)
    harness.run()
    assert [(it.wakes, it.progress.woken) for it in harness.transactions if it.wakes] == [(1, 1), (1, 0)]


def test_records_delivered_twice_are_dropped():
    """A seek that overlaps what was read does no harm."""
    harness = one_partition(dues=[due("L1", 1), due("L2", 1)], clock=[tick(START_MS, {DUE_DATES: 2})])
    loop = harness.loop
    records = harness.logs[DUE_DATES]
    loop.feed(DUE_DATES, records[:1])
    loop.feed(DUE_DATES, records)
    assert loop.queued(DUE_DATES) == 2


def test_event_ids_are_derived_and_outputs_name_their_source_and_tick():
    """An output says who decided it and when, and its id never changes from run to run."""
    runs = []
    for _ in range(2):
        harness = one_partition(
            dues=[due("L1", 1)], paid=[repayment("L1", 1)], clock=[tick(START_MS, {DUE_DATES: 1, REPAYMENTS: 1})]
        )
        harness.run()
        runs.append(decode(REMINDERS, *harness.outputs[REMINDERS, 0][0]))
    assert runs[0] == runs[1]
    assert (runs[0].source, runs[0].time_ms) == ("/duecourse/reminder/0", START_MS)


def test_the_policy_that_decided_is_part_of_progress():
    """Build and policy are kept beside what they decided (P7)."""
    harness = one_partition(dues=[due("L1", 1)], clock=[tick(START_MS, {DUE_DATES: 1})])
    harness.run()
    assert (harness.loop.progress.policy, harness.loop.progress.build) == (POLICY, "toy")


def quarantine(topic, offset, key=None, hours=72):
    """Return an operator's word about partition 0."""
    return FactQuarantined(
        service="reminder", topic=topic, partition=0, offset=offset, key=key, hours=hours, reason="why", operator="ann"
    )


def test_a_quarantined_fact_is_passed_by_and_its_loan_is_in_doubt():
    """Dead letter by whoever passes it by, owner of the topic or not; the plain fold that knows of it agrees."""
    processor, where = replace(LOANS, owns=()), deployment()
    name = next(f"L{n}" for n in range(99) if where.topology.partition_of(DUE_DATES, f"L{n}".encode()) == 0)
    poison = LogRecord(1, *due(name, 1, CRASHING_MINOR, 0))
    facts = [LogRecord(0, *due(name, 0, 100, 0)), poison, LogRecord(2, *due(name, 2, 100, 0))]
    ticks = [LogRecord(0, *tick(START_MS, {DUE_DATES: 3})), LogRecord(1, *tick(START_MS + HOUR_MS, {DUE_DATES: 3}))]
    logs = {topic: [] for topic in processor.reads} | {DUE_DATES: facts, processor.clock: ticks}
    crashing = Harness(processor, where, 0, logs)
    with pytest.raises(ZeroDivisionError):
        crashing.run()
    assert crashing.loop.in_hand == (DUE_DATES, 1, None)
    places = frozenset({quarantine(DUE_DATES, 1)})
    harness = Harness(processor, passing_by(where, places), 0, logs)
    harness.run()
    policies = {POLICY: None}
    assert_equal(harness, fold(processor, where.topology, 0, logs, policies=policies, quarantined=places))
    letters = [output for (topic, _), found in harness.outputs.items() if topic == DEAD_LETTERS for output in found]
    assert letters == [(f"{DUE_DATES}/0/1".encode(), poison.value)]
    assert harness.loop.in_hand is None


def waking_logs(*more):
    """Return logs of one loan that crashes whenever it is woken, of a sane neighbour, and of hourly ticks."""
    where = deployment().topology
    bad, good = [f"L{n}" for n in range(99) if where.partition_of(DUE_DATES, f"L{n}".encode()) == 0][:2]
    facts = [LogRecord(0, *due(bad, 0, CRASHING_WAKE_MINOR)), LogRecord(1, *due(good, 1)), *more]
    logs = {topic: [] for topic in LOANS.reads} | {DUE_DATES: facts}
    ends = {DUE_DATES: len(facts)}
    logs[LOAN_CLOCK] = [LogRecord(n, *tick(START_MS + n * HOUR_MS, ends)) for n in range(30)]
    return logs, bad, good


@pytest.mark.parametrize("crash", [0.0, 0.3])
@pytest.mark.parametrize("facts_and_wakes", [1, 1000])
def test_a_key_that_crashes_at_a_tick_is_put_aside(crash, facts_and_wakes):
    """Dead letter, what was asked is taken back, no wake for so many hours, however it is cut; the fold agrees (P8)."""
    logs, bad, good = waking_logs()
    where = deployment(Limits(facts_and_wakes, 4))
    crashing = Harness(LOANS, where, 0, logs)
    with pytest.raises(ZeroDivisionError):
        crashing.run()
    assert crashing.loop.in_hand == (LOAN_CLOCK, 0, bad)
    words = frozenset({quarantine(LOAN_CLOCK, 0, bad, hours=100)})
    harness = Harness(LOANS, passing_by(where, words), 0, logs, seed=3, crash=crash)
    harness.run()
    folded = fold(LOANS, where.topology, 0, logs, policies={POLICY: None}, quarantined=words)
    assert_equal(harness, folded)
    letters = [output for (topic, _), found in harness.outputs.items() if topic == DEAD_LETTERS for output in found]
    withdrawn = [value for (topic, _), found in harness.outputs.items() if topic == REMINDERS for _, value in found]
    assert letters == [(f"{LOAN_CLOCK}/0/0/{bad}".encode(), logs[LOAN_CLOCK][0].value)]
    assert sum(bad.encode() in value for value in withdrawn) == 1
    assert sum(good.encode() in value for value in withdrawn) > 3
    assert folded.wakes[bad.encode()] == START_MS + 100 * HOUR_MS
    assert harness.loop.progress.aside[bad].until_ms == START_MS + 100 * HOUR_MS


def test_a_fact_does_not_wake_what_is_put_aside_and_a_discard_does():
    """A repayment is applied, but nobody looks; discarding the dead letter lets the repaired loan speak."""
    logs, bad, _ = waking_logs()
    paid = LogRecord(0, *repayment(bad, 1, 67))
    gone = DeadLetterDiscarded(loan_id=bad, coordinates=f"{LOAN_CLOCK}/0/0/{bad}", reason="repaired")
    lifted = LogRecord(0, bad.encode(), encode(Envelope("d", "/operator", gone.TYPE, gone)))
    processor = replace(LOANS, reads=(*LOANS.reads, ARRANGEMENTS))
    logs |= {REPAYMENTS: [paid], ARRANGEMENTS: [lifted]}
    ticks = [{DUE_DATES: 2}, {DUE_DATES: 2, REPAYMENTS: 1}, {DUE_DATES: 2, REPAYMENTS: 1, ARRANGEMENTS: 1}]
    logs[LOAN_CLOCK] = [LogRecord(n, *tick(START_MS + n * HOUR_MS, barriers)) for n, barriers in enumerate(ticks)]
    words = frozenset({quarantine(LOAN_CLOCK, 0, bad)})
    where = passing_by(deployment(), words)
    harness = Harness(processor, where, 0, logs)
    harness.run()
    assert_equal(harness, fold(processor, where.topology, 0, logs, policies={POLICY: None}, quarantined=words))
    outputs = [out for (topic, _), found in harness.outputs.items() if topic == REMINDERS for out in found]
    said = [decode(REMINDERS, *out) for out in outputs]
    assert [(e.time_ms - START_MS) // HOUR_MS for e in said if e.data.loan_id == bad] == [0, 2]
    assert harness.loop.progress.aside == {}
