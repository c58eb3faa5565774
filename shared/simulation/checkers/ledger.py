"""What a loan owes, computed again from its facts with plain loops, apart from `shared.domain`.

Each question folds the known facts from the beginning: slow, and too simple to hide a mistake of the domain's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from shared.contract.arrangements import ARRANGEMENTS, DeadLetterDiscarded, HoldLifted, HoldPlaced, PromiseMade
from shared.contract.base import Amounts, Component, Event
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
from shared.contract.repayments import REPAYMENTS, RepaymentReceived, RepaymentReversed
from shared.contract.topics import DEAD_LETTERS
from shared.kernel.business_days import BusinessCalendar
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.local_time import day_number, local_moment

DOUBT_MS: Final = 72 * 3_600_000
_SATURDAY: Final = 5
LOAN_FACTS: Final = (
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
    parts: dict[str, Amounts] = field(default_factory=dict)
    """By instalment: the amount by component, of those that have one."""
    charges: dict[str, ChargeAssessed] = field(default_factory=dict)
    payments: dict[str, RepaymentReceived] = field(default_factory=dict)
    reversed: dict[str, date] = field(default_factory=dict)
    holds: dict[str, HoldPlaced] = field(default_factory=dict)
    lifted: dict[str, int] = field(default_factory=dict)
    promises: dict[str, PromiseMade] = field(default_factory=dict)
    calendars: Mapping[str, BusinessCalendar] | None = None
    """The policy's holiday tables; None: due dates that move are not judged."""
    moved_later: bool = False
    """Whether anything ever became due later than it had been."""
    doubts: dict[str, int] = field(default_factory=dict)
    """By coordinates of a dead letter about the loan: the tick that buried it."""

    def take(self, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915 - one case per kind of fact
        """Apply one fact."""
        match event:
            case LoanOpened() | LoanBoarded():
                self.terms = event.terms
                if isinstance(event, LoanBoarded):
                    self.boarded = event
                    for unpaid in event.instalments:
                        place = (-1, unpaid.due_date, unpaid.unpaid.total_minor)
                        self.schedule.setdefault(unpaid.instalment_id, place)
                        self.parts.setdefault(unpaid.instalment_id, unpaid.unpaid)
            case LoanClosed():
                self.closed = event
            case InstalmentScheduled() | InstalmentChanged():
                known = self.schedule.get(event.instalment_id)
                if known is None or known[0] < event.revision:
                    place = (event.revision, event.due_date, event.amounts.total_minor)
                    self.schedule[event.instalment_id] = place
                    self.parts[event.instalment_id] = event.amounts
                    self.moved_later |= known is not None and known[1] < event.due_date
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
            case DeadLetterDiscarded():
                self.doubts.pop(event.coordinates, None)
            case _:
                pass

    def owed(self, day: date | None = None) -> list[tuple[date, str, int]]:
        """Return due date, instalment and amount with charges assessed by `day`, oldest first; cancelled left out."""
        charged: dict[str, int] = defaultdict(int)
        for charge in self._charges(day):
            charged[charge.instalment_id] += charge.amount_minor
        return sorted(
            (self._falls_due(due), name, amount + charged[name])
            for name, (_, due, amount) in self.schedule.items()
            if due != date.max and not (self._is_settled(due) and name not in self._moved_in())
        )

    def _is_settled(self, day: date) -> bool:
        """Whether what is dated so is contained in how the loan stood when it moved in."""
        return self.boarded is not None and day <= self.boarded.as_of

    def _moved_in(self) -> frozenset[str]:
        return frozenset() if self.boarded is None else frozenset(it.instalment_id for it in self.boarded.instalments)

    def _charges(self, day: date | None) -> Iterator[ChargeAssessed]:
        """Yield the charges that count, assessed by `day` where one is given."""
        for charge in self.charges.values():
            if (day is None or charge.assessed_on <= day) and not self._is_settled(charge.assessed_on):
                yield charge

    def _falls_due(self, nominal: date) -> date:
        """Return the day on which something due on a nominal day really is: step by step to a day of business."""
        convention = DueDateConvention.NONE if self.terms is None else self.terms.due_date_convention
        if convention is DueDateConvention.NONE or self._has_business(nominal):
            return nominal
        later = earlier = nominal
        while not self._has_business(later):
            later += timedelta(days=1)
        while not self._has_business(earlier):
            earlier -= timedelta(days=1)
        stays = (later.year, later.month) == (nominal.year, nominal.month)
        if convention is DueDateConvention.PRECEDING or (
            convention is DueDateConvention.MODIFIED_FOLLOWING and not stays
        ):
            return earlier
        return later

    def _has_business(self, day: date) -> bool:
        name = "" if self.terms is None else self.terms.business_calendar or ""
        tables = self.calendars or {}
        table = tables.get(name) or tables.get(name.upper())
        if table is None:
            return day.weekday() < _SATURDAY
        return day in table.working_days or (day.weekday() not in table.weekend and day not in table.holidays)

    def unpaid(self, day: date | None = None, today: date | None = None) -> dict[str, int]:
        """Return what is open by instalment: of all that is known, or as the books stood at the end of a day.

        Day by day: money meets what had fallen due and been charged by its value date, what is left pays ahead. Of all
        that is known, charges that are assessed after `today` are left out where that is given.
        """
        charged_by = day or today
        rows = [(due, name) for due, name, _ in self.owed(charged_by)]
        open_minor = {name: self.schedule[name][2] for _, name in rows}
        charges = [charge for charge in self._charges(charged_by) if charge.instalment_id in open_minor]
        charged: dict[date, list[tuple[str, int]]] = defaultdict(list)
        for charge in charges:
            charged[charge.assessed_on].append((charge.instalment_id, charge.amount_minor))
        came = self._came(day, open_minor, charges)
        pool = 0
        for current in sorted({due for due, _ in rows} | charged.keys() | came.keys()):
            for name, amount in charged.get(current, ()):
                open_minor[name] += amount
            pool = _pour(pool + came.get(current, 0), [name for due, name in rows if due <= current], open_minor)
        _pour(pool, [name for _, name in rows], open_minor)
        return open_minor

    def overdue(self, today: date) -> list[tuple[date, str, int]]:
        """Return due date, instalment and open amount of all that may be demanded as overdue now, oldest first."""
        if self.closed is not None:
            return []
        open_minor = self.unpaid(today=today)
        return [(due, name, open_minor[name]) for due, name, _ in self.owed(today) if due < today and open_minor[name]]

    def late_since(self, today: date) -> date | None:
        """Return the due date at which what is overdue now exceeds the tolerance; None: it does not."""
        arrears, tolerance = 0, 0 if self.terms is None else self.terms.tolerance_minor
        for due, _, amount in self.overdue(today):
            arrears += amount
            if arrears > tolerance:
                return due
        return None

    def paused_days(self, after: date, through: date) -> int:
        """Return how many accounting days after one day, up to another, lay in a hold, looked at one by one."""
        assert self.terms is not None
        zone, cutoff = self.terms.accounting_zone, self.terms.cutoff
        spans = [
            (business_day(hold.from_ms, zone, cutoff), None if end is None else business_day(end, zone, cutoff))
            for hold, end in ((hold, self._end_of(hold)) for hold in self.holds.values())
        ]
        days = (after + timedelta(days=number) for number in range(1, (through - after).days + 1))
        return sum(any(first <= day and (end is None or day < end) for first, end in spans) for day in days)

    def _came(self, day: date | None, open_minor: dict[str, int], charges: list[ChargeAssessed]) -> dict[date, int]:
        """Return money by value date, after what the lender itself allocated is taken off the instalments.

        Beyond what a component of an instalment amounts to, charges included, an allocation is money like any other.
        """
        came: dict[date, int] = defaultdict(int)
        room = {(name, of): getattr(self.parts[name], f"{of}_minor") for name in open_minor for of in Component}
        for charge in charges:
            room[charge.instalment_id, charge.component] += charge.amount_minor
        for payment in sorted(self.payments.values(), key=lambda one: (one.value_date, one.payment_id)):
            undone = self.reversed.get(payment.payment_id)
            reversed_ = undone is not None and (day is None or undone <= day)
            if reversed_ or self._is_settled(payment.value_date) or (day is not None and payment.value_date > day):
                continue
            rest = payment.amount_minor
            for part in payment.allocations:
                taken = min(part.amount_minor, room.get((part.instalment_id, part.component), 0))
                if taken:
                    room[part.instalment_id, part.component] -= taken
                    open_minor[part.instalment_id] -= taken
                    rest -= taken
            came[payment.value_date] += rest
        return came

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
        return bool(self.holds_at(at))

    def holds_at(self, at: int) -> list[HoldPlaced]:
        """Return the holds on the loan that are active at an instant."""
        ends = ((hold, self._end_of(hold)) for hold in self.holds.values())
        return [hold for hold, end in ends if hold.from_ms <= at and (end is None or at < end)]

    def _end_of(self, hold: HoldPlaced) -> int | None:
        """Return when a hold ends: by its own word, or sooner by its lifting."""
        ends = [end for end in (hold.until_ms, self.lifted.get(hold.hold_id)) if end is not None]
        return min(ends, default=None)

    def promised(self, day: date) -> bool:
        """Whether a promise still runs on a day."""
        return any(
            promise.promised_on <= day <= promise.due_on + timedelta(days=promise.tolerance_days)
            for promise in self.promises.values()
        )

    def in_doubt(self, at: int) -> bool:
        """Whether a repayment or arrangement that nobody could read came within the last 72 hours."""
        return any(since <= at < since + DOUBT_MS for since in self.doubts.values())

    @property
    def judged(self) -> bool:
        """Whether this simple reckoning applies: due dates that move need the holiday tables."""
        if self.terms is None:
            return False
        return self.terms.due_date_convention is DueDateConvention.NONE or self.calendars is not None


def _pour(pool: int, names: list[str], open_minor: dict[str, int]) -> int:
    for name in names:
        taken = min(pool, max(0, open_minor[name]))
        open_minor[name] -= taken
        pool -= taken
    return pool


class Ledger:
    """The facts of all loans with the ticks at which they became known."""

    def __init__(self, chronicle: Chronicle, calendars: Mapping[str, BusinessCalendar] | None = None) -> None:
        buried = buried_coordinates(chronicle)
        self._calendars = calendars
        self._facts: dict[str, list[Known]] = defaultdict(list)
        self._doubts = _doubts(chronicle)
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

    def for_month(self, position: Position, loan_id: str, at: int, cutoff: date) -> Position:
        """Return the loan as known at a tick (its `position`) for the judgement of a month that ended on a day.

        A due date that was moved to a later day after the month had ended is for that month what it was (T-59).
        """
        return self.position(loan_id, at, cutoff) if position.moved_later else position

    def position(self, loan_id: str, at: int, cutoff: date | None = None) -> Position:
        """Return the loan as known at a tick, `cutoff` as in `for_month`."""
        position = Position(calendars=self._calendars)
        position.doubts = {place: since for place, since in self._doubts.get(loan_id, {}).items() if since <= at}
        for known in self._facts.get(loan_id, ()):
            if known.at > at:
                break
            former = dict(position.schedule) if _is_over(position, cutoff, known.at) else {}
            position.take(known.entry.data)
            position.schedule |= {
                name: (place[0], was[1], place[2])
                for name, was in former.items()
                if was[1] < (place := position.schedule[name])[1] < date.max
            }
            position.doubts.pop(known.entry.replaces or "", None)
        return position


def _is_over(position: Position, cutoff: date | None, at: int) -> bool:
    """Whether a month had ended before a tick; in the hour before its first tick too, which is hard on nobody."""
    if cutoff is None or position.terms is None:
        return False
    return business_day(at - 1, position.terms.accounting_zone, position.terms.cutoff) > cutoff


def buried_coordinates(chronicle: Chronicle) -> frozenset[str]:
    """Return where the records lay that became dead letters."""
    return frozenset(
        record.key.decode()
        for (topic, _), records in chronicle.records.items()
        if topic == DEAD_LETTERS
        for record in records
        if record.key is not None
    )


def _doubts(chronicle: Chronicle) -> dict[str, dict[str, int]]:
    """Return, by loan, the dead letters that may hide a payment or a hold, with the tick that buried each.

    A misrouted record is not among them: those who know the loan never saw it.
    """
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for topic, records in chronicle.topics():
        for record in records if topic == DEAD_LETTERS else ():
            headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
            place = (record.key or b"").decode(errors="replace")
            doubtful = (
                place.startswith((REPAYMENTS, ARRANGEMENTS)) and headers.get("duecourse-reason") != "misrouted_key"
            )
            if doubtful and "duecourse-key" in headers:
                found[headers["duecourse-key"]][place] = int(headers["duecourse-at"])
    return found


def business_day(at: int, zone: str, cutoff: str) -> date:
    """Return the accounting day of an instant: after the cut-off the next one has begun."""
    moment = local_moment(at, zone)
    cutoff_ms = (int(cutoff[:2]) * 60 + int(cutoff[3:])) * 60_000
    day = moment.day + (1 if cutoff_ms and moment.ms >= cutoff_ms else 0)
    return date.fromordinal(day - day_number(1970, 1, 1) + date(1970, 1, 1).toordinal())
