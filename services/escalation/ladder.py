"""Where a case may stand: the conditions of the rungs, and why it does not go up although it is late enough."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.escalation.state import EscalationState
from shared.contract.base import Rung
from shared.contract.requests import ClearancePurpose, WithdrawalReason
from shared.domain.delinquency import Delinquency
from shared.domain.strategy import LADDER, Ladder, LadderRung
from shared.kernel.zones import local_date


class EscalationSkip(StrEnum):
    """Why a due step led to nothing. Closed: metrics and `explain` know every value."""

    NO_THRESHOLD = "no_threshold"
    BELOW_THRESHOLD = "below_threshold"
    ATTEMPTS_MISSING = "attempts_missing"
    DWELLING = "dwelling"
    HELD = "held"
    PROMISED = "promised"
    FACT_IN_DOUBT = "fact_in_doubt"
    LOAN_CLOSED = "loan_closed"
    AWAITING_CLEARANCE = "awaiting_clearance"
    NOT_CLEARED = "not_cleared"
    REASON_GONE = "reason_gone"
    CALLS_EXHAUSTED = "calls_exhausted"
    REVISED_TOO_OFTEN = "revised_too_often"
    PARKED = "parked"


SKIP_OF_BLOCK: Final = {
    WithdrawalReason.HOLD: EscalationSkip.HELD,
    WithdrawalReason.PROMISE: EscalationSkip.PROMISED,
    WithdrawalReason.FACT_IN_DOUBT: EscalationSkip.FACT_IN_DOUBT,
    WithdrawalReason.LOAN_CLOSED: EscalationSkip.LOAN_CLOSED,
}
"""How a reason to leave the loan alone is called when it stops a case."""
CLEARANCE_OF: Final = {Rung.RESTRICTION: ClearancePurpose.RESTRICTION}
"""Rungs that do something to somebody, and what the gate is asked before."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the conditions are about: how late, how much, in which currency, and since when where."""

    view: Delinquency
    currency: str
    now: int
    zone: str

    @property
    def is_cured(self) -> bool:
        """Whether nothing is overdue that opens a case (tolerance respected, T-03)."""
        return self.view.oldest_unpaid_due_date is None


_PAUSED_TODAY_DAYS: Final = 1
"""The day on which a hold begins counts as paused from its start: the case looks a day younger than it was."""


def _carries(rung: LadderRung, case: Case) -> bool:
    """Tell whether age and amount still carry a rung on which the case stands, or stood."""
    needed = rung.amount_minor.get(case.currency)
    return (
        needed is not None
        and not case.is_cured
        and case.view.treatment_days + _PAUSED_TODAY_DAYS >= rung.treatment_days
        and case.view.amount_overdue_minor >= needed
    )


def highest_carried(ladder: Ladder, current: Rung, case: Case) -> Rung:
    """Return the highest rung, at most the current one, that age and amount carry; none where no rung is carried.

    A rung that the strategy does not know, taken over with a boarded loan, is carried while the ladder's top is.
    """
    carried = Rung.NONE
    for rung in ladder.rungs:
        if LADDER.index(rung.rung) <= LADDER.index(current) and _carries(rung, case):
            carried = rung.rung
    below = [rung.rung for rung in ladder.rungs if LADDER.index(rung.rung) < LADDER.index(current)]
    if ladder.find(current) is None and below and carried is below[-1]:
        return current
    return carried


def attempts_made(state: EscalationState, ladder: Ladder) -> int:
    """Return how often somebody was really tried since the case came to its rung, in the way of that rung."""
    rung = ladder.find(state.rung)
    human = rung is not None and rung.calls is not None
    return sum(
        1
        for attempt in state.attempts
        if attempt.made and not attempt.failed and attempt.human is human and attempt.occurred_ms >= state.rung_since_ms
    )


def obstacle(following: LadderRung, state: EscalationState, ladder: Ladder, case: Case) -> EscalationSkip | None:
    """Return why the case does not go up to a rung for which it is late enough; None if it may."""
    needed = following.amount_minor.get(case.currency)
    if needed is None:
        return EscalationSkip.NO_THRESHOLD
    if case.view.amount_overdue_minor < needed:
        return EscalationSkip.BELOW_THRESHOLD
    if attempts_made(state, ladder) < following.attempts:
        return EscalationSkip.ATTEMPTS_MISSING
    since_ms = max(state.rung_since_ms, state.calm_since_ms)
    dwelt = (local_date(case.now, case.zone) - local_date(since_ms, case.zone)).days
    return EscalationSkip.DWELLING if state.rung is not Rung.NONE and dwelt < following.dwell_days else None
