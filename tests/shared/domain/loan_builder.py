"""Facts about one loan in few words, and the loan that they make."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from shared.contract.arrangements import HoldLifted, HoldPlaced, PromiseMade
from shared.contract.base import Amounts, Component, Event, HoldReason
from shared.contract.loans import (
    BoardedInstalment,
    ChargeAssessed,
    ClosedReason,
    InstalmentCancelled,
    InstalmentChanged,
    InstalmentScheduled,
    LoanBoarded,
    LoanClosed,
    LoanOpened,
    LoanTerms,
    Obligor,
    Role,
)
from shared.contract.repayments import Allocation, RepaymentReceived, RepaymentReversed, ReversalReason
from shared.domain.loan import Applied, Loan, apply
from shared.kernel.zones import parse_instant

LOAN_ID = "loan-1"
NOW_MS = parse_instant("2024-06-01T00:00:00+00:00")


def day(text: str) -> date:
    return date.fromisoformat(text)


def instant(text: str) -> int:
    return parse_instant(text)


def terms(**changed: Any) -> LoanTerms:
    return LoanTerms.model_validate(
        {
            "lender_id": "lender-1",
            "obligors": (Obligor(borrower_id="borrower-1", role=Role.BORROWER),),
            "currency": "CNY",
            "product": "term",
            "accounting_zone": "Asia/Shanghai",
            "jurisdiction": "CN",
            **changed,
        }
    )


def opened(revision: int = 0, **changed: Any) -> LoanOpened:
    return LoanOpened(loan_id=LOAN_ID, revision=revision, terms=terms(**changed))


def boarded(as_of: str, unpaid: dict[str, tuple[str, int]], revision: int = 0, **changed: Any) -> LoanBoarded:
    instalments = tuple(
        BoardedInstalment(instalment_id=name, due_date=day(due), unpaid=Amounts(principal_minor=amount))
        for name, (due, amount) in unpaid.items()
    )
    return LoanBoarded(
        loan_id=LOAN_ID, revision=revision, terms=terms(**changed), as_of=day(as_of), instalments=instalments
    )


def closed(on: str, reason: ClosedReason = ClosedReason.SETTLED) -> LoanClosed:
    return LoanClosed(loan_id=LOAN_ID, closed_on=day(on), reason=reason)


def scheduled(name: str, due: str, principal: int = 1_000, revision: int = 0, **amounts: int) -> InstalmentScheduled:
    return InstalmentScheduled(
        loan_id=LOAN_ID,
        instalment_id=name,
        revision=revision,
        due_date=day(due),
        amounts=Amounts(principal_minor=principal, **amounts),
    )


def changed(name: str, due: str, principal: int = 1_000, revision: int = 1, **amounts: int) -> InstalmentChanged:
    return InstalmentChanged(
        loan_id=LOAN_ID,
        instalment_id=name,
        revision=revision,
        due_date=day(due),
        amounts=Amounts(principal_minor=principal, **amounts),
    )


def cancelled(name: str, revision: int = 1) -> InstalmentCancelled:
    return InstalmentCancelled(loan_id=LOAN_ID, instalment_id=name, revision=revision)


def charge(
    name: str, instalment: str, on: str, amount: int, component: Component = Component.PENALTY, revision: int = 0
) -> ChargeAssessed:
    return ChargeAssessed(
        loan_id=LOAN_ID,
        charge_id=name,
        revision=revision,
        instalment_id=instalment,
        component=component,
        amount_minor=amount,
        assessed_on=day(on),
    )


def paid(name: str, on: str, amount: int, currency: str = "CNY", **more: Any) -> RepaymentReceived:
    return RepaymentReceived(
        loan_id=LOAN_ID, payment_id=name, amount_minor=amount, currency=currency, value_date=day(on), **more
    )


def directed(instalment: str, amount: int, component: Component = Component.PRINCIPAL) -> Allocation:
    return Allocation(instalment_id=instalment, component=component, amount_minor=amount)


def reversed_(name: str, on: str, reason: ReversalReason = ReversalReason.RETURNED) -> RepaymentReversed:
    return RepaymentReversed(loan_id=LOAN_ID, payment_id=name, reversed_on=day(on), reason=reason)


def hold(name: str, start: str, end: str | None = None, revision: int = 0, **more: Any) -> HoldPlaced:
    """A hold between two local midnights in Shanghai."""
    return HoldPlaced(
        loan_id=LOAN_ID,
        hold_id=name,
        revision=revision,
        reason=more.pop("reason", HoldReason.HARDSHIP),
        from_ms=midnight(start),
        until_ms=midnight(end) if end is not None else None,
        **more,
    )


def lifted(name: str, on: str) -> HoldLifted:
    return HoldLifted(loan_id=LOAN_ID, hold_id=name, lifted_ms=midnight(on))


def midnight(text: str) -> int:
    return parse_instant(f"{text}T00:00:00+08:00")


def promised(name: str, on: str, due: str, amount: int, tolerance_days: int = 0, revision: int = 0) -> PromiseMade:
    return PromiseMade(
        loan_id=LOAN_ID,
        promise_id=name,
        revision=revision,
        amount_minor=amount,
        currency="CNY",
        promised_on=day(on),
        due_on=day(due),
        tolerance_days=tolerance_days,
    )


def outcomes(facts: Iterable[Event], loan: Loan | None = None, now_ms: int = NOW_MS) -> list[Applied]:
    """What became of each fact; its id is its type's word, its own id and its revision."""
    found = []
    for fact in facts:
        applied = apply(loan, LOAN_ID, fact, fact_id(fact), now_ms)
        found.append(applied)
        loan = applied.loan
    return found


def fact_id(fact: Event) -> str:
    return "/".join(str(getattr(fact, name)) for name in ("TYPE", *fact.BUSINESS_KEY))


def loan_of(*facts: Event, now_ms: int = NOW_MS) -> Loan:
    """The loan that these facts make; each of them must be accepted."""
    applied = outcomes(facts, now_ms=now_ms)
    assert [(one.dead, one.detail) for one in applied if one.dead is not None] == []
    loan = applied[-1].loan
    assert loan is not None
    return loan
