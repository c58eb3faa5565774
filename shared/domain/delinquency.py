"""How late a loan is: days past due, treatment days, what is overdue and in which bucket.

All of it is a function of the loan and a business date in its accounting zone. Two bases answer two questions:

- `BOOKS`: what the accounts say on that date. Money counts from its value date until the day it is reversed, so a
  payment that becomes known later changes past days too (bitemporal; trap T-17). The bureau and the ladder ask this.
- `CONTACT`: what may be asked of somebody now. Money counts from the moment it is known (promise P5), a closed loan
  demands nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from shared.contract.base import Amounts
from shared.contract.loans import DueDateConvention
from shared.domain.holds import days_paused
from shared.domain.loan_allocation import Obligation, allocate
from shared.domain.loan_amounts import NOTHING, Parts, amounts_of, minus, plus
from shared.domain.loan_dates import NO_CALENDARS, Calendars, moved_due_date
from shared.domain.loan_fit import charge_misfit, instalment_misfit, payment_misfit
from shared.domain.loan_state import Boarding, Charge, Loan, Payment


class Basis(StrEnum):
    """Which money counts on a date."""

    BOOKS = "books"
    CONTACT = "contact"


class InstalmentRow(NamedTuple):
    """One instalment on one date; `due_date` as the convention moved it. A tuple, because a view makes many."""

    instalment_id: str
    due_date: date
    nominal_due_date: date
    owed_parts: Parts
    paid_parts: Parts
    days_past_due: int
    """Days since its due date while anything of it is demanded, otherwise 0; tolerance is the loan's, not the row's."""
    fact_id: str

    @property
    def unpaid_minor(self) -> int:
        """What is still missing, all components."""
        return sum(self.owed_parts) - sum(self.paid_parts)

    @property
    def owed(self) -> Amounts:
        """What was to be paid, charges included."""
        return amounts_of(self.owed_parts)

    @property
    def paid(self) -> Amounts:
        """What payments have satisfied."""
        return amounts_of(self.paid_parts)

    @property
    def unpaid(self) -> Amounts:
        """What is still missing, by component."""
        return amounts_of(minus(self.owed_parts, self.paid_parts))


@dataclass(frozen=True, slots=True)
class Delinquency:
    """A loan on one date: everything that a strategy asks, computed once."""

    on: date
    basis: Basis
    rows: tuple[InstalmentRow, ...]
    """In order of due date."""
    days_past_due: int
    """Days since the oldest due date whose arrears exceed the tolerance; the due date itself is 0. Runs on in holds."""
    treatment_days: int
    """Days past due without the days paused by holds and without the grace days; never below 0 (traps T-11, T-12)."""
    oldest_unpaid_due_date: date | None
    """The due date that the days count from; None while arrears do not exceed the tolerance."""
    overdue_parts: Parts
    unapplied_minor: int
    """Money received that nothing owed has used up."""

    @property
    def amount_overdue(self) -> Amounts:
        """The unpaid part of what fell due before the date, tolerance not deducted: it is never forgiven (T-03)."""
        return amounts_of(self.overdue_parts)

    @property
    def amount_overdue_minor(self) -> int:
        """The sum of `amount_overdue`."""
        return sum(self.overdue_parts)

    @property
    def rows_overdue(self) -> tuple[InstalmentRow, ...]:
        """The instalments that fell due before the date and are not fully paid."""
        return tuple(row for row in self.rows if row.days_past_due)


def assess(loan: Loan, on: date, basis: Basis = Basis.BOOKS, calendars: Calendars = NO_CALENDARS) -> Delinquency:
    """Return the loan's delinquency on a business date of its accounting zone.

    A loan without terms owes nothing yet. On `CONTACT` a closed loan is never overdue; on `BOOKS` from its closing day.
    """
    rows, unapplied_minor = _rows(loan, on, basis, calendars)
    overdue = [row for row in rows if row.days_past_due]
    total = NOTHING
    for row in overdue:
        total = plus(total, minus(row.owed_parts, row.paid_parts))
    anchor = _anchor(overdue, loan.terms.tolerance_minor if loan.terms is not None else 0)
    days = (on - anchor).days if anchor is not None else 0
    return Delinquency(
        on=on,
        basis=basis,
        rows=rows,
        days_past_due=days,
        treatment_days=_treatment_days(loan, anchor, on) if anchor is not None else 0,
        oldest_unpaid_due_date=anchor,
        overdue_parts=total,
        unapplied_minor=unapplied_minor,
    )


def is_closed(loan: Loan, on: date, basis: Basis = Basis.BOOKS) -> bool:
    """Tell whether the loan has ended: on the books from its closing day, for contact as soon as that is known."""
    return loan.closed is not None and (basis is Basis.CONTACT or loan.closed.closed_on <= on)


def instalment_view(
    loan: Loan, on: date, basis: Basis = Basis.BOOKS, calendars: Calendars = NO_CALENDARS
) -> tuple[InstalmentRow, ...]:
    """Return a row per instalment, oldest due date first."""
    return assess(loan, on, basis, calendars).rows


def days_past_due_on(loan: Loan, on: date, calendars: Calendars = NO_CALENDARS) -> int:
    """Return the days past due of any date, past ones included, by value dates and by all that is known now."""
    return assess(loan, on, Basis.BOOKS, calendars).days_past_due


def days_past_due(loan: Loan, on: date, basis: Basis = Basis.BOOKS, calendars: Calendars = NO_CALENDARS) -> int:
    """Return whole days between the oldest unsatisfied due date and `on`."""
    return assess(loan, on, basis, calendars).days_past_due


def treatment_days(loan: Loan, on: date, basis: Basis = Basis.BOOKS, calendars: Calendars = NO_CALENDARS) -> int:
    """Return the days past due that count for treatment: without grace days and days paused by holds."""
    return assess(loan, on, basis, calendars).treatment_days


def amount_overdue(loan: Loan, on: date, basis: Basis = Basis.CONTACT, calendars: Calendars = NO_CALENDARS) -> Amounts:
    """Return the unpaid part of what fell due before `on`, by component."""
    return assess(loan, on, basis, calendars).amount_overdue


def oldest_unpaid_due_date(
    loan: Loan, on: date, basis: Basis = Basis.BOOKS, calendars: Calendars = NO_CALENDARS
) -> date | None:
    """Return the due date that the days past due count from; None when there are none."""
    return assess(loan, on, basis, calendars).oldest_unpaid_due_date


def obligations(loan: Loan, calendars: Calendars = NO_CALENDARS) -> list[Obligation]:
    """Return the instalments that are owed, in order of (due date, id).

    What was boarded as unpaid stands above what was once scheduled under the same id; a later change stands above it.
    """
    terms = loan.terms
    if terms is None:
        return []
    boarding = loan.boarding
    if boarding is None:
        found = [(item.due_date, item.instalment_id, item.owed, item.fact_id) for item in loan.instalments]
    else:
        found = _boarded_and_changed(loan, boarding)
    stays = terms.due_date_convention is DueDateConvention.NONE
    return sorted(
        [
            Obligation(day if stays else moved_due_date(day, terms, calendars), instalment_id, day, owed, fact_id)
            for day, instalment_id, owed, fact_id in found
            if day is not None
        ]
    )


def _boarded_and_changed(loan: Loan, boarding: Boarding) -> list[tuple[date | None, str, Parts, str]]:
    boarded = {item.instalment_id: item for item in boarding.instalments}
    above = [
        item
        for item in loan.instalments
        if (item.revision > 0 or item.instalment_id not in boarded) and instalment_misfit(loan, item) is None
    ]
    replaced = {item.instalment_id for item in above}
    found = [(item.due_date, item.instalment_id, item.owed, item.fact_id) for item in above]
    found += [
        (item.due_date, item.instalment_id, item.owed, boarding.fact_id)
        for item in boarding.instalments
        if item.instalment_id not in replaced
    ]
    return found


def payments_counting(loan: Loan, on: date, basis: Basis) -> list[Payment]:
    """Return the payments that are money on that date and basis; one that cannot be true never is."""
    if basis is Basis.CONTACT:
        undone = {reversal.payment_id for reversal in loan.reversals}
    else:
        undone = {reversal.payment_id for reversal in loan.reversals if reversal.reversed_on <= on}
    return [
        payment
        for payment in loan.payments
        if payment.payment_id not in undone
        and (basis is Basis.CONTACT or payment.value_date <= on)
        and payment_misfit(loan, payment) is None
    ]


def charges_counting(loan: Loan, on: date) -> list[Charge]:
    """Return the charges assessed by that date."""
    return [charge for charge in loan.charges if charge.assessed_on <= on and charge_misfit(loan, charge) is None]


def _rows(loan: Loan, on: date, basis: Basis, calendars: Calendars) -> tuple[tuple[InstalmentRow, ...], int]:
    if loan.terms is None:
        return (), 0
    owed = obligations(loan, calendars)
    allocation = allocate(
        owed,
        charges_counting(loan, on),
        payments_counting(loan, on, basis),
        loan.terms.allocation_order,
        loan.horizon.unapplied_minor if loan.horizon is not None else 0,
    )
    closed = is_closed(loan, on, basis)
    rows = [
        InstalmentRow(
            one.instalment_id,
            one.due_date,
            one.nominal_due_date,
            parts,
            paid,
            (on - one.due_date).days if one.due_date < on and paid != parts and not closed else 0,
            one.fact_id,
        )
        for one, parts, paid in zip(owed, allocation.owed, allocation.paid, strict=True)
    ]
    return tuple(rows), allocation.unapplied_minor


def _anchor(overdue: Sequence[InstalmentRow], tolerance_minor: int) -> date | None:
    """Return the due date at which arrears, added up from the oldest, first exceed the tolerance (trap T-03).

    So a few cents left of an old instalment neither open a case nor lend their age to a new one.
    """
    arrears = 0
    for row in overdue:
        arrears += row.unpaid_minor
        if arrears > tolerance_minor:
            return row.due_date
    return None


def _treatment_days(loan: Loan, anchor: date, on: date) -> int:
    grace_days = loan.terms.grace_days if loan.terms is not None else 0
    return max(0, (on - anchor).days - days_paused(loan, anchor, on) - grace_days)


@dataclass(frozen=True, slots=True)
class Edges:
    """A regime's buckets: names and the first day past due of each, ascending from 0 (trap T-04)."""

    name: str
    steps: tuple[tuple[int, str], ...]

    def __post_init__(self) -> None:
        """Refuse edges that do not ascend from 0."""
        days = [first for first, _ in self.steps]
        if not days or days[0] != 0 or days != sorted(set(days)):
            raise ValueError(f"the edges of {self.name} do not ascend from 0")

    def at(self, days: int) -> str:
        """Return the name of the bucket that many days past due fall into."""
        return next(name for first, name in reversed(self.steps) if days >= first)


TREATMENT_EDGES: Final = Edges("treatment", ((0, "current"), (1, "M1"), (31, "M2"), (61, "M3"), (91, "M4+")))
"""The trade's buckets: M1 is 1 to 30 days, M2 31 to 60, M3 61 to 90."""
PBOC_EDGES: Final = Edges(
    "pboc", ((0, "N"), (1, "1"), (31, "2"), (61, "3"), (91, "4"), (121, "5"), (151, "6"), (181, "7"))
)
"""PBOC second generation, monthly repayment state: 1 is 1 to 30 days, 7 is above 180."""
METRO2_EDGES: Final = Edges(
    "metro2", ((0, "11"), (30, "71"), (60, "78"), (90, "80"), (120, "82"), (150, "83"), (180, "84"))
)
"""Metro 2 account status: not delinquent before 30 days, 71 is 30 to 59."""
SMA_EDGES: Final = Edges("sma", ((0, "standard"), (1, "SMA-0"), (30, "SMA-1"), (60, "SMA-2"), (90, "NPA")))
"""RBI, tagged at day-end: due 31 March is SMA-1 on 30 April, NPA on 29 June (days past due 30 and 90)."""


def bucket(days: int, edges: Edges = TREATMENT_EDGES) -> str:
    """Return the bucket of that many days past due in a regime's own edges."""
    return edges.at(days)
