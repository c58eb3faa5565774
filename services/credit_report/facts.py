"""What a fact changes in what credit_report keeps. Nothing is decided here: a fact at most asks for a look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from services.credit_report.state import (
    ANCHORS_MAX,
    PERSON_HOLDS_MAX,
    TOUCHED_MAX,
    Anchor,
    Case,
    Clearance,
    CreditState,
    Month,
    Notice,
    PersonHold,
)
from shared.contract.arrangements import HoldPlaced
from shared.contract.base import DATE_MIN, Event, HoldReason
from shared.contract.loans import (
    ChargeAssessed,
    ClosedReason,
    InstalmentCancelled,
    InstalmentChanged,
    InstalmentScheduled,
    LoanBoarded,
    LoanClosed,
    LoanOpened,
)
from shared.contract.outcomes import Direction, Outcome
from shared.contract.outreach import Answer, ClearanceAnswered, ContactAnswered, ContactOutcome, PersonHoldForwarded
from shared.contract.repayments import RepaymentReceived, RepaymentReversed
from shared.domain.doubt import doubt
from shared.domain.loan import apply
from shared.domain.loan_state import Loan
from shared.domain.reporting import Reporting
from shared.engine.processor import Fact, Unreadable
from shared.kernel.step import Step, Verdict

_MOVED_DAYS_MAX: Final = timedelta(days=31)
"""A business-day convention may move a due date by so much at most: some weeks of holidays."""
_MISSED: Final = frozenset({Outcome.BOUNCED, Outcome.WRONG_NUMBER})
"""Outcomes that prove it did not reach the person."""


def apply_loan_fact(
    state: CreditState | None, key: str, fact: Fact, now: int, reporting: Reporting
) -> Step[CreditState]:
    """Fold a lender's fact, and ask for a look at this tick where it touches what was told or is waiting."""
    before = state or CreditState(Loan(key))
    applied = apply(before.loan, key, fact.data, fact.id, now, fact.replaces)
    if applied.dead is not None or applied.loan is None:
        return Step(state, wake_at=before.wake_at, verdict=Verdict.DEAD, dead=applied.dead)
    after = replace(before, loan=applied.loan)
    if after.since_ms is None and applied.loan.terms is not None:
        after = replace(after, since_ms=now)
    if applied.verdict is Verdict.DUPLICATE and applied.loan is before.loan:
        return Step(state, wake_at=before.wake_at, verdict=Verdict.DUPLICATE)
    changed_from = _changed_from(before.loan, fact.data)
    after = _anchored(before, after, fact.data, reporting)
    return _step(_touched(after, fact.id, changed_from, now), applied.verdict)


def apply_unreadable(state: CreditState | None, key: str, given: Unreadable, now: int) -> Step[CreditState]:
    """Put the loan under doubt where the dead letter could be a reason to leave somebody alone."""
    before = state or CreditState(Loan(key))
    loan = doubt(before.loan, key, given.topic, given.coordinates, now, quarantined=given.quarantined)
    if loan is None or loan == before.loan:
        return Step(state, wake_at=before.wake_at)
    return _step(_looked_at(replace(before, loan=loan), now))


def apply_contact_fact(state: CreditState | None, key: str, fact: Fact, now: int) -> Step[CreditState]:
    """Note what the gate answered, what became of a notice, or that a person is held; pass other contacts by."""
    before = state or CreditState(Loan(key))
    match fact.data:
        case PersonHoldForwarded() as hold:
            after = _with_person_hold(before, hold, fact.id)
        case ContactAnswered() as answer:
            after = _with_notice(before, answer.request_id, None, lambda notice: _answered(notice, answer))
        case ContactOutcome() as outcome if outcome.direction is Direction.OUTBOUND:
            changed = _with_notice(before, outcome.request_id, outcome.permit_id, lambda notice: _made(notice, outcome))
            after = changed if changed is not before else _with_void_notice(before, outcome)
        case ClearanceAnswered() as clearance:
            after = _with_clearance(before, clearance)
        case _:
            after = before
    if after is before:
        return Step(state, wake_at=before.wake_at)
    return _step(_looked_at(replace(after, touched=_with_cause(after.touched, fact.id)), now))


def _step(state: CreditState, verdict: Verdict = Verdict.APPLIED) -> Step[CreditState]:
    return Step(state, wake_at=state.wake_at, verdict=verdict)


def _looked_at(state: CreditState, now: int) -> CreditState:
    """Ask for a look at this tick; without terms there is nothing to look at yet."""
    return replace(state, wake_at=now) if state.loan.terms is not None else state


def _touched(state: CreditState, fact_id: str, changed_from: date | None, now: int) -> CreditState:
    if state.quiet and (changed_from is None or state.last_cutoff is None or changed_from > state.last_cutoff):
        return state
    review_from = state.review_from
    if changed_from is not None and state.months:
        review_from = changed_from if review_from is None else min(review_from, changed_from)
    return _looked_at(replace(state, touched=_with_cause(state.touched, fact_id), review_from=review_from), now)


def _with_cause(touched: tuple[str, ...], fact_id: str) -> tuple[str, ...]:
    """Keep the smallest ids, sorted: so the order in which facts of one epoch come makes no difference."""
    if fact_id in touched:
        return touched
    return tuple(sorted((*touched, fact_id))[:TOUCHED_MAX])


# --- facts of lenders


def _changed_from(loan: Loan, data: Event) -> date | None:
    """Return the first day whose books the fact can change; None where it changes no day's books."""
    match data:
        case RepaymentReceived():
            return data.value_date
        case RepaymentReversed():
            return min((item.value_date for item in loan.payments if item.payment_id == data.payment_id), default=None)
        case InstalmentScheduled() | InstalmentChanged() | InstalmentCancelled():
            dates = [item.due_date for item in loan.instalments if item.instalment_id == data.instalment_id]
            dates += [] if isinstance(data, InstalmentCancelled) else [data.due_date]
            return max(DATE_MIN, min((day for day in dates if day is not None), default=DATE_MIN) - _MOVED_DAYS_MAX)
        case ChargeAssessed():
            return data.assessed_on
        case LoanClosed():
            return DATE_MIN if data.reason is ClosedReason.CANCELLED else data.closed_on
        case LoanOpened() | LoanBoarded():
            return DATE_MIN
        case HoldPlaced():
            return DATE_MIN if data.reason is HoldReason.DECEASED else None
        case _:
            return None


def _anchored(before: CreditState, after: CreditState, data: Event, reporting: Reporting) -> CreditState:
    """Remember the due date that judged months had, when a new schedule moves it to a later day (T-59)."""
    terms = after.loan.terms
    if not isinstance(data, InstalmentScheduled | InstalmentChanged) or not before.months or terms is None:
        return after
    was = _due_date(before.loan, data.instalment_id)
    through = reporting.rules(terms.product, terms.segment).cutoff_date(before.months[-1].month)
    now_due = _due_date(after.loan, data.instalment_id)
    if was is None or now_due is None or not was < now_due or was >= through:
        return after
    if any(item.instalment_id == data.instalment_id and item.through == through for item in after.anchors):
        return after
    anchors = (*after.anchors, Anchor(data.instalment_id, through, was))
    latest = sorted(anchors, key=lambda item: (item.through, item.instalment_id))[-ANCHORS_MAX:]
    return replace(after, anchors=tuple(sorted(latest, key=lambda item: (item.instalment_id, item.through))))


def _due_date(loan: Loan, instalment_id: str) -> date | None:
    for item in loan.instalments:
        if item.instalment_id == instalment_id:
            return item.due_date
    boarded = loan.boarding.instalments if loan.boarding is not None else ()
    return next((item.due_date for item in boarded if item.instalment_id == instalment_id), None)


# --- facts of the gate


def _with_person_hold(state: CreditState, data: PersonHoldForwarded, fact_id: str) -> CreditState:
    new = PersonHold(
        data.borrower_id, data.hold_id, data.reason, data.from_ms, data.until_ms, data.forwarded_ms, fact_id
    )
    held = {(item.borrower_id, item.hold_id): item for item in state.person_holds}
    known = held.get((new.borrower_id, new.hold_id))
    if known is not None and _rank(known) >= _rank(new):
        return state
    held[new.borrower_id, new.hold_id] = new
    longest = sorted(held.values(), key=_lasting)[-PERSON_HOLDS_MAX:]
    holds = tuple(sorted(longest, key=lambda item: (item.borrower_id, item.hold_id)))
    review_from = DATE_MIN if new.reason is HoldReason.DECEASED and state.months else state.review_from
    return replace(state, person_holds=holds, review_from=review_from)


def _rank(hold: PersonHold) -> tuple[int, str]:
    return hold.forwarded_ms, hold.fact_id


def _lasting(hold: PersonHold) -> tuple[bool, int, str, str]:
    return hold.until_ms is None, hold.until_ms or 0, hold.borrower_id, hold.hold_id


def _with_notice(
    state: CreditState, request_id: str | None, permit_id: str | None, change: Callable[[Notice], Notice]
) -> CreditState:
    """Change the notice with that request, or that was permitted so; the same state when there is none."""
    for at, case in enumerate(state.cases):
        for place, notice in enumerate(case.notices):
            if notice.request_id == request_id or (permit_id is not None and notice.permit_id == permit_id):
                changed = change(notice)
                if changed == notice:
                    return state
                notices = (*case.notices[:place], changed, *case.notices[place + 1 :])
                cases: tuple[Case, ...] = (*state.cases[:at], replace(case, notices=notices), *state.cases[at + 1 :])
                return replace(state, cases=cases)
    return state


def _answered(notice: Notice, data: ContactAnswered) -> Notice:
    match data.answer:
        case Answer.GRANTED:
            return replace(notice, permit_id=data.permit_id)
        case Answer.REFUSED:
            return replace(notice, refused=True)
        case Answer.EXPIRED:
            return replace(notice, not_made=True)
        case Answer.WITHDRAWN:
            # The gate takes permits back for its own reasons, and goes on to look for a moment for what was asked.
            return replace(notice, permit_id=None) if notice.sent_ms is None else notice


def _made(notice: Notice, data: ContactOutcome) -> Notice:
    permit_id = data.permit_id or notice.permit_id
    if data.outcome is Outcome.ATTEMPTED:
        sent_ms = data.occurred_ms if notice.sent_ms is None else min(notice.sent_ms, data.occurred_ms)
        return replace(notice, sent_ms=sent_ms, permit_id=permit_id)
    if data.outcome in _MISSED:
        return replace(notice, bounced=True, permit_id=permit_id)
    if data.outcome is Outcome.NOT_ATTEMPTED and permit_id == notice.permit_id:
        return replace(notice, not_made=True)
    return notice


def _with_void_notice(state: CreditState, data: ContactOutcome) -> CreditState:
    """Note that the notice behind a month that was told bounced after all."""
    if data.outcome not in _MISSED:
        return state
    months = tuple(
        replace(month, notice_void=True) if _rests_on(month, data) and not month.notice_void else month
        for month in state.months
    )
    return replace(state, months=months) if months != state.months else state


def _rests_on(month: Month, data: ContactOutcome) -> bool:
    if month.proof is None:
        return False
    same_permit = data.permit_id is not None and month.proof.permit_id == data.permit_id
    return same_permit or month.proof.notice_id == data.request_id


def _with_clearance(state: CreditState, data: ClearanceAnswered) -> CreditState:
    cases = tuple(_cleared(case, data) for case in state.cases)
    return replace(state, cases=cases) if cases != state.cases else state


def _cleared(case: Case, data: ClearanceAnswered) -> Case:
    asked: Clearance | None = case.clearance
    if asked is None or asked.clearance_id != data.clearance_id or asked.answered_ms is not None:
        return case
    return replace(case, clearance=replace(asked, answered_ms=data.answered_ms, cleared=data.cleared))
