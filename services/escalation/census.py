"""What a lender wants to see of the whole book: loans by rung, in doubt, and what is overdue."""

from __future__ import annotations

from collections.abc import Iterator

from services.escalation.state import EscalationState
from shared.domain.delinquency import Basis, assess, bucket
from shared.domain.doubt import in_doubt
from shared.domain.loan import business_date
from shared.domain.policy import Policy
from shared.engine.census import Counted
from shared.kernel.money import EXPONENTS


def count(state: EscalationState, now: int, policy: Policy) -> Iterator[Counted]:
    """Count one loan, as far as contact goes: a closed one counts nowhere."""
    loan = state.loan
    if loan.closed is not None or loan.gravestone:
        return
    yield Counted("loans", (state.rung.value,))
    if in_doubt(loan, now):
        yield Counted("loans_in_doubt")
    terms = loan.terms
    if terms is None:
        return
    view = assess(loan, business_date(loan, now), Basis.CONTACT, policy.calendars)
    units = view.amount_overdue_minor // 10 ** EXPONENTS[terms.currency]
    if units:
        yield Counted("overdue_amount", (terms.currency, bucket(view.days_past_due)), units)
