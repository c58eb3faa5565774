"""The loan: one import for its state, its fold and its views.

    applied = apply(loan, loan_id, data, fact_id, now_ms)       # a fact changes what is true
    loan = doubt(loan, loan_id, topic, coordinates, now_ms)     # a dead letter about it
    loan = compact(loan, now_ms)                                # at a tick: bounded state
    today = business_date(loan, now_ms)
    assess(loan, today, Basis.CONTACT).amount_overdue           # what may be asked for
    assess(loan, today).days_past_due                           # what the books say

The parts: `loan_state` (what is kept), `loan_facts` (the fold), `loan_fit` (what cannot be true), `loan_dates`
(business dates), `loan_allocation` (the waterfall), `delinquency` (views), `holds`, `loan_promises`, `doubt`,
`loan_waiting` (parked facts, the next change by time alone), `loan_compaction` (horizon and gravestone).
"""

from __future__ import annotations

from shared.domain.delinquency import (
    METRO2_EDGES,
    PBOC_EDGES,
    SMA_EDGES,
    TREATMENT_EDGES,
    Basis,
    Delinquency,
    Edges,
    InstalmentRow,
    amount_overdue,
    assess,
    bucket,
    days_past_due,
    days_past_due_on,
    instalment_view,
    is_closed,
    oldest_unpaid_due_date,
    treatment_days,
)
from shared.domain.doubt import DOUBT_MS, doubt, in_doubt
from shared.domain.holds import days_paused, held_within, hold_end, is_held
from shared.domain.loan_compaction import GRAVESTONE_DAYS, HORIZON_YEARS, compact, gravestone_at
from shared.domain.loan_dates import NO_CALENDARS, Calendars, business_date, moved_due_date, start_of_business_date
from shared.domain.loan_facts import LOAN_FACTS, Applied, apply
from shared.domain.loan_promises import PromiseStatus, PromiseView, open_promise, promise_end, promise_view
from shared.domain.loan_state import FACTS_MAX, Hold, Loan, Payment, Promise, Reversal, Terms
from shared.domain.loan_waiting import PARKED_MS, ParkedFact, ParkedReason, next_change_at, overdue_parked, parked

__all__ = [
    "DOUBT_MS",
    "FACTS_MAX",
    "GRAVESTONE_DAYS",
    "HORIZON_YEARS",
    "LOAN_FACTS",
    "METRO2_EDGES",
    "NO_CALENDARS",
    "PARKED_MS",
    "PBOC_EDGES",
    "SMA_EDGES",
    "TREATMENT_EDGES",
    "Applied",
    "Basis",
    "Calendars",
    "Delinquency",
    "Edges",
    "Hold",
    "InstalmentRow",
    "Loan",
    "ParkedFact",
    "ParkedReason",
    "Payment",
    "Promise",
    "PromiseStatus",
    "PromiseView",
    "Reversal",
    "Terms",
    "amount_overdue",
    "apply",
    "assess",
    "bucket",
    "business_date",
    "compact",
    "days_past_due",
    "days_past_due_on",
    "days_paused",
    "doubt",
    "gravestone_at",
    "held_within",
    "hold_end",
    "in_doubt",
    "instalment_view",
    "is_closed",
    "is_held",
    "moved_due_date",
    "next_change_at",
    "oldest_unpaid_due_date",
    "open_promise",
    "overdue_parked",
    "parked",
    "promise_end",
    "promise_view",
    "start_of_business_date",
    "treatment_days",
]
