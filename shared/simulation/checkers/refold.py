"""The recorded inputs folded again, with the same build and policy: what each service should hold and have said.

One partition of one service at a time. Inputs stream through in log order; what stays in memory is what the service
itself would keep, its states, one per loan or person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Final

from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL
from shared.contract.topics import DEAD_LETTERS
from shared.engine.deployment import ONE_BY_ONE, Deployment, passing_by
from shared.engine.epoch import EpochLoop
from shared.engine.processor import Processor
from shared.engine.progress import Progress, birth, decode_progress
from shared.engine.quarantine import quarantined
from shared.engine.store import PROGRESS_KEY, STATE_PREFIX, MemoryStore
from shared.engine.transaction import Output, Transaction
from shared.engine.waiting import WAITING_FOR_RECORDS, WAITING_FOR_TICK
from shared.simulation.checkers.spool import Spool

RECORDS_AT_ONCE: Final = 500


@dataclass(slots=True)
class Fold:
    """One partition of a service, folded up to where its changelog stands; first `outputs`, then `states`.

    That may be in the middle of an epoch: a long one is many transactions. Of its facts and wakes only those are
    folded then that the changelog counts.
    """

    processor: Processor[Any]
    partition: int
    stored: Progress
    """What the changelog says of the progress."""
    _spool: Spool
    _deployment: Deployment
    _store: MemoryStore = field(default_factory=MemoryStore)

    @property
    def name(self) -> str:
        """Service and partition, as people write them."""
        return f"{self.processor.name}/{self.partition}"

    def outputs(self) -> Iterator[tuple[str, int, Output]]:
        """Fold, and yield what is said, with the topic and partition that it is said on."""
        start = birth(self.processor.reads, self.stored.born_at_clock_offset, {}, self._deployment.build)
        loop = self._loop(start, self._deployment)
        for transaction in self._whole_epochs(loop):
            yield from _said(transaction)
        if self.stored.woken or any(loop.done_offset(topic) < end for topic, end in self.stored.offsets.items()):
            fine = self._loop(loop.progress, replace(self._deployment, limits=ONE_BY_ONE))
            for transaction in self._part_of_an_epoch(fine):
                yield from _said(transaction)

    def states(self) -> dict[bytes, bytes]:
        """Return what the service holds at the end of the fold, by changelog key."""
        return {key: value for key, value in self._store.snapshot().items() if key[:1] == STATE_PREFIX}

    def _loop(self, start: Progress, deployment: Deployment) -> EpochLoop[Any]:
        return EpochLoop(self.processor, deployment, self.partition, self._store, start)

    def _whole_epochs(self, loop: EpochLoop[Any]) -> Iterator[Transaction]:
        """Fold the ticks that the changelog has behind it."""
        clock, reads = self.processor.clock, self.processor.reads
        inputs = {topic: self._records(topic, 0, self.stored.offsets.get(topic, 0)) for topic in reads}
        inputs[clock] = self._records(clock, loop.progress.clock_offset, self.stored.clock_offset)
        yield from _transactions(loop, inputs)

    def _part_of_an_epoch(self, loop: EpochLoop[Any]) -> Iterator[Transaction]:
        """Fold, of the tick in whose middle the changelog stands, the facts and the wakes that it counts."""
        begun = loop.progress
        inputs = {
            topic: self._records(topic, begun.offsets.get(topic, 0), self.stored.offsets.get(topic, 0))
            for topic in self.processor.reads
        }
        inputs[self.processor.clock] = islice(self._records(self.processor.clock, self.stored.clock_offset), 1)
        # Whoever was woken was so after the last fact, whatever markers lie between that and the barrier.
        for transaction in _transactions(loop, inputs, () if self.stored.woken else self._not_yet_read(begun)):
            if not transaction.facts and loop.progress.woken >= self.stored.woken:
                return
            yield transaction

    def _not_yet_read(self, begun: Progress) -> tuple[str, ...]:
        """Return the topics that were not read to the barrier: topics are worked off in turn, so the last one begun."""
        reads, stored = self.processor.reads, self.stored.offsets
        last = max(n for n, topic in enumerate(reads) if stored.get(topic, 0) > begun.offsets.get(topic, 0))
        return reads[last:]

    def _records(self, topic: str, start: int, below: int | None = None) -> Iterator[Recorded]:
        return (found for found in self._spool.each(topic, self.partition, below) if found.offset >= start)


def _transactions(
    loop: EpochLoop[Any], inputs: Mapping[str, Iterator[Recorded]], not_yet_read: tuple[str, ...] = ()
) -> Iterator[Transaction]:
    """Let the loop work off its inputs; where those of a topic `not_yet_read` to the barrier end, so does the fold."""
    while True:
        transaction = loop.advance()
        if transaction is not None:
            yield transaction
            loop.committed(transaction)
        elif not _feed(loop, inputs, not_yet_read):
            return


def _feed(loop: EpochLoop[Any], inputs: Mapping[str, Iterator[Recorded]], not_yet_read: tuple[str, ...]) -> bool:
    """Give the loop the next records of what it waits for; False when it has had everything."""
    waiting = loop.waiting
    if waiting is None or waiting.what not in {WAITING_FOR_RECORDS, WAITING_FOR_TICK}:
        return False
    records = list(islice(inputs[waiting.topic], RECORDS_AT_ONCE))
    if records:
        loop.feed(waiting.topic, records)
        return True
    if waiting.what == WAITING_FOR_TICK or waiting.topic in not_yet_read:
        return False
    # The log has ended below the barrier: commit markers lie there.
    loop.feed(waiting.topic, [], waiting.offset)
    return True


def _said(transaction: Transaction) -> Iterator[tuple[str, int, Output]]:
    for (topic, target), outputs in transaction.outputs.items():
        for output in outputs:
            yield topic, target, output


def folds(spool: Spool, processors: Iterable[Processor[Any]], deployment: Deployment) -> Iterator[Fold]:
    """Yield every partition of every service that has a changelog, to be folded one after the other."""
    by_name = {processor.name: processor for processor in processors}
    for service, partition, value in spool.progresses(PROGRESS_KEY):
        said = (record for topic in (CONTROL, DEAD_LETTERS) for record in spool.each(topic))
        known = passing_by(deployment, quarantined(said, service))
        yield Fold(by_name[service], partition, decode_progress(value), spool, known)
