"""The two clock topics: what is in them, and how ticks are put there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiokafka import TopicPartition

from shared.contract.codec import Envelope, decode, encode
from shared.contract.ticks import PROBE_AT, Tick
from shared.kernel.ids import derive_id
from shared.runtime.kafka_clients import new_consumer, new_producer
from shared.runtime.kafka_offsets import READ_UNCOMMITTED, LogEnds
from shared.runtime.settings import Settings

LOOK_BACK: Final = 16
"""Records looked at before the end of a clock log, in case the last ones cannot be read."""
POLL_MS: Final = 200
TICK_MS: Final = 2_500
"""How long a tick may be on its way, and a last attempt as long again: together no more than ticks may be wrong."""
UNHURRIED_BYTES: Final = 1024 * 1024
"""Waiting for this much, the broker answers once per `POLL_MS` with all that has come."""

SawTick = Callable[[str, int, Tick], None]


class ClockTail:
    """Follows clock topics from their last ticks on, and tells of each tick: ours, and those of another clock.

    `prompt`: at once, rather than several ticks at a time.
    """

    def __init__(self, settings: Settings, topics: Iterable[str], saw: SawTick, *, prompt: bool = True) -> None:
        self._settings = settings
        self._topics = {settings.topic(topic): topic for topic in topics}
        self._saw = saw
        self._consumer: Any = new_consumer(
            settings.access,
            isolation_level=READ_UNCOMMITTED,
            fetch_max_wait_ms=POLL_MS,
            fetch_min_bytes=1 if prompt else UNHURRIED_BYTES,
        )

    async def start(self) -> None:
        """Read the newest ticks of every partition."""
        counts = self._settings.topology.partitions
        places = [(name, p) for name, topic in self._topics.items() for p in range(counts[topic])]
        async with LogEnds(self._settings.access, uncommitted=True) as logs:
            starts, ends = await logs.starts(places), await logs.ends(places)
        await self._consumer.start()
        self._consumer.assign([TopicPartition(*place) for place in places])
        for place in places:
            self._consumer.seek(TopicPartition(*place), max(starts[place], ends[place] - LOOK_BACK))
        for place in places:
            while await self._consumer.position(TopicPartition(*place)) < ends[place]:
                await self.poll()

    async def poll(self) -> None:
        """Tell of what was written meanwhile."""
        for tp, records in (await self._consumer.getmany(timeout_ms=POLL_MS)).items():
            topic = self._topics[tp.topic]
            for record in records:
                envelope = decode(topic, record.key, record.value, record.headers)
                if isinstance(envelope, Envelope) and isinstance(envelope.data, Tick) and envelope.data.at > PROBE_AT:
                    self._saw(topic, tp.partition, envelope.data)

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            await self.poll()

    async def stop(self) -> None:
        """Let go of the connections."""
        await self._consumer.stop()


class TickWriter:
    """Writes ticks; each is on all replicas when `write` returns.

    Whatever the broker has not taken within `TICK_MS` is given up: a tick tells the time, and told late it lies. So the
    producer is not idempotent (such a one tries for ever); a tick that lies there twice advances nobody.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: Any = new_producer(settings.access, acks="all", linger_ms=0, request_timeout_ms=TICK_MS)

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def write(self, topic: str, ticks: Iterable[tuple[int, Tick]]) -> int:
        """Write ticks to their partitions; return the broker's newest append time in epoch milliseconds."""
        name = self._settings.topic(topic)
        sent = []
        for partition, tick in ticks:
            event_id = derive_id("clock", topic, partition, tick.at)
            value = encode(Envelope(event_id, "/duecourse/clock", tick.TYPE, tick, time_ms=tick.at))
            sent.append(await self._producer.send(name, value, partition=partition))
        written = await asyncio.gather(*sent)
        return max(int(record.timestamp) for record in written)

    async def stop(self) -> None:
        """Let go of the connections."""
        await self._producer.stop()
