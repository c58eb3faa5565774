"""Payments that came back and have not been spoken of: the first message after one is a notice of it (trap T-16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.reminder.state import Notice
from shared.domain.loan_fit import payment_misfit
from shared.domain.loan_state import Loan, Terms
from shared.kernel.zones import local_date, start_of_day


@dataclass(frozen=True, slots=True)
class Returned:
    """A returned payment of which nothing stands said."""

    payment_id: str
    asked: int
    """How often a notice of it was asked for."""
    replaces: str | None
    known_ms: int
    not_after_ms: int
    caused_by: tuple[str, ...]

    @property
    def subject(self) -> str:
        """How explanations call it."""
        return f"{self.payment_id}/returned"


def returned_payments(loan: Loan, notices: Sequence[Notice], useful_days: int, terms: Terms) -> list[Returned]:
    """Return them, the newest last. One whose payment is unknown, or could never count, took nothing back."""
    payments = {payment.payment_id: payment for payment in loan.payments if payment_misfit(loan, payment) is None}
    told = {notice.payment_id: notice for notice in notices}
    found = []
    for reversal in loan.reversals:
        payment = payments.get(reversal.payment_id)
        notice = told.get(reversal.payment_id)
        if payment is None or (notice is not None and notice.request_id is None):
            continue
        known_ms = max(payment.known_ms, reversal.known_ms)
        last_day = local_date(known_ms, terms.accounting_zone) + timedelta(days=useful_days)
        found.append(
            Returned(
                payment_id=reversal.payment_id,
                asked=notice.asked if notice is not None else 0,
                replaces=notice.request_id if notice is not None else None,
                known_ms=known_ms,
                not_after_ms=start_of_day(last_day, terms.accounting_zone),
                caused_by=(reversal.fact_id,),
            )
        )
    return sorted(found, key=lambda item: (item.known_ms, item.payment_id))
