"""A process that owns one partition, step by step: fence, recover, place, then compute, commit, write locally, report.

The same sequence as the shell on a real broker, on the engine's real loop, progress and store. `live` stops at each
step, so that anything can happen there: to stop calling it is `kill -9`, to call it after somebody else has fenced the
partition is a process that was paused and wakes up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from shared.contract.recorded import Recorded
from shared.engine.epoch import Deployment, EpochLoop
from shared.engine.processor import Processor
from shared.engine.progress import ChangelogLost, Progress, Reported, birth, decode_progress, resume
from shared.engine.store import PROGRESS_KEY, MemoryStore
from shared.engine.transaction import Transaction
from shared.simulation.log import changelog_of
from shared.simulation.swarm.broker import Fenced, TransactionalLog
from shared.simulation.swarm.crossings import Step

UNCOMMITTED: Final = frozenset({Step.COMPUTED, Step.BEGUN, Step.SENDING, Step.SENT})
"""Here a process holds what it has computed and nobody else can see."""


class StoreRefused(RuntimeError):
    """A store says that it reflects more than its changelog holds: it belongs to another log."""


@dataclass(frozen=True, slots=True)
class Post:
    """A partition of a service."""

    processor: Processor[Any]
    partition: int

    @property
    def producer(self) -> str:
        """The transactional id."""
        return f"{self.processor.name}-{self.partition}"

    @property
    def changelog(self) -> str:
        """The topic that holds its state."""
        return changelog_of(self.processor.name)


class Process:
    """One life on one post, on a `store` that may be empty, old or wrong."""

    def __init__(self, post: Post, deployment: Deployment, log: TransactionalLog, store: MemoryStore) -> None:
        self.post = post
        self.deployment = deployment
        self.log = log
        self.store = store
        self.step: Step | None = None
        self.transaction: Transaction | None = None
        self.loop: EpochLoop[Any] | None = None
        self._fed: dict[str, int] = {}
        self._epoch = 0
        self._generation = 0
        self._recovered_to = 0
        self._life = self.live()

    def go_on(self) -> Step:
        """Do what follows, up to the next step; raise what ends the process."""
        self.step = next(self._life)
        return self.step

    def live(self) -> Iterator[Step]:
        """Yield at every step, for ever."""
        self._become_owner()
        yield Step.FENCED
        yield from self._recover()
        yield Step.RECOVERED
        loop = self.loop = self._place()
        yield Step.PLACED
        if loop.progress.n:
            self._report(loop.progress)  # whoever was here before may have died between its commit and its report
        while True:
            self._feed(loop)
            self.transaction = loop.advance()
            if self.transaction is None:
                yield Step.IDLE
                continue
            yield Step.COMPUTED
            yield from self._settle(loop, self.transaction)
            self.transaction = None
            self._report(loop.progress)
            yield Step.REPORTED

    # --- from an assignment to work

    def _become_owner(self) -> None:
        self._epoch = self.log.fence(self.post.producer)
        self._generation = self.log.join(self.post.processor.name, self.post.partition)

    def _recover(self) -> Iterator[Step]:
        """Read the changelog from where the store is to its end."""
        partition, store = self.post.partition, self.store
        after = -1 if store.changelog_offset is None else store.changelog_offset
        self._recovered_to = self.log.end(self.post.changelog, partition)
        if not self._is_trusted(after):
            raise StoreRefused(self.post.producer)
        for record in self.log.read(self.post.changelog, partition, after + 1):
            assert record.key is not None
            store.restore(record.key, record.value, record.offset)
            if record.key == PROGRESS_KEY:
                yield Step.RECOVERING

    def _is_trusted(self, changelog_offset: int) -> bool:
        return changelog_offset < self.log.end(self.post.changelog, self.post.partition)

    def _place(self) -> EpochLoop[Any]:
        """Find out where to go on."""
        processor, partition = self.post.processor, self.post.partition
        kept = self.store.get(PROGRESS_KEY)
        stored = None if kept is None else decode_progress(kept)
        try:
            progress = resume(stored, self.log.reports.get((processor.name, partition)))
        except ChangelogLost:
            if self.log.end(self.post.changelog, partition) > self._recovered_to:
                raise Fenced(self.post.producer) from None  # not lost: others have gone on where we stood still
            raise
        if progress is None:
            end = self.log.end(processor.clock, partition)
            progress = birth(processor.reads, end, {}, self.deployment.build)
        self._fed = {processor.clock: progress.clock_offset} | {
            topic: progress.offsets.get(topic, 0) for topic in processor.reads
        }
        return EpochLoop(processor, self.deployment, partition, self.store, progress)

    def _feed(self, loop: EpochLoop[Any]) -> None:
        for topic, fed in self._fed.items():
            stable = self.log.stable(topic, self.post.partition)
            if stable > fed:
                loop.feed(topic, self.log.read(topic, self.post.partition, fed), stable)
                self._fed[topic] = stable

    # --- the commit sequence

    def _settle(self, loop: EpochLoop[Any], transaction: Transaction) -> Iterator[Step]:
        offset = None
        if transaction.durable:
            self.log.begin(self.post.producer, self._epoch)
            yield Step.BEGUN
            self._send_outputs(transaction)
            yield Step.SENDING
            offset = self._send_changes(transaction)
            yield Step.SENT
            self.log.commit(self.post.producer, self._epoch)
            yield Step.COMMITTED
        loop.committed(transaction, offset)
        yield Step.STORED

    def _send_outputs(self, transaction: Transaction) -> None:
        for (topic, target), outputs in transaction.outputs.items():
            for output in outputs:
                self._send(Recorded(topic, target, 0, output.key, output.value, output.headers))

    def _send_changes(self, transaction: Transaction) -> int:
        """Send states and progress, and return the last one's offset."""
        last = -1
        for key, value in transaction.changes.records.items():
            last = self._send(Recorded(self.post.changelog, self.post.partition, 0, key, value))
        return last

    def _send(self, record: Recorded) -> int:
        return self.log.send(self.post.producer, self._epoch, record)

    def _report(self, progress: Progress) -> None:
        reported = Reported(progress.at, progress.n, progress.clock_offset, progress.offsets)
        self.log.report(self.post.processor.name, self.post.partition, self._generation, reported)


def copy_of(store: MemoryStore) -> MemoryStore:
    """Return a snapshot of a store, as a backup would hold it."""
    copied = MemoryStore()
    for key, value in store.snapshot().items():
        copied.restore(key, value, 0)
    copied.changelog_offset = store.changelog_offset
    return copied
