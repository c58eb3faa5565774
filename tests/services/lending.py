"""Facts about one loan, as a lender would publish them, in as few words as a test needs."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.contract.arrangements import HoldLifted, HoldPlaced, PromiseMade
from shared.contract.base import Amounts, Component, HoldReason, Rung
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
from shared.contract.repayments import RepaymentReceived, RepaymentReversed, ReversalReason

LOAN = "loan-1"
ANN = "ann"
BEN = "ben"
ZONE = "Asia/Shanghai"
DUE = date(2024, 3, 10)
"""A Sunday; nothing moves it unless a test says so."""


def at(day: date | int, clock: str = "00:00", zone: str = ZONE) -> int:
    """Epoch milliseconds of a local time; an integer counts days from `DUE`."""
    local = DUE + timedelta(days=day) if isinstance(day, int) else day
    moment = datetime.combine(local, time.fromisoformat(clock), ZoneInfo(zone))
    return int(moment.timestamp() * 1000)


def terms(**changes: object) -> LoanTerms:
    given: dict[str, object] = {
        "lender_id": "lender-1",
        "obligors": (Obligor(borrower_id=ANN, role=Role.BORROWER),),
        "currency": "CNY",
        "product": "term",
        "accounting_zone": ZONE,
        "jurisdiction": "CN",
    }
    return LoanTerms.model_validate(given | changes)


JOINT = (Obligor(borrower_id=BEN, role=Role.GUARANTOR), Obligor(borrower_id=ANN, role=Role.BORROWER))


def opened(revision: int = 0, **changes: object) -> LoanOpened:
    return LoanOpened(loan_id=LOAN, revision=revision, terms=terms(**changes))


def boarded(as_of: date, *instalments: tuple[str, date, int], rung: Rung = Rung.NONE, **changes: object) -> LoanBoarded:
    return LoanBoarded(
        loan_id=LOAN,
        terms=terms(**changes),
        as_of=as_of,
        current_rung=rung,
        instalments=tuple(
            BoardedInstalment(instalment_id=name, due_date=due, unpaid=Amounts(principal_minor=minor))
            for name, due, minor in instalments
        ),
    )


def scheduled(name: str = "i1", due: date = DUE, principal: int = 100_000, interest: int = 0) -> InstalmentScheduled:
    amounts = Amounts(principal_minor=principal, interest_minor=interest)
    return InstalmentScheduled(loan_id=LOAN, instalment_id=name, due_date=due, amounts=amounts)


def changed(name: str = "i1", due: date = DUE, principal: int = 100_000, revision: int = 1) -> InstalmentChanged:
    amounts = Amounts(principal_minor=principal)
    return InstalmentChanged(loan_id=LOAN, instalment_id=name, revision=revision, due_date=due, amounts=amounts)


def cancelled(name: str = "i1", revision: int = 1) -> InstalmentCancelled:
    return InstalmentCancelled(loan_id=LOAN, instalment_id=name, revision=revision)


def charged(name: str, amount: int, on: date, instalment: str = "i1") -> ChargeAssessed:
    return ChargeAssessed(
        loan_id=LOAN,
        charge_id=name,
        instalment_id=instalment,
        component=Component.PENALTY,
        amount_minor=amount,
        assessed_on=on,
    )


def paid(name: str, amount: int, value_date: date = DUE, currency: str = "CNY") -> RepaymentReceived:
    return RepaymentReceived(
        loan_id=LOAN, payment_id=name, amount_minor=amount, currency=currency, value_date=value_date
    )


def returned(name: str, on: date) -> RepaymentReversed:
    return RepaymentReversed(loan_id=LOAN, payment_id=name, reversed_on=on, reason=ReversalReason.RETURNED)


def held(name: str, since: int, until: int | None = None, reason: HoldReason = HoldReason.HARDSHIP) -> HoldPlaced:
    return HoldPlaced(loan_id=LOAN, hold_id=name, reason=reason, from_ms=since, until_ms=until)


def lifted(name: str, when: int) -> HoldLifted:
    return HoldLifted(loan_id=LOAN, hold_id=name, lifted_ms=when)


def promised(name: str, due: date, made: date, amount: int = 100_000, tolerance: int = 0) -> PromiseMade:
    return PromiseMade(
        loan_id=LOAN,
        promise_id=name,
        amount_minor=amount,
        currency="CNY",
        promised_on=made,
        due_on=due,
        tolerance_days=tolerance,
    )


def closed(on: date, reason: ClosedReason = ClosedReason.SETTLED) -> LoanClosed:
    return LoanClosed(loan_id=LOAN, closed_on=on, reason=reason)
