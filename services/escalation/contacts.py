"""What the gate says about the loan: attempts, answers, clearances, holds on persons. In any order, the same state."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.escalation.state import ATTEMPTS_MAX, PERSON_HOLDS_MAX, Attempt, EscalationState, PersonHold
from shared.contract.base import Channel, Event
from shared.contract.outcomes import Direction, Outcome
from shared.contract.outreach import Answer, ClearanceAnswered, ContactAnswered, ContactOutcome, PersonHoldForwarded
from shared.contract.requests import ContactClass

_MADE: Final = frozenset({Outcome.ATTEMPTED, Outcome.NO_ANSWER, Outcome.CONVERSATION})
_FAILED: Final = frozenset({Outcome.BOUNCED, Outcome.WRONG_NUMBER})
_ENDED: Final = frozenset({Answer.REFUSED, Answer.EXPIRED})
_MESSAGES: Final = frozenset({Channel.PUSH, Channel.IN_APP, Channel.SMS, Channel.EMAIL, Channel.LETTER})


def fold_contact(state: EscalationState, data: Event, fact_id: str) -> EscalationState:
    """Return the state with one event of collections.loan-contacts; the same object when it says nothing new."""
    match data:
        case ContactOutcome():
            return _outcome(state, data)
        case ContactAnswered():
            return _answered(state, data.request_id) if data.answer in _ENDED else state
        case ClearanceAnswered():
            return _cleared(state, data, fact_id)
        case PersonHoldForwarded():
            return _held(state, data, fact_id)
        case _:
            raise TypeError(f"{type(data).__name__} is no event of collections.loan-contacts")


def _outcome(state: EscalationState, data: ContactOutcome) -> EscalationState:
    if data.direction is Direction.INBOUND:
        return state
    tried = data.outcome in _MADE or data.outcome in _FAILED
    if tried and data.request_id is not None:
        state = _answered(state, data.request_id)
    human = data.contact_class is ContactClass.HUMAN_CALL and data.channel is Channel.CALL
    message = data.contact_class is ContactClass.OVERDUE and data.channel in _MESSAGES
    if not tried or not (human or message):
        return state
    new = Attempt(
        attempt_id=data.permit_id or f"{data.borrower_id}/{data.outcome_id}",
        human=human,
        occurred_ms=data.occurred_ms,
        made=data.outcome in _MADE,
        failed=data.outcome in _FAILED,
    )
    return _with_attempt(state, new)


def _with_attempt(state: EscalationState, new: Attempt) -> EscalationState:
    known = {attempt.attempt_id: attempt for attempt in state.attempts}
    held = known.get(new.attempt_id, new)
    merged = Attempt(
        attempt_id=new.attempt_id,
        human=held.human or new.human,
        occurred_ms=min(held.occurred_ms, new.occurred_ms),
        made=held.made or new.made,
        failed=held.failed or new.failed,
    )
    if known.get(new.attempt_id) == merged:
        return state
    known[new.attempt_id] = merged
    newest = sorted(known.values(), key=lambda attempt: (attempt.occurred_ms, attempt.attempt_id))[-ATTEMPTS_MAX:]
    return replace(state, attempts=tuple(sorted(newest, key=lambda attempt: attempt.attempt_id)))


def _answered(state: EscalationState, request_id: str) -> EscalationState:
    call = state.call
    if call is None or call.request_id != request_id or call.answered:
        return state
    return replace(state, call=replace(call, answered=True))


def _cleared(state: EscalationState, data: ClearanceAnswered, fact_id: str) -> EscalationState:
    asked = state.clearance
    if asked is None or asked.clearance_id != data.clearance_id or asked.cleared is not None:
        return state
    ends = [rule.until_ms for rule in data.rules if rule.until_ms is not None]
    answered = replace(asked, cleared=data.cleared, fact_id=fact_id, until_ms=max(ends, default=None))
    return replace(state, clearance=answered)


def _held(state: EscalationState, data: PersonHoldForwarded, fact_id: str) -> EscalationState:
    new = PersonHold(data.borrower_id, data.hold_id, data.from_ms, data.until_ms, data.forwarded_ms, fact_id)
    known = {(hold.borrower_id, hold.hold_id): hold for hold in state.person_holds}
    held = known.get((new.borrower_id, new.hold_id))
    if held is not None and (held.forwarded_ms, held.fact_id) >= (new.forwarded_ms, new.fact_id):
        return state
    known[new.borrower_id, new.hold_id] = new
    newest = sorted(known.values(), key=lambda hold: (hold.forwarded_ms, hold.fact_id))[-PERSON_HOLDS_MAX:]
    return replace(state, person_holds=tuple(sorted(newest, key=lambda hold: (hold.borrower_id, hold.hold_id))))
