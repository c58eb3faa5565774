"""A loan that is put aside: its notices are taken back without a look at its books, for that look may have crashed."""

from __future__ import annotations

from dataclasses import replace

from services.credit_report.state import CreditState
from shared.contract.requests import CREDIT_REPORTS, ContactWithdrawn, WithdrawalReason
from shared.domain.demand import causes
from shared.domain.doubt import doubt
from shared.engine.processor import PutAside
from shared.kernel.step import Emit, Step


def put_aside(state: CreditState | None, key: str, given: PutAside, now: int) -> Step[CreditState]:
    """Withdraw every notice not made yet and put the loan in doubt; no month is told while the loan is put aside."""
    if state is None:
        return Step(None)
    loan = doubt(state.loan, key, given.topic, given.coordinates, now, quarantined=True) or state.loan
    events = []
    for case in state.cases:
        for notice in case.notices:
            if notice.is_open:
                named = {instalment_id for instalment_id, _ in notice.instalments}
                withdrawn = ContactWithdrawn(
                    borrower_id=notice.borrower_id,
                    request_id=notice.request_id,
                    loan_id=key,
                    reason=WithdrawalReason.FACT_IN_DOUBT,
                    caused_by=causes(item.fact_id for item in loan.instalments if item.instalment_id in named),
                )
                events.append(Emit(CREDIT_REPORTS, notice.borrower_id, withdrawn))
    cases = tuple(
        replace(case, notices=tuple(replace(it, withdrawn=it.withdrawn or it.is_open) for it in case.notices))
        for case in state.cases
    )
    return Step(replace(state, loan=loan, cases=cases, quiet=False, wake_at=now), tuple(events), now)
