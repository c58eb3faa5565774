"""Short words for the gate's tests: a person, her requests, and what becomes of contacts."""

from __future__ import annotations

from datetime import date, datetime, time
from functools import cache
from typing import Any

from services.rate_limiter.processor import PROCESSOR
from services.rate_limiter.state import Borrower
from shared.contract.base import Amounts, Channel, HoldReason
from shared.contract.loans import Role
from shared.contract.outcomes import Direction, Outcome, OutreachOutcome
from shared.contract.outreach import PermitDeferred, PermitGranted
from shared.contract.people import (
    BorrowerCeased,
    BorrowerConsented,
    BorrowerHoldLifted,
    BorrowerHoldPlaced,
    BorrowerOptedOut,
    BorrowerProfile,
    ContactPoint,
)
from shared.contract.requests import (
    CREDIT_REPORTS,
    ESCALATIONS,
    REMINDERS,
    ClearancePurpose,
    ClearanceRequested,
    ContactClass,
    ContactRequested,
    ContactWithdrawn,
    LoanLinked,
    WithdrawalReason,
)
from shared.domain.policy import Policy, load_policy
from shared.engine.processor import Fact
from shared.kernel.zones import DAY_MS, at_local
from tests.driver import Driver, Turn, fact

WHO = "borrower-1"
SHANGHAI = "Asia/Shanghai"
NEW_YORK = "America/New_York"
LONDON = "Europe/London"
KOLKATA = "Asia/Kolkata"
PHOENIX = "America/Phoenix"
SERVICES = {REMINDERS: "reminder", ESCALATIONS: "escalation", CREDIT_REPORTS: "credit_report"}


@cache
def policy() -> Policy:
    """The default policy."""
    return load_policy()


def gate(given: Policy | None = None) -> Driver[Borrower]:
    """A gate that knows nothing yet about the one borrower."""
    return Driver(PROCESSOR, given or policy(), WHO, policy_hash=(given or policy()).hash)


def local(text: str, zone: str = SHANGHAI) -> int:
    """The instant of a local time such as `2024-02-14 10:00`."""
    moment = datetime.fromisoformat(text)
    return at_local(moment.date(), moment.time(), zone)


NOON = at_local(date(2024, 2, 14), time(12), SHANGHAI)
"""A Wednesday in Shanghai, hours open."""


def point(name: str, *channels: Channel, zone: str | None = None) -> ContactPoint:
    return ContactPoint(contact_point_id=name, channels=channels, zone=zone)


PHONE = point("phone", Channel.SMS, Channel.CALL)
MAILBOX = point("mailbox", Channel.EMAIL)


def profile(
    *zones: str, points: tuple[ContactPoint, ...] = (PHONE, MAILBOX), revision: int = 1, jurisdiction: str = "CN"
) -> BorrowerProfile:
    return BorrowerProfile(
        borrower_id=WHO,
        revision=revision,
        zones=zones,
        jurisdictions=(jurisdiction,),
        contact_points=points,
    )


def wish(
    name: str,
    at: int,
    *,
    kind: ContactClass = ContactClass.OVERDUE,
    channels: tuple[Channel, ...] = (Channel.SMS, Channel.EMAIL),
    loan: str = "",
    lender: str = "lender-1",
    topic: str = REMINDERS,
    partition: int = 0,
    not_before: int | None = None,
    not_after: int | None = None,
    days_past_due: int = 3,
    replaces: str | None = None,
) -> Fact:
    """A request for contact, as a service of stage 1 publishes it."""
    data = ContactRequested(
        borrower_id=WHO,
        request_id=name,
        loan_id=loan or f"loan-of-{name}",
        lender_id=lender,
        contact_class=kind,
        step="reminder+3",
        channels=channels,
        template="overdue",
        currency="CNY",
        amount_due_minor=50_000,
        amounts=Amounts(principal_minor=40_000, interest_minor=10_000),
        days_past_due=days_past_due,
        local_date=date(2024, 2, 14),
        not_before_ms=at if not_before is None else not_before,
        not_after_ms=at + 3 * DAY_MS if not_after is None else not_after,
        policy=policy().hash,
        replaces_request_id=replaces,
    )
    return fact(data, topic=topic, source=f"/duecourse/{SERVICES[topic]}/{partition}")


def call(name: str, at: int, **more: Any) -> Fact:
    """A request for a human call."""
    return wish(
        name, at, **{"kind": ContactClass.HUMAN_CALL, "channels": (Channel.CALL,), "topic": ESCALATIONS, **more}
    )


def notice(name: str, at: int, **more: Any) -> Fact:
    """A request for a statutory notice."""
    return wish(name, at, **{"kind": ContactClass.STATUTORY_NOTICE, "topic": CREDIT_REPORTS, **more})


def taken_back(
    name: str,
    reason: WithdrawalReason = WithdrawalReason.PAID,
    *,
    loan: str = "",
    topic: str = REMINDERS,
    partition: int = 0,
) -> Fact:
    data = ContactWithdrawn(borrower_id=WHO, request_id=name, loan_id=loan or f"loan-of-{name}", reason=reason)
    return fact(data, topic=topic, source=f"/duecourse/{SERVICES[topic]}/{partition}")


def outcome(
    what: Outcome,
    at: int,
    *,
    permit: PermitGranted | None = None,
    name: str = "",
    channel: Channel = Channel.SMS,
    where: str | None = None,
    direction: Direction = Direction.OUTBOUND,
    lender: str | None = None,
    loans: tuple[str, ...] = (),
) -> OutreachOutcome:
    """What a gateway reports about a permit, or somebody else about a contact of theirs."""
    return OutreachOutcome(
        borrower_id=WHO,
        outcome_id=name or f"{what}-{at}",
        permit_id=None if permit is None else permit.permit_id,
        outcome=what,
        occurred_ms=at,
        channel=channel if permit is None else permit.channel,
        contact_point_id=where if permit is None else permit.contact_point_id,
        direction=direction,
        lender_id=lender if permit is None else permit.lender_id,
        loan_ids=loans,
    )


def opt_out(at: int, channel: Channel | None = None, where: str | None = None) -> BorrowerOptedOut:
    return BorrowerOptedOut(
        borrower_id=WHO, opt_out_id=f"no-{channel}-{where}-{at}", channel=channel, contact_point_id=where, given_ms=at
    )


def consent(at: int, channel: Channel, where: str | None = None, **more: Any) -> BorrowerConsented:
    return BorrowerConsented(
        borrower_id=WHO,
        consent_id=f"yes-{channel}-{where}-{at}",
        channel=channel,
        contact_point_id=where,
        given_ms=at,
        **more,
    )


def cease(at: int, lender: str | None = None) -> BorrowerCeased:
    return BorrowerCeased(borrower_id=WHO, cease_id=f"cease-{lender}-{at}", lender_id=lender, given_ms=at)


def hold(name: str, from_ms: int, until_ms: int | None = None, revision: int = 0) -> BorrowerHoldPlaced:
    return BorrowerHoldPlaced(
        borrower_id=WHO,
        hold_id=name,
        revision=revision,
        reason=HoldReason.VULNERABILITY,
        from_ms=from_ms,
        until_ms=until_ms,
    )


def lifted(name: str, at: int) -> BorrowerHoldLifted:
    return BorrowerHoldLifted(borrower_id=WHO, hold_id=name, lifted_ms=at)


def linked(loan: str) -> LoanLinked:
    return LoanLinked(borrower_id=WHO, loan_id=loan, lender_id="lender-1", role=Role.BORROWER)


def clearance(
    name: str, purpose: ClearancePurpose = ClearancePurpose.ADVERSE_REPORT, notice_request: str | None = None
) -> Fact:
    data = ClearanceRequested(
        borrower_id=WHO,
        clearance_id=name,
        loan_id="loan-1",
        lender_id="lender-1",
        purpose=purpose,
        notice_request_id=notice_request,
        policy=policy().hash,
    )
    topic = CREDIT_REPORTS if purpose is ClearancePurpose.ADVERSE_REPORT else ESCALATIONS
    return fact(data, topic=topic, source=f"/duecourse/{SERVICES[topic]}/0")


def permits(turn: Turn) -> list[PermitGranted]:
    return turn.of(PermitGranted)


def the_permit(turn: Turn) -> PermitGranted:
    """The one permit of an epoch."""
    found = permits(turn)
    assert len(found) == 1, f"{len(found)} permits"
    return found[0]


def blocked_by(turn: Turn) -> set[str]:
    """The rules that the deferrals of an epoch name."""
    return {rule.rule_id for deferral in turn.of(PermitDeferred) for rule in deferral.rules}
