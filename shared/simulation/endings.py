"""How the twelve stories must end: each ending reads one person's records and says what is not as it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from shared.contract.base import Channel, Event, Rung
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import BreachRecorded, PermitDeferred, PermitGranted, PermitRefused
from shared.contract.repayments import RepaymentReceived, RepaymentReversed
from shared.contract.requests import (
    ContactClass,
    ContactRequested,
    ContactWithdrawn,
    ReportAction,
    ReportChanged,
    StageChanged,
    StageMove,
    WithdrawalReason,
)
from shared.kernel.zones import HOUR_MS, MINUTE_MS, to_instant
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.local_time import local_moment

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Tale:
    """The records about one person and the person's loans."""

    chronicle: Chronicle
    borrower_id: str

    def all(self, kind: type[E]) -> list[Entry[E]]:
        """Return the person's events of a type, in order of time."""
        found = [entry for entry in self.chronicle.of(kind) if self._is_mine(entry.data)]
        return sorted(found, key=lambda entry: (entry.at, entry.record.offset))

    def _is_mine(self, event: Event) -> bool:
        borrower_id = getattr(event, "borrower_id", None)
        return borrower_id == self.borrower_id or str(getattr(event, "loan_id", "")).startswith(f"{self.borrower_id}-")

    def attempts(self) -> list[OutreachOutcome]:
        """Return the attempts made on our permits, each once."""
        made = [entry.data for entry in self.all(OutreachOutcome) if entry.data.outcome is Outcome.ATTEMPTED]
        return list({outcome.outcome_id: outcome for outcome in made if outcome.permit_id is not None}.values())

    def permits(self) -> dict[str, PermitGranted]:
        """Return all permits by id."""
        return {entry.data.permit_id: entry.data for entry in self.all(PermitGranted)}

    def classes(self) -> list[ContactClass]:
        """Return the classes of the contacts made, in order."""
        permits = self.permits()
        return [permits[str(outcome.permit_id)].contact_class for outcome in self.attempts()]


Ending = Callable[[Tale], Iterator[str]]
"""Yields a sentence for everything that is not as it must be."""


def _utc(day: int, month: int, hour: int) -> int:
    return to_instant(datetime(2024, month, day, hour, tzinfo=UTC))


def forgets(tale: Tale) -> Iterator[str]:
    """One message about arrears, then the payment, then silence."""
    paid = [entry.at for entry in tale.all(RepaymentReceived)]
    if tale.classes().count(ContactClass.OVERDUE) != 1:
        yield f"expected one reminder of arrears, contacts were {tale.classes()}"
    if not paid:
        yield "nothing was paid"
    elif any(outcome.occurred_ms > min(paid) for outcome in tale.attempts()):
        yield "somebody made contact after the payment"


def in_time(tale: Tale) -> Iterator[str]:
    """Asked for, deferred, paid, withdrawn: no permit, no contact."""
    if not tale.all(ContactRequested) or not tale.all(PermitDeferred):
        yield "nothing was asked for and deferred"
    if WithdrawalReason.PAID not in {entry.data.reason for entry in tale.all(ContactWithdrawn)}:
        yield "the request was not withdrawn as paid"
    if tale.permits() or tale.attempts():
        yield "there was a permit or a contact"


def in_parts(tale: Tale) -> Iterator[str]:
    """The amount asked for falls with each part, the due date that the age counts from stays."""
    overdue = [entry.data for entry in tale.all(ContactRequested) if entry.data.contact_class is ContactClass.OVERDUE]
    amounts = [request.amount_due_minor for request in overdue]
    if amounts != sorted(amounts, reverse=True) or not {1_000_00, 700_00} <= set(amounts):
        yield f"the amounts asked for do not fall by parts: {amounts}"
    if len({request.oldest_due_date for request in overdue}) != 1:
        yield "the due date that the age counts from moved"
    ages = [request.days_past_due for request in overdue]
    if ages != sorted(ages):
        yield f"the age fell: {ages}"


def four_loans(tale: Tale) -> Iterator[str]:
    """Nine wishes, two contacts, each about all four loans."""
    wishes, permits = len(tale.all(ContactRequested)), tale.permits()
    if wishes != 9:
        yield f"expected nine wishes, there were {wishes}"
    if len(tale.attempts()) != 2:
        yield f"expected two contacts, there were {len(tale.attempts())}"
    if any(len(permit.loans) != 4 for permit in permits.values()):
        yield "a contact was not about all four loans"


def says_stop(tale: Tale) -> Iterator[str]:
    """After STOP no SMS, but letters and e-mail go on."""
    stops = [entry.data for entry in tale.all(OutreachOutcome) if entry.data.outcome is Outcome.STOP]
    if not stops:
        yield "nobody said STOP"
        return
    after = [outcome for outcome in tale.attempts() if outcome.occurred_ms > stops[0].occurred_ms]
    if any(outcome.channel is Channel.SMS for outcome in after):
        yield "an SMS was sent after STOP"
    if not any(outcome.channel is Channel.EMAIL for outcome in after):
        yield "the other channel fell silent too"


def two_zones(tale: Tale) -> Iterator[str]:
    """Contact only where it is day in both places."""
    if not tale.attempts():
        yield "nobody made contact"
    if not tale.all(PermitDeferred):
        yield "nothing had to wait"
    for outcome in tale.attempts():
        for zone in ("Europe/London", "America/Phoenix"):
            hour = local_moment(outcome.occurred_ms, zone).ms // HOUR_MS
            if not 9 <= hour < 20:
                yield f"contact at {hour} o'clock in {zone}"


def clock_change(tale: Tale) -> Iterator[str]:
    """Nine in the morning in New York is another instant after the clocks went forward."""
    earliest = [entry.data.earliest_ms or 0 for entry in tale.all(PermitDeferred)]
    for day, hour in ((7, 14), (10, 13)):
        opens = _utc(day, 3, hour)
        if not any(opens <= instant < opens + 30 * MINUTE_MS for instant in earliest):
            yield f"nothing waited for the hours of {day} March, which open at {hour}:00 UTC"
    if len(tale.attempts()) < 2:
        yield "there was no contact on both sides of the change"


def after_notice(tale: Tale) -> Iterator[str]:
    """The notice was sent, the money came, and the bureau heard nothing adverse."""
    if ContactClass.STATUTORY_NOTICE not in tale.classes():
        yield f"no notice was sent, contacts were {tale.classes()}"
    reports = [entry.data for entry in tale.all(ReportChanged)]
    if not any(report.action is ReportAction.FILED for report in reports):
        yield "no month was filed"
    if any(report.adverse and report.action is not ReportAction.HELD for report in reports):
        yield "something adverse was reported"


def value_date(tale: Tale) -> Iterator[str]:
    """February was filed as late, and corrected at the tick that read a payment of February."""
    february = [entry.data for entry in tale.all(ReportChanged) if entry.data.month == "2024-02"]
    told = [report for report in february if report.action in {ReportAction.FILED, ReportAction.CORRECTED}]
    if [report.action for report in told] != [ReportAction.FILED, ReportAction.CORRECTED]:
        yield f"February was {[report.action.value for report in told]}"
    elif not told[0].adverse or told[1].adverse:
        yield "the correction did not turn an adverse month into another"


def bounced(tale: Tale) -> Iterator[str]:
    """The first word after the return is a notice of it, in no overdue tone."""
    returned = [tale.chronicle.known_at(entry.record) or 0 for entry in tale.all(RepaymentReversed)]
    after = [entry.data for entry in tale.all(ContactRequested) if returned and entry.at >= returned[0]]
    if not after:
        yield "nothing was said about the return"
    elif after[0].contact_class is not ContactClass.RETURNED_PAYMENT:
        yield f"the first word was {after[0].contact_class}"


def agency(tale: Tale) -> Iterator[str]:
    """The breach is on record, and our own call waits."""
    if not tale.all(BreachRecorded):
        yield "no breach was recorded"
    foreign = [entry.data.occurred_ms for entry in tale.all(OutreachOutcome) if entry.data.permit_id is None]
    day = local_moment(max(foreign, default=0), "Asia/Kolkata").day
    calls = [outcome for outcome in tale.attempts() if outcome.channel is Channel.CALL]
    late = [c for c in calls if c.occurred_ms > max(foreign) and local_moment(c.occurred_ms, "Asia/Kolkata").day == day]
    if late:
        yield "we called on the day of the agency's conversation"


_CLIMB: Final = [Rung.MESSAGE, Rung.HUMAN_CALL, Rung.RESTRICTION, Rung.CASE_REVIEW]


def misses_everything(tale: Tale) -> Iterator[str]:
    """One rung at a time, each with its attempts, to a person's review; the bureau is told after a notice."""
    raised = [entry.data.rung for entry in tale.all(StageChanged) if entry.data.move is StageMove.RAISED]
    if raised != _CLIMB:
        yield f"the rungs were {[rung.value for rung in raised]}"
    adverse = [entry.data for entry in tale.all(ReportChanged) if entry.data.adverse]
    if not any(report.action is ReportAction.FILED for report in adverse):
        yield "no month was filed as late"
    if ContactClass.STATUTORY_NOTICE not in tale.classes():
        yield "no notice was sent"
    if tale.all(PermitRefused) and not tale.attempts():
        yield "everything was refused"
