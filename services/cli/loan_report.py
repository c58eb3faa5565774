"""What `duecourse loan try` prints: the shape of its JSON, which is only ever extended."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shared.contract.base import Amounts, HoldReason, Record
from shared.contract.loans import ClosedReason
from shared.domain.delinquency import Basis, Delinquency, InstalmentRow, assess, bucket, is_closed
from shared.domain.doubt import in_doubt
from shared.domain.holds import hold_end, is_held
from shared.domain.loan_amounts import Parts, amounts_of, minus
from shared.domain.loan_dates import Calendars, start_of_business_date
from shared.domain.loan_promises import PromiseStatus, promise_view
from shared.domain.loan_state import Hold, Loan
from shared.domain.loan_waiting import ParkedReason, parked
from shared.kernel.zones import format_instant

Minor = Annotated[int, Field(ge=0, description="Minor units of the loan's currency.")]
Days = Annotated[int, Field(ge=0)]


class RowStatus(StrEnum):
    """Where an instalment stands on the day."""

    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    PAID = "paid"
    NOT_DEMANDED = "not_demanded"


class AmountReport(Record):
    """An amount by component, and its sum."""

    principal_minor: Minor
    interest_minor: Minor
    penalty_minor: Minor
    fee_minor: Minor
    total_minor: Minor


class InstalmentReport(Record):
    """One instalment on the day."""

    instalment_id: str
    due_date: Annotated[date, Field(description="As the product's convention moved it.")]
    nominal_due_date: Annotated[date, Field(description="As the lender published it.")]
    status: RowStatus
    days_past_due: Annotated[Days, Field(description="0 once it is paid; tolerance not considered.")]
    owed: Annotated[AmountReport, Field(description="Charges assessed by the day included.")]
    paid: AmountReport
    unpaid: AmountReport


class ClosedReport(Record):
    """The end of the loan."""

    closed_on: date
    reason: ClosedReason


class HoldReport(Record):
    """A hold in force at the end of the day."""

    hold_id: str
    reason: HoldReason
    from_instant: str
    until_instant: Annotated[str | None, Field(description="Exclusive; null while nobody knows.")]


class PromiseReport(Record):
    """A promise to pay, and what became of it by the day."""

    promise_id: str
    status: PromiseStatus
    amount_minor: Minor
    received_minor: Minor
    ends_on: date


class WaitingReport(Record):
    """A fact that was accepted and counts for nothing yet."""

    fact_id: str
    reason: ParkedReason


class RefusedReport(Record):
    """A line that cannot be true of this loan; on a topic it would be a dead letter."""

    line: int
    reason: Annotated[str, Field(description="The reason that the dead letter would have.")]
    detail: str


class FactsReport(Record):
    """What became of the lines."""

    applied: int
    duplicate: int
    dead: int


class LoanReport(Record):
    """A loan at the end of a business date in its accounting zone."""

    loan_id: str
    as_of: date
    basis: Annotated[Basis, Field(description="books: money counts from its value date; contact: once it is known.")]
    currency: Annotated[str | None, Field(description="null while the loan's terms are unknown.")]
    days_past_due: Annotated[Days, Field(description="Since the oldest due date whose arrears exceed the tolerance.")]
    treatment_days: Annotated[Days, Field(description="Days past due without days paused by holds and grace days.")]
    bucket: Annotated[str, Field(description="current, M1 (1 to 30 days past due), M2, M3, M4+ (above 90).")]
    oldest_overdue_date: Annotated[date | None, Field(description="The due date from which the days count.")]
    amount_overdue_minor: Annotated[Minor, Field(description="What fell due before the day and is unpaid.")]
    amount_overdue: AmountReport
    unapplied_minor: Annotated[Minor, Field(description="Money received beyond everything owed.")]
    instalments: Annotated[tuple[InstalmentReport, ...], Field(description="In order of due date.")]
    closed: ClosedReport | None
    holds: tuple[HoldReport, ...]
    promises: tuple[PromiseReport, ...]
    in_doubt: Annotated[bool, Field(description="A repayment or arrangement was refused within 72 hours.")]
    waiting: tuple[WaitingReport, ...]
    refused: tuple[RefusedReport, ...]
    facts: FactsReport


def report(
    loan: Loan, as_of: date, basis: Basis, calendars: Calendars, refused: tuple[RefusedReport, ...], facts: FactsReport
) -> LoanReport:
    """Return the loan as of the end of a business date."""
    view = assess(loan, as_of, basis, calendars)
    end_ms = start_of_business_date(loan, date.fromordinal(as_of.toordinal() + 1)) - 1
    return LoanReport(
        loan_id=loan.loan_id,
        as_of=as_of,
        basis=basis,
        currency=loan.terms.currency if loan.terms is not None else None,
        days_past_due=view.days_past_due,
        treatment_days=view.treatment_days,
        bucket=bucket(view.days_past_due),
        oldest_overdue_date=view.oldest_unpaid_due_date,
        amount_overdue_minor=view.amount_overdue_minor,
        amount_overdue=_amount(view.overdue_parts),
        unapplied_minor=view.unapplied_minor,
        instalments=tuple(_row(row, view, ended=is_closed(loan, as_of, basis)) for row in view.rows),
        closed=_closed(loan),
        holds=tuple(_hold(loan, hold) for hold in is_held(loan, end_ms)),
        promises=_promises(loan, as_of),
        in_doubt=bool(in_doubt(loan, end_ms)),
        waiting=tuple(WaitingReport(fact_id=item.fact_id, reason=item.reason) for item in parked(loan)),
        refused=refused,
        facts=facts,
    )


def _amount(parts: Parts) -> AmountReport:
    amounts: Amounts = amounts_of(parts)
    return AmountReport(**amounts.model_dump(), total_minor=sum(parts))


def _row(row: InstalmentRow, view: Delinquency, *, ended: bool) -> InstalmentReport:
    return InstalmentReport(
        instalment_id=row.instalment_id,
        due_date=row.due_date,
        nominal_due_date=row.nominal_due_date,
        status=_status(row, view.on, ended=ended),
        days_past_due=row.days_past_due,
        owed=_amount(row.owed_parts),
        paid=_amount(row.paid_parts),
        unpaid=_amount(minus(row.owed_parts, row.paid_parts)),
    )


def _status(row: InstalmentRow, on: date, *, ended: bool) -> RowStatus:
    if not row.unpaid_minor:
        return RowStatus.PAID
    if ended:
        return RowStatus.NOT_DEMANDED
    if row.due_date < on:
        return RowStatus.OVERDUE
    return RowStatus.DUE if row.due_date == on else RowStatus.UPCOMING


def _closed(loan: Loan) -> ClosedReport | None:
    if loan.closed is None:
        return None
    return ClosedReport(closed_on=loan.closed.closed_on, reason=loan.closed.reason)


def _hold(loan: Loan, hold: Hold) -> HoldReport:
    end = hold_end(loan, hold)
    return HoldReport(
        hold_id=hold.hold_id,
        reason=hold.reason,
        from_instant=format_instant(hold.from_ms),
        until_instant=format_instant(end) if end is not None else None,
    )


def _promises(loan: Loan, on: date) -> tuple[PromiseReport, ...]:
    return tuple(
        PromiseReport(
            promise_id=view.promise.promise_id,
            status=view.status,
            amount_minor=view.promise.amount_minor,
            received_minor=view.received_minor,
            ends_on=view.ends_on,
        )
        for view in promise_view(loan, on)
    )
