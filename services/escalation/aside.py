"""A loan that is put aside: its call is taken back without a look at the loan, for that look may have crashed."""

from __future__ import annotations

from dataclasses import replace

from services.escalation.state import EscalationState
from shared.contract.requests import ESCALATIONS, ContactWithdrawn, WithdrawalReason
from shared.domain.doubt import doubt
from shared.engine.processor import PutAside
from shared.kernel.step import Emit, Step


def put_aside(state: EscalationState | None, key: str, given: PutAside, now: int) -> Step[EscalationState]:
    """Withdraw the outstanding call and put the loan in doubt; the case stays on its rung, and nothing is cleared."""
    if state is None:
        return Step(None)
    loan = doubt(state.loan, key, given.topic, given.coordinates, now, quarantined=True) or state.loan
    after, call = replace(state, loan=loan, wake_at=now), state.call
    if call is None or call.answered:
        return Step(after, wake_at=now)
    withdrawn = ContactWithdrawn(
        borrower_id=call.borrower_id,
        request_id=call.request_id,
        loan_id=key,
        reason=WithdrawalReason.FACT_IN_DOUBT,
        caused_by=call.caused_by,
    )
    after = replace(after, call=None, call_withdrawn=call)
    return Step(after, (Emit(ESCALATIONS, call.borrower_id, withdrawn),), now)
