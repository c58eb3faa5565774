"""The way of an adverse month through the gate: notice made and not bounced, waiting time, clearance, still unpaid."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.credit_report.books import Picture
from services.credit_report.desk import Desk, valid_notice
from services.credit_report.reasons import CreditSkip, Shut
from services.credit_report.state import Case, Notice, PersonHold, Proof
from shared.contract.base import HoldReason
from shared.contract.requests import WithdrawalReason
from shared.domain.demand import objection, primary_borrower
from shared.domain.doubt import in_doubt
from shared.domain.holds import hold_end, is_held
from shared.domain.loan_promises import open_promise

_WITHDRAWN_FOR: Final = {
    Shut.LOAN_CLOSED: WithdrawalReason.LOAN_CLOSED,
    Shut.FACT_IN_DOUBT: WithdrawalReason.FACT_IN_DOUBT,
    Shut.PROMISE: WithdrawalReason.PROMISE,
}


def advance(desk: Desk, case: Case, picture: Picture) -> Shut | Proof:
    """Take a month as far as it goes now; return what keeps the gate shut, or the proof that it stands open."""
    shut = _left_alone(desk)
    notice = valid_notice(case)
    if notice is None:
        return _toward_notice(desk, case, shut or _not_to_be_asked(desk))
    desk.withdraw_notice(case, WithdrawalReason.SUPERSEDED)
    case = desk.cases[case.month]
    if notice.sent_ms is None or desk.now < notice.sent_ms + desk.rules.waiting_ms:
        return shut or Shut.WAITING_TIME
    if desk.now < desk.cutoff_ms(case.month):
        return Shut.BEFORE_CUTOFF
    if shut is not None:
        # A clearance given before would be stale when the hold ends: it is asked for anew.
        desk.cases[case.month] = replace(case, clearance=None)
        return shut
    return _toward_clearance(desk, case, notice, picture)


def is_barred(desk: Desk, month: str) -> bool:
    """Tell whether the borrower had died by the month's cut-off: no late mark is ever made of it (trap T-32)."""
    at = desk.cutoff_ms(month)
    loan = desk.state.loan
    for hold in loan.holds:
        if hold.reason is HoldReason.DECEASED and _covers(hold.from_ms, hold_end(loan, hold), at):
            return True
    person = primary_borrower(desk.terms)
    return any(
        hold.reason is HoldReason.DECEASED and hold.borrower_id == person and _covers(hold.from_ms, hold.until_ms, at)
        for hold in desk.state.person_holds
    )


def next_instant(desk: Desk, case: Case) -> list[int]:
    """Return the instants at which time alone may move the month on."""
    instants = [desk.cutoff_ms(case.month), desk.deadline_ms(case)]
    notice = valid_notice(case)
    if notice is not None and notice.sent_ms is not None:
        instants.append(notice.sent_ms + desk.rules.waiting_ms)
    if case.clearance is not None and case.clearance.answered_ms is not None:
        instants.append(case.clearance.answered_ms + desk.rules.clearance_again_ms)
    for hold in desk.state.person_holds:
        instants += [hold.from_ms] if hold.until_ms is None else [hold.from_ms, hold.until_ms]
    return instants


def _covers(from_ms: int, until_ms: int | None, at: int) -> bool:
    return from_ms <= at and (until_ms is None or at < until_ms)


def _left_alone(desk: Desk) -> Shut | None:
    """Return why nothing adverse may be told now, whatever was announced."""
    loan, now = desk.state.loan, desk.now
    if in_doubt(loan, now):
        return Shut.FACT_IN_DOUBT
    reasons = [hold.reason for hold in is_held(loan, now)]
    persons = [hold.reason for hold in desk.state.person_holds if _is_active(hold, now)]
    if HoldReason.DISPUTE in reasons or HoldReason.DISPUTE in persons:
        return Shut.DISPUTE
    if reasons:
        return Shut.HOLD
    return Shut.PERSON_HOLD if persons else None


def _is_active(hold: PersonHold, now: int) -> bool:
    return _covers(hold.from_ms, hold.until_ms, now)


def _not_to_be_asked(desk: Desk) -> Shut | None:
    """Return why nobody may be written to now, though a report would be allowed."""
    loan = desk.state.loan
    if loan.closed is not None:
        return Shut.LOAN_CLOSED
    return Shut.PROMISE if open_promise(loan, desk.now) is not None else None


def _toward_notice(desk: Desk, case: Case, shut: Shut | None) -> Shut:
    if shut is not None:
        desk.withdraw_notice(case, _WITHDRAWN_FOR.get(shut, WithdrawalReason.HOLD))
        return shut
    case = _without_wrong_notice(desk, case)
    if any(notice.is_open for notice in case.notices):
        return Shut.NOTICE_NOT_SENT
    failed = [notice for notice in case.notices if notice.has_failed]
    if len(failed) >= desk.rules.notice_attempts:
        return _why_failed(failed[-1])
    if desk.now >= desk.deadline_ms(case) - desk.rules.waiting_ms:
        return _why_failed(failed[-1]) if failed else Shut.NO_TIME_FOR_NOTICE
    if not desk.today.rows_overdue:
        return Shut.NOTHING_TO_DEMAND
    desk.ask_notice(case)
    return Shut.NOTICE_NOT_SENT


def _without_wrong_notice(desk: Desk, case: Case) -> Case:
    """Take back a notice that would name what is no longer owed, or no longer due then (promise P5)."""
    for notice in case.notices:
        if notice.is_open:
            why = objection(notice.instalments, notice.amounts, desk.today.rows, desk.terms.tolerance_minor)
            if why is not None:
                desk.withdraw_notice(case, why)
    return desk.cases[case.month]


def _why_failed(notice: Notice) -> Shut:
    if notice.bounced:
        return Shut.NOTICE_BOUNCED
    return Shut.NOTICE_REFUSED if notice.refused else Shut.NOTICE_NOT_SENT


def _toward_clearance(desk: Desk, case: Case, notice: Notice, picture: Picture) -> Shut | Proof:
    asked = case.clearance
    if asked is None:
        desk.ask_clearance(case, notice, picture)
        return Shut.AWAITING_CLEARANCE
    if asked.answered_ms is None:
        desk.skip(CreditSkip.AWAITING_GATE, case.month)
        return Shut.AWAITING_CLEARANCE
    if asked.cleared:
        return Proof(notice.request_id, notice.permit_id, asked.clearance_id)
    if desk.now >= asked.answered_ms + desk.rules.clearance_again_ms:
        desk.ask_clearance(case, notice, picture)
    return Shut.CLEARANCE_REFUSED
