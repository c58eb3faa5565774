"""One partition of one service over the in-memory log: feeds the epoch loop, commits, dies and rises again."""

from __future__ import annotations

from typing import Any

from shared.engine.epoch import Deployment, EpochLoop
from shared.engine.processor import Processor
from shared.engine.progress import Progress, Reported, birth, decode_progress, resume
from shared.engine.store import PROGRESS_KEY, MemoryStore
from shared.engine.transaction import Transaction
from shared.simulation.faults import Fault, Faults
from shared.simulation.log import MemoryLog, changelog_of


class Instance:
    """A process's share: one partition. What it has committed is in the log; all else dies with it."""

    def __init__(
        self, processor: Processor[Any], deployment: Deployment, partition: int, log: MemoryLog, faults: Faults
    ) -> None:
        self.processor = processor
        self.partition = partition
        self._deployment = deployment
        self._log = log
        self._faults = faults
        self._changelog = changelog_of(processor.name)
        self._attempts = 0
        self._reported: Reported | None = None
        self._store = MemoryStore()
        self._loop = self._start(self._store)

    @property
    def at(self) -> int:
        """The last tick applied."""
        return self._loop.progress.at

    @property
    def progress(self) -> Progress:
        """The progress as committed or reported."""
        return self._loop.progress

    def work(self, at: int) -> None:
        """Read what is in the log and go as far as possible."""
        self._feed()
        while (transaction := self._loop.advance()) is not None:
            self._attempts += 1
            fault = self._faults.crash_at(self.processor.name, self.partition, self._attempts)
            if fault is not None:
                self._faults.note(fault)
            offset = None if fault is Fault.BEFORE_COMMIT else self.commit(transaction, at)
            if fault is None:
                self._loop.committed(transaction, offset)
            else:
                self._rise(fault)
            self._feed()

    def commit(self, transaction: Transaction, at: int) -> int | None:
        """Append outputs and changelog as one transaction does; return the changelog's last offset."""
        progress = transaction.progress
        if transaction.durable:
            for (topic, target), outputs in transaction.outputs.items():
                for output in outputs:
                    self._log.append(topic, target, output.key, output.value, output.headers, at)
                self._log.mark(topic, target)
            for key, value in transaction.changes.records.items():
                self._log.append(self._changelog, self.partition, key, value, (), at)
            self._log.mark(self._changelog, self.partition)
        self._reported = Reported(progress.at, progress.n, progress.clock_offset, progress.offsets)
        return self._log.end(self._changelog, self.partition) - 1 if transaction.durable else None

    def _rise(self, fault: Fault) -> None:
        """Start again: with the store as it was on disk, or from the changelog alone."""
        if fault is Fault.LOST_STORE:
            self._store = MemoryStore()
        self._loop = self._start(self._store)

    def _start(self, store: MemoryStore) -> EpochLoop[Any]:
        after = -1 if store.changelog_offset is None else store.changelog_offset
        for record in self._log.read(self._changelog, self.partition, after + 1):
            assert record.key is not None
            store.restore(record.key, record.value, record.offset)
        kept = store.get(PROGRESS_KEY)
        progress = resume(None if kept is None else decode_progress(kept), self._reported)
        if progress is None:
            end = self._log.end(self.processor.clock, self.partition)
            progress = birth(self.processor.reads, end, {}, self._deployment.build)
        self._fed = {self.processor.clock: progress.clock_offset} | {
            topic: progress.offsets.get(topic, 0) for topic in self.processor.reads
        }
        return EpochLoop(self.processor, self._deployment, self.partition, store, progress)

    def _feed(self) -> None:
        for topic, fed in self._fed.items():
            end = self._log.end(topic, self.partition)
            if end > fed:
                self._loop.feed(topic, self._log.read(topic, self.partition, fed), end)
                self._fed[topic] = end
