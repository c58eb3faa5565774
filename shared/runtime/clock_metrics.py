"""What the clock counts: its ticks, who is behind them, whether its time is believed, and operators' switches."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Final

from shared.contract.ticks import OutreachMode, Switch
from shared.contract.topics import CLOCK, LOAN_SERVICES
from shared.engine.conductor import Conductor
from shared.runtime.metric_board import Board
from shared.runtime.metric_catalogue import (
    BROKER_SILENT,
    CLOCK_DISAGREES,
    CLOCK_NEWEST,
    CLOCK_TICKS,
    CLOCK_WRITTEN,
    OUTREACH_MODE,
    PAIR_BEHIND,
    READY,
    SILENT_PAIRS,
)
from shared.runtime.system_clock import now_ms

STAGES: Final = ("loan", "borrower")
_RESTRICTED: Final = (OutreachMode.STOPPED, OutreachMode.SHADOW)


class ClockMetrics:
    """The metrics of one clock."""

    def __init__(self, build: str) -> None:
        self.board = Board(CLOCK, build, {"stage": STAGES, "mode": [mode.value for mode in _RESTRICTED]})
        for metric in (SILENT_PAIRS, CLOCK_DISAGREES, READY):
            self.board.set(metric, 0)
        self.written_at: float | None = None

    def wrote(self, stage: str, at: int, ticks: int) -> None:
        """Take note of ticks written to all replicas."""
        self.board.set(CLOCK_NEWEST, at / 1000, stage)
        self.board.set(CLOCK_WRITTEN, now_ms() / 1000, stage)
        self.board.add(CLOCK_TICKS, ticks, stage)
        if stage == STAGES[0]:
            self.written_at = monotonic()

    def look(self, conductor: Conductor, silent: Iterable[str], switches: Iterable[Switch]) -> None:
        """Take note of who is behind, and of the switches in force."""
        self.board.set(SILENT_PAIRS, len(tuple(silent)))
        restricted = [switch.mode for switch in switches]
        for mode in _RESTRICTED:
            self.board.set(OUTREACH_MODE, restricted.count(mode), mode.value)
        for group in conductor.plan.loan_groups:
            for partition in range(conductor.plan.loan_partitions):
                applied = conductor.applied(group, partition)
                behind = 0 if applied is None else max(0, conductor.newest_at - applied)
                if group in LOAN_SERVICES:
                    self.board.set(PAIR_BEHIND, behind / 1000, group, str(partition))

    def disagrees(self, *, disagrees: bool) -> None:
        """Take note of whether the time is believed."""
        self.board.set(CLOCK_DISAGREES, disagrees)

    def unanswered(self) -> None:
        """Count a question that the broker did not answer."""
        self.board.add(BROKER_SILENT, 1)

    def ready(self, reason: str | None) -> None:
        """Take note of what /readyz would say."""
        self.board.set(READY, reason is None)
