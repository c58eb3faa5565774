"""What the gate decides: `collections.outreach`, keyed by borrower; its echo by loan: `collections.loan-contacts`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from shared.contract.base import (
    AmountMinor,
    Amounts,
    BorrowerId,
    CausedBy,
    Channel,
    Currency,
    Event,
    EventId,
    HoldReason,
    Id,
    InstantMs,
    LenderId,
    LoanId,
    PolicyHash,
    Record,
    Word,
)
from shared.contract.outcomes import Direction, Outcome
from shared.contract.requests import ClearancePurpose, ContactClass

OUTREACH: Final = "collections.outreach"
LOAN_CONTACTS: Final = "collections.loan-contacts"


class Severity(StrEnum):
    """What kind of rule it is that blocks."""

    LAW = "law"
    PRESUMPTION = "presumption"
    GUIDELINE = "guideline"
    INTERNAL = "internal"


class BlockingRule(Record):
    """A rule that forbids a contact now. `until_ms` is when it alone would no longer block (absent: unknown)."""

    rule_id: Annotated[str, Field(min_length=1, max_length=64)]
    severity: Severity
    until_ms: InstantMs | None = None


class PermittedLoan(Record):
    """One request that a permit fulfils. While a tick calls `asked_by` silent, nobody knows whether it stands."""

    request_id: EventId
    loan_id: LoanId
    asked_by: Annotated[
        str | None, Field(max_length=64, description="`service/partition`, as in `silent` of ticks.")
    ] = None
    step: Annotated[str, Field(max_length=64)]
    currency: Currency
    amount_due_minor: AmountMinor
    amounts: Amounts


class PermitGranted(Event):
    """The right to make one attempt at one contact point inside one interval."""

    TYPE: ClassVar = "collections.permit.granted.v1"
    TOPICS: ClassVar = (OUTREACH,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "permit_id")
    ORDERING: ClassVar = "Before its withdrawal or expiry."
    EFFECT: ClassVar = (
        "The gateway may act once, from `valid_from_ms` and before `valid_until_ms`, unless withdrawn, and reports "
        "the outcome. It counts in every cap from grant on."
    )

    borrower_id: BorrowerId
    permit_id: EventId
    lender_id: LenderId
    contact_class: ContactClass
    channel: Channel
    contact_point_id: Id
    template: Word
    loans: Annotated[tuple[PermittedLoan, ...], Field(min_length=1, max_length=64)]
    consequences: Annotated[tuple[Word, ...], Field(max_length=8)] = ()
    valid_from_ms: InstantMs
    valid_until_ms: InstantMs
    rules: Annotated[tuple[str, ...], Field(max_length=64, description="Ids of all rules that were checked.")]
    policy: PolicyHash
    caused_by: CausedBy = ()


class PermitDeferred(Event):
    """Not now. Published when the earliest instant or the blocking rules change."""

    TYPE: ClassVar = "collections.permit.deferred.v1"
    TOPICS: ClassVar = (OUTREACH,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "request_id", "decided_ms")
    EFFECT: ClassVar = "The request keeps waiting; a deferral consumes nothing (T-40)."

    borrower_id: BorrowerId
    request_id: EventId
    loan_id: LoanId
    contact_class: ContactClass
    earliest_ms: Annotated[InstantMs | None, Field(description="Absent: depends on a fact that must come.")] = None
    rules: Annotated[tuple[BlockingRule, ...], Field(min_length=1, max_length=64)]
    decided_ms: InstantMs
    policy: PolicyHash
    caused_by: CausedBy = ()


class PermitRefused(Event):
    """Never: the request is answered with no."""

    TYPE: ClassVar = "collections.permit.refused.v1"
    TOPICS: ClassVar = (OUTREACH,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "request_id")
    EFFECT: ClassVar = "The request is gone; the step that asked counts as not made."

    borrower_id: BorrowerId
    request_id: EventId
    loan_id: LoanId
    contact_class: ContactClass
    rules: Annotated[tuple[BlockingRule, ...], Field(min_length=1, max_length=64)]
    decided_ms: InstantMs
    policy: PolicyHash
    caused_by: CausedBy = ()


class PermitWithdrawn(Event):
    """A permit must not be used any more."""

    TYPE: ClassVar = "collections.permit.withdrawn.v1"
    TOPICS: ClassVar = (OUTREACH,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "permit_id")
    EFFECT: ClassVar = "The gateway does not act on it; it gives the attempt back by reporting `not_attempted`."

    borrower_id: BorrowerId
    permit_id: EventId
    reason: Word
    decided_ms: InstantMs
    caused_by: CausedBy = ()


class PermitExpired(Event):
    """A permit ran out without an outcome; it counts as used (T-42)."""

    TYPE: ClassVar = "collections.permit.expired.v1"
    TOPICS: ClassVar = (OUTREACH,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "permit_id")
    EFFECT: ClassVar = "Assumed made for every cap, never for the ladder."

    borrower_id: BorrowerId
    permit_id: EventId
    decided_ms: InstantMs


class BreachRecorded(Event):
    """A contact became known that exceeded a rule, typically made by others (T-45, T-51)."""

    TYPE: ClassVar = "collections.breach.recorded.v1"
    TOPICS: ClassVar = (OUTREACH,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "outcome_id")
    EFFECT: ClassVar = "For the record: a breach is shown, never hidden."

    borrower_id: BorrowerId
    outcome_id: Id
    permit_id: EventId | None = None
    channel: Channel
    occurred_ms: InstantMs
    rules: Annotated[tuple[BlockingRule, ...], Field(min_length=1, max_length=64)]
    policy: PolicyHash
    caused_by: CausedBy = ()


class Answer(StrEnum):
    """What became of a request at the gate."""

    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class ContactAnswered(Event):
    """The gate's answer to a request, by loan."""

    TYPE: ClassVar = "collections.contact.answered.v1"
    TOPICS: ClassVar = (LOAN_CONTACTS,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "request_id", "answer")
    ORDERING: ClassVar = "In the order of the decisions about one person."
    EFFECT: ClassVar = "Stage 1 learns whether its wish can lead to an attempt."

    loan_id: LoanId
    borrower_id: BorrowerId
    request_id: EventId
    permit_id: EventId | None = None
    answer: Answer
    contact_class: ContactClass
    channel: Channel | None = None
    answered_ms: InstantMs
    rules: Annotated[tuple[str, ...], Field(max_length=64)] = ()


class ContactOutcome(Event):
    """What happened at a contact that concerned the loan."""

    TYPE: ClassVar = "collections.contact.outcome.v1"
    TOPICS: ClassVar = (LOAN_CONTACTS,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "outcome_id")
    EFFECT: ClassVar = "Attempts really made move the ladder; a bounced notice voids the filing it was for."

    loan_id: LoanId
    borrower_id: BorrowerId
    outcome_id: Id
    request_id: EventId | None = None
    permit_id: EventId | None = None
    outcome: Outcome
    direction: Direction = Direction.OUTBOUND
    contact_class: ContactClass | None = None
    channel: Channel
    occurred_ms: InstantMs


class ClearanceAnswered(Event):
    """Whether anything known about the person forbids the adverse act."""

    TYPE: ClassVar = "collections.clearance.answered.v1"
    TOPICS: ClassVar = (LOAN_CONTACTS,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "clearance_id")
    EFFECT: ClassVar = "Stage 1 acts at the tick that reads it, if cleared and if the reason still stands."

    loan_id: LoanId
    borrower_id: BorrowerId
    clearance_id: EventId
    purpose: ClearancePurpose
    cleared: bool
    rules: Annotated[tuple[BlockingRule, ...], Field(max_length=64)] = ()
    answered_ms: InstantMs


class PersonHoldForwarded(Event):
    """A hold on a person who answers for the loan was placed, changed or lifted."""

    TYPE: ClassVar = "collections.person-hold.forwarded.v1"
    TOPICS: ClassVar = (LOAN_CONTACTS,)
    KEY: ClassVar = "loan_id"
    BUSINESS_KEY: ClassVar = ("loan_id", "borrower_id", "hold_id", "forwarded_ms")
    ORDERING: ClassVar = "The newest `forwarded_ms` of one hold wins."
    EFFECT: ClassVar = "The loan's ladder and adverse reports wait while the hold is active."

    loan_id: LoanId
    borrower_id: BorrowerId
    hold_id: Id
    reason: HoldReason
    from_ms: InstantMs
    until_ms: InstantMs | None = None
    forwarded_ms: InstantMs
