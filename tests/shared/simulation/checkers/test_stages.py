"""How long somebody stood on a rung who had moved in on it, and what was tried there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest

from shared.contract.base import Amounts, Channel, Event, Rung
from shared.contract.codec import Envelope, encode, key_of
from shared.contract.loans import DUE_DATES, BoardedInstalment, LoanBoarded
from shared.contract.outcomes import Direction, Outcome
from shared.contract.outreach import LOAN_CONTACTS, ContactOutcome
from shared.contract.recorded import Recorded
from shared.contract.requests import ESCALATIONS, ContactClass, StageChanged, StageMove
from shared.contract.ticks import LOAN_CLOCK, Tick
from shared.kernel.ids import derive_id
from shared.simulation.checkers import Chronicle, Policies, stages
from shared.simulation.checkers.ledger import Ledger
from shared.simulation.checkers.verdict import Findings
from tests.services.lending import ANN, LOAN, at, terms
from tests.shared.simulation.stage import policy

READ = at(0, "12:00")
"""The tick that reads of the loan, a month overdue and on the rung of messages."""


def _boarded() -> LoanBoarded:
    unpaid = BoardedInstalment(
        instalment_id="i", due_date=date(2024, 2, 9), unpaid=Amounts(principal_minor=100_000, interest_minor=0)
    )
    return LoanBoarded(
        loan_id=LOAN, terms=terms(), as_of=date(2024, 3, 9), instalments=(unpaid,), current_rung=Rung.MESSAGE
    )


def _message(number: int, occurred: int) -> ContactOutcome:
    return ContactOutcome(
        loan_id=LOAN,
        borrower_id=ANN,
        outcome_id=f"o{number}",
        permit_id=f"p{number}",
        outcome=Outcome.ATTEMPTED,
        direction=Direction.OUTBOUND,
        contact_class=ContactClass.OVERDUE,
        channel=Channel.SMS,
        occurred_ms=occurred,
    )


def _raised(when: int, days: int) -> StageChanged:
    return StageChanged(
        borrower_id=ANN,
        loan_id=LOAN,
        lender_id="lender-1",
        move=StageMove.RAISED,
        rung_before=Rung.MESSAGE,
        rung=Rung.HUMAN_CALL,
        changed_ms=when,
        treatment_days=30 + days,
        days_past_due=30 + days,
        currency="CNY",
        amount_overdue_minor=100_000,
        rule="ladder.human_call",
        policy=policy().hash,
        caused_by=(derive_id("moved in"),),
    )


def _log(days: int, messages: tuple[int, ...]) -> Iterator[Recorded]:
    """Yield a loan's log: it moves in, messages go out at some instants, and after some days it is raised."""
    raised = at(days, "12:00")
    barriers = {DUE_DATES: 1, LOAN_CONTACTS: len(messages)}
    for number, when in enumerate((READ, raised)):
        tick = Tick(at=when, barriers=barriers, policy=policy().hash)
        yield _record(LOAN_CLOCK, number, tick, when, "/duecourse/clock")
    yield _record(DUE_DATES, 0, _boarded(), READ, "/lenders/lender-1")
    for number, occurred in enumerate(messages):
        told = _message(number, occurred)
        yield _record(LOAN_CONTACTS, number, told, occurred, "/duecourse/rate_limiter/0")
    yield _record(ESCALATIONS, 0, _raised(raised, days), raised, "/duecourse/escalation/0")


def _record(topic: str, offset: int, event: Event, when: int, source: str) -> Recorded:
    key = key_of(event)
    value = encode(Envelope(derive_id(topic, offset), source, event.TYPE, event, time_ms=when))
    return Recorded(topic, 0, offset, None if key is None else key.encode(), value, (), when)


@pytest.mark.parametrize(
    ("days", "messages", "found"),
    [
        (6, (READ + 1, READ + 2), []),
        (4, (READ + 1, READ + 2), ["it dwelt 4 days on message"]),
        (6, (READ - 2, READ - 1), ["0 attempts were made on message, 2 are needed"]),
        (6, (READ - 1, READ + 1), ["1 attempts were made on message, 2 are needed"]),
    ],
)
def test_days_and_attempts_count_from_when_somebody_moved_in(
    days: int, messages: tuple[int, ...], found: list[str]
) -> None:
    """A rung taken over begins with the tick that reads of it: what lies before it carries nobody higher."""
    chronicle, findings = Chronicle(_log(days, messages)), Findings("P7", "explained")
    policies = Policies({policy().hash: policy()})
    stages.check(chronicle, Ledger(chronicle), policies, findings)
    assert [violation.what for violation in findings.verdict().violations] == found
