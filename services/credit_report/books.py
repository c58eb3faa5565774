"""How a loan stood at a cut-off, by value date and by all that is known now (T-62: later facts make corrections)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from services.credit_report.state import Anchor
from shared.contract.loans import ClosedReason
from shared.contract.repayments import Payer
from shared.domain import pboc
from shared.domain.delinquency import Basis, Delinquency, InstalmentRow, assess, payments_counting
from shared.domain.demand import causes
from shared.domain.loan_dates import Calendars, business_date
from shared.domain.loan_state import Instalment, Loan
from shared.domain.reporting import ReportingRules


@dataclass(frozen=True, slots=True)
class Picture:
    """A loan at the end of a month's cut-off day."""

    month: str
    code: str
    days_past_due: int
    amount_overdue_minor: int
    still_unpaid: bool
    """Something that was overdue then is overdue now as well, on the contact basis."""
    caused_by: tuple[str, ...]

    @property
    def is_adverse(self) -> bool:
        """Whether the month may be told only through the gate."""
        return pboc.is_adverse(self.code)


@dataclass(frozen=True, slots=True)
class Books:
    """A loan with the policy by which its months are read."""

    loan: Loan
    rules: ReportingRules
    calendars: Calendars
    anchors: tuple[Anchor, ...] = ()

    def belongs(self, month: str) -> bool:
        """Tell whether the month is ours: a cancelled loan never was, a transferred one has a new owner (T-67)."""
        closed = self.loan.closed
        if closed is None:
            return True
        if closed.reason is ClosedReason.CANCELLED:
            return False
        if closed.reason is ClosedReason.TRANSFERRED:
            return closed.closed_on > self.rules.cutoff_date(month)
        return closed.closed_on >= self.rules.first_day(month)

    def picture(self, month: str, now: int) -> Picture | None:
        """Return the month as it must be told by what is known now; None for a month that does not belong."""
        if not self.belongs(month):
            return None
        on = self.rules.cutoff_date(month)
        loan = self._as_reported(on)
        books = assess(loan, on, Basis.BOOKS, self.calendars)
        state = self._month_state(loan, month, books)
        code = self.rules.encode(state)
        adverse = pboc.is_adverse(code)
        return Picture(
            month=month,
            code=code,
            days_past_due=books.days_past_due if adverse else 0,
            amount_overdue_minor=books.amount_overdue_minor if adverse else 0,
            still_unpaid=adverse and self._still_unpaid(books, self.today(now)),
            caused_by=self._causes(month, books, adverse=adverse),
        )

    def today(self, now: int) -> Delinquency:
        """Return what may be asked for now; what was written off is owed all the same."""
        closed = self.loan.closed
        loan = self.loan
        if closed is not None and closed.reason is ClosedReason.WRITTEN_OFF:
            loan = replace(loan, closed=None)
        return assess(loan, business_date(loan, now), Basis.CONTACT, self.calendars)

    def late_today(self, today: Delinquency) -> bool:
        """Tell whether the loan is late enough to be warned: beyond its grace days (T-12) and the policy's own."""
        terms = self.loan.terms
        grace_days = terms.grace_days if terms is not None else 0
        return today.days_past_due >= max(grace_days + 1, self.rules.notice_from_days_past_due)

    def _as_reported(self, on: date) -> Loan:
        """Return the loan as the bureau must see it on a day: without its end, without money that came back."""
        loan = self.loan
        payments = loan.payments
        if not self.rules.returned_payment_counts:
            returned = {reversal.payment_id for reversal in loan.reversals}
            payments = tuple(item for item in payments if item.payment_id not in returned)
        instalments = loan.instalments
        if self.anchors:
            then = _dates_then(self.anchors, on)
            instalments = tuple(_anchored(item, then.get(item.instalment_id)) for item in instalments)
        return replace(loan, payments=payments, instalments=instalments, closed=None)

    def _month_state(self, loan: Loan, month: str, books: Delinquency) -> pboc.MonthState:
        first, on = self.rules.first_day(month), books.on
        closed = self.loan.closed if self.loan.closed is not None and self.loan.closed.closed_on <= on else None
        paid_by = [item for item in payments_counting(loan, on, Basis.BOOKS) if item.value_date >= first]
        due = _due(books, first)
        return pboc.MonthState(
            days_past_due=books.days_past_due,
            excused=books.days_past_due <= (loan.terms.grace_days if loan.terms is not None else 0),
            anything_due=bool(due or books.rows_overdue),
            paid_late=self.rules.says_paid_late_in_month and any(self._paid_late(loan, row) for row in due),
            guarantor_paid=any(item.payer is Payer.GUARANTOR for item in paid_by),
            closed=closed.reason if closed is not None else None,
        )

    def _paid_late(self, loan: Loan, row: InstalmentRow) -> bool:
        """Tell whether more of it than the tolerance was missing on its day and came by the cut-off (T-03)."""
        if row.unpaid_minor > self._tolerance_minor:
            return False
        then = assess(loan, row.due_date, Basis.BOOKS, self.calendars).rows
        return any(one.instalment_id == row.instalment_id and one.unpaid_minor > self._tolerance_minor for one in then)

    def _still_unpaid(self, books: Delinquency, today: Delinquency) -> bool:
        then = {row.instalment_id for row in books.rows_overdue}
        unpaid_minor = sum(row.unpaid_minor for row in today.rows_overdue if row.instalment_id in then)
        return unpaid_minor > self._tolerance_minor

    @property
    def _tolerance_minor(self) -> int:
        return self.loan.terms.tolerance_minor if self.loan.terms is not None else 0

    def _causes(self, month: str, books: Delinquency, *, adverse: bool) -> tuple[str, ...]:
        """Name the facts that the code rests on: what was missed, or else what fell due and was paid, or the terms."""
        if adverse:
            return causes(row.fact_id for row in books.rows_overdue)
        first = self.rules.first_day(month)
        closed = [self.loan.closed.fact_id] if self.loan.closed is not None else []
        paid = [item.fact_id for item in self.loan.payments if first <= item.value_date <= books.on]
        found = causes(closed, (row.fact_id for row in _due(books, first)), paid)
        return found or causes([self.loan.terms.fact_id] if self.loan.terms is not None else [])


def _due(books: Delinquency, first: date) -> list[InstalmentRow]:
    return [row for row in books.rows if first <= row.due_date <= books.on]


def _dates_then(anchors: Iterable[Anchor], on: date) -> dict[str, date]:
    """Return the due dates that held on a cut-off day; of several the one that was replaced first after it."""
    latest_first = sorted((item for item in anchors if item.through >= on), key=lambda item: item.through, reverse=True)
    return {item.instalment_id: item.due_date for item in latest_first}


def _anchored(item: Instalment, due_date: date | None) -> Instalment:
    """Put an instalment back to an earlier date; one that was cancelled stays cancelled, an earlier date stands."""
    if due_date is None or item.due_date is None or due_date >= item.due_date:
        return item
    return replace(item, due_date=due_date)
