"""Recorded topics, read once: typed events, and the tick at which each became known to the services that read it."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.contract.base import Event
from shared.contract.codec import Envelope, Rejected
from shared.contract.recorded import Recorded
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK, PROBE_AT, DeploymentStamped, Tick
from shared.contract.topics import DEAD_LETTERS, SERVICES, TOPICS, Keyed
from shared.kernel.partitioning import Partitioner, partition_of
from shared.simulation.checkers.standing import Standing
from shared.simulation.log import CHANGELOG

E_co = TypeVar("E_co", bound=Event, covariant=True)


@dataclass(frozen=True, slots=True)
class Entry(Generic[E_co]):
    """A readable record. `at` is the instant in its envelope; for events of ours the tick at which it was decided."""

    record: Recorded
    id: str
    source: str
    at: int
    data: E_co
    replaces: str | None = None

    @property
    def where(self) -> str:
        """Where it lies and its id: what a person who looks into a violation searches for."""
        return f"{self.record.coordinates} {self.id}"


@dataclass(slots=True)
class Ticks:
    """The valid ticks of one clock partition, in order; barriers never go back."""

    ats: list[int] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    entries: list[Entry[Tick]] = field(default_factory=list)
    barriers: dict[str, list[int]] = field(default_factory=dict)

    def add(self, entry: Entry[Tick]) -> None:
        """Take the next tick, unless it does not advance."""
        tick = entry.data
        if tick.at <= (self.ats[-1] if self.ats else PROBE_AT):
            return
        self.ats.append(tick.at)
        self.ticks.append(tick)
        self.entries.append(entry)
        for topic in {*self.barriers, *tick.barriers}:
            known = self.barriers.setdefault(topic, [0] * (len(self.ats) - 1))
            known.append(max(known[-1] if known else 0, tick.barriers.get(topic, 0)))

    def of(self, at: int) -> Tick | None:
        """Return the tick of that instant."""
        index = bisect_right(self.ats, at) - 1
        return self.ticks[index] if index >= 0 and self.ats[index] == at else None

    def first_above(self, topic: str, offset: int) -> int | None:
        """Return the instant of the first tick whose barrier lies above the offset."""
        barriers = self.barriers.get(topic, [])
        index = bisect_right(barriers, offset)
        return self.ats[index] if index < len(self.ats) else None


class Chronicle:
    """What the topics of one deployment hold, or the part of it about some loans and people.

    Records may come topic by topic, each partition in its order. Decisions before `since` are evidence, but not judged
    themselves; what they rested on may not have been read.
    """

    def __init__(self, records: Iterable[Recorded], since: int | None = None, standing: Standing | None = None) -> None:
        self.since = since
        self.standing = standing or Standing()
        self.records: dict[tuple[str, int], list[Recorded]] = defaultdict(list)
        self._changelogs: list[Recorded] = []
        self.ticks: dict[tuple[str, int], Ticks] = defaultdict(Ticks)
        self.by_id: dict[str, list[Entry[Event]]] = defaultdict(list)
        self._by_type: dict[type[Event], list[Entry[Event]]] = defaultdict(list)
        self.stamp: DeploymentStamped | None = None
        for record in records:
            self._take(record)

    def _take(self, record: Recorded) -> None:
        if record.topic.endswith(CHANGELOG):
            self._changelogs.append(record)
            return
        self.records[record.topic, record.partition].append(record)
        if record.topic == DEAD_LETTERS:
            return
        decoded = record.decode()
        if not isinstance(decoded, Rejected):
            self._take_event(record, decoded)

    def _take_event(self, record: Recorded, envelope: Envelope) -> None:
        at = record.appended_ms if envelope.time_ms is None else envelope.time_ms
        entry = Entry(record, envelope.id, envelope.source, at, envelope.data, envelope.replaces)
        self.by_id[envelope.id].append(entry)
        self._by_type[type(envelope.data)].append(entry)
        if isinstance(envelope.data, Tick):
            self.ticks[record.topic, record.partition].add(entry)  # type: ignore[arg-type]
        elif isinstance(envelope.data, DeploymentStamped):
            self.stamp = envelope.data

    def of(self, kind: type[E_co]) -> list[Entry[E_co]]:
        """Return the events of a type, partition by partition, in the order in which they lie."""
        return self._by_type[kind]  # type: ignore[return-value]

    def of_each(self, *kinds: type[Event]) -> Iterator[Entry[Event]]:
        """Yield the events of several types, one type after the other."""
        for kind in kinds:
            yield from self._by_type[kind]

    def topics(self) -> Iterator[tuple[str, list[Recorded]]]:
        """Yield each partition's topic and records, readable or not, changelogs left out."""
        for (topic, _), records in self.records.items():
            yield topic, records

    def judges(self, at: int) -> bool:
        """Whether what was decided at an instant is to be judged."""
        return self.since is None or at >= self.since

    def everything(self) -> Iterator[Recorded]:
        """Yield all records again, changelogs last."""
        for records in self.records.values():
            yield from records
        yield from self._changelogs

    def known_at(self, record: Recorded) -> int | None:
        """Return the tick at which the services that read the topic applied the record; None: not yet."""
        clock = LOAN_CLOCK if TOPICS[record.topic].keyed is Keyed.LOAN else BORROWER_CLOCK
        return self.ticks[clock, record.partition].first_above(record.topic, record.offset)

    def known_since(self, entries: Iterable[Entry[Event]]) -> int | None:
        """Return the first tick at which one of these was applied: what is said again is known, what strays is not."""
        ticks = (self.known_at(entry.record) for entry in entries if self.is_home(entry.record))
        return min((at for at in ticks if at is not None), default=None)

    def is_home(self, record: Recorded) -> bool:
        """Whether the record lies on its key's partition; one that does not is nobody's fact."""
        if self.stamp is None or record.key is None:
            return True
        by_loan = TOPICS[record.topic].keyed is Keyed.LOAN
        partitions = self.stamp.loan_partitions if by_loan else self.stamp.borrower_partitions
        return partition_of(record.key, partitions, Partitioner(self.stamp.partitioner)) == record.partition

    def tick_of(self, clock: str, partition: int, at: int) -> Tick | None:
        """Return a tick."""
        return self.ticks[clock, partition].of(at)

    def outputs(self) -> Iterator[Entry[Event]]:
        """Yield every readable event that a service decided: its source is `/duecourse/<service>/<partition>`."""
        for entries in self._by_type.values():
            for entry in entries:
                parts = entry.source.split("/")
                if len(parts) == 4 and parts[1] == "duecourse" and parts[2] in SERVICES:
                    yield entry
