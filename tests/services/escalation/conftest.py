"""What escalation's tests start from: a core that knows nothing, and the gate's words in short."""

from __future__ import annotations

import pytest

from services.escalation.processor import PROCESSOR
from services.escalation.state import EscalationState
from shared.contract.base import Channel, HoldReason
from shared.contract.outcomes import Direction, Outcome
from shared.contract.outreach import (
    Answer,
    BlockingRule,
    ClearanceAnswered,
    ContactAnswered,
    ContactOutcome,
    PersonHoldForwarded,
    Severity,
)
from shared.contract.requests import ClearanceRequested, ContactClass, ContactRequested
from shared.domain.policy import Policy, load_policy
from tests.driver import Driver
from tests.services.lending import ANN, LOAN

HOUR = 3_600_000
DAY = 24 * HOUR

Escalation = Driver[EscalationState]


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The policy that comes with the distribution."""
    return load_policy()


@pytest.fixture
def driver(policy: Policy) -> Escalation:
    """An escalation that knows nothing yet."""
    return Driver(PROCESSOR, policy, LOAN, policy.hash)


def message(name: str, when: int, outcome: Outcome = Outcome.ATTEMPTED, **changes: object) -> ContactOutcome:
    """A message about arrears went out, on permit `name`."""
    given: dict[str, object] = {
        "loan_id": LOAN,
        "borrower_id": ANN,
        "outcome_id": f"{name}-{outcome.value}",
        "permit_id": name,
        "outcome": outcome,
        "direction": Direction.OUTBOUND,
        "contact_class": ContactClass.OVERDUE,
        "channel": Channel.SMS,
        "occurred_ms": when,
    }
    return ContactOutcome.model_validate(given | changes)


def call(name: str, when: int, outcome: Outcome = Outcome.NO_ANSWER, **changes: object) -> ContactOutcome:
    """Somebody rang, on permit `name`."""
    given: dict[str, object] = {"contact_class": ContactClass.HUMAN_CALL, "channel": Channel.CALL}
    return message(name, when, outcome, **(given | changes))


def called(request: ContactRequested, when: int, outcome: Outcome = Outcome.NO_ANSWER) -> ContactOutcome:
    """The call that was asked for was made."""
    return call(f"permit-{request.request_id}", when, outcome, request_id=request.request_id)


def answered(request: ContactRequested, answer: Answer, when: int) -> ContactAnswered:
    """The gate's answer to a request."""
    return ContactAnswered(
        loan_id=LOAN,
        borrower_id=request.borrower_id,
        request_id=request.request_id,
        answer=answer,
        contact_class=request.contact_class,
        answered_ms=when,
    )


def clearance(
    asked: ClearanceRequested, when: int, *, cleared: bool = True, until: int | None = None
) -> ClearanceAnswered:
    """The gate's word on an adverse act."""
    rules = () if cleared else (BlockingRule(rule_id="hold.person", severity=Severity.LAW, until_ms=until),)
    return ClearanceAnswered(
        loan_id=LOAN,
        borrower_id=asked.borrower_id,
        clearance_id=asked.clearance_id,
        purpose=asked.purpose,
        cleared=cleared,
        rules=rules,
        answered_ms=when,
    )


def person_hold(name: str, since: int, until: int | None, forwarded: int, borrower: str = ANN) -> PersonHoldForwarded:
    """A hold on a person, as the gate passes it on."""
    return PersonHoldForwarded(
        loan_id=LOAN,
        borrower_id=borrower,
        hold_id=name,
        reason=HoldReason.BEREAVEMENT,
        from_ms=since,
        until_ms=until,
        forwarded_ms=forwarded,
    )
