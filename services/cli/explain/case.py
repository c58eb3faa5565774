"""Everything on the topics that concerns one person or one loan, in the order in which it became known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from services.cli.dead_letter_book import letter_of
from shared.contract.base import Event
from shared.contract.codec import Envelope
from shared.contract.loans import LoanBoarded, LoanOpened
from shared.contract.outcomes import OutreachOutcome
from shared.contract.outreach import LOAN_CONTACTS, OUTREACH, PermitExpired, PermitGranted, PermitWithdrawn
from shared.contract.people import BorrowerProfile
from shared.contract.recorded import Recorded
from shared.contract.requests import LoanLinked
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK
from shared.contract.topics import DEAD_LETTERS, TOPICS, Keyed
from shared.simulation.checkers.chronicle import Chronicle

_SAID_BY_GATE = frozenset({OUTREACH, LOAN_CONTACTS})
_CLOCKS = frozenset({LOAN_CLOCK, BORROWER_CLOCK})


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


@dataclass(frozen=True, slots=True)
class Buried:
    """A record that was not applied, and why. Its key is that of the case, whether or not it could be read."""

    known_ms: int
    coordinates: str
    reason: str


@dataclass(slots=True)
class Case:
    """One person with the loans that he or she answers for, or one loan with its people."""

    borrowers: set[str] = field(default_factory=set)
    loans: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    buried: list[Buried] = field(default_factory=list)
    permits: set[str] = field(default_factory=set)
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
        self._ticks = Chronicle(record for record in records if record.topic in _CLOCKS).ticks
        self.last_ms = max((ticks.ats[-1] for ticks in self._ticks.values()), default=0)

    def applied_at(self, record: Recorded) -> int | None:
        """Return the instant of that tick; None when no tick has reached the record yet."""
        clock = BORROWER_CLOCK if TOPICS[record.topic].keyed is Keyed.BORROWER else LOAN_CLOCK
        ticks = self._ticks.get((clock, record.partition))
        return None if ticks is None else ticks.first_above(record.topic, record.offset)


def case_of(records: Sequence[Recorded], *, borrower: str | None = None, loan: str | None = None) -> Case:
    """Collect the case of one borrower or one loan; records that cannot be read are left aside."""
    case = Case()
    if loan is not None:
        case.loans.add(loan)
    if borrower is not None:
        case.borrowers.add(borrower)
    _link(case, records, people_too=loan is not None)
    epochs = Epochs(records)
    case.last_tick_ms = epochs.last_ms
    letters = {letter.coordinates: letter for letter in map(letter_of, _of(records, DEAD_LETTERS))}
    for record in records:
        if not _concerns(case, record, only_loan=loan):
            continue
        letter = letters.get(record.coordinates)
        if letter is not None:
            case.buried.append(Buried(letter.at_ms, letter.coordinates, letter.reason))
        else:
            _admit(case, record, epochs, only_loan=loan)
    case.entries.sort(key=_order)
    return case


def _order(entry: Entry) -> tuple[int, int, str, int, int]:
    """What was told comes before what was asked, and that before what the gate said."""
    record = entry.record
    rank = 1 + (record.topic in _SAID_BY_GATE) if entry.is_ours else 0
    return (entry.known_ms, rank, record.topic, record.partition, record.offset)


def _link(case: Case, records: Sequence[Recorded], *, people_too: bool) -> None:
    """Add the loans of the person, or the people of the loan; never other people of a person's loans (T-28)."""
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
        if people_too:
            case.borrowers |= people if loan_id in case.loans else set()
        elif people & case.borrowers:
            case.loans.add(loan_id)


def _of(records: Iterable[Recorded], topic: str) -> Iterator[Recorded]:
    return (record for record in records if record.topic == topic)


def _concerns(case: Case, record: Recorded, *, only_loan: str | None) -> bool:
    topic = TOPICS.get(record.topic)
    if topic is None or record.key is None:
        return False
    key = record.key.decode(errors="replace")
    if topic.keyed is Keyed.LOAN:
        return key == only_loan if only_loan is not None else key in case.loans
    return topic.keyed is Keyed.BORROWER and key in case.borrowers


def _is_about(case: Case, data: Event, loan: str) -> bool:
    """Whether an event about a person is about the loan, or about no loan at all."""
    if isinstance(data, PermitGranted):
        if any(permitted.loan_id == loan for permitted in data.loans):
            case.permits.add(data.permit_id)
        return data.permit_id in case.permits
    if isinstance(data, (PermitWithdrawn, PermitExpired)):
        return data.permit_id in case.permits
    if isinstance(data, OutreachOutcome):
        return not data.loan_ids or loan in data.loan_ids
    return getattr(data, "loan_id", loan) == loan


def _admit(case: Case, record: Recorded, epochs: Epochs, *, only_loan: str | None) -> None:
    envelope = record.decode()
    if not isinstance(envelope, Envelope) or (only_loan is not None and not _is_about(case, envelope.data, only_loan)):
        return
    ours = record.topic.startswith("collections.")
    known_ms = envelope.time_ms if ours else epochs.applied_at(record)
    if known_ms is None:
        known_ms = max(epochs.last_ms, envelope.time_ms or 0)
    case.entries.append(Entry(known_ms, record, envelope))
