"""From an assignment to work: fence, then read the changelog to its end by position, then seek, then go.

The fence comes before any offset is read, so that nobody can move state, outputs or progress of a partition afterwards
but its new owner. Changelogs end in control markers, so "the end" is compared with the consumer's position.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import faust
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.types import TP

from shared.runtime.metric_catalogue import RECOVERED
from shared.runtime.private_attributes import buffered_partitions, database_of, offset_key_of, start_fetcher
from shared.runtime.stop import StopReason, stop
from shared.runtime.store import RocksStore, is_of_the_disk


@contextmanager
def _room_on_disk() -> Iterator[None]:
    """Stop by name where the disk takes no more while a store is filled; other errors pass."""
    try:
        yield
    except Exception as error:
        if is_of_the_disk(error):
            stop(StopReason.DISK_UNUSABLE, "the local store cannot be written while it recovers")
        raise


class EpochRecovery(Recovery):  # type: ignore[misc]
    """Faust's recovery, fenced, by position, one RocksDB batch per fetch response."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._positions: dict[TP, int] = {}
        self._armed = False
        self._untidy: set[int] = set()
        """Partitions whose stores took records of the changelog since they were tidied."""

    async def _build_highwaters(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        if title == "active":
            self._positions, self._armed = {}, False
            # Faust leaves this set for up to 5 s: a second recovery would end at once, with nothing restored.
            self.signal_recovery_end.clear()
            await self.app.shell.fence(sorted(tp.partition for tp in tps))
        await super()._build_highwaters(consumer, tps, destination, title)

    async def _build_offsets(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        await super()._build_offsets(consumer, tps, destination, title)
        if title == "active":
            for tp in tps:
                self._require_image(tp, destination[tp], self.active_highwaters[tp])

    def _require_image(self, tp: TP, reflected: int | None, end: int | None) -> None:
        """Stop unless the local store is an image of this very changelog: disks are swapped, copied and restored."""
        with _room_on_disk():
            claimed = self.app.shell.store_of(tp.partition).claim(f"{tp.topic}/{tp.partition}".encode())
        if not claimed:
            stop(StopReason.DOUBT, f"the local store of partition {tp.partition} is the image of another changelog")
        if reflected is not None and end is not None and reflected > end:
            stop(StopReason.DOUBT, f"the local store of {tp.topic}/{tp.partition} is ahead of it: {reflected} > {end}")

    async def _seek_offsets(self, consumer: Any, tps: set[TP], offsets: Any, title: str) -> None:
        await super()._seek_offsets(consumer, tps, offsets, title)
        if title == "active":
            self._armed = True

    def active_remaining(self) -> Counter[TP]:
        """Return how many changelog offsets are still to be read, by partition."""
        offsets = self.active_offsets
        return Counter(
            {
                tp: max(0, end - max(offsets[tp], self._positions.get(tp, 0) - 1))
                for tp, end in self.active_highwaters.items()
                if end is not None and offsets.get(tp) is not None
            }
        )

    def restore(self, tp: TP, records: Sequence[Any]) -> None:
        """Apply changelog records of one fetch response."""
        if tp not in self.active_tps:
            return
        seen = self.active_offsets[tp]
        if seen is not None and records[0].offset <= seen:
            records = [record for record in records if record.offset > seen]
        if any(record.headers for record in records):
            stop(StopReason.UNREADABLE_STATE, f"{tp.topic}/{tp.partition} holds records that no service wrote")
        if records:
            with _room_on_disk():
                self.app.shell.store_of(tp.partition).restore(records)
            self._untidy.add(tp.partition)
            self.app.shell.metrics.board.add(RECOVERED, len(records))
            self.active_offsets[tp] = records[-1].offset

    def reached(self, positions: Mapping[TP, int]) -> None:
        """Take note of the consumer's positions in the changelogs; end the recovery when all is read."""
        self._positions.update(positions)
        if self._armed and not self.need_recovery():
            self._set_recovery_ended()
            self.signal_recovery_end.set()

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Seek and start the loops; nothing is delivered until after the seek."""
        app, consumer = self.app, self.app.consumer
        consumer.stop_flow()
        self._armed = False
        await app.on_rebalance_complete.send()
        self._set_recovery_ended()
        await asyncio.gather(
            *(
                table.on_recovery_completed(self.actives_for_table[table], self.standbys_for_table[table])
                for table in self.tables.values()
            )
        )
        if app.consumer_generation_id != generation_id:
            return
        self._tidy(sorted(tp.partition for tp in self.active_tps))
        assignment = consumer.assignment()
        buffered_partitions(consumer).clear()
        consumer.resume_partitions({tp for tp in assignment if not self._is_changelog_tp(tp)})
        app.flow_control.resume()  # clears the stream queues, so before the seek
        partitions = sorted(tp.partition for tp in self.active_tps)
        if assignment:
            await self._wait(app.shell.place(partitions), timeout=app.conf.broker_request_timeout)
        if not app.shell.resume(partitions):
            return  # revoked meanwhile: another assignment follows
        self.completed.set()
        consumer.resume_flow()
        await start_fetcher(app)
        self.tables.on_actives_ready()
        self.tables.on_standbys_ready()
        app.on_rebalance_end()

    def _tidy(self, partitions: Sequence[int]) -> None:
        for partition in self._untidy.intersection(partitions):
            with _room_on_disk():
                self.app.shell.store_of(partition).tidy()
        self._untidy.difference_update(partitions)


class EpochTableManager(TableManager):  # type: ignore[misc]
    """Faust's table manager with our recovery."""

    async def on_start(self) -> None:
        """Register the tables at once: Faust waits a second for those that are made meanwhile, and ours are made."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()

    @property
    def recovery(self) -> EpochRecovery:
        """The recovery service."""
        if self._recovery is None:
            self._recovery: Any = EpochRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class EpochTable(faust.Table):  # type: ignore[misc]
    """A table whose store the engine writes: raw keys, raw values, one RocksDB per partition."""

    async def on_rebalance(self, *args: Any, **more: Any) -> None:
        """Open the stores of what was assigned; one that cannot be opened is wiped and recovered at the next start."""
        try:
            await super().on_rebalance(*args, **more)
        except Exception as error:  # noqa: BLE001 - a damaged RocksDB raises nothing more precise
            stop(StopReason.DOUBT, f"a local store cannot be opened: {type(error).__name__}")

    def store_of(self, partition: int) -> RocksStore:
        """Return the store of one partition."""
        return RocksStore(database_of(self, partition), offset_key_of(self))
