"""Rebuilds a service: looks at what there is, folds every partition, and writes its changelog anew.

A changelog that is being rewritten holds a progress record that no service can read, so that a service started in
between stops instead of going on from half a state. The last transaction puts the true one in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from aiokafka import TopicPartition

from shared.contract.ticks import CONTROL
from shared.contract.topics import DEAD_LETTERS
from shared.engine.deployment import Deployment, passing_by
from shared.engine.processor import Processor
from shared.engine.progress import Progress, UnusableProgress, decode_progress, encode_progress
from shared.engine.quarantine import quarantined
from shared.engine.store import PROGRESS_KEY
from shared.runtime.kafka_clients import new_consumer, new_producer
from shared.runtime.kafka_offsets import GroupProgress, LogEnds
from shared.runtime.published import Published, read_published
from shared.runtime.rebuild import Beginning, Irrecoverable, PartitionRebuild, Rebuilt, RecordedInputs, instant_of
from shared.runtime.records import deployment_of, read_records
from shared.runtime.settings import Settings

REWRITING: Final = b'{"rewriting":true}'
READ_MS: Final = 200
BATCH_RECORDS: Final = 2_000
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
TIMEOUT_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Former:
    """What a changelog holds: its keys, and the progress record where it can be read."""

    keys: frozenset[bytes]
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be, or was, written to one partition's changelog."""

    partition: int
    rebuilt: Rebuilt
    former: Former


class Rewrite:
    """The rebuild of one service. `plans` folds and changes nothing, `write` puts a plan in force."""

    def __init__(
        self,
        settings: Settings,
        processor: Processor[Any],
        policies: Mapping[str, Any],
        *,
        born_at_clock_offset: int | None = None,
    ) -> None:
        self._settings = settings
        self._processor = processor
        self._policies = policies
        self._born = born_at_clock_offset
        self._partitions = settings.topology.partitions[processor.clock]

    async def plans(self) -> AsyncIterator[Plan]:
        """Fold one partition after the other; raise `Irrecoverable` where the service runs or history is lacking."""
        settings, name = self._settings, self._processor.name
        async with GroupProgress(settings.access) as groups:
            members = await groups.members_after(settings.group(name), settings.session_timeout_seconds + 2)
            clock = settings.topic(self._processor.clock)
            reports = await groups.reports(settings.group(name), clock, self._partitions)
        if members:
            raise Irrecoverable(f"{name} runs: its group has {members} members; stop it first")
        if reports is None:
            raise Irrecoverable(f"the coordinator of {name}'s group does not answer; try again")
        where = deployment_of(settings)
        control = [record async for record in read_records(where, [CONTROL, DEAD_LETTERS])]
        deployment = passing_by(
            Deployment(settings.topology, self._policies, settings.build), quarantined(control, name)
        )
        published = await read_published(where, self._processor)
        for partition in range(self._partitions):
            at, n = reports.get(partition, (0, 0))
            former = await self._former(partition)
            said = published.get(partition, Published())
            rebuilt = await self._folded(partition, deployment, said, at, former)
            known = former.progress.n if former.progress is not None else 0
            progress = replace(rebuilt.progress, n=max(rebuilt.progress.n, n, known) + 1, build=settings.build)
            yield Plan(partition, replace(rebuilt, progress=progress), former)

    async def _folded(
        self, partition: int, deployment: Deployment, said: Published, reported_at: int, former: Former
    ) -> Rebuilt:
        """Fold with the birth that is known; else with the beginning of time, then with the tick of the first word."""
        beginning = await self._beginning(partition, former)
        births = [beginning.born_at_clock_offset]
        if self._born is None and former.progress is None and said.oldest_at is not None:
            births.append(await self._tick_of(partition, beginning, said.oldest_at))

        async def attempt(born: int) -> Rebuilt:
            fold = PartitionRebuild(self._processor, deployment, partition, said, reported_at)
            async with RecordedInputs(self._settings, self._processor, partition, beginning.ends) as inputs:
                return await fold.run(replace(beginning, born_at_clock_offset=born), inputs)

        for born in births[:-1]:
            with suppress(Irrecoverable):
                rebuilt = await attempt(born)
                if not rebuilt.differs:
                    return rebuilt
        return await attempt(births[-1])

    async def _tick_of(self, partition: int, beginning: Beginning, at: int) -> int:
        """Return the clock offset of the first tick at an instant or later."""
        clock = self._processor.clock
        async with RecordedInputs(self._settings, self._processor, partition, beginning.ends) as inputs:
            while ticks := await inputs.next(clock):
                for record in ticks:
                    if instant_of(clock, record) >= at:
                        return int(record.offset)
        return beginning.ends[clock]

    async def write(self, plan: Plan) -> None:
        """Become the only writer of the partition, and write its changelog anew."""
        producer: Any = new_producer(
            self._settings.access,
            transactional_id=self._settings.transactional_id(self._processor.name, plan.partition),
            transaction_timeout_ms=TIMEOUT_MS,
            acks="all",
            max_request_size=BATCH_BYTES_MAX,
        )
        await producer.start()
        try:
            gone: dict[bytes, bytes | None] = dict.fromkeys(plan.former.keys - plan.rebuilt.records.keys())
            await self._commit(producer, plan.partition, [(PROGRESS_KEY, REWRITING)])
            for batch in _batches([*sorted(gone.items()), *sorted(plan.rebuilt.records.items())]):
                await self._commit(producer, plan.partition, batch)
            await self._commit(producer, plan.partition, [(PROGRESS_KEY, encode_progress(plan.rebuilt.progress))])
        finally:
            await producer.stop()

    async def _commit(self, producer: Any, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        changelog = self._settings.changelog(self._processor.name)
        async with producer.transaction():
            sent = [await producer.send(changelog, value, key=key, partition=partition) for key, value in records]
            await asyncio.gather(*sent)

    async def _beginning(self, partition: int, former: Former) -> Beginning:
        topics = {topic: self._settings.topic(topic) for topic in (*self._processor.reads, self._processor.clock)}
        places = [(name, partition) for name in topics.values()]
        async with LogEnds(self._settings.access, uncommitted=False) as logs:
            starts, ends = await logs.starts(places), await logs.ends(places)
        begin = {topic: starts[name, partition] for topic, name in topics.items()}
        cut = {topic: offset for topic, offset in begin.items() if offset}
        if cut and not self._settings.boarded:
            raise Irrecoverable(f"partition {partition}: history is cut off, logs begin at {cut}")
        born = self._born if self._born is not None else 0
        if self._born is None and former.progress is not None:
            born = former.progress.born_at_clock_offset
        return Beginning(begin, {topic: ends[name, partition] for topic, name in topics.items()}, born)

    async def _former(self, partition: int) -> Former:
        place = TopicPartition(self._settings.changelog(self._processor.name), partition)
        consumer: Any = new_consumer(self._settings.access, isolation_level="read_committed", enable_auto_commit=False)
        async with LogEnds(self._settings.access, uncommitted=True) as written:
            end = (await written.ends([place]))[place.topic, partition]
        await consumer.start()
        try:
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            visible = (await consumer.end_offsets([place]))[place]
            if visible < end:
                raise Irrecoverable(
                    f"a transaction is open on {place.topic}/{partition}: the broker ends it within "
                    f"{self._settings.transaction_timeout_seconds:.0f} s; if it stays, `duecourse transactions find`"
                )
            return await self._read(consumer, place, end)
        finally:
            await consumer.stop()

    async def _read(self, consumer: Any, place: TopicPartition, end: int) -> Former:
        keys: set[bytes] = set()
        progress = None
        while await consumer.position(place) < end:
            for records in (await consumer.getmany(place, timeout_ms=READ_MS)).values():
                for record in records:
                    (keys.discard if record.value is None else keys.add)(record.key)
                    if record.key == PROGRESS_KEY:
                        progress = _readable(record.value) or progress
        return Former(frozenset(keys - {PROGRESS_KEY}), progress)


def _readable(value: bytes | None) -> Progress | None:
    try:
        return None if value is None else decode_progress(value)
    except UnusableProgress:
        return None


def _batches(records: Iterable[tuple[bytes, bytes | None]]) -> Iterator[list[tuple[bytes, bytes | None]]]:
    """Cut records into what one transaction can hold in its time."""
    batch: list[tuple[bytes, bytes | None]] = []
    size = 0
    for key, value in records:
        batch.append((key, value))
        size += len(key) + len(value or b"")
        if len(batch) >= BATCH_RECORDS or size >= BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
