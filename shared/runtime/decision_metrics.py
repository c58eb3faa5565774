"""What decisions mean to those who count: from events as a core said them to counters; no text is parsed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shared.contract.outreach import (
    BreachRecorded,
    ContactAnswered,
    ContactOutcome,
    PermitDeferred,
    PermitExpired,
    PermitGranted,
    PermitRefused,
    PermitWithdrawn,
    PersonHoldForwarded,
)
from shared.contract.requests import (
    ClearanceRequested,
    ContactRequested,
    ContactWithdrawn,
    ReportAction,
    ReportChanged,
    StageChanged,
)
from shared.contract.topics import RATE_LIMITER
from shared.engine.transaction import Emitted
from shared.runtime.metric_board import Board
from shared.runtime.metric_catalogue import (
    BLOCKED_BY,
    BREACHES,
    CAPACITY_USED,
    DECISIONS,
    PERMITS,
    REPORT_CHANGES,
    STAGE_CHANGES,
)

NONE: Final = "none"
LATELY_MS: Final = 60_000
"""So long a peak of a channel's use is told: several scrapes see it, and an hour later nobody is misled."""
ECHOES: Final = (ContactAnswered, ContactOutcome, PersonHoldForwarded)
"""What the gate repeats by loan: no decisions of their own."""
LOAN_ACTIONS: Final = ("request", "withdrawal", "clearance", "stage", "report", "correction")
GATE_ACTIONS: Final = ("permit", "permit_withdrawal", "deferral", "refusal")


def actions_of(service: str) -> tuple[str, ...]:
    """Return the kinds of action whose delay a service measures."""
    return GATE_ACTIONS if service == RATE_LIMITER else LOAN_ACTIONS


def action_of(event: object) -> str | None:
    """Return the kind of action that an event is, None where it is none that somebody waits for."""
    if isinstance(event, ReportChanged):
        return "correction" if event.action in {ReportAction.CORRECTED, ReportAction.WITHDRAWN} else "report"
    return _ACTIONS.get(type(event))


_ACTIONS: Final[Mapping[type, str]] = {
    ContactRequested: "request",
    ContactWithdrawn: "withdrawal",
    ClearanceRequested: "clearance",
    StageChanged: "stage",
    PermitGranted: "permit",
    PermitWithdrawn: "permit_withdrawal",
    PermitDeferred: "deferral",
    PermitRefused: "refusal",
}


class DecisionCounts:
    """Counts the decisions of one service. `capacities` are a channel's permits per tick and partition."""

    def __init__(self, board: Board, capacities: Mapping[str, int]) -> None:
        self._board = board
        self._capacities = capacities
        self._peaks: dict[str, tuple[float, int]] = {}
        self._count: Mapping[type, Callable[[Any], None]] = {
            PermitGranted: self._granted,
            PermitDeferred: lambda event: self._blocked(event, "deferred"),
            PermitRefused: lambda event: self._blocked(event, "refused"),
            PermitWithdrawn: lambda _: self._decided(NONE, "withdrawn", NONE),
            PermitExpired: lambda _: self._decided(NONE, "expired", NONE),
            BreachRecorded: self._breached,
            StageChanged: lambda event: board.add(STAGE_CHANGES, 1, event.move.value),
            ReportChanged: lambda event: board.add(REPORT_CHANGES, 1, event.action.value),
        }

    def saw(self, emitted: Sequence[Emitted]) -> None:
        """Count the events of one committed transaction."""
        for each in emitted:
            count = self._count.get(type(each.data))
            if count is not None:
                count(each.data)
        if self._capacities:
            self._used(emitted)

    def _granted(self, event: PermitGranted) -> None:
        self._decided(event.channel.value, "granted", NONE)
        self._board.add(PERMITS, 1, event.contact_class.value)

    def _blocked(self, event: PermitDeferred | PermitRefused, decision: str) -> None:
        rules = [self._board.admits("rule", rule.rule_id) for rule in event.rules]
        self._decided(NONE, decision, rules[0])
        for rule in rules:
            self._board.add(BLOCKED_BY, 1, rule)

    def _breached(self, event: BreachRecorded) -> None:
        for rule in event.rules:
            self._board.add(BREACHES, 1, self._board.admits("rule", rule.rule_id))

    def _decided(self, channel: str, decision: str, rule: str) -> None:
        self._board.add(DECISIONS, 1, channel, decision, rule)

    def _used(self, emitted: Sequence[Emitted]) -> None:
        grants = Counter((it.at, it.data.channel.value) for it in emitted if isinstance(it.data, PermitGranted))
        for (at, channel), count in grants.items():
            if channel in self._capacities:
                share = count / self._capacities[channel]
                if share >= self._peaks.get(channel, (0.0, at))[0]:
                    self._peaks[channel] = (share, at)
                    self._board.set(CAPACITY_USED, share, channel)

    def passed(self, at: int) -> None:
        """Let peaks that lie longer back than what is called lately be forgotten."""
        for channel in [channel for channel, (_, peak_at) in self._peaks.items() if at - peak_at > LATELY_MS]:
            del self._peaks[channel]
            self._board.set(CAPACITY_USED, 0, channel)
