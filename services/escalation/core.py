"""When a case moves, who is called, and who answers for a loan. Facts change what is true; only a wake acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.escalation.aside import put_aside
from services.escalation.calls import ask_for_call, next_call_at, review_call
from services.escalation.climbing import move, next_clearance_at, take_over_boarded_rung
from services.escalation.contacts import fold_contact
from services.escalation.ladder import EscalationSkip
from services.escalation.look import Look
from services.escalation.state import TOUCHED_MAX, EscalationState
from shared.contract.base import Rung
from shared.contract.outreach import LOAN_CONTACTS
from shared.contract.repayments import RepaymentReceived
from shared.domain.doubt import doubt
from shared.domain.loan import apply, compact, gravestone_at, next_change_at, overdue_parked
from shared.domain.loan_state import Loan
from shared.domain.policy import Policy
from shared.engine.processor import Fact, Input, PutAside, Unreadable, Wake
from shared.kernel.step import Emit, Skip, Step


def decide(state: EscalationState | None, key: str, given: Input, now: int, policy: Policy) -> Step[EscalationState]:
    """Fold a fact about loan `key`, or act at a tick; `now` is the tick's instant in epoch milliseconds."""
    match given:
        case Fact() if given.topic == LOAN_CONTACTS:
            return _fold_contact(state, key, given, now)
        case Fact():
            return _fold(state, key, given, now)
        case Unreadable():
            return _doubt(state, key, given, now)
        case Wake():
            return _wake(state, key, now, policy)
        case PutAside():
            return put_aside(state, key, given, now)


def _fold(state: EscalationState | None, key: str, fact: Fact, now: int) -> Step[EscalationState]:
    applied = apply(state.loan if state is not None else None, key, fact.data, fact.id, now, fact.replaces)
    if applied.loan is None or (state is not None and applied.loan is state.loan):
        return Step(state, wake_at=_planned(state), verdict=applied.verdict, dead=applied.dead)
    before = state if state is not None else EscalationState(applied.loan)
    if not _matters(before, fact):
        return Step(replace(before, loan=applied.loan), wake_at=before.wake_at, verdict=applied.verdict)
    after = replace(before, loan=applied.loan, touched=_touched(before, fact.id), wake_at=now)
    return Step(after, wake_at=now, verdict=applied.verdict)


def _matters(state: EscalationState, fact: Fact) -> bool:
    """Money for a loan on no rung changes no plan, unless it waits for its loan, or its reversal is here already."""
    if not isinstance(fact.data, RepaymentReceived):
        return True
    if state.rung is not Rung.NONE or state.clearance is not None or state.loan.terms is None:
        return True
    payment_id = fact.data.payment_id
    return any(reversal.payment_id == payment_id for reversal in state.loan.reversals)


def _fold_contact(state: EscalationState | None, key: str, fact: Fact, now: int) -> Step[EscalationState]:
    before = state if state is not None else EscalationState(Loan(key))
    after = before if before.loan.gravestone else fold_contact(before, fact.data, fact.id)
    if after is before:
        return Step(state, wake_at=_planned(state))
    if before.rung is Rung.NONE and before.clearance is None:
        return Step(after, wake_at=after.wake_at)
    return Step(replace(after, touched=_touched(after, fact.id), wake_at=now), wake_at=now)


def _doubt(state: EscalationState | None, key: str, lost: Unreadable, now: int) -> Step[EscalationState]:
    known = state.loan if state is not None else None
    loan = doubt(known, key, lost.topic, lost.coordinates, now, quarantined=lost.quarantined)
    if loan is None or (state is not None and loan is state.loan):
        return Step(state, wake_at=_planned(state))
    before = state if state is not None else EscalationState(loan)
    return Step(replace(before, loan=loan, wake_at=now), wake_at=now)


def _touched(state: EscalationState, fact_id: str) -> tuple[str, ...]:
    return tuple(sorted({*state.touched, fact_id})[:TOUCHED_MAX])


def _planned(state: EscalationState | None) -> int | None:
    return state.wake_at if state is not None else None


def _wake(state: EscalationState | None, key: str, now: int, policy: Policy) -> Step[EscalationState]:
    if state is None:
        return Step(None)
    state, skips = _report_parked(replace(state, loan=compact(state.loan, now)), now)
    events: Sequence[Emit] = ()
    instants = [next_change_at(state.loan, now, policy.calendars), gravestone_at(state.loan, now)]
    if state.loan.terms is not None:
        look = Look(key, now, policy, state.loan.terms, state)
        instants += _act(look)
        state, events, skips = look.state, look.events, [*skips, *look.skips]
    wake_at = min((max(instant, now + 1) for instant in instants if instant is not None), default=None)
    return Step(replace(state, touched=(), wake_at=wake_at), tuple(events), wake_at, tuple(skips))


def _act(look: Look) -> list[int | None]:
    """Let the tick do what it must; return when the loan must be looked at again for it."""
    look.mark_calm()
    look.link_people()
    take_over_boarded_rung(look)
    move(look)
    review_call(look)
    ask_for_call(look)
    if look.state.loan.closed is not None:
        look.state = EscalationState(look.state.loan, placed=True, requests=look.state.requests)
        return []
    on_ladder = look.state.rung is not Rung.NONE or not look.case.is_cured
    person = look.next_person_hold_change() if on_ladder else None
    return [person, next_clearance_at(look), next_call_at(look)]


def _report_parked(state: EscalationState, now: int) -> tuple[EscalationState, list[Skip]]:
    """Report facts that wait in vain for their partner, each once (T-15)."""
    waiting = overdue_parked(state.loan, now)
    fresh = [fact for fact in waiting if fact.fact_id not in state.reported]
    skips = [Skip(EscalationSkip.PARKED.value, f"{fact.reason.value}/{fact.fact_id}") for fact in fresh]
    return replace(state, reported=tuple(sorted({fact.fact_id for fact in waiting}))), skips
