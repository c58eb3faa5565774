"""Promises to pay: open until the promised day and its tolerance have passed, then kept, partly kept or broken.

Money that counts towards a promise is money with a value date from the day of the promise to the end of its tolerance.
Several promises are served in the order in which they fall due, and no payment counts twice (trap T-56).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from shared.domain.delinquency import Basis, is_closed, payments_counting
from shared.domain.loan_dates import business_date
from shared.domain.loan_fit import promise_misfit
from shared.domain.loan_state import Loan, Payment, Promise


class PromiseStatus(StrEnum):
    """What has become of a promise."""

    OPEN = "open"
    KEPT = "kept"
    PARTLY_KEPT = "partly_kept"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class PromiseView:
    """A promise on a date; `received_minor` is what was paid towards it, at most its amount."""

    promise: Promise
    status: PromiseStatus
    received_minor: int
    ends_on: date
    """The last day of the promise, its tolerance included."""


def promise_end(promise: Promise) -> date:
    """Return the last business date on which the promise can be kept."""
    return promise.due_on + timedelta(days=promise.tolerance_days)


def promise_view(loan: Loan, on: date) -> tuple[PromiseView, ...]:
    """Return each promise of the loan on a business date, the earliest due first."""
    payments = _payments(loan, on)
    left = [payment.amount_minor for payment in payments]
    views = []
    for promise in sorted(_promises(loan), key=lambda item: (item.due_on, item.promise_id)):
        ends_on = promise_end(promise)
        received = 0
        for at, payment in enumerate(payments):
            if promise.promised_on <= payment.value_date <= ends_on:
                taken = min(left[at], promise.amount_minor - received)
                received += taken
                left[at] -= taken
        views.append(PromiseView(promise, _status(promise, received, ends_on, on), received, ends_on))
    return tuple(views)


def open_promise(loan: Loan, now_ms: int) -> Promise | None:
    """Return the promise for which outreach pauses at that instant, the one that lasts longest; None if there is none.

    The pause lasts to the end of the promised day and its tolerance, whether or not the money came earlier.
    """
    on = business_date(loan, now_ms)
    if is_closed(loan, on, Basis.CONTACT):
        return None
    running = [item for item in _promises(loan) if item.promised_on <= on <= promise_end(item)]
    return max(running, key=lambda item: (promise_end(item), item.promise_id), default=None)


def _status(promise: Promise, received: int, ends_on: date, on: date) -> PromiseStatus:
    if received >= promise.amount_minor:
        return PromiseStatus.KEPT
    if on <= ends_on:
        return PromiseStatus.OPEN
    return PromiseStatus.PARTLY_KEPT if received else PromiseStatus.BROKEN


def _promises(loan: Loan) -> list[Promise]:
    return [promise for promise in loan.promises if promise_misfit(loan, promise) is None]


def _payments(loan: Loan, on: date) -> list[Payment]:
    return sorted(payments_counting(loan, on, Basis.BOOKS), key=lambda item: (item.value_date, item.payment_id))
