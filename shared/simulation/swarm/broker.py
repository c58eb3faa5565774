"""A log with transactions: producers that fence each other, aborted records, last stable offsets, a group's reports."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from shared.contract.recorded import Recorded
from shared.engine.progress import Reported
from shared.simulation.log import MemoryLog


class Fenced(RuntimeError):
    """Somebody else has become the owner: what the old one sends is refused."""


@dataclass(slots=True)
class OpenTransaction:
    """What a producer has sent and not committed, and where it began on each partition."""

    records: list[Recorded] = field(default_factory=list)
    firsts: dict[tuple[str, int], int] = field(default_factory=dict)


class TransactionalLog(MemoryLog):
    """Topics as a broker keeps them. Readers are `read_committed`: they see up to the last stable offset."""

    def __init__(self, loan_partitions: int, borrower_partitions: int) -> None:
        super().__init__(loan_partitions, borrower_partitions)
        self.now_ms = 0
        self.commits = 0
        self.refused = 0
        self._epochs: dict[str, int] = {}
        self._open: dict[str, OpenTransaction] = {}
        self._generations: dict[tuple[str, int], int] = {}
        self.reports: dict[tuple[str, int], Reported] = {}
        self.ticked: dict[tuple[str, int], int] = {}
        """The newest tick of each clock partition."""

    # --- producers

    def fence(self, producer: str) -> int:
        """Make whoever calls the only owner of a transactional id; abort what the former owner left open."""
        self._abort(producer)
        self._epochs[producer] = self._epochs.get(producer, 0) + 1
        return self._epochs[producer]

    def expire(self, producer: str) -> bool:
        """Abort a transaction that took too long, and shut its producer out; False where the broker knows of none."""
        transaction = self._open.get(producer)
        if transaction is None or not transaction.records:
            return False
        self._abort(producer)
        self._epochs[producer] += 1
        return True

    def _abort(self, producer: str) -> None:
        transaction = self._open.pop(producer, OpenTransaction())
        for record in transaction.records:
            self._records[record.topic, record.partition].remove(record)
        for topic, partition in transaction.firsts:
            self.mark(topic, partition)

    def begin(self, producer: str, epoch: int) -> None:
        """Begin a transaction: for the broker it exists with its first record."""
        self.require_owner(producer, epoch)
        self._open[producer] = OpenTransaction()

    def send(self, producer: str, epoch: int, record: Recorded) -> int:
        """Append a record to an open transaction, and return its offset."""
        self.require_owner(producer, epoch)
        transaction = self._open[producer]
        lies = self.append(
            record.topic, record.partition, record.key, record.value, record.headers, record.appended_ms or self.now_ms
        )
        transaction.records.append(lies)
        transaction.firsts.setdefault((lies.topic, lies.partition), lies.offset)
        return lies.offset

    def commit(self, producer: str, epoch: int) -> None:
        """Make everything that the transaction sent visible at once."""
        self.require_owner(producer, epoch)
        for topic, partition in self._open.pop(producer).firsts:
            self.mark(topic, partition)
        self.commits += 1

    def require_owner(self, producer: str, epoch: int) -> None:
        """Raise `Fenced` unless the epoch is the newest one."""
        if self._epochs.get(producer) != epoch:
            self.refused += 1
            raise Fenced(producer)

    # --- readers

    def stable(self, topic: str, partition: int) -> int:
        """Return the last stable offset: no open transaction lies below it."""
        end = self.end(topic, partition)
        for transaction in self._open.values():
            end = min(end, transaction.firsts.get((topic, partition), end))
        return end

    def read(self, topic: str, partition: int, offset: int) -> list[Recorded]:
        """Return the committed records from `offset` on, up to the last stable offset."""
        records = super().read(topic, partition, offset)
        if not self._open:
            return records
        stable = self.stable(topic, partition)
        return records[: bisect_left(records, stable, key=lambda record: record.offset)]

    # --- the consumer group

    def join(self, group: str, partition: int) -> int:
        """Become the partition's consumer; commits of former generations are refused from now on."""
        self._generations[group, partition] = self._generations.get((group, partition), 0) + 1
        return self._generations[group, partition]

    def report(self, group: str, partition: int, generation: int, reported: Reported) -> bool:
        """Take a group commit; False when it comes from a former generation."""
        if self._generations.get((group, partition)) != generation:
            self.refused += 1
            return False
        self.reports[group, partition] = reported
        return True
