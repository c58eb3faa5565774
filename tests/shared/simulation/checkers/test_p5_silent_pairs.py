"""When a withdrawal is owed while the pair that would have to say it is silent."""

import pytest

from shared.contract.recorded import Recorded
from shared.contract.ticks import BORROWER_CLOCK, Tick
from shared.simulation.checkers.chronicle import Entry, Ticks
from shared.simulation.checkers.p5_pay_to_silence import heard_at

SOURCE = "/duecourse/reminder/1"
T = 1_700_000_000_000


def gate(*ticks):
    """Return the gate's ticks: seconds after T, and who was silent."""
    found = Ticks()
    for offset, (seconds, silent) in enumerate(ticks):
        at = T + seconds * 1000
        record = Recorded(BORROWER_CLOCK, 0, offset, None, b"")
        tick = Tick(at=at, barriers={}, policy="0" * 16, silent=silent)
        found.add(Entry(record, str(offset), "/duecourse/clock", at, tick))
    return found


@pytest.mark.parametrize(
    ("ticks", "owed"),
    [
        (((1, ()), (2, ()), (3, ())), 2),
        (((1, ()), (3, ())), 3),
        (((1, ()), (2, ("reminder/1",)), (9, ("reminder/1", "escalation/0")), (10, ("escalation/0",))), 10),
        (((2, ("reminder/0",)),), 2),
        (((1, ()), (2, ("reminder/1",))), None),
    ],
)
def test_a_withdrawal_is_owed_at_the_first_tick_that_waits_for_the_pair(ticks, owed):
    """At once where the gate waited for the pair, else when it waits again; another pair's silence is no excuse."""
    assert heard_at(gate(*ticks), SOURCE, T + 2000) == (None if owed is None else T + owed * 1000)
