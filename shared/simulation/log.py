"""Topics in memory: append, read, high watermarks; what a broker would keep, in one process and in order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shared.contract.codec import Headers
from shared.contract.recorded import Recorded
from shared.contract.topics import LOAN_SERVICES, RATE_LIMITER, SERVICES, TOPICS, Keyed
from shared.kernel.partitioning import Partitioner, partition_of

CHANGELOG: Final = "-state-changelog"
"""What the name of a service's changelog topic ends in, in memory as on a broker."""


def changelog_of(service: str) -> str:
    """Return the logical name of a service's changelog topic."""
    return service + CHANGELOG


RECORDED: Final = (*TOPICS, *(changelog_of(service) for service in SERVICES))
"""Every topic that checkers need, changelogs included."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A record that somebody outside publishes; a `partition` of its own only where the sender means to err."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class MemoryLog:
    """Every topic of a deployment, changelogs included.

    `markers` leaves an offset unused after each transaction, as a broker's commit marker does: readers must go by
    positions, not by records seen.
    """

    def __init__(self, loan_partitions: int, borrower_partitions: int, *, markers: bool = True) -> None:
        self.partitions: dict[str, int] = {}
        for topic in TOPICS.values():
            counts = {Keyed.LOAN: loan_partitions, Keyed.BORROWER: borrower_partitions, Keyed.NONE: 1}
            self.partitions[topic.name] = counts[topic.keyed]
        self.partitions |= {changelog_of(service): loan_partitions for service in LOAN_SERVICES}
        self.partitions[changelog_of(RATE_LIMITER)] = borrower_partitions
        self._markers = markers
        self._records: dict[tuple[str, int], list[Recorded]] = {
            (name, partition): [] for name, count in self.partitions.items() for partition in range(count)
        }
        self._ends = dict.fromkeys(self._records, 0)

    def publish(self, publication: Publication, appended_ms: int) -> Recorded:
        """Append what somebody outside sends, to the partition of its key."""
        topic, key = publication.topic, publication.key
        partition = publication.partition
        if partition is None:
            partition = 0 if key is None else partition_of(key, self.partitions[topic], Partitioner.MURMUR2)
        return self.append(topic, partition, key, publication.value, publication.headers, appended_ms)

    def append(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers, appended_ms: int
    ) -> Recorded:
        """Append one record and return it as it lies."""
        place = (topic, partition)
        record = Recorded(topic, partition, self._ends[place], key, value, headers, appended_ms)
        self._records[place].append(record)
        self._ends[place] += 1
        return record

    def mark(self, topic: str, partition: int) -> None:
        """End a transaction on that partition: its marker takes an offset."""
        if self._markers:
            self._ends[topic, partition] += 1

    def end(self, topic: str, partition: int) -> int:
        """Return the high watermark."""
        return self._ends[topic, partition]

    def ends(self, topics: tuple[str, ...], partition: int) -> dict[str, int]:
        """Return the high watermarks of a partition of several topics."""
        return {topic: self._ends[topic, partition] for topic in topics}

    def read(self, topic: str, partition: int, offset: int) -> list[Recorded]:
        """Return the records from `offset` on."""
        records = self._records[topic, partition]
        return records[bisect_left(records, offset, key=lambda record: record.offset) :]

    def __iter__(self) -> Iterator[Recorded]:
        """All records, topic by topic in the order of the topic table, partition by partition, by offset."""
        for records in self._records.values():
            yield from records

    def counts(self) -> Mapping[str, int]:
        """Return the number of records by topic."""
        found: dict[str, int] = {}
        for (topic, _), records in self._records.items():
            found[topic] = found.get(topic, 0) + len(records)
        return found
