"""Computes a service's state anew from the recorded inputs, with outputs off: nothing that was said is said again.

One partition is folded tick by tick with the service's own engine and core. What the fold says and the service has
said already is dropped. At the first thing that nobody has said yet the fold stops, between two wakes if it must: there
the service goes on, and says it. Everything up to the group's last report is taken as done in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, Self

from aiokafka import TopicPartition

from shared.contract.codec import Envelope, decode
from shared.contract.ticks import Tick
from shared.engine.deployment import ONE_BY_ONE
from shared.engine.epoch import Deployment, EpochLoop
from shared.engine.processor import Processor
from shared.engine.progress import Progress, birth
from shared.engine.store import PROGRESS_KEY, MemoryStore
from shared.engine.transaction import Transaction
from shared.engine.waiting import WAITING_FOR_POLICY, WAITING_FOR_RECORDS
from shared.runtime.kafka_clients import new_consumer
from shared.runtime.published import Published, identity
from shared.runtime.settings import Settings

READ_MS: Final = 200


class Irrecoverable(RuntimeError):
    """History cannot be folded by this build; the text says why."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a partition's history begins: the log starts of its inputs (logical), and the service's birth."""

    starts: Mapping[str, int]
    ends: Mapping[str, int]
    born_at_clock_offset: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of one partition.

    `dropped` outputs were said before; `unsaid` ones lie before the last report and were never said, `unexplained` ones
    were said and the fold does not say them: both are zero unless another build or policy decided back then.
    """

    progress: Progress
    records: Mapping[bytes, bytes]
    dropped: int
    unsaid: int
    unexplained: int

    @property
    def differs(self) -> bool:
        """Whether history was made otherwise than this build would make it."""
        return bool(self.unsaid or self.unexplained)


class Inputs(Protocol):
    """The committed records of one partition of all inputs, each topic (logical) at its own pace."""

    async def next(self, topic: str) -> list[Any]:
        """Return the next records of a topic; none at its end."""
        ...

    def position(self, topic: str) -> int:
        """Return the offset behind everything that was returned of a topic."""
        ...

    def rewind(self, offsets: Mapping[str, int]) -> None:
        """Go back, or on, to these offsets."""
        ...


class PartitionRebuild:
    """The fold of one partition."""

    def __init__(
        self,
        processor: Processor[Any],
        deployment: Deployment,
        partition: int,
        published: Published,
        reported_at: int,
    ) -> None:
        self._processor = processor
        self._deployment = deployment
        self._partition = partition
        self._unmatched = set(published.said)
        # Transactions follow each other: what lies before the newest thing said is done, its own tick perhaps in part.
        self._done_at = max(reported_at, published.newest_at - 1)
        self._store = MemoryStore()
        self._dropped = self._unsaid = 0

    async def run(self, beginning: Beginning, inputs: Inputs) -> Rebuilt:
        """Fold the history; raise `Irrecoverable` where that is impossible."""
        processor = self._processor
        start = birth(
            processor.reads,
            beginning.born_at_clock_offset,
            beginning.starts,
            self._deployment.build,
            beginning.starts.get(processor.clock, 0),
        )
        loop: EpochLoop[Any] = EpochLoop(processor, self._deployment, self._partition, self._store, start)
        progress = await self._fold(loop, inputs)
        records = {key: value for key, value in self._store.snapshot().items() if key != PROGRESS_KEY}
        return Rebuilt(progress, records, self._dropped, self._unsaid, len(self._unmatched))

    async def _fold(self, loop: EpochLoop[Any], inputs: Inputs) -> Progress:
        clock, one_by_one, at = self._processor.clock, False, 0
        while True:
            ticks = await inputs.next(clock)
            if not ticks:
                return loop.progress
            for record in ticks:
                at = max(at, instant_of(clock, record) or at + 1)
                if at > self._done_at and not one_by_one:
                    one_by_one = True
                    loop = self._from_here(loop, inputs)
                loop.feed(clock, [record])
                if not await self._tick(loop, inputs, at):
                    return loop.progress

    def _from_here(self, loop: EpochLoop[Any], inputs: Inputs) -> EpochLoop[Any]:
        """Go on by single facts and wakes: the service may have died between any two of them."""
        fine = replace(self._deployment, limits=ONE_BY_ONE)
        inputs.rewind(loop.progress.offsets)
        return EpochLoop(self._processor, fine, self._partition, self._store, loop.progress)

    async def _tick(self, loop: EpochLoop[Any], inputs: Inputs, at: int) -> bool:
        """Apply one tick; False where the history that was said ends within it."""
        while True:
            transaction = loop.advance()
            if transaction is not None:
                if not self._was_said(transaction, at):
                    return False
                loop.committed(transaction)
            elif loop.waiting is not None and loop.waiting.what == WAITING_FOR_POLICY:
                raise Irrecoverable(f"ticks name the policy {loop.waiting.policy}, which was not given")
            elif loop.waiting is not None and loop.waiting.what == WAITING_FOR_RECORDS:
                topic = loop.waiting.topic
                records = await inputs.next(topic)
                loop.feed(topic, records, inputs.position(topic))
                if not records and inputs.position(topic) < loop.waiting.offset:
                    return False
            else:
                return True

    def _was_said(self, transaction: Transaction, at: int) -> bool:
        """Take out of the way what was said; False where nothing of it was, and it is still to be said."""
        outputs = [identity(topic, o) for (topic, _), found in transaction.outputs.items() for o in found]
        new = [said for said in outputs if said not in self._unmatched]
        if at > self._done_at and new:
            if len(new) == len(outputs):
                return False
            raise Irrecoverable(f"of what was said at {at} only a part is what this build says")
        self._unmatched.difference_update(outputs)
        self._dropped += len(outputs) - len(new)
        self._unsaid += len(new)
        return True


class RecordedInputs:
    """Inputs as they lie in Kafka, up to the ends that they had when the rebuild began."""

    def __init__(self, settings: Settings, processor: Processor[Any], partition: int, ends: Mapping[str, int]) -> None:
        topics = (*processor.reads, processor.clock)
        self._places = {topic: TopicPartition(settings.topic(topic), partition) for topic in topics}
        self._ends = ends
        self._positions = dict.fromkeys(topics, 0)
        self._consumer: Any = new_consumer(
            settings.access,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._consumer.assign(list(self._places.values()))
        await self._consumer.seek_to_beginning(*self._places.values())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    def position(self, topic: str) -> int:
        """Return the offset behind everything that was returned of a topic."""
        return self._positions[topic]

    def rewind(self, offsets: Mapping[str, int]) -> None:
        """Go back, or on, to these offsets."""
        for topic, offset in offsets.items():
            self._consumer.seek(self._places[topic], offset)
            self._positions[topic] = offset

    async def next(self, topic: str) -> list[Any]:
        """Return the next records of a topic; none at the end that it had when the rebuild began."""
        place = self._places[topic]
        records: list[Any] = []
        while not records and self._positions[topic] < self._ends[topic]:
            for found in (await self._consumer.getmany(place, timeout_ms=READ_MS)).values():
                records += found
            self._positions[topic] = await self._consumer.position(place)
        return records


def instant_of(clock: str, record: Any) -> int:
    """Return the instant of a clock's record, 0 where it cannot be read."""
    decoded = decode(clock, record.key, record.value, record.headers)
    return decoded.data.at if isinstance(decoded, Envelope) and isinstance(decoded.data, Tick) else 0
