"""What the bureau is told, and when. Facts change what is true; only a wake asks, tells, corrects or takes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from services.credit_report.aside import put_aside
from services.credit_report.books import Books
from services.credit_report.desk import Desk
from services.credit_report.facts import apply_contact_fact, apply_loan_fact, apply_unreadable
from services.credit_report.gate import next_instant
from services.credit_report.judging import begin_months, first_month, judge_months, warn_of
from services.credit_report.reasons import CreditSkip
from services.credit_report.state import CreditState
from shared.contract.outreach import LOAN_CONTACTS
from shared.domain.loan import compact, next_change_at
from shared.domain.loan_compaction import GRAVESTONE_DAYS
from shared.domain.loan_dates import start_of_business_date
from shared.domain.loan_state import Loan, Terms
from shared.domain.policy import Policy
from shared.engine.processor import Fact, Input, PutAside, Unreadable, Wake
from shared.kernel.step import Skip, Step


def decide(state: CreditState | None, key: str, given: Input, now: int, policy: Policy) -> Step[CreditState]:
    """Return what one input leads to. `key` is the loan; `now` the tick's instant in epoch milliseconds."""
    match given:
        case Fact(topic=topic) if topic == LOAN_CONTACTS:
            return apply_contact_fact(state, key, given, now)
        case Fact():
            return apply_loan_fact(state, key, given, now, policy.reporting)
        case Unreadable():
            return apply_unreadable(state, key, given, now)
        case Wake():
            return _wake(state, key, now, policy, given.tick.policy)
        case PutAside():
            return put_aside(state, key, given, now)


def _wake(state: CreditState | None, key: str, now: int, policy: Policy, policy_hash: str) -> Step[CreditState]:
    if state is None or state.loan.terms is None:
        return Step(state, skips=(Skip(CreditSkip.UNKNOWN_LOAN, key),))
    if state.loan.gravestone:
        return Step(replace(state, touched=(), wake_at=None), skips=(Skip(CreditSkip.LOAN_OVER, key),))
    desk = _desk(state, state.loan.terms, now, policy, policy_hash)
    month = begin_months(desk, state.next_month or first_month(desk))
    judge_months(desk)
    look_again = warn_of(desk, month)
    if not desk.events and not desk.skips:
        desk.skip(CreditSkip.NOTHING_ADVERSE, month)
    return _step(desk, month, look_again)


def _desk(state: CreditState, terms: Terms, now: int, policy: Policy, policy_hash: str) -> Desk:
    rules = policy.reporting.rules(terms.product, terms.segment)
    return Desk(state, terms, Books(state.loan, rules, policy.calendars, state.anchors), now, policy_hash)


def _step(desk: Desk, month: str, look_again: int | None) -> Step[CreditState]:
    """Put together what the desk leaves behind."""
    began = month != desk.state.next_month
    loan = compact(desk.state.loan, desk.now) if began or desk.state.loan.closed is not None else desk.state.loan
    if loan.gravestone:
        return Step(CreditState(loan, since_ms=desk.state.since_ms), tuple(desk.events), None, tuple(desk.skips))
    last = max(desk.months, default=None)
    state = CreditState(
        loan=loan,
        since_ms=desk.state.since_ms,
        next_month=month,
        last_cutoff=desk.rules.cutoff_date(last) if last is not None else None,
        months=tuple(sorted(desk.months.values(), key=lambda item: item.month))[-desk.rules.history_months :],
        cases=tuple(sorted(desk.cases.values(), key=lambda item: item.month)),
        person_holds=tuple(
            hold for hold in desk.state.person_holds if hold.until_ms is None or hold.until_ms > desk.now
        ),
        anchors=desk.state.anchors,
        asked=desk.asked,
    )
    wake_at = _next_wake(desk, loan, month, look_again)
    lead_ms = desk.cutoff_ms(month) - desk.rules.lead_ms
    state = replace(state, wake_at=wake_at, quiet=not desk.cases and desk.now < lead_ms)
    return Step(state, tuple(desk.events), wake_at, tuple(desk.skips))


def _next_wake(desk: Desk, loan: Loan, month: str, look_again: int | None) -> int | None:
    instants = [look_again] if look_again is not None else []
    if desk.books.belongs(month):
        instants.append(desk.cutoff_ms(month))
    for case in desk.cases.values():
        instants += next_instant(desk, case)
    if desk.cases:
        change = next_change_at(loan, desk.now, desk.books.calendars)
        instants += [change] if change is not None else []
    if loan.closed is not None:
        instants.append(start_of_business_date(loan, loan.closed.closed_on + timedelta(days=GRAVESTONE_DAYS)))
    return min((instant for instant in instants if instant > desk.now), default=None)
