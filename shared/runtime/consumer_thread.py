"""The thread in which aiokafka's consumer lives: it reads committed records, and takes positions together with them.

A position means that every record below it was delivered, markers and aborted data included. It must be read in this
thread in one go with the records, and be dropped with them when a seek happened in between (the seek counter tells).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from shared.runtime.private_attributes import (
    committed_offsets,
    hold_fetches,
    lose_no_place,
    member_of,
    positions,
    read_committed,
)
from shared.runtime.tolerant_records import RECORDS_MAX, read_tolerantly

ENDS_SECONDS: Final = 1.0
HELD_MS: Final = 500
"""How long the broker may keep a fetch that finds nothing, at work: the client's own default."""
HELD_BETWEEN_SEEKS_MS: Final = 50
"""... while partitions are recovered and placed: each of their seeks waits for the fetch that is under way."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records of one partition, the position behind them if it is news, and how often that partition was sought."""

    seeks: int
    records: Sequence[Any]
    position: int | None


class EpochConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread with committed reads, positions, and commits that carry metadata."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.seeks: defaultdict[TP, int] = defaultdict(int)
        self.changelog_positions: dict[TP, tuple[int, int]] = {}
        self._positions_told: dict[TP, tuple[int, int]] = {}
        self.ends: dict[TP, int] = {}
        self._ends_at = 0.0

    def _create_worker_consumer(self, transport: Any) -> Any:
        read_tolerantly()
        consumer = super()._create_worker_consumer(transport)
        read_committed(consumer)
        hold_fetches(consumer, HELD_BETWEEN_SEEKS_MS)
        return consumer

    async def on_thread_stop(self) -> None:
        """Stop the consumer, and let the thread say that it has ended whatever was under way.

        aiokafka awaits each request that it cancels: one that waits for a broker to come back would end this thread
        before it has said so, and its owner would wait a minute for that.
        """
        with suppress(asyncio.CancelledError):
            await super().on_thread_stop()

    async def committed(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, str]]:
        """Return what the group has committed, offset and metadata; partitions without a commit are left out."""
        found: dict[TP, tuple[int, str]] = await self.call_thread(self._committed, list(partitions))
        return found

    async def _committed(self, partitions: list[TP]) -> dict[TP, tuple[int, str]]:
        asked = [TopicPartition(*tp) for tp in partitions]
        committed = await committed_offsets(self._ensure_consumer(), asked)
        return {TP(*tp): (found.offset, found.metadata) for tp, found in committed.items() if found.offset >= 0}

    async def seek_to(self, wanted: Mapping[TP, int]) -> None:
        """Seek partitions; what was fetched before and is still on its way will be dropped."""
        await self.call_thread(self._seek_to, dict(wanted))

    async def _seek_to(self, wanted: Mapping[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in wanted.items():
            consumer.seek(TopicPartition(*tp), offset)
            self.seeks[tp] += 1
        lose_no_place(consumer, strictly=True)
        hold_fetches(consumer, HELD_MS)

    @property
    def member(self) -> str:
        """The name that the broker gave us in the group; empty when it knows us no longer."""
        return member_of(self._ensure_consumer())

    def expect_new_places(self) -> None:
        """Let partitions be assigned that have no place yet; `seek_to` gives them theirs."""
        consumer = self._ensure_consumer()
        lose_no_place(consumer, strictly=False)
        hold_fetches(consumer, HELD_BETWEEN_SEEKS_MS)

    async def commit_with_metadata(self, offsets: Mapping[TP, tuple[int, str]]) -> None:
        """Commit offsets of the group for those partitions that are still assigned."""
        await self.call_thread(self._commit_with_metadata, dict(offsets))

    async def _commit_with_metadata(self, offsets: Mapping[TP, tuple[int, str]]) -> None:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        mine = {TopicPartition(*tp): OffsetAndMetadata(*found) for tp, found in offsets.items()}
        mine = {tp: found for tp, found in mine.items() if tp in assigned}
        if mine:
            await consumer.commit(mine)

    async def _seek_wait(self, consumer: Any, partitions: Mapping[TP, int]) -> None:
        for tp in partitions:
            self.seeks[tp] += 1
            self.changelog_positions.pop(tp, None)
        await super()._seek_wait(consumer, partitions)

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is Faust's
        max_records: int | None = None,
    ) -> dict[TP, Fetched]:
        active = set(active_partitions)  # the set we are given changes under us
        records = await super()._fetch_records(
            consumer, active, timeout=timeout, max_records=max_records or RECORDS_MAX
        )
        found = {TP(*tp): Fetched(self.seeks[TP(*tp)], batch, None) for tp, batch in records.items()}
        for tp, position in positions(consumer, active).items():
            self._add_position(found, tp, position)
        self._note_ends(consumer)
        return found

    def _note_ends(self, consumer: Any) -> None:
        """Remember, once a second, where the logs end by the last fetch responses: for measuring lag only."""
        if monotonic() - self._ends_at >= ENDS_SECONDS:
            self._ends_at = monotonic()
            ends = {TP(*tp): consumer.highwater(tp) for tp in consumer.assignment()}
            self.ends = {tp: end for tp, end in ends.items() if end is not None}

    def _add_position(self, found: dict[TP, Fetched], tp: TP, position: int) -> None:
        seeks = self.seeks[tp]
        if tp.topic in self.app.tables.changelog_topics:
            self.changelog_positions[tp] = (seeks, position)
        elif self._positions_told.get(tp) != (seeks, position):
            self._positions_told[tp] = (seeks, position)
            found[tp] = Fetched(seeks, found[tp].records if tp in found else (), position)
