"""What a loan owes, computed again from its facts with plain loops, apart from `shared.domain`.

Each question folds the known facts from the beginning: slow, and too simple to hide a mistake of the domain's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from shared.contract.arrangements import DeadLetterDiscarded, HoldLifted, HoldPlaced, PromiseMade
from shared.contract.base import Event
from shared.contract.loans import (
    ChargeAssessed,
    DueDateConvention,
    InstalmentCancelled,
    InstalmentChanged,
    InstalmentScheduled,
    LoanBoarded,
    LoanClosed,
    LoanOpened,
    LoanTerms,
)
from shared.contract.repayments import RepaymentReceived, RepaymentReversed
from shared.contract.topics import DEAD_LETTERS
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.local_time import day_number, local_moment

LOAN_FACTS = (
    LoanOpened,
    LoanBoarded,
    LoanClosed,
    InstalmentScheduled,
    InstalmentChanged,
    InstalmentCancelled,
    ChargeAssessed,
    RepaymentReceived,
    RepaymentReversed,
    HoldPlaced,
    HoldLifted,
    PromiseMade,
    DeadLetterDiscarded,
)


@dataclass(frozen=True, slots=True)
class Known:
    """A fact and the tick at which the loan services applied it."""

    at: int
    entry: Entry[Event]


@dataclass(slots=True)
class Position:
    """A loan as known at one tick."""

    terms: LoanTerms | None = None
    boarded: LoanBoarded | None = None
    closed: LoanClosed | None = None
    schedule: dict[str, tuple[int, date, int]] = field(default_factory=dict)
    """By instalment: revision, due date, amount; cancelled ones have no amount."""
    charges: dict[str, ChargeAssessed] = field(default_factory=dict)
    payments: dict[str, RepaymentReceived] = field(default_factory=dict)
    reversed: dict[str, date] = field(default_factory=dict)
    holds: dict[str, HoldPlaced] = field(default_factory=dict)
    lifted: dict[str, int] = field(default_factory=dict)
    promises: dict[str, PromiseMade] = field(default_factory=dict)

    def take(self, event: Event) -> None:  # noqa: C901, PLR0912 - one line per kind of fact
        """Apply one fact."""
        match event:
            case LoanOpened() | LoanBoarded():
                self.terms = event.terms
                if isinstance(event, LoanBoarded):
                    self.boarded = event
                    for unpaid in event.instalments:
                        place = (-1, unpaid.due_date, unpaid.unpaid.total_minor)
                        self.schedule.setdefault(unpaid.instalment_id, place)
            case LoanClosed():
                self.closed = event
            case InstalmentScheduled() | InstalmentChanged():
                known = self.schedule.get(event.instalment_id)
                if known is None or known[0] < event.revision:
                    place = (event.revision, event.due_date, event.amounts.total_minor)
                    self.schedule[event.instalment_id] = place
            case InstalmentCancelled():
                known = self.schedule.get(event.instalment_id)
                if known is None or known[0] < event.revision:
                    self.schedule[event.instalment_id] = (event.revision, date.max, 0)
            case ChargeAssessed():
                charge = self.charges.get(event.charge_id)
                if charge is None or charge.revision < event.revision:
                    self.charges[event.charge_id] = event
            case RepaymentReceived():
                self.payments.setdefault(event.payment_id, event)
            case RepaymentReversed():
                self.reversed.setdefault(event.payment_id, event.reversed_on)
            case HoldPlaced():
                hold = self.holds.get(event.hold_id)
                if hold is None or hold.revision < event.revision:
                    self.holds[event.hold_id] = event
            case HoldLifted():
                self.lifted.setdefault(event.hold_id, event.lifted_ms)
            case PromiseMade():
                promise = self.promises.get(event.promise_id)
                if promise is None or promise.revision < event.revision:
                    self.promises[event.promise_id] = event
            case _:
                pass

    def owed(self, day: date | None = None) -> list[tuple[date, str, int]]:
        """Return due date, instalment and amount with charges assessed by `day`, oldest first; cancelled left out."""
        charged: dict[str, int] = defaultdict(int)
        for charge in self.charges.values():
            if day is None or charge.assessed_on <= day:
                charged[charge.instalment_id] += charge.amount_minor
        return sorted(
            (due, name, amount + charged[name]) for name, (_, due, amount) in self.schedule.items() if due != date.max
        )

    def unpaid(self, day: date | None = None) -> dict[str, int]:
        """Return what is open by instalment: of all that is known, or as the books stood at the end of a day."""
        rows = self.owed(day)
        open_minor = {name: amount for _, name, amount in rows}
        pool = 0
        for payment in self.payments.values():
            undone = self.reversed.get(payment.payment_id)
            if undone is not None and (day is None or undone <= day):
                continue
            if day is not None and payment.value_date > day:
                continue
            rest = payment.amount_minor
            for part in payment.allocations:
                taken = min(part.amount_minor, open_minor.get(part.instalment_id, 0), rest)
                if taken:
                    open_minor[part.instalment_id] -= taken
                    rest -= taken
            pool += rest
        for _, name, _ in rows:
            taken = min(pool, open_minor[name])
            open_minor[name] -= taken
            pool -= taken
        return open_minor

    def days_past_due(self, day: date) -> int:
        """Return the days since the due date at which arrears, added up from the oldest, exceed the tolerance."""
        if self.closed is not None and self.closed.closed_on <= day:
            return 0
        open_minor = self.unpaid(day)
        arrears, tolerance = 0, 0 if self.terms is None else self.terms.tolerance_minor
        for due, name, _ in self.owed(day):
            arrears += open_minor[name] if due < day else 0
            if arrears > tolerance:
                return (day - due).days
        return 0

    def held(self, at: int) -> bool:
        """Whether a hold on the loan is active at an instant."""
        for hold in self.holds.values():
            ends = self.lifted.get(hold.hold_id, hold.until_ms)
            if hold.from_ms <= at and (ends is None or at < ends):
                return True
        return False

    def promised(self, day: date) -> bool:
        """Whether a promise still runs on a day."""
        return any(
            promise.promised_on <= day <= promise.due_on + timedelta(days=promise.tolerance_days)
            for promise in self.promises.values()
        )

    @property
    def judged(self) -> bool:
        """Whether this simple reckoning applies: it knows no holiday tables, which some due dates need."""
        return self.terms is not None and self.terms.due_date_convention is DueDateConvention.NONE


class Ledger:
    """The facts of all loans with the ticks at which they became known."""

    def __init__(self, chronicle: Chronicle) -> None:
        buried = buried_coordinates(chronicle)
        self._facts: dict[str, list[Known]] = defaultdict(list)
        for entry in chronicle.of_each(*LOAN_FACTS):
            at = chronicle.known_at(entry.record)
            alive = entry.record.coordinates not in buried and chronicle.is_home(entry.record)
            if at is not None and alive:
                loan_id: str = getattr(entry.data, "loan_id")  # noqa: B009 - every loan fact has one
                self._facts[loan_id].append(Known(at, entry))
        for facts in self._facts.values():
            facts.sort(key=lambda known: (known.at, known.entry.record.topic, known.entry.record.offset))

    def loans(self) -> Iterator[str]:
        """Yield the ids of all loans with facts, in order."""
        yield from sorted(self._facts)

    def facts(self, loan_id: str) -> Iterable[Known]:
        """Return a loan's facts in the order in which they became known."""
        return self._facts.get(loan_id, ())

    def position(self, loan_id: str, at: int) -> Position:
        """Return the loan as known at a tick."""
        position = Position()
        for known in self._facts.get(loan_id, ()):
            if known.at > at:
                break
            position.take(known.entry.data)
        return position


def buried_coordinates(chronicle: Chronicle) -> frozenset[str]:
    """Return where the records lay that became dead letters."""
    return frozenset(
        record.key.decode()
        for (topic, _), records in chronicle.records.items()
        if topic == DEAD_LETTERS
        for record in records
        if record.key is not None
    )


def business_day(at: int, zone: str, cutoff: str) -> date:
    """Return the accounting day of an instant: after the cut-off the next one has begun."""
    moment = local_moment(at, zone)
    cutoff_ms = (int(cutoff[:2]) * 60 + int(cutoff[3:])) * 60_000
    day = moment.day + (1 if cutoff_ms and moment.ms >= cutoff_ms else 0)
    return date.fromordinal(day - day_number(1970, 1, 1) + date(1970, 1, 1).toordinal())
