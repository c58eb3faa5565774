"""One valid event of every type: shown in the catalogue, validated by the tests, ready to be copied by a producer.

They tell one story: Lin borrowed from `harbour-bank`, misses the instalment of February 2024, and is reminded.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from shared.contract.arrangements import DeadLetterDiscarded, HoldLifted, HoldPlaced, PromiseMade
from shared.contract.base import Amounts, Channel, Component, Event, HoldReason, Rung
from shared.contract.codec import Envelope
from shared.contract.loans import (
    BoardedInstalment,
    ChargeAssessed,
    ClosedReason,
    DueDateConvention,
    FiledMonth,
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
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import (
    Answer,
    BlockingRule,
    BreachRecorded,
    ClearanceAnswered,
    ContactAnswered,
    ContactOutcome,
    PermitDeferred,
    PermitExpired,
    PermitGranted,
    PermitRefused,
    PermittedLoan,
    PermitWithdrawn,
    PersonHoldForwarded,
    Severity,
)
from shared.contract.people import (
    BorrowerCeased,
    BorrowerConsented,
    BorrowerHoldLifted,
    BorrowerHoldPlaced,
    BorrowerOptedOut,
    BorrowerProfile,
    ConsentPurpose,
    ContactPoint,
)
from shared.contract.repayments import Allocation, RepaymentReceived, RepaymentReversed, ReversalReason
from shared.contract.requests import (
    ClearancePurpose,
    ClearanceRequested,
    ContactClass,
    ContactRequested,
    ContactWithdrawn,
    LoanLinked,
    LoanUnlinked,
    ReportAction,
    ReportChanged,
    StageChanged,
    StageMove,
    WithdrawalReason,
)
from shared.contract.ticks import (
    DeploymentStamped,
    FactQuarantined,
    OutreachMode,
    OutreachSwitched,
    PolicyActivated,
    Switch,
    Tick,
    TimeMode,
)
from shared.kernel.ids import derive_id

_LOAN: Final = "loan-7"
_LIN: Final = "person-3"
_LENDER: Final = "harbour-bank"
_PHONE: Final = "point-41"
_HOUR: Final = 3_600_000
_DAY: Final = 24 * _HOUR
_NOON: Final = 1_708_228_800_000
"""2024-02-18, noon in Shanghai: three days after the due date."""
_POLICY: Final = "9c2f51d0a7be"
_REQUEST: Final = derive_id("example", "request")
_PERMIT: Final = derive_id("example", "permit")
_CLEARANCE: Final = derive_id("example", "clearance")
_CAUSE: Final = (derive_id("example", "instalment"),)
_OWED: Final = Amounts(principal_minor=90_000, interest_minor=10_000)
_EVENING: Final = BlockingRule(rule_id="contact-hours", severity=Severity.LAW, until_ms=_NOON + 21 * _HOUR)
_TERMS: Final = LoanTerms(
    lender_id=_LENDER,
    obligors=(Obligor(borrower_id=_LIN, role=Role.BORROWER),),
    currency="CNY",
    product="term",
    accounting_zone="Asia/Shanghai",
    cutoff="22:00",
    jurisdiction="CN",
    grace_days=3,
    tolerance_minor=100,
    due_date_convention=DueDateConvention.FOLLOWING,
)

_FACTS: Final[tuple[Event, ...]] = (
    LoanOpened(loan_id=_LOAN, terms=_TERMS),
    LoanBoarded(
        loan_id=_LOAN,
        terms=_TERMS,
        as_of=date(2024, 2, 9),
        instalments=(BoardedInstalment(instalment_id="2024-01", due_date=date(2024, 1, 15), unpaid=_OWED),),
        current_rung=Rung.MESSAGE,
        months_filed=(FiledMonth(month="2023-12", code="N"),),
    ),
    LoanClosed(loan_id=_LOAN, closed_on=date(2024, 3, 1), reason=ClosedReason.SETTLED),
    InstalmentScheduled(loan_id=_LOAN, instalment_id="2024-02", due_date=date(2024, 2, 15), amounts=_OWED),
    InstalmentChanged(loan_id=_LOAN, instalment_id="2024-02", revision=1, due_date=date(2024, 2, 20), amounts=_OWED),
    InstalmentCancelled(loan_id=_LOAN, instalment_id="2024-02", revision=2),
    ChargeAssessed(
        loan_id=_LOAN,
        charge_id="late-fee-1",
        instalment_id="2024-02",
        component=Component.FEE,
        amount_minor=1_500,
        assessed_on=date(2024, 2, 19),
    ),
    RepaymentReceived(
        loan_id=_LOAN,
        payment_id="pay-1001",
        amount_minor=100_000,
        currency="CNY",
        value_date=date(2024, 2, 18),
        allocations=(
            Allocation(instalment_id="2024-02", component=Component.INTEREST, amount_minor=10_000),
            Allocation(instalment_id="2024-02", component=Component.PRINCIPAL, amount_minor=90_000),
        ),
    ),
    RepaymentReversed(
        loan_id=_LOAN, payment_id="pay-1001", reversed_on=date(2024, 2, 20), reason=ReversalReason.RETURNED
    ),
    HoldPlaced(loan_id=_LOAN, hold_id="hold-1", reason=HoldReason.DISPUTE, from_ms=_NOON, review_on=date(2024, 3, 18)),
    HoldLifted(loan_id=_LOAN, hold_id="hold-1", lifted_ms=_NOON + 9 * _DAY),
    PromiseMade(
        loan_id=_LOAN,
        promise_id="promise-1",
        amount_minor=100_000,
        currency="CNY",
        promised_on=date(2024, 2, 18),
        due_on=date(2024, 2, 25),
        tolerance_days=2,
    ),
    DeadLetterDiscarded(loan_id=_LOAN, coordinates="lending.repayments/3/1042", reason="test record of the lender"),
    BorrowerProfile(
        borrower_id=_LIN,
        revision=1,
        zones=("Asia/Shanghai",),
        jurisdictions=("CN",),
        contact_points=(ContactPoint(contact_point_id=_PHONE, channels=(Channel.SMS, Channel.CALL)),),
        language="zh",
    ),
    BorrowerConsented(
        borrower_id=_LIN,
        consent_id="consent-1",
        channel=Channel.CALL,
        contact_point_id=_PHONE,
        purpose=ConsentPurpose.CALLBACK,
        given_ms=_NOON,
        expires_ms=_NOON + 2 * _DAY,
    ),
    BorrowerOptedOut(
        borrower_id=_LIN, opt_out_id="opt-out-1", channel=Channel.SMS, contact_point_id=_PHONE, given_ms=_NOON
    ),
    BorrowerCeased(borrower_id=_LIN, cease_id="cease-1", lender_id=_LENDER, given_ms=_NOON),
    BorrowerHoldPlaced(
        borrower_id=_LIN,
        hold_id="hold-9",
        reason=HoldReason.VULNERABILITY,
        from_ms=_NOON,
        until_ms=_NOON + 30 * _DAY,
        review_on=date(2024, 3, 11),
    ),
    BorrowerHoldLifted(borrower_id=_LIN, hold_id="hold-9", lifted_ms=_NOON + 20 * _DAY),
    OutreachOutcome(
        borrower_id=_LIN,
        outcome_id="outcome-77",
        permit_id=_PERMIT,
        outcome=Outcome.ATTEMPTED,
        occurred_ms=_NOON + 60_000,
        channel=Channel.SMS,
        contact_point_id=_PHONE,
        lender_id=_LENDER,
        loan_ids=(_LOAN,),
    ),
)

_REQUESTS: Final[tuple[Event, ...]] = (
    ContactRequested(
        borrower_id=_LIN,
        request_id=_REQUEST,
        loan_id=_LOAN,
        lender_id=_LENDER,
        contact_class=ContactClass.OVERDUE,
        step="reminder+3",
        channels=(Channel.PUSH, Channel.SMS),
        template="overdue",
        currency="CNY",
        amount_due_minor=100_000,
        amounts=_OWED,
        instalment_ids=("2024-02",),
        oldest_due_date=date(2024, 2, 15),
        days_past_due=3,
        local_date=date(2024, 2, 18),
        not_before_ms=_NOON,
        not_after_ms=_NOON + 3 * _DAY,
        policy=_POLICY,
        caused_by=_CAUSE,
    ),
    ContactWithdrawn(borrower_id=_LIN, request_id=_REQUEST, loan_id=_LOAN, reason=WithdrawalReason.PAID),
    LoanLinked(borrower_id=_LIN, loan_id=_LOAN, lender_id=_LENDER, role=Role.BORROWER),
    LoanUnlinked(borrower_id=_LIN, loan_id=_LOAN),
    StageChanged(
        borrower_id=_LIN,
        loan_id=_LOAN,
        lender_id=_LENDER,
        move=StageMove.RAISED,
        rung_before=Rung.NONE,
        rung=Rung.MESSAGE,
        changed_ms=_NOON,
        treatment_days=0,
        days_past_due=3,
        currency="CNY",
        amount_overdue_minor=100_000,
        rule="ladder.message",
        policy=_POLICY,
        caused_by=_CAUSE,
    ),
    ClearanceRequested(
        borrower_id=_LIN,
        clearance_id=_CLEARANCE,
        loan_id=_LOAN,
        lender_id=_LENDER,
        purpose=ClearancePurpose.ADVERSE_REPORT,
        notice_request_id=_REQUEST,
        month="2024-02",
        policy=_POLICY,
    ),
    ReportChanged(
        borrower_id=_LIN,
        loan_id=_LOAN,
        lender_id=_LENDER,
        action=ReportAction.FILED,
        regime="pboc",
        month="2024-02",
        version=1,
        code="1",
        adverse=True,
        days_past_due=14,
        currency="CNY",
        amount_overdue_minor=100_000,
        reason="cut-off",
        notice_permit_id=_PERMIT,
        clearance_id=_CLEARANCE,
        decided_ms=_NOON + 11 * _DAY,
        policy=_POLICY,
    ),
)

_DECISIONS: Final[tuple[Event, ...]] = (
    PermitGranted(
        borrower_id=_LIN,
        permit_id=_PERMIT,
        lender_id=_LENDER,
        contact_class=ContactClass.OVERDUE,
        channel=Channel.SMS,
        contact_point_id=_PHONE,
        template="overdue",
        loans=(
            PermittedLoan(
                request_id=_REQUEST,
                loan_id=_LOAN,
                asked_by="reminder/1",
                step="reminder+3",
                currency="CNY",
                amount_due_minor=100_000,
                amounts=_OWED,
            ),
        ),
        valid_from_ms=_NOON,
        valid_until_ms=_NOON + _HOUR,
        rules=("contact-hours", "digital-per-day", "contacts-per-7-days"),
        policy=_POLICY,
        caused_by=(_REQUEST,),
    ),
    PermitDeferred(
        borrower_id=_LIN,
        request_id=_REQUEST,
        loan_id=_LOAN,
        contact_class=ContactClass.OVERDUE,
        earliest_ms=_NOON + 21 * _HOUR,
        rules=(_EVENING,),
        decided_ms=_NOON + 9 * _HOUR,
        policy=_POLICY,
    ),
    PermitRefused(
        borrower_id=_LIN,
        request_id=_REQUEST,
        loan_id=_LOAN,
        contact_class=ContactClass.OVERDUE,
        rules=(BlockingRule(rule_id="cease", severity=Severity.LAW),),
        decided_ms=_NOON,
        policy=_POLICY,
    ),
    PermitWithdrawn(borrower_id=_LIN, permit_id=_PERMIT, reason="paid", decided_ms=_NOON + 30_000),
    PermitExpired(borrower_id=_LIN, permit_id=_PERMIT, decided_ms=_NOON + 2 * _HOUR),
    BreachRecorded(
        borrower_id=_LIN,
        outcome_id="outcome-78",
        channel=Channel.CALL,
        occurred_ms=_NOON + 10 * _HOUR,
        rules=(_EVENING,),
        policy=_POLICY,
    ),
    ContactAnswered(
        loan_id=_LOAN,
        borrower_id=_LIN,
        request_id=_REQUEST,
        permit_id=_PERMIT,
        answer=Answer.GRANTED,
        contact_class=ContactClass.OVERDUE,
        channel=Channel.SMS,
        answered_ms=_NOON,
    ),
    ContactOutcome(
        loan_id=_LOAN,
        borrower_id=_LIN,
        outcome_id="outcome-77",
        request_id=_REQUEST,
        permit_id=_PERMIT,
        outcome=Outcome.ATTEMPTED,
        contact_class=ContactClass.OVERDUE,
        channel=Channel.SMS,
        occurred_ms=_NOON + 60_000,
    ),
    ClearanceAnswered(
        loan_id=_LOAN,
        borrower_id=_LIN,
        clearance_id=_CLEARANCE,
        purpose=ClearancePurpose.ADVERSE_REPORT,
        cleared=True,
        answered_ms=_NOON + 10 * _DAY,
    ),
    PersonHoldForwarded(
        loan_id=_LOAN,
        borrower_id=_LIN,
        hold_id="hold-9",
        reason=HoldReason.VULNERABILITY,
        from_ms=_NOON,
        until_ms=_NOON + 30 * _DAY,
        forwarded_ms=_NOON,
    ),
)

_TIME: Final[tuple[Event, ...]] = (
    Tick(at=_NOON, barriers={"lending.due-dates": 4711, "lending.repayments": 1042}, policy=_POLICY),
    OutreachSwitched(
        switch=Switch(mode=OutreachMode.STOPPED, channel=Channel.SMS),
        reason="the SMS carrier doubles messages",
        operator="night-shift",
    ),
    PolicyActivated(policy=_POLICY, reason="quarterly review", operator="compliance"),
    FactQuarantined(
        service="escalation", topic="lending.due-dates", partition=3, offset=17, reason="it crashes", operator="duty"
    ),
    DeploymentStamped(mode=TimeMode.WALL, loan_partitions=12, borrower_partitions=12),
)

EXAMPLES: Final[dict[str, Event]] = {event.TYPE: event for event in (*_FACTS, *_REQUESTS, *_DECISIONS, *_TIME)}
"""A valid event of every type of the catalogue, by type."""


def example(event_type: str) -> Envelope:
    """Return the example of a type in an envelope, as its producer would send it."""
    ours = event_type.startswith("collections.")
    return Envelope(
        id=derive_id("example", event_type),
        source="/duecourse/example/0" if ours else "/harbour-bank/core-banking",
        type=event_type,
        data=EXAMPLES[event_type],
        time_ms=_NOON,
    )
