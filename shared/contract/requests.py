"""What stage 1 asks of the gate: contact and clearance, and the taking back of both."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from shared.contract.base import (
    AmountMinor,
    Amounts,
    BorrowerId,
    BusinessDate,
    CausedBy,
    Channel,
    Currency,
    Days,
    Event,
    EventId,
    Id,
    InstantMs,
    LenderId,
    LoanId,
    Month,
    PolicyHash,
    Rung,
    Word,
)
from shared.contract.loans import Role

REMINDERS: Final = "collections.reminders"
ESCALATIONS: Final = "collections.escalations"
CREDIT_REPORTS: Final = "collections.credit-reports"


class ContactClass(StrEnum):
    """The purpose of a contact, the most pressing first: this order is the gate's priority (T-48, T-49)."""

    STATUTORY_NOTICE = "statutory_notice"
    RETURNED_PAYMENT = "returned_payment"
    HUMAN_CALL = "human_call"
    OVERDUE = "overdue"
    DUE = "due"
    PRE_DUE = "pre_due"


class ContactRequested(Event):
    """A wish for one contact about one loan. It grants nothing: only a permit does."""

    TYPE: ClassVar = "collections.contact.requested.v1"
    TOPICS: ClassVar = (REMINDERS, ESCALATIONS, CREDIT_REPORTS)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "request_id")
    ORDERING: ClassVar = "Before its withdrawal: both come from one partition of one service."
    EFFECT: ClassVar = "Waits at the gate until granted, refused, withdrawn, or `not_after_ms` has passed."

    borrower_id: BorrowerId
    request_id: EventId
    loan_id: LoanId
    lender_id: LenderId
    contact_class: ContactClass
    step: Annotated[str, Field(max_length=64, description="The step of the strategy, e.g. `reminder+3`.")]
    channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=7, description="In order of preference.")]
    template: Word
    currency: Currency
    amount_due_minor: AmountMinor
    amounts: Amounts
    instalment_ids: Annotated[tuple[Id, ...], Field(max_length=600)] = ()
    oldest_due_date: BusinessDate | None = None
    days_past_due: Days = 0
    consequences: Annotated[tuple[Word, ...], Field(max_length=8)] = ()
    local_date: Annotated[BusinessDate, Field(description="Day in the loan's accounting zone that the step is for.")]
    not_before_ms: InstantMs
    not_after_ms: Annotated[InstantMs, Field(description="Later the contact would be pointless (T-39).")]
    month: Month | None = None
    replaces_request_id: Annotated[
        EventId | None, Field(description="The withdrawn request that this one says anew: made already, it is not due.")
    ] = None
    policy: PolicyHash
    caused_by: CausedBy = ()


class WithdrawalReason(StrEnum):
    """Why a request no longer stands."""

    PAID = "paid"
    AMOUNT_CHANGED = "amount_changed"
    HOLD = "hold"
    PROMISE = "promise"
    LOAN_CLOSED = "loan_closed"
    INSTALMENT_CHANGED = "instalment_changed"
    FACT_IN_DOUBT = "fact_in_doubt"
    SUPERSEDED = "superseded"
    RUNG_LEFT = "rung_left"


class ContactWithdrawn(Event):
    """A wish for contact no longer stands, whether granted or not."""

    TYPE: ClassVar = "collections.contact.withdrawn.v1"
    TOPICS: ClassVar = (REMINDERS, ESCALATIONS, CREDIT_REPORTS)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "request_id")
    EFFECT: ClassVar = "The request is dropped; an unused permit that contains it is withdrawn as a whole."

    borrower_id: BorrowerId
    request_id: EventId
    loan_id: LoanId
    reason: WithdrawalReason
    caused_by: CausedBy = ()


class LoanLinked(Event):
    """A person answers for a loan."""

    TYPE: ClassVar = "collections.loan.linked.v1"
    TOPICS: ClassVar = (ESCALATIONS,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "loan_id")
    EFFECT: ClassVar = "Holds on the person are forwarded to the loan from now on."

    borrower_id: BorrowerId
    loan_id: LoanId
    lender_id: LenderId
    role: Role
    caused_by: CausedBy = ()


class LoanUnlinked(Event):
    """A loan ended, or a person no longer answers for it."""

    TYPE: ClassVar = "collections.loan.unlinked.v1"
    TOPICS: ClassVar = (ESCALATIONS,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "loan_id")
    EFFECT: ClassVar = "Nothing is forwarded any more."

    borrower_id: BorrowerId
    loan_id: LoanId
    caused_by: CausedBy = ()


class StageMove(StrEnum):
    """Which way a case went on the ladder."""

    RAISED = "raised"
    LOWERED = "lowered"
    CLEARED = "cleared"


class StageChanged(Event):
    """A case moved on the ladder, by one rung up, or down to the highest rung whose conditions hold."""

    TYPE: ClassVar = "collections.stage.changed.v1"
    TOPICS: ClassVar = (ESCALATIONS,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "loan_id", "changed_ms")
    EFFECT: ClassVar = "For the record, for dashboards, and for systems that apply or lift restrictions."

    borrower_id: BorrowerId
    loan_id: LoanId
    lender_id: LenderId
    move: StageMove
    rung_before: Rung
    rung: Rung
    changed_ms: InstantMs
    treatment_days: Days
    days_past_due: Days
    currency: Currency
    amount_overdue_minor: AmountMinor
    rule: Annotated[Word, Field(description="Id of the strategy's rule that moved it.")]
    policy: PolicyHash
    caused_by: CausedBy = ()


class ClearancePurpose(StrEnum):
    """What stage 1 would do to somebody if the gate sees no objection."""

    ADVERSE_REPORT = "adverse_report"
    RESTRICTION = "restriction"
    REFERRAL = "referral"


class ClearanceRequested(Event):
    """Stage 1 asks whether anything known about the person forbids an adverse act."""

    TYPE: ClassVar = "collections.clearance.requested.v1"
    TOPICS: ClassVar = (ESCALATIONS, CREDIT_REPORTS)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "clearance_id")
    EFFECT: ClassVar = "Answered at the gate's next tick on collections.loan-contacts."

    borrower_id: BorrowerId
    clearance_id: EventId
    loan_id: LoanId
    lender_id: LenderId
    purpose: ClearancePurpose
    notice_request_id: EventId | None = None
    month: Month | None = None
    policy: PolicyHash
    caused_by: CausedBy = ()


class ReportAction(StrEnum):
    """What happened to one month of one loan in the credit file."""

    FILED = "filed"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"
    HELD = "held"


class ReportChanged(Event):
    """A month was furnished, corrected, withdrawn, or held back with a reason."""

    TYPE: ClassVar = "collections.report.changed.v1"
    TOPICS: ClassVar = (CREDIT_REPORTS,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "loan_id", "month", "version")
    ORDERING: ClassVar = "Versions of one month of one loan rise."
    EFFECT: ClassVar = "The furnisher sends it to the bureau; `held` sends nothing and says why."

    borrower_id: BorrowerId
    loan_id: LoanId
    lender_id: LenderId
    action: ReportAction
    regime: Word
    month: Month
    version: Annotated[int, Field(ge=1, le=10_000)]
    code: Annotated[str, Field(min_length=1, max_length=4, description="The regime's code, e.g. PBOC `2`.")]
    code_before: Annotated[str | None, Field(max_length=4)] = None
    adverse: bool
    days_past_due: Days
    currency: Currency
    amount_overdue_minor: AmountMinor
    reason: Word
    notice_permit_id: EventId | None = None
    clearance_id: EventId | None = None
    decided_ms: InstantMs
    policy: PolicyHash
    caused_by: CausedBy = ()
