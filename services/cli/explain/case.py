"""Everything on the topics that concerns one person or one loan, in the order in which it became known."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.contract.base import Event
from shared.contract.codec import Envelope
from shared.contract.loans import LoanBoarded, LoanOpened
from shared.contract.people import BorrowerProfile
from shared.contract.recorded import Recorded
from shared.contract.requests import LoanLinked
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK, Tick
from shared.contract.topics import TOPICS, Keyed

_CLOCK_OF = {Keyed.LOAN: LOAN_CLOCK, Keyed.BORROWER: BORROWER_CLOCK}


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the case. `known_ms` is the tick at which it was applied, or at which it was decided."""

    known_ms: int
    record: Recorded
    envelope: Envelope

    @property
    def data(self) -> Event:
        """What happened."""
        return self.envelope.data

    @property
    def is_ours(self) -> bool:
        """Whether we said it, rather than were told."""
        return self.record.topic.startswith("collections.")


@dataclass(slots=True)
class Case:
    """One person with the loans that he or she answers for, or one loan with its people."""

    borrowers: set[str] = field(default_factory=set)
    loans: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    last_tick_ms: int = 0

    @property
    def zone(self) -> str:
        """The first zone of the person, or the accounting zone of the first loan: where the lines' times are read."""
        for entry in self.entries:
            if isinstance(entry.data, BorrowerProfile) and entry.data.zones:
                return entry.data.zones[0]
        for entry in self.entries:
            if isinstance(entry.data, (LoanOpened, LoanBoarded)):
                return entry.data.terms.accounting_zone
        return "UTC"


class Epochs:
    """Tells at which tick a record was applied: the first one of its partition whose barrier lies beyond it."""

    def __init__(self, records: Iterable[Recorded]) -> None:
        self._barriers: dict[tuple[str, int, str], tuple[list[int], list[int]]] = {}
        self._newest: dict[tuple[str, int], int] = {}
        self.last_ms = 0
        for record in records:
            if record.topic in (LOAN_CLOCK, BORROWER_CLOCK):
                self._add(record)

    def _add(self, record: Recorded) -> None:
        envelope = record.decode()
        if not isinstance(envelope, Envelope) or not isinstance(envelope.data, Tick):
            return
        tick, place = envelope.data, (record.topic, record.partition)
        if tick.at <= self._newest.get(place, 0):
            return
        self._newest[place] = tick.at
        self.last_ms = max(self.last_ms, tick.at)
        for topic, barrier in tick.barriers.items():
            barriers, instants = self._barriers.setdefault((*place, topic), ([], []))
            if not barriers or barrier > barriers[-1]:
                barriers.append(barrier)
                instants.append(tick.at)

    def applied_at(self, record: Recorded) -> int | None:
        """Return the instant of that tick; None when no tick has reached the record yet."""
        clock = _CLOCK_OF.get(TOPICS[record.topic].keyed, LOAN_CLOCK)
        barriers, instants = self._barriers.get((clock, record.partition, record.topic), ([], []))
        position = bisect_right(barriers, record.offset)
        return instants[position] if position < len(instants) else None


def case_of(records: Sequence[Recorded], *, borrower: str | None = None, loan: str | None = None) -> Case:
    """Collect the case of one borrower or one loan; records that cannot be read are left aside."""
    case = Case()
    if loan is not None:
        case.loans.add(loan)
    if borrower is not None:
        case.borrowers.add(borrower)
    _link(case, records)
    epochs = Epochs(records)
    case.last_tick_ms = epochs.last_ms
    for record in records:
        if _concerns(case, record, only_loan=loan):
            _admit(case, record, epochs)
    case.entries.sort(key=_order)
    return case


def _order(entry: Entry) -> tuple[int, bool, str, int, int]:
    return (entry.known_ms, entry.is_ours, entry.record.topic, entry.record.partition, entry.record.offset)


def _link(case: Case, records: Sequence[Recorded]) -> None:
    """Add the loans of the person, or the people of the loan."""
    for record in records:
        envelope = record.decode() if record.topic in ("lending.due-dates", "collections.escalations") else None
        if not isinstance(envelope, Envelope):
            continue
        data = envelope.data
        if isinstance(data, (LoanOpened, LoanBoarded)):
            people = {obligor.borrower_id for obligor in data.terms.obligors}
            loan_id = data.loan_id
        elif isinstance(data, LoanLinked):
            people, loan_id = {data.borrower_id}, data.loan_id
        else:
            continue
        if loan_id in case.loans and not case.borrowers & people:
            case.borrowers |= people
        elif people & case.borrowers:
            case.loans.add(loan_id)


def _concerns(case: Case, record: Recorded, *, only_loan: str | None) -> bool:
    topic = TOPICS.get(record.topic)
    if topic is None or record.key is None:
        return False
    key = record.key.decode(errors="replace")
    if topic.keyed is Keyed.LOAN:
        return key == only_loan if only_loan is not None else key in case.loans
    return topic.keyed is Keyed.BORROWER and key in case.borrowers


def _admit(case: Case, record: Recorded, epochs: Epochs) -> None:
    envelope = record.decode()
    if not isinstance(envelope, Envelope):
        return
    ours = record.topic.startswith("collections.")
    known_ms = envelope.time_ms if ours else epochs.applied_at(record)
    if known_ms is None:
        known_ms = max(epochs.last_ms, envelope.time_ms or 0)
    case.entries.append(Entry(known_ms, record, envelope))
