"""What waits in a loan: facts without their partner, and the next instant at which time alone changes anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from shared.contract.codec import DeadReason
from shared.domain.delinquency import Basis, assess
from shared.domain.doubt import doubt_end
from shared.domain.holds import next_hold_change
from shared.domain.loan_dates import NO_CALENDARS, Calendars, business_date, start_of_business_date
from shared.domain.loan_fit import charge_misfit, instalment_misfit, payment_misfit
from shared.domain.loan_promises import promise_end
from shared.domain.loan_state import Loan
from shared.kernel.zones import DAY_MS

PARKED_MS: Final = 7 * DAY_MS
"""How long a fact may wait for its partner before a tick reports it (trap T-15)."""
_ONE_DAY: Final = timedelta(days=1)


class ParkedReason(StrEnum):
    """What a fact waits for, or why it can never count."""

    NO_TERMS = "no_terms"
    NO_PAYMENT = "no_payment"
    NO_INSTALMENT = "no_instalment"
    NO_HOLD = "no_hold"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class ParkedFact:
    """A fact that was accepted and counts for nothing yet; `dead` says why it never can, once the terms are known."""

    fact_id: str
    reason: ParkedReason
    known_ms: int
    dead: DeadReason | None = None


def parked(loan: Loan) -> tuple[ParkedFact, ...]:
    """Return all facts that wait, the longest waiting first."""
    if loan.gravestone:
        return ()
    return tuple(sorted(_parked(loan), key=lambda item: (item.known_ms, item.fact_id)))


def overdue_parked(loan: Loan, now_ms: int) -> tuple[ParkedFact, ...]:
    """Return what must be reported: facts that have waited for 7 days, and at once those that can never count."""
    return tuple(item for item in parked(loan) if item.dead is not None or item.known_ms + PARKED_MS <= now_ms)


def _parked(loan: Loan) -> Iterator[ParkedFact]:
    yield from _parked_payments(loan)
    yield from _parked_charges(loan)
    for instalment in loan.instalments:
        misfit = instalment_misfit(loan, instalment)
        if misfit is not None:
            yield ParkedFact(instalment.fact_id, ParkedReason.IMPOSSIBLE, 0, misfit.reason)
    payments = {payment.payment_id for payment in loan.payments}
    for reversal in loan.reversals:
        if reversal.payment_id not in payments:
            yield ParkedFact(reversal.fact_id, ParkedReason.NO_PAYMENT, reversal.known_ms)
    holds = {hold.hold_id for hold in loan.holds}
    for lift in loan.lifts:
        if lift.hold_id not in holds:
            yield ParkedFact(lift.fact_id, ParkedReason.NO_HOLD, lift.known_ms)


def _parked_payments(loan: Loan) -> Iterator[ParkedFact]:
    for payment in loan.payments:
        misfit = payment_misfit(loan, payment)
        if misfit is not None:
            yield ParkedFact(payment.fact_id, ParkedReason.IMPOSSIBLE, payment.known_ms, misfit.reason)
        elif loan.terms is None:
            yield ParkedFact(payment.fact_id, ParkedReason.NO_TERMS, payment.known_ms)


def _parked_charges(loan: Loan) -> Iterator[ParkedFact]:
    instalments = {item.instalment_id for item in loan.instalments}
    instalments.update(item.instalment_id for item in (loan.boarding.instalments if loan.boarding is not None else ()))
    for charge in loan.charges:
        misfit = charge_misfit(loan, charge)
        if misfit is not None:
            yield ParkedFact(charge.fact_id, ParkedReason.IMPOSSIBLE, charge.known_ms, misfit.reason)
        elif charge.instalment_id not in instalments:
            yield ParkedFact(charge.fact_id, ParkedReason.NO_INSTALMENT, charge.known_ms)


def next_change_at(loan: Loan, now_ms: int, calendars: Calendars = NO_CALENDARS) -> int | None:
    """Return the next instant at which any view of the loan changes by the passage of time alone; None if none will.

    While something is overdue that is the next accounting day. Otherwise the day on which an instalment falls due or
    has fallen due, money or a charge gets its date, a promise begins or ends, the loan's end is reached; or the instant
    at which a hold begins or ends, a doubt ends, or a parked fact must be reported.
    """
    if loan.gravestone:
        return None
    day = _next_day(loan, business_date(loan, now_ms), calendars)
    instants = [] if day is None else [start_of_business_date(loan, day)]
    hold = next_hold_change(loan, now_ms)
    if hold is not None:
        instants.append(hold)
    instants += [doubt_end(item) for item in loan.doubts if not item.lifted]
    instants += [item.known_ms + PARKED_MS for item in parked(loan) if item.dead is None]
    return min((instant for instant in instants if instant > now_ms), default=None)


def _next_day(loan: Loan, today: date, calendars: Calendars) -> date | None:
    tomorrow = today + _ONE_DAY
    if loan.closed is not None and loan.closed.closed_on <= today:
        return None
    books = assess(loan, today, Basis.BOOKS, calendars)
    if books.rows_overdue:
        return tomorrow
    days = [row.due_date for row in books.rows if row.unpaid_minor and row.due_date > today]
    if any(row.unpaid_minor and row.due_date == today for row in books.rows):
        days.append(tomorrow)
    days += [payment.value_date for payment in loan.payments]
    days += [reversal.reversed_on for reversal in loan.reversals]
    days += [charge.assessed_on for charge in loan.charges]
    days += [promise.promised_on for promise in loan.promises]
    days += [promise_end(promise) + _ONE_DAY for promise in loan.promises]
    days += [loan.closed.closed_on] if loan.closed is not None else []
    return min((day for day in days if day > today), default=None)
