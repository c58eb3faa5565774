"""Facts that change how a loan may be treated: `lending.arrangements`, keyed by loan."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field

from shared.contract.base import (
    BusinessDate,
    Currency,
    Days,
    Event,
    HoldReason,
    Id,
    InstantMs,
    LoanId,
    PositiveMinor,
    Revision,
)

ARRANGEMENTS: Final = "lending.arrangements"


class HoldPlaced(Event):
    """The loan must be left alone for a while, or until somebody lifts the hold."""

    TYPE: ClassVar = "lending.hold.placed.v1"
    TOPICS: ClassVar = (ARRANGEMENTS,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "hold_id", "revision")
    EFFECT: ClassVar = "No contact, no step up, no adverse report for the loan from `from_ms` until `until_ms`."

    loan_id: LoanId
    hold_id: Id
    revision: Revision = 0
    reason: HoldReason
    from_ms: InstantMs
    until_ms: Annotated[InstantMs | None, Field(description="End, exclusive; absent: until lifted (T-60).")] = None
    review_on: Annotated[BusinessDate | None, Field(description="When a person looks at it again (T-35).")] = None


class HoldLifted(Event):
    """A hold ends."""

    TYPE: ClassVar = "lending.hold.lifted.v1"
    TOPICS: ClassVar = (ARRANGEMENTS,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "hold_id")
    EFFECT: ClassVar = "The hold ends at `lifted_ms`, whatever its end was; before its placement it waits for it."

    loan_id: LoanId
    hold_id: Id
    lifted_ms: InstantMs


class PromiseMade(Event):
    """Somebody promised to pay an amount by a date (promise to pay)."""

    TYPE: ClassVar = "lending.promise.made.v1"
    TOPICS: ClassVar = (ARRANGEMENTS,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "promise_id", "revision")
    EFFECT: ClassVar = "Outreach for the loan pauses until the promised date and its tolerance have passed (T-56)."

    loan_id: LoanId
    promise_id: Id
    revision: Revision = 0
    amount_minor: PositiveMinor
    currency: Currency
    promised_on: BusinessDate
    due_on: BusinessDate
    tolerance_days: Annotated[Days, Field(le=14)] = 0


class DeadLetterDiscarded(Event):
    """An operator looked at a dead letter about this loan and found that it says nothing."""

    TYPE: ClassVar = "lending.dead-letter.discarded.v1"
    TOPICS: ClassVar = (ARRANGEMENTS,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "coordinates")
    EFFECT: ClassVar = "Lifts the doubt under which the dead letter had put the loan."

    loan_id: LoanId
    coordinates: Annotated[str, Field(max_length=300, description="topic/partition/offset of the dead letter.")]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
