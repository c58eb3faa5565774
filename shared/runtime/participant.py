"""Simulators of lenders and gateways take part in simulated time: they answer each tick, and report it like a service.

Usage::

    async with Participant(settings, "lender", LOAN_CLOCK) as lender:
        async for moment in lender.moments():
            await lender.publish(topic, key, value)
            await lender.answer(moment)

Publishing is at least once: what was published before a crash and not answered is published again, with the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from shared.contract.codec import Headers
from shared.contract.recorded import Recorded
from shared.contract.ticks import Tick, TimeMode
from shared.engine.progress import metadata
from shared.runtime.clock_log import ClockTail
from shared.runtime.kafka_clients import new_consumer, new_producer
from shared.runtime.kafka_offsets import READ_COMMITTED, GroupProgress, LogEnds
from shared.runtime.settings import Settings

POLL_SECONDS: Final = 0.003
READ_MS: Final = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """A tick to answer, with the committed records that were read since the last one, by logical topic."""

    at: int
    tick: Tick
    records: Mapping[str, Sequence[Recorded]]


class Participant:
    """Follows a clock. A moment is due when its tick is on all partitions and the groups in `after` have applied it.

    `reads` are logical topics keyed like the clock; they are read to their ends before each moment.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        clock: str,
        *,
        reads: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
    ) -> None:
        self._settings = settings
        self.name = name
        self._clock = clock
        self._reads = reads
        self._after = after
        self._partitions = settings.topology.partitions[clock]
        self._newest: dict[int, Tick] = {}
        self._at = 0
        self._n = 0
        self._news = asyncio.Event()
        self._tail = ClockTail(settings, (clock,), self._saw)
        self._groups = GroupProgress(settings.access)
        self._ends = LogEnds(settings.access, uncommitted=True)
        self._producer: Any = new_producer(settings.access, enable_idempotence=True, acks="all")
        self._consumer: Any = new_consumer(
            settings.access,
            group_id=settings.group(name),
            isolation_level=READ_COMMITTED,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self._sent: list[asyncio.Future[Any]] = []
        self._following: asyncio.Task[None] | None = None
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connect, and go on where this participant's group stands. Raises `GroupUnanswered` when nobody says where."""
        async with AsyncExitStack() as opened:
            opened.push_async_callback(self._producer.stop)
            await self._producer.start()
            await opened.enter_async_context(self._groups)
            await opened.enter_async_context(self._ends)
            opened.push_async_callback(self._consumer.stop)
            await self._consumer.start()
            await self._take_up()
            opened.push_async_callback(self._tail.stop)
            await self._tail.start()
            self._following = asyncio.create_task(self._tail.run(), name=f"{self.name}-clock")
            self._following.add_done_callback(lambda _: self._news.set())
            opened.push_async_callback(self._follow_no_more, self._following)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    async def moments(self) -> AsyncIterator[Moment]:
        """Yield each tick once it is due; in true time, where several have passed, only the newest.

        Raises what ended the reading of the clock: whoever hears no ticks any more must not wait for them.
        """
        while True:
            self._require_clock()
            tick = self._due()
            if tick is None:
                self._news.clear()
                if self._due() is None:
                    await self._news.wait()
                continue
            await self._wait_for_others(tick.at)
            yield Moment(tick.at, tick, await self._read_to_end())

    async def publish(
        self, topic: str, key: bytes, value: bytes | None, headers: Headers = (), partition: int | None = None
    ) -> None:
        """Publish to the key's partition of a logical topic; it is on all replicas when `answer` returns.

        A `partition` of one's own is for those who mean to err.
        """
        where = self._settings.topology.partition_of(topic, key) if partition is None else partition
        name = self._settings.topic(topic)
        self._sent.append(await self._producer.send(name, value, key=key, partition=where, headers=list(headers)))

    async def answer(self, moment: Moment) -> None:
        """Report the tick as answered, after everything published is on all replicas.

        Raises what the broker said of a record that it has not taken: nobody must believe that it was published.
        """
        sent, self._sent = self._sent, []
        await asyncio.gather(*sent)
        self._at = moment.at
        self._n += 1
        await self._report()

    def _saw(self, topic: str, partition: int, tick: Tick) -> None:
        del topic
        former = self._newest.get(partition)
        if former is None or tick.at > former.at:
            self._newest[partition] = tick
            self._news.set()

    def _require_clock(self) -> None:
        """Raise what ended the reading of the clock, if anything has."""
        if self._following is not None and self._following.done():
            self._following.result()

    @staticmethod
    async def _follow_no_more(following: asyncio.Task[None]) -> None:
        following.cancel()
        await asyncio.wait([following])

    def _due(self) -> Tick | None:
        if not self._newest:
            return None
        ticks = sorted(self._newest.values(), key=lambda tick: tick.at)
        if self._settings.mode is TimeMode.WALL:
            return ticks[-1] if ticks[-1].at > self._at else None
        everywhere = len(ticks) == self._partitions
        return ticks[0] if everywhere and ticks[0].at > self._at else None

    async def _wait_for_others(self, at: int) -> None:
        for group in self._after:
            while True:
                progress = await self._groups.of(
                    self._settings.group(group), self._settings.topic(self._clock), self._partitions
                )
                if progress is not None and all(progress.get(p, 0) >= at for p in range(self._partitions)):
                    break
                self._require_clock()
                await asyncio.sleep(POLL_SECONDS)

    async def _take_up(self) -> None:
        """Go on where this participant's group stands; report at once, so that the clock knows that it is there."""
        places = [TopicPartition(self._settings.topic(t), p) for t in self._reads for p in range(self._partitions)]
        progress = await self._groups.insist(
            self._settings.group(self.name), self._settings.topic(self._clock), self._partitions
        )
        self._at = max(progress.values(), default=0)
        # The clock's partitions are assigned too, because only assigned partitions can be committed.
        clock = [TopicPartition(self._settings.topic(self._clock), p) for p in range(self._partitions)]
        self._consumer.assign([*places, *clock])
        if not self._at:
            await self._report()

    async def _read_to_end(self) -> dict[str, list[Recorded]]:
        records: dict[str, list[Recorded]] = {topic: [] for topic in self._reads}
        logical = {self._settings.topic(topic): topic for topic in self._reads}
        places = [(name, p) for name in logical for p in range(self._partitions)]
        for place, end in (await self._ends.ends(places)).items():
            tp = TopicPartition(*place)
            while await self._consumer.position(tp) < end:
                for found, batch in (await self._consumer.getmany(tp, timeout_ms=READ_MS)).items():
                    topic = logical[found.topic]
                    records[topic] += [
                        Recorded(topic, r.partition, r.offset, r.key, r.value, tuple(r.headers), r.timestamp)
                        for r in batch
                    ]
        return records

    async def _report(self) -> None:
        text = metadata(self._at, self._n)
        offsets = {
            TopicPartition(self._settings.topic(self._clock), p): OffsetAndMetadata(0, text)
            for p in range(self._partitions)
        }
        for topic in self._reads:
            for p in range(self._partitions):
                tp = TopicPartition(self._settings.topic(topic), p)
                offsets[tp] = OffsetAndMetadata(await self._consumer.position(tp), "")
        await self._consumer.commit(offsets)
