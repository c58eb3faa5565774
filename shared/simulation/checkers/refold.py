"""The recorded inputs folded again, with the same build and policy: what each service should hold and have said.

One partition of one service at a time. Inputs stream through in log order; what stays in memory is what the service
itself would keep, its states, one per loan or person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL
from shared.contract.topics import DEAD_LETTERS
from shared.engine.deployment import Deployment, passing_by
from shared.engine.epoch import EpochLoop
from shared.engine.processor import Processor
from shared.engine.progress import Progress, birth, decode_progress
from shared.engine.quarantine import quarantined
from shared.engine.store import PROGRESS_KEY, STATE_PREFIX, MemoryStore
from shared.engine.transaction import Output
from shared.engine.waiting import WAITING_FOR_RECORDS, WAITING_FOR_TICK
from shared.simulation.checkers.spool import Spool

RECORDS_AT_ONCE: Final = 500


@dataclass(slots=True)
class Fold:
    """One partition of a service, folded up to where its changelog stands; first `outputs`, then `states`.

    That may be in the middle of an epoch: a long one is many transactions. Its tick is then given ahead, and of its
    facts only those that the changelog counts.
    """

    processor: Processor[Any]
    partition: int
    stored: Progress
    """What the changelog says of the progress."""
    _spool: Spool
    _deployment: Deployment
    _store: MemoryStore = field(default_factory=MemoryStore)
    _inputs: dict[str, Iterator[Recorded]] = field(default_factory=dict)
    _is_last: bool = False

    @property
    def name(self) -> str:
        """Service and partition, as people write them."""
        return f"{self.processor.name}/{self.partition}"

    def outputs(self) -> Iterator[tuple[str, int, Output]]:
        """Fold, and yield what is said, with the topic and partition that it is said on."""
        processor, stored = self.processor, self.stored
        start = birth(processor.reads, stored.born_at_clock_offset, {}, self._deployment.build)
        loop: EpochLoop[Any] = EpochLoop(processor, self._deployment, self.partition, self._store, start)
        ticks = self._spool.each(processor.clock, self.partition, stored.clock_offset)
        self._inputs = {
            topic: self._spool.each(topic, self.partition, stored.offsets.get(topic, 0)) for topic in processor.reads
        }
        self._inputs[processor.clock] = ticks
        while True:
            transaction = loop.advance()
            if transaction is None:
                if not self._feed(loop):
                    return
                continue
            for (topic, target), outputs in transaction.outputs.items():
                for output in outputs:
                    yield topic, target, output
            loop.committed(transaction)

    def states(self) -> dict[bytes, bytes]:
        """Return what the service holds at the end of the fold, by changelog key."""
        return {key: value for key, value in self._store.snapshot().items() if key[:1] == STATE_PREFIX}

    def _feed(self, loop: EpochLoop[Any]) -> bool:
        """Give the loop the next records of what it waits for; False when it has had everything."""
        waiting = loop.waiting
        if waiting is None or waiting.what not in {WAITING_FOR_RECORDS, WAITING_FOR_TICK}:
            return False
        records = list(islice(self._inputs[waiting.topic], RECORDS_AT_ONCE))
        if records:
            loop.feed(waiting.topic, records)
            return True
        if waiting.what == WAITING_FOR_TICK:
            return self._begin_epoch(loop)
        if self._is_last and waiting.offset > self.stored.offsets.get(waiting.topic, 0):
            return False
        # The log has ended below the barrier: commit markers lie there.
        loop.feed(waiting.topic, [], waiting.offset)
        return True

    def _begin_epoch(self, loop: EpochLoop[Any]) -> bool:
        """Give the tick of the epoch in whose middle the changelog stands; False where it stands in none."""
        if self._is_last or all(loop.done_offset(topic) >= offset for topic, offset in self.stored.offsets.items()):
            return False
        self._is_last = True
        clock, begun = self.processor.clock, self.stored.clock_offset
        following = (record for record in self._spool.each(clock, self.partition) if record.offset >= begun)
        ticks = list(islice(following, 1))
        loop.feed(clock, ticks)
        return bool(ticks)


def folds(spool: Spool, processors: Iterable[Processor[Any]], deployment: Deployment) -> Iterator[Fold]:
    """Yield every partition of every service that has a changelog, to be folded one after the other."""
    by_name = {processor.name: processor for processor in processors}
    for service, partition, value in spool.progresses(PROGRESS_KEY):
        said = (record for topic in (CONTROL, DEAD_LETTERS) for record in spool.each(topic))
        known = passing_by(deployment, quarantined(said, service))
        yield Fold(by_name[service], partition, decode_progress(value), spool, known)
