"""Facts about a loan's terms and schedule: `lending.due-dates`, keyed by loan."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from shared.contract.base import (
    Amounts,
    BorrowerId,
    BusinessDate,
    Component,
    Currency,
    Cutoff,
    Event,
    Id,
    LenderId,
    LoanId,
    Month,
    PositiveMinor,
    Record,
    Revision,
    Rung,
    Word,
    ZoneName,
)

DUE_DATES: Final = "lending.due-dates"


class Role(StrEnum):
    """In which capacity a person answers for a loan."""

    BORROWER = "borrower"
    CO_BORROWER = "co_borrower"
    GUARANTOR = "guarantor"


class DueDateConvention(StrEnum):
    """Where a due date moves that falls on a day without business (trap T-06)."""

    NONE = "none"
    FOLLOWING = "following"
    MODIFIED_FOLLOWING = "modified_following"
    PRECEDING = "preceding"


def _each_once(order: tuple[Component, ...]) -> tuple[Component, ...]:
    if len(set(order)) != len(order):
        raise ValueError("a component occurs twice")
    return order


AllocationOrder = Annotated[
    tuple[Component, ...],
    Field(
        min_length=4,
        max_length=4,
        description="Which component a payment satisfies first.",
        json_schema_extra={"uniqueItems": True},
    ),
    AfterValidator(_each_once),
]


class Obligor(Record):
    """A person who answers for the loan."""

    borrower_id: BorrowerId
    role: Role


class LoanTerms(Record):
    """What is agreed once for the whole loan."""

    lender_id: LenderId
    obligors: Annotated[tuple[Obligor, ...], Field(min_length=1, max_length=8)]
    currency: Currency
    product: Word
    segment: Word = "standard"
    accounting_zone: ZoneName
    cutoff: Annotated[Cutoff, Field(description="Local time at which the accounting day closes; 00:00: midnight.")] = (
        "00:00"
    )
    jurisdiction: Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$", description="ISO 3166 code.")]
    grace_days: Annotated[int, Field(ge=0, le=60)] = 0
    tolerance_minor: Annotated[int, Field(ge=0, le=10**9, description="Arrears up to this open no case.")] = 0
    due_date_convention: DueDateConvention = DueDateConvention.NONE
    business_calendar: Annotated[Word | None, Field(description="Name of a holiday table of the policy.")] = None
    allocation_order: AllocationOrder = tuple(Component)
    payment_max_minor: Annotated[PositiveMinor | None, Field(description="A larger single payment is an error.")] = None


class LoanOpened(Event):
    """A loan began. Nothing is due until instalments are scheduled."""

    TYPE: ClassVar = "lending.loan.opened.v1"
    TOPICS: ClassVar = (DUE_DATES,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "revision")
    EFFECT: ClassVar = "Sets the terms; facts that came before it and waited are applied."

    loan_id: LoanId
    revision: Revision = 0
    terms: LoanTerms


class BoardedInstalment(Record):
    """What of an instalment is still unpaid on the day of boarding."""

    instalment_id: Id
    due_date: BusinessDate
    unpaid: Amounts


class FiledMonth(Record):
    """A month that the lender has already reported to the bureau, in the bureau's own code."""

    month: Month
    code: Annotated[str, Field(min_length=1, max_length=4)]


class LoanBoarded(Event):
    """A live loan moved in from another system, as it stood at the end of `as_of`."""

    TYPE: ClassVar = "lending.loan.boarded.v1"
    TOPICS: ClassVar = (DUE_DATES,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "revision")
    EFFECT: ClassVar = (
        "Sets terms and unpaid instalments. No step dated before `as_of` ever fires, and months filed are not filed "
        "again. Recent contacts come as outcomes on outreach.outcomes."
    )

    loan_id: LoanId
    revision: Revision = 0
    terms: LoanTerms
    as_of: BusinessDate
    instalments: Annotated[tuple[BoardedInstalment, ...], Field(max_length=600)]
    current_rung: Rung = Rung.NONE
    months_filed: Annotated[tuple[FiledMonth, ...], Field(max_length=84)] = ()


class ClosedReason(StrEnum):
    """Why a loan ended."""

    SETTLED = "settled"
    SETTLED_EARLY = "settled_early"
    CANCELLED = "cancelled"
    TRANSFERRED = "transferred"
    WRITTEN_OFF = "written_off"


class LoanClosed(Event):
    """The loan ended."""

    TYPE: ClassVar = "lending.loan.closed.v1"
    TOPICS: ClassVar = (DUE_DATES,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id",)
    EFFECT: ClassVar = "Ends all demands for good; stray facts that follow do not open it again (trap T-21)."

    loan_id: LoanId
    closed_on: BusinessDate
    reason: ClosedReason


class InstalmentScheduled(Event):
    """An amount falls due on a date."""

    TYPE: ClassVar = "lending.instalment.scheduled.v1"
    TOPICS: ClassVar = (DUE_DATES,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "instalment_id", "revision")
    EFFECT: ClassVar = "The instalment exists; days past due count from `due_date` as the convention moves it."

    loan_id: LoanId
    instalment_id: Id
    revision: Revision = 0
    due_date: BusinessDate
    amounts: Amounts


class InstalmentChanged(Event):
    """Date or amounts of an instalment changed."""

    TYPE: ClassVar = "lending.instalment.changed.v1"
    TOPICS: ClassVar = (DUE_DATES,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "instalment_id", "revision")
    EFFECT: ClassVar = "Replaces what lower revisions said; what was asked for under them is withdrawn or asked again."

    loan_id: LoanId
    instalment_id: Id
    revision: Annotated[Revision, Field(ge=1)]
    due_date: BusinessDate
    amounts: Amounts


class InstalmentCancelled(Event):
    """An instalment is no longer owed."""

    TYPE: ClassVar = "lending.instalment.cancelled.v1"
    TOPICS: ClassVar = (DUE_DATES,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "instalment_id", "revision")
    EFFECT: ClassVar = "The instalment counts for nothing; money allocated to it moves on."

    loan_id: LoanId
    instalment_id: Id
    revision: Annotated[Revision, Field(ge=1)]


class ChargeAssessed(Event):
    """A penalty, fee or interest was added to an instalment."""

    TYPE: ClassVar = "lending.charge.assessed.v1"
    TOPICS: ClassVar = (DUE_DATES,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "charge_id", "revision")
    EFFECT: ClassVar = "Raises what is owed on the instalment; a revision with amount 0 takes it back."

    loan_id: LoanId
    charge_id: Id
    revision: Revision = 0
    instalment_id: Id
    component: Component
    amount_minor: Annotated[int, Field(ge=0, le=10**15)]
    assessed_on: BusinessDate
