"""A loan's months under test: hourly ticks, a gate that answers at the next tick, and what the bureau has by then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from services.credit_report.processor import PROCESSOR
from services.credit_report.state import CreditState
from shared.contract.base import Channel, Event, HoldReason
from shared.contract.outcomes import Outcome
from shared.contract.outreach import Answer, ClearanceAnswered, ContactAnswered, ContactOutcome, PersonHoldForwarded
from shared.contract.requests import (
    ClearanceRequested,
    ContactRequested,
    ContactWithdrawn,
    ReportAction,
    ReportChanged,
)
from shared.domain.policy import load_policy
from shared.kernel.ids import derive_id
from shared.kernel.zones import HOUR_MS, MINUTE_MS
from tests.driver import Driver, Turn
from tests.services.lending import ANN, LOAN, at

POLICY = load_policy()
RULES = POLICY.reporting.rules("term", "standard")


class Way(StrEnum):
    """What becomes of a notice."""

    MADE = "made"
    BOUNCES = "bounces"
    REFUSED = "refused"
    EXPIRES = "expires"
    NOT_MADE = "not_made"
    SILENT = "silent"


def granted(request: ContactRequested, now: int) -> ContactAnswered:
    return answered(request, Answer.GRANTED, now)


def answered(request: ContactRequested, answer: Answer, now: int) -> ContactAnswered:
    return ContactAnswered(
        loan_id=LOAN,
        borrower_id=request.borrower_id,
        request_id=request.request_id,
        permit_id=None if answer is Answer.REFUSED else permit_of(request),
        answer=answer,
        contact_class=request.contact_class,
        channel=Channel.SMS,
        answered_ms=now,
    )


def permit_of(request: ContactRequested) -> str:
    return derive_id("permit", request.request_id)


def outcome(request: ContactRequested, kind: Outcome, occurred_ms: int) -> ContactOutcome:
    return ContactOutcome(
        loan_id=LOAN,
        borrower_id=request.borrower_id,
        outcome_id=derive_id("outcome", request.request_id, kind),
        request_id=request.request_id,
        permit_id=permit_of(request),
        outcome=kind,
        contact_class=request.contact_class,
        channel=Channel.SMS,
        occurred_ms=occurred_ms,
    )


def cleared(request: ClearanceRequested, now: int, *, yes: bool = True) -> ClearanceAnswered:
    return ClearanceAnswered(
        loan_id=LOAN,
        borrower_id=request.borrower_id,
        clearance_id=request.clearance_id,
        purpose=request.purpose,
        cleared=yes,
        answered_ms=now,
    )


def person_held(
    since: int, until: int | None, now: int, reason: HoldReason = HoldReason.HARDSHIP, hold_id: str = "p1"
) -> PersonHoldForwarded:
    return PersonHoldForwarded(
        loan_id=LOAN, borrower_id=ANN, hold_id=hold_id, reason=reason, from_ms=since, until_ms=until, forwarded_ms=now
    )


@dataclass
class Bureau:
    """One loan, the gate's habits, and everything that was said."""

    notice: Callable[[int], Way] = lambda _ordinal: Way.MADE
    clears: Callable[[int], bool | None] = lambda _ordinal: True
    driver: Driver[CreditState] = field(default_factory=lambda: Driver(PROCESSOR, POLICY, LOAN))
    replies: list[tuple[int, Event]] = field(default_factory=list)
    notices: int = 0
    clearances: int = 0

    def tick(self, now: int, *facts: Event) -> Turn:
        """Run one epoch: the facts, what the gate has to say by now, then the wake."""
        due = [event for when, event in self.replies if when <= now]
        self.replies = [(when, event) for when, event in self.replies if when > now]
        turn = self.driver.tick(now, *facts, *due)
        for request in turn.of(ContactRequested):
            self.replies += self._about(request, now)
            self.notices += 1
        for request in turn.of(ClearanceRequested):
            yes = self.clears(self.clearances)
            self.replies += [] if yes is None else [(now + 1, cleared(request, now, yes=yes))]
            self.clearances += 1
        return turn

    def has_work(self, now: int) -> bool:
        """Whether a tick would do anything: the gate has something to say, or the loan is to be looked at."""
        wake_at = self.driver.wake_at
        return any(when <= now for when, _ in self.replies) or (wake_at is not None and wake_at <= now)

    def run(self, since: int, until: int, facts: Iterable[tuple[int, Event]] = ()) -> None:
        """Tick hourly from `since` up to and including `until`; each fact comes at the first tick not before it."""
        waiting = sorted(facts, key=lambda pair: pair[0])
        for now in range(since, until + 1, HOUR_MS):
            due = [event for when, event in waiting if when <= now]
            waiting = waiting[len(due) :]
            if due or self.has_work(now) or now + HOUR_MS > until:
                self.tick(now, *due)
        assert not waiting, "a fact lies behind the end"

    def reports(self, month: str | None = None, *actions: ReportAction) -> list[ReportChanged]:
        """What was said about a month (or all), by action if any is given."""
        said = self.driver.all(ReportChanged)
        return [one for one in said if month in (None, one.month) and (not actions or one.action in actions)]

    def codes(self, month: str) -> list[str]:
        """The codes that the bureau was sent for a month, in order."""
        sent = (ReportAction.FILED, ReportAction.CORRECTED)
        return [one.code for one in self.reports(month, *sent)]

    def held(self, month: str) -> list[str]:
        """Why a month was held, in order."""
        return [one.reason for one in self.reports(month, ReportAction.HELD)]

    def told(self, month: str) -> ReportChanged:
        """What the bureau was sent last for a month."""
        return self.reports(month, ReportAction.FILED, ReportAction.CORRECTED, ReportAction.WITHDRAWN)[-1]

    def asked(self) -> list[ContactRequested]:
        return self.driver.all(ContactRequested)

    def withdrawn(self) -> list[ContactWithdrawn]:
        return self.driver.all(ContactWithdrawn)

    def _about(self, request: ContactRequested, now: int) -> list[tuple[int, Event]]:
        way = self.notice(self.notices)
        made = now + 10 * MINUTE_MS
        match way:
            case Way.SILENT:
                return []
            case Way.REFUSED:
                return [(now + 1, answered(request, Answer.REFUSED, now))]
            case Way.EXPIRES:
                return [(now + 1, granted(request, now)), (now + 4 * HOUR_MS, answered(request, Answer.EXPIRED, now))]
            case Way.NOT_MADE:
                return [(now + 1, granted(request, now)), (made, outcome(request, Outcome.NOT_ATTEMPTED, made))]
            case Way.MADE:
                return [(now + 1, granted(request, now)), (made, outcome(request, Outcome.ATTEMPTED, made))]
            case Way.BOUNCES:
                late = made + HOUR_MS
                return [
                    (now + 1, granted(request, now)),
                    (made, outcome(request, Outcome.ATTEMPTED, made)),
                    (late, outcome(request, Outcome.BOUNCED, late)),
                ]


MARCH, APRIL = "2024-03", "2024-04"
START = at(date(2024, 3, 1))
CUTOFF = at(date(2024, 4, 1))
"""March closes: midnight after the 31st in Shanghai."""
LEAD = CUTOFF - RULES.lead_ms
DEADLINE = CUTOFF + RULES.decide_within_ms
