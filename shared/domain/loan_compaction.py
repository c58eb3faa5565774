"""Bounded state: settled history beyond the horizon becomes totals, and an ended loan becomes a gravestone.

Both happen at a tick only, and neither changes what the loan owes on any day from the horizon on (property test).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from shared.domain.delinquency import Basis, charges_counting, obligations, payments_counting
from shared.domain.doubt import doubt_end
from shared.domain.holds import hold_end
from shared.domain.loan_allocation import Allocation, Obligation, allocate
from shared.domain.loan_amounts import Parts, minus
from shared.domain.loan_dates import business_date, start_of_business_date
from shared.domain.loan_promises import promise_end
from shared.domain.loan_state import BoardedInstalment, Boarding, Horizon, Instalment, Loan
from shared.kernel.business_days import add_months

HORIZON_YEARS: Final = 5
"""How far back a loan's history is kept fact by fact: the bureau's own memory (CN-BUREAU-5Y)."""
GRAVESTONE_DAYS: Final = 45
"""How long an ended loan is kept whole, so that its last month is still furnished and corrected."""
_ONE_DAY: Final = timedelta(days=1)


def compact(
    loan: Loan, now_ms: int, horizon_years: int = HORIZON_YEARS, gravestone_days: int = GRAVESTONE_DAYS
) -> Loan:
    """Return the loan with its old history folded; the same object when there is nothing to fold."""
    if loan.gravestone:
        return loan
    today = business_date(loan, now_ms)
    if loan.closed is not None and today >= loan.closed.closed_on + timedelta(days=gravestone_days):
        return Loan(loan.loan_id, terms=loan.terms, closed=loan.closed, gravestone=True)
    loan = _without_ended_doubts(loan, now_ms)
    before = _undivided(loan, add_months(today, -12 * horizon_years))
    return _folded(loan, before) if _has_history(loan, before) else loan


def gravestone_at(loan: Loan, now_ms: int, gravestone_days: int = GRAVESTONE_DAYS) -> int | None:
    """Return the next instant at which `compact` would leave a gravestone; None for a loan that goes on, or is one."""
    if loan.closed is None or loan.gravestone:
        return None
    return max(now_ms + 1, start_of_business_date(loan, loan.closed.closed_on + timedelta(days=gravestone_days)))


def _without_ended_doubts(loan: Loan, now_ms: int) -> Loan:
    kept = tuple(item for item in loan.doubts if doubt_end(item) > now_ms)
    return loan if len(kept) == len(loan.doubts) else replace(loan, doubts=kept)


def _undivided(loan: Loan, before: date) -> date:
    """Return the latest horizon not after `before` that no payment and its reversal lie on both sides of."""
    reversed_on = {reversal.payment_id: reversal.reversed_on for reversal in loan.reversals}
    spans = [
        (item.value_date, reversed_on[item.payment_id]) for item in loan.payments if item.payment_id in reversed_on
    ]
    for value_date, undone_on in sorted(spans, reverse=True):
        if value_date < before <= undone_on:
            before = value_date
    return before


def _has_history(loan: Loan, before: date) -> bool:
    """Tell whether folding would free anything: what stayed unpaid beyond an earlier horizon is no reason again."""
    if loan.terms is None:
        return False
    since = loan.horizon.before if loan.horizon is not None else date.min
    boarded = loan.boarding.instalments if loan.boarding is not None else ()
    days = [item.value_date for item in loan.payments]
    days += [item.assessed_on for item in loan.charges]
    days += [item.due_date for item in loan.instalments if item.due_date is not None]
    days += [item.due_date for item in boarded]
    return any(since <= day < before for day in days)


def _folded(loan: Loan, before: date) -> Loan:
    """Fold what is dated before the horizon, but keep what speaks of instalments that are not part of history yet."""
    assert loan.terms is not None
    on = before - _ONE_DAY
    old = [one for one in obligations(loan) if one.nominal_due_date < before]
    names = {one.instalment_id for one in old}
    ahead = {
        item.payment_id for item in loan.payments if any(part.instalment_id not in names for part in item.directed)
    }
    payments = [item for item in payments_counting(loan, on, Basis.BOOKS) if item.payment_id not in ahead]
    held = loan.horizon or Horizon(before, 0, 0, 0, 0, 0)
    result = allocate(
        old, charges_counting(loan, on), payments, loan.terms.allocation_order, carried_minor=held.unapplied_minor
    )
    rest = _rest(loan, before, old, result)
    horizon = Horizon(
        before=before,
        unapplied_minor=result.unapplied_minor,
        instalments=held.instalments + len(old) - len(rest),
        payments=held.payments + len(payments),
        received_minor=held.received_minor + sum(item.amount_minor for item in payments),
        settled_minor=held.settled_minor + sum(map(sum, result.paid)),
    )
    kept = tuple(item for item in loan.payments if item.value_date >= before or item.payment_id in ahead)
    still = {item.payment_id for item in kept}
    ended = _ended_holds(loan, before)
    return replace(
        loan,
        instalments=_instalments(loan, before, rest),
        boarding=_boarding(loan, before, rest),
        charges=tuple(item for item in loan.charges if item.assessed_on >= before or item.instalment_id not in names),
        payments=kept,
        reversals=tuple(item for item in loan.reversals if item.reversed_on >= before or item.payment_id in still),
        promises=tuple(item for item in loan.promises if promise_end(item) >= before),
        holds=tuple(item for item in loan.holds if item.hold_id not in ended),
        lifts=tuple(item for item in loan.lifts if item.hold_id not in ended),
        horizon=horizon,
    )


def _rest(loan: Loan, before: date, old: list[Obligation], result: Allocation) -> dict[str, Parts]:
    """Return what stays of old instalments: those not fully paid, and those that a later charge still refers to."""
    charged = {item.instalment_id for item in loan.charges if item.assessed_on >= before}
    left = {one.instalment_id: minus(owed, paid) for one, owed, paid in zip(old, result.owed, result.paid, strict=True)}
    return {instalment_id: parts for instalment_id, parts in left.items() if any(parts) or instalment_id in charged}


def _instalments(loan: Loan, before: date, rest: dict[str, Parts]) -> tuple[Instalment, ...]:
    return tuple(
        replace(item, owed=rest[item.instalment_id]) if _is_old(item.due_date, before) else item
        for item in loan.instalments
        if not _is_old(item.due_date, before) or item.instalment_id in rest
    )


def _boarding(loan: Loan, before: date, rest: dict[str, Parts]) -> Boarding | None:
    if loan.boarding is None:
        return None
    kept: tuple[BoardedInstalment, ...] = tuple(
        replace(item, owed=rest[item.instalment_id]) if item.due_date < before else item
        for item in loan.boarding.instalments
        if item.due_date >= before or item.instalment_id in rest
    )
    return replace(loan.boarding, instalments=kept)


def _is_old(day: date | None, before: date) -> bool:
    return day is not None and day < before


def _ended_holds(loan: Loan, before: date) -> set[str]:
    edge = start_of_business_date(loan, before)
    return {item.hold_id for item in loan.holds if (end := hold_end(loan, item)) is not None and end <= edge}
