"""A loan that is put aside: what was asked is taken back without a look at the loan, for that look may have crashed."""

from __future__ import annotations

from dataclasses import replace

from services.reminder.state import ReminderState
from shared.contract.requests import REMINDERS, ContactWithdrawn, WithdrawalReason
from shared.domain.doubt import doubt
from shared.engine.processor import PutAside
from shared.kernel.step import Emit, Step


def put_aside(state: ReminderState | None, key: str, given: PutAside, now: int) -> Step[ReminderState]:
    """Withdraw the outstanding request and put the loan in doubt; what was withdrawn may be said anew afterwards."""
    if state is None:
        return Step(None)
    loan = doubt(state.loan, key, given.topic, given.coordinates, now, quarantined=True) or state.loan
    asked = state.asked
    if asked is None:
        return Step(replace(state, loan=loan, wake_at=now), wake_at=now)
    withdrawn = ContactWithdrawn(
        borrower_id=asked.borrower_id,
        request_id=asked.request_id,
        loan_id=key,
        reason=WithdrawalReason.FACT_IN_DOUBT,
        caused_by=asked.caused_by,
    )
    again = asked.request_id
    courses = [replace(c, request_id=again) if c.instalment_id == asked.anchor else c for c in state.courses]
    notices = [replace(n, request_id=again) if n.payment_id == asked.anchor else n for n in state.notices]
    after = replace(state, loan=loan, asked=None, courses=tuple(courses), notices=tuple(notices), wake_at=now)
    return Step(after, (Emit(REMINDERS, asked.borrower_id, withdrawn),), now)
