"""What must be said about a loan's months: those that end, those told before, and the one that comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from services.credit_report.books import Picture
from services.credit_report.desk import Desk
from services.credit_report.gate import advance, is_barred
from services.credit_report.reasons import CreditSkip, Shut, Told
from services.credit_report.state import Month, Proof
from shared.contract.requests import WithdrawalReason
from shared.domain import pboc
from shared.domain.loan_dates import start_of_business_date
from shared.domain.reporting import month_of, next_month, previous_month
from shared.kernel.zones import local_date

_ONE_DAY: Final = timedelta(days=1)


def first_month(desk: Desk) -> str:
    """Return the first month that is ours to tell: its cut-off comes after boarding, or after the terms were known."""
    boarding = desk.state.loan.boarding
    if boarding is not None:
        return desk.rules.first_month_after(boarding.as_of)
    since_ms = desk.state.since_ms if desk.state.since_ms is not None else desk.now
    month = previous_month(month_of(local_date(since_ms, desk.terms.accounting_zone)))
    while desk.cutoff_ms(month) <= since_ms:
        month = next_month(month)
    return month


def begin_months(desk: Desk, month: str) -> str:
    """Take up every month whose cut-off has come, from `month` on; return the first that has not."""
    filed = {item.month for item in desk.state.loan.months_filed}
    while desk.cutoff_ms(month) <= desk.now:
        if not desk.books.belongs(month):
            desk.skip(CreditSkip.LOAN_OVER, month)
            break
        if month in filed:
            desk.skip(CreditSkip.BOARDED_MONTH_FILED, month)
            desk.close_case(month, WithdrawalReason.SUPERSEDED)
        else:
            desk.months[month] = Month(month)
        month = next_month(month)
    return month


def judge_months(desk: Desk) -> None:
    """Judge the months that are not told yet, that wait at the gate, or that a fact may have changed."""
    review_from = desk.state.review_from
    for month in list(desk.months.values()):
        changed = review_from is not None and desk.rules.cutoff_date(month.month) >= review_from
        waits = month.told is None and not month.withdrawn
        if changed or waits or month.notice_void or month.month in desk.cases:
            _judge(desk, month)


def _judge(desk: Desk, month: Month) -> None:
    picture = desk.books.picture(month.month, desk.now)
    if picture is None:
        desk.close_case(month.month, WithdrawalReason.LOAN_CLOSED)
        if not month.withdrawn:
            desk.withdraw(month)
    elif month.withdrawn or _is_folded(desk, month):
        desk.skip(CreditSkip.KEPT_AS_TOLD, month.month)
    elif month.told is None:
        _judge_untold(desk, month, picture)
    else:
        _judge_told(desk, month, month.told, picture)


def _is_folded(desk: Desk, month: Month) -> bool:
    """Tell whether the month lies behind the loan's horizon, where its facts are totals."""
    horizon = desk.state.loan.horizon
    return horizon is not None and desk.rules.cutoff_date(month.month) < horizon.before


def _judge_untold(desk: Desk, month: Month, picture: Picture) -> None:
    if picture.is_adverse:
        _through_gate(desk, month, picture)
    else:
        desk.close_case(month.month, WithdrawalReason.PAID)
        desk.tell(month, picture, Told.CUTOFF)


def _judge_told(desk: Desk, month: Month, told: str, picture: Picture) -> None:
    """Compare what was told with what is known now. What helps is said at once; what harms passes the gate (P6)."""
    if pboc.is_adverse(told) and (month.notice_void or is_barred(desk, month.month)):
        desk.close_case(month.month, WithdrawalReason.SUPERSEDED)
        why = Told.NOTICE_BOUNCED_LATER if month.notice_void else Told.DECEASED
        desk.tell_unknown(month, picture, why)
    elif picture.code == told or (picture.code == month.judged and month.month not in desk.cases):
        desk.close_case(month.month, WithdrawalReason.PAID)
        desk.months[month.month] = replace(month, judged=picture.code)
        desk.skip(CreditSkip.UNCHANGED, month.month)
    elif not picture.is_adverse or pboc.severity(picture.code) < pboc.severity(told):
        desk.close_case(month.month, WithdrawalReason.PAID)
        desk.tell(month, picture, Told.LATE_FACT, month.proof)
    elif told == pboc.UNKNOWN:
        desk.months[month.month] = replace(month, judged=picture.code)
        desk.skip(CreditSkip.KEPT_AS_UNKNOWN, month.month)
    else:
        _through_gate(desk, month, picture)


def _through_gate(desk: Desk, month: Month, picture: Picture) -> None:
    case = desk.open_case(month.month)
    if is_barred(desk, month.month):
        _give_up(desk, month, picture, Told.DECEASED, WithdrawalReason.HOLD)
        return
    if not picture.still_unpaid:
        _give_up(desk, month, picture, Told.PAID_IN_WAITING_TIME, WithdrawalReason.PAID)
        return
    shut = advance(desk, case, picture)
    if isinstance(shut, Proof):
        desk.tell(month, picture, Told.GATE_PASSED, shut)
        del desk.cases[month.month]
    elif desk.now >= desk.deadline_ms(case):
        _give_up(desk, month, picture, shut, WithdrawalReason.SUPERSEDED)
    elif shut is not Shut.AWAITING_CLEARANCE:
        desk.hold(month, picture, shut)


def _give_up(desk: Desk, month: Month, picture: Picture, why: Told | Shut, withdrawal: WithdrawalReason) -> None:
    """Let a month go that may not be told as adverse: unknown, never good; what is adverse already stays as it is."""
    desk.close_case(month.month, withdrawal)
    if month.told is not None and pboc.is_adverse(month.told):
        desk.months[month.month] = replace(month, judged=picture.code, held_for=None)
        desk.skip(CreditSkip.KEPT_AS_TOLD, month.month)
    else:
        desk.tell_unknown(month, picture, why)


def warn_of(desk: Desk, month: str) -> int | None:
    """Announce a cut-off to come to a loan that is late; return when to look again, None when only facts matter."""
    lead_ms = desk.cutoff_ms(month) - desk.rules.lead_ms
    if not desk.books.belongs(month):
        desk.close_case(month, WithdrawalReason.LOAN_CLOSED)
        return None
    if desk.now < lead_ms and month not in desk.cases:
        return lead_ms
    picture = desk.books.picture(month, desk.now)
    if picture is None or not picture.still_unpaid:
        desk.close_case(month, WithdrawalReason.PAID)
        return _late_from(desk) if picture is not None and picture.is_adverse else None
    if is_barred(desk, month):
        desk.close_case(month, WithdrawalReason.HOLD)
    elif desk.books.late_today(desk.today):
        advance(desk, desk.open_case(month), picture)
        return None
    elif month in desk.cases:
        # What it was late with is paid, and a notice that was made still holds for what is left.
        desk.withdraw_notice(desk.cases[month], WithdrawalReason.AMOUNT_CHANGED)
    return _late_from(desk)


def _late_from(desk: Desk) -> int | None:
    """Return the first instant at which the loan, if nobody pays, will be late enough to be warned."""
    unpaid = [row.due_date for row in desk.today.rows if row.unpaid_minor > 0]
    if not unpaid:
        return None
    days = max(desk.terms.grace_days + 1, desk.rules.notice_from_days_past_due)
    day = max(min(unpaid) + timedelta(days=days), desk.today.on + _ONE_DAY)
    return start_of_business_date(desk.state.loan, day)
