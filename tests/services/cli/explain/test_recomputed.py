"""Why nothing happened: told by the engine and the core themselves, over the recorded inputs."""

from services.cli.explain.recomputed import recompute
from services.cli.explain.telling import silences
from shared.contract.codec import Envelope, encode
from shared.contract.loans import DUE_DATES
from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL, LOAN_CLOCK, FactQuarantined
from shared.contract.topics import DEAD_LETTERS
from shared.engine.dead_letters import dead_letter
from tests.shared.engine.toy import CRASHING_WAKE_MINOR, HOUR_MS, LOANS, POLICY, START_MS, due, tick, topology


def test_a_loan_that_was_put_aside_is_told_so() -> None:
    """The tick, the reason and the dead letter are named; what cannot be looked at is not looked at here either."""
    where = topology()
    loan = next(f"L{n}" for n in range(99) if where.partition_of(DUE_DATES, f"L{n}".encode()) == 0)
    clock = [Recorded(LOAN_CLOCK, 0, n, *tick(START_MS + n * HOUR_MS, {DUE_DATES: 1})) for n in range(3)]
    word = FactQuarantined(
        service="reminder", topic=LOAN_CLOCK, partition=0, offset=0, key=loan, reason="crashes", operator="ann"
    )
    said = Recorded(CONTROL, 0, 0, None, encode(Envelope("id", "/operator", word.TYPE, word)))
    place = f"{LOAN_CLOCK}/0/0/{loan}"
    letter = dead_letter(place, Recorded(LOAN_CLOCK, 0, 0, loan.encode(), b"{}"), "reminder", START_MS, "quarantined")
    buried = Recorded(DEAD_LETTERS, 0, 0, letter.key, letter.value, letter.headers)
    records = [Recorded(DUE_DATES, 0, 0, *due(loan, 1, CRASHING_WAKE_MINOR)), *clock, said, buried]
    found = recompute(LOANS, records, frozenset({loan}), where, {POLICY: None})
    assert [(line.known_ms, line.text) for line in silences([found])] == [(START_MS, f"{loan}: put_aside ({place})")]
