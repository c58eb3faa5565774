"""Facts about money: `lending.repayments`, keyed by loan."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from shared.contract.base import BusinessDate, Component, Currency, Event, Id, LoanId, PositiveMinor, Record

REPAYMENTS: Final = "lending.repayments"


class Payer(StrEnum):
    """Who paid: the bureau and privacy rules care (trap T-22)."""

    BORROWER = "borrower"
    CO_BORROWER = "co_borrower"
    GUARANTOR = "guarantor"
    THIRD_PERSON = "third_person"


class Allocation(Record):
    """The lender's own word on what a part of the payment satisfied; it is trusted, never re-allocated (T-02)."""

    instalment_id: Id
    component: Component
    amount_minor: PositiveMinor


class RepaymentReceived(Event):
    """Money arrived."""

    TYPE: ClassVar = "lending.repayment.received.v1"
    TOPICS: ClassVar = (REPAYMENTS,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "payment_id")
    EFFECT: ClassVar = (
        "Lowers what is owed: for contact from the moment it is known, for days past due and the bureau from "
        "`value_date`. Requests and permits for that money are withdrawn at the next tick."
    )

    loan_id: LoanId
    payment_id: Id
    amount_minor: PositiveMinor
    currency: Currency
    value_date: BusinessDate
    payer: Payer = Payer.BORROWER
    allocations: Annotated[tuple[Allocation, ...], Field(max_length=256)] = ()


class ReversalReason(StrEnum):
    """Why a payment did not stand."""

    RETURNED = "returned"
    CHARGEBACK = "chargeback"
    BOOKING_ERROR = "booking_error"


class RepaymentReversed(Event):
    """A payment bounced, was charged back, or had been booked by mistake."""

    TYPE: ClassVar = "lending.repayment.reversed.v1"
    TOPICS: ClassVar = (REPAYMENTS,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "payment_id")
    EFFECT: ClassVar = (
        "The obligation stands again as of its original due date (T-16); the first message is a notice of the return. "
        "Before its payment it waits for it; after 7 days a tick reports it (T-15)."
    )

    loan_id: LoanId
    payment_id: Id
    reversed_on: BusinessDate
    reason: ReversalReason
