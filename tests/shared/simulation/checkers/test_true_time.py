"""Ticks that tell the true time, as the broker's append times show it."""

from __future__ import annotations

from itertools import count

import pytest

from shared.contract.codec import Envelope, encode
from shared.contract.recorded import Recorded
from shared.contract.repayments import REPAYMENTS
from shared.contract.ticks import CONTROL, LOAN_CLOCK, DeploymentStamped, Tick, TimeMode
from shared.simulation.checkers import p4_quiet, spooled

NOON, SECOND_MS = 1_800_000_000_000, 1_000
STAMP = DeploymentStamped(mode=TimeMode.WALL, partitioner="murmur2", loan_partitions=1, borrower_partitions=1)
_offsets = count()


def _recorded(topic: str, event: Tick | DeploymentStamped, appended_ms: int) -> Recorded:
    value = encode(Envelope(f"e{next(_offsets)}", "/duecourse/test", event.TYPE, event))
    return Recorded(topic, 0, next(_offsets), None, value, appended_ms=appended_ms)


def _ticks(*told: tuple[int, int]) -> list[Recorded]:
    """Ticks that tell one instant and were appended at another, both in seconds since noon."""
    return [
        _recorded(LOAN_CLOCK, Tick(at=NOON + at * SECOND_MS, barriers={}, policy="p"), NOON + appended * SECOND_MS)
        for at, appended in told
    ]


def _violations(*records: Recorded) -> int:
    with spooled([_recorded(CONTROL, STAMP, NOON), *records]) as spool:
        return len(list(p4_quiet.check_true_time(spool).violations))


@pytest.mark.parametrize(
    ("told", "false"),
    [
        ([(0, 0), (1, 2), (2, 6)], 0),
        ([(0, 0), (1, 40), (41, 41)], 0),
        ([(0, 0), (1, 40), (2, 41)], 0),
        ([(0, 0), (40, 1), (41, 41)], 1),
        ([(-40, 0), (-39, 1), (-38, 10)], 3),
    ],
    ids=[
        "a few seconds",
        "a broker that stood still",
        "a clock that is slow",
        "a clock that is ahead",
        "slow for long",
    ],
)
def test_a_late_tick_is_true_only_where_the_broker_stood_still(told: list[tuple[int, int]], false: int) -> None:
    """A tick that was on its way meanwhile is late by the silence that the whole log shows; nothing else excuses it."""
    assert _violations(*_ticks(*told)) == false


def test_a_late_tick_is_false_when_anybody_else_was_heard_meanwhile() -> None:
    """The broker was at work: so the clock was not."""
    heard = Recorded(REPAYMENTS, 0, 7, b"loan", b"{", appended_ms=NOON + 20 * SECOND_MS)
    assert _violations(*_ticks((0, 0), (1, 40), (41, 41)), heard) == 1
