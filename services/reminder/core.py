"""What to say about a loan, and when to take it back. Facts change what is true; only a wake asks or withdraws."""

from __future__ import annotations

from dataclasses import replace

from services.reminder.aside import put_aside
from services.reminder.look import Look
from services.reminder.state import TOUCHED_MAX, ReminderState
from shared.contract.repayments import RepaymentReceived
from shared.domain.doubt import doubt
from shared.domain.loan import apply, compact
from shared.domain.policy import Policy
from shared.engine.processor import Fact, Input, PutAside, Unreadable, Wake
from shared.kernel.step import Step


def decide(state: ReminderState | None, key: str, given: Input, now: int, policy: Policy) -> Step[ReminderState]:
    """Fold a fact about loan `key`, or act at a tick; `now` is the tick's instant in epoch milliseconds."""
    match given:
        case Fact():
            return _fold(state, key, given, now)
        case Unreadable():
            return _doubt(state, key, given, now)
        case Wake():
            return _wake(state, key, now, policy)
        case PutAside():
            return put_aside(state, key, given, now)


def _fold(state: ReminderState | None, key: str, fact: Fact, now: int) -> Step[ReminderState]:
    applied = apply(state.loan if state is not None else None, key, fact.data, fact.id, now, fact.replaces)
    if applied.loan is None or (state is not None and applied.loan is state.loan):
        return Step(state, wake_at=_planned(state), verdict=applied.verdict, dead=applied.dead)
    before = state if state is not None else ReminderState(applied.loan)
    if not _matters(before, fact):
        return Step(replace(before, loan=applied.loan), wake_at=before.wake_at, verdict=applied.verdict)
    touched = tuple(sorted({*before.touched, fact.id})[:TOUCHED_MAX])
    after = replace(before, loan=applied.loan, touched=touched, wake_at=now)
    return Step(after, wake_at=now, verdict=applied.verdict)


def _matters(state: ReminderState, fact: Fact) -> bool:
    """Money that nobody asked for changes no plan: the steps that it makes needless find it when their time comes."""
    if state.asked is not None or not isinstance(fact.data, RepaymentReceived):
        return True
    payment_id = fact.data.payment_id
    return any(reversal.payment_id == payment_id for reversal in state.loan.reversals)


def _doubt(state: ReminderState | None, key: str, lost: Unreadable, now: int) -> Step[ReminderState]:
    known = state.loan if state is not None else None
    loan = doubt(known, key, lost.topic, lost.coordinates, now, quarantined=lost.quarantined)
    if loan is None or (state is not None and loan is state.loan):
        return Step(state, wake_at=_planned(state))
    after = replace(state if state is not None else ReminderState(loan), loan=loan, wake_at=now)
    return Step(after, wake_at=now)


def _planned(state: ReminderState | None) -> int | None:
    return state.wake_at if state is not None else None


def _wake(state: ReminderState | None, key: str, now: int, policy: Policy) -> Step[ReminderState]:
    if state is None:
        return Step(None)
    state = replace(state, loan=compact(state.loan, now), wake_at=None)
    if state.loan.terms is None:
        return Step(replace(state, touched=()))
    return Look(key, now, policy, state.loan.terms, state).act()
