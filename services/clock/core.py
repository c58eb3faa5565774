"""What a tick says: pure. When to write which tick is decided by `shared.engine.conductor`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.contract.outreach import LOAN_CONTACTS
from shared.contract.ticks import Switch, Tick
from shared.contract.topics import CLOCK, LOAN_SERVICES, RATE_LIMITER, TOPICS
from shared.engine.conductor import BorrowerTick, LoanTick

LOAN_INPUTS: Final = tuple(
    t.name for t in TOPICS.values() if t.writers != (CLOCK,) and set(t.readers) & set(LOAN_SERVICES)
)
BORROWER_INPUTS: Final = tuple(t.name for t in TOPICS.values() if t.writers != (CLOCK,) and RATE_LIMITER in t.readers)
FEEDBACK: Final = frozenset({LOAN_CONTACTS})
"""Topics whose barrier is the last stable offset in true time, so that a dead limiter cannot stop stage 1."""

Barriers = Mapping[int, Mapping[str, int]]
"""By partition and logical topic."""


def loan_ticks(due: LoanTick, barriers: Barriers, policy: str, switches: tuple[Switch, ...]) -> list[tuple[int, Tick]]:
    """Return the stage-1 ticks to write, by partition."""
    return [
        (partition, Tick(at=due.at, barriers=dict(barriers[partition]), policy=policy, switches=switches))
        for partition in due.partitions
    ]


def borrower_ticks(
    due: BorrowerTick, barriers: Barriers, former: Barriers, policy: str, switches: tuple[Switch, ...]
) -> list[tuple[int, Tick]]:
    """Return the stage-2 ticks to write; frozen topics keep the barriers of the `former` tick."""
    ticks = []
    for partition in due.partitions:
        old = former.get(partition, {})
        now = {t: old.get(t, 0) if t in due.frozen else offset for t, offset in barriers[partition].items()}
        tick = Tick(at=due.at, barriers=now, policy=policy, silent=due.silent, switches=switches)
        ticks.append((partition, tick))
    return ticks
