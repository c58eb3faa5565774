"""Whether a fact can be true of this loan: its currency, its bounds, its side of boarding and horizon.

A fact that arrives after what contradicts it is a dead letter. One that came first cannot become one any more: it
stays in the state, counts for nothing, and is reported as parked. Both go by the same functions, so the order of
arrival changes who hears of it, never what the loan owes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from shared.contract.codec import DeadReason
from shared.domain.loan_state import Charge, Instalment, Loan, Payment, Promise


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a fact cannot be true of the loan."""

    reason: DeadReason
    detail: str


_OTHER_CURRENCY = Misfit(DeadReason.CURRENCY_MISMATCH, "the currency is not that of the loan's terms")
_ABOVE_MAXIMUM = Misfit(DeadReason.AMOUNT_IMPOSSIBLE, "the amount is above the largest payment that the terms allow")
_BEFORE_BOARDING = Misfit(DeadReason.BEFORE_HORIZON, "the date lies in what was settled when the loan was boarded")
_BEFORE_HORIZON = Misfit(DeadReason.BEFORE_HORIZON, "the date lies before the loan's horizon, where history is settled")


def payment_misfit(loan: Loan, payment: Payment) -> Misfit | None:
    """Return why the payment cannot count; None when it can, or while the terms are unknown (traps T-23, T-25)."""
    terms = loan.terms
    if terms is not None:
        if payment.currency != terms.currency:
            return _OTHER_CURRENCY
        if terms.payment_max_minor is not None and payment.amount_minor > terms.payment_max_minor:
            return _ABOVE_MAXIMUM
    return _settled_by_boarding(loan, payment.value_date)


def instalment_misfit(loan: Loan, instalment: Instalment) -> Misfit | None:
    """Return why the instalment cannot count: it fell due before boarding, and was not among what was unpaid then."""
    boarding = loan.boarding
    if boarding is None or instalment.due_date is None or instalment.due_date > boarding.as_of:
        return None
    known = any(item.instalment_id == instalment.instalment_id for item in boarding.instalments)
    return None if known else _BEFORE_BOARDING


def charge_misfit(loan: Loan, charge: Charge) -> Misfit | None:
    """Return why the charge cannot count: what was boarded contains it."""
    return _settled_by_boarding(loan, charge.assessed_on)


def promise_misfit(loan: Loan, promise: Promise) -> Misfit | None:
    """Return why the promise cannot count."""
    return _OTHER_CURRENCY if loan.terms is not None and promise.currency != loan.terms.currency else None


def before_horizon(loan: Loan, day: date | None) -> Misfit | None:
    """Return why a fact dated `day` comes too late: its time is folded into totals. Asked on arrival only."""
    return _BEFORE_HORIZON if loan.horizon is not None and day is not None and day < loan.horizon.before else None


def _settled_by_boarding(loan: Loan, day: date) -> Misfit | None:
    return _BEFORE_BOARDING if loan.boarding is not None and day <= loan.boarding.as_of else None
