"""Makes sure that nothing hangs and nothing is missing: logs must be visible to their end, and as long as promised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from time import monotonic
from typing import Any, Final, NoReturn

import structlog

from shared.engine.epoch import EpochLoop
from shared.engine.waiting import WAITING_FOR_RECORDS
from shared.runtime.kafka_offsets import BrokerError, LogEnds
from shared.runtime.settings import Settings
from shared.runtime.stop import StopReason, stop

LOOK_SECONDS: Final = 0.1
WATCH_SECONDS: Final = 5.0
RECOVERY_STILL_SECONDS: Final = 90.0


async def once_answered(look: Callable[[], Awaitable[None]], pause_seconds: float = WATCH_SECONDS) -> None:
    """Look at something on the broker; where it does not answer, again after a while, for ever.

    Who watches only must not end the process: whether a silent broker does is decided where work waits for it.
    """
    while True:
        try:
            return await look()
        except BrokerError as error:
            structlog.get_logger("watch").warning("the broker does not answer", error=type(error).__name__)
        await asyncio.sleep(pause_seconds)


async def require_visible(settings: Settings, partitions: Iterable[tuple[str, int]]) -> None:
    """Wait until committed reads reach the end of these logs, which nobody else writes; stop when they never do."""
    asked = list(partitions)
    deadline = monotonic() + settings.visible_seconds
    async with (
        LogEnds(settings.access, uncommitted=True) as written,
        LogEnds(settings.access, uncommitted=False) as visible,
    ):
        while True:
            ends, stable = await written.ends(asked), await visible.ends(asked)
            hidden = [place for place in asked if stable[place] < ends[place]]
            if not hidden:
                return
            if monotonic() > deadline:
                stop(StopReason.HANGING_TRANSACTION, f"records that nobody will complete: {hidden}")
            await asyncio.sleep(LOOK_SECONDS)


async def watch_outputs(settings: Settings, topics: Iterable[str]) -> None:
    """Look once whether an output log hangs: its visible end stands still for longer than any transaction may last."""
    counts = settings.topology.partitions
    asked = [(settings.topic(topic), p) for topic in topics for p in range(counts[topic])]
    async with (
        LogEnds(settings.access, uncommitted=True) as written,
        LogEnds(settings.access, uncommitted=False) as visible,
    ):
        before = await visible.ends(asked)
        ends = await written.ends(asked)
        suspects = [place for place in asked if before[place] < ends[place]]
        if not suspects:
            return
        await asyncio.sleep(settings.transaction_timeout_seconds + settings.visible_seconds)
        after = await visible.ends(suspects)
        hanging = [place for place in suspects if after[place] == before[place]]
        if hanging:
            stop(StopReason.HANGING_TRANSACTION, f"the visible end of these logs stands still: {hanging}")


async def require_places(settings: Settings, wanted: Mapping[tuple[str, int], int]) -> None:
    """Stop when a log ends before the place where a partition goes on: acknowledged records were lost.

    A leader that has just been elected may answer too low for a moment, so it is asked again for a while.
    """
    deadline = monotonic() + settings.truncated_seconds
    async with LogEnds(settings.access, uncommitted=True) as written:
        while True:
            ends = await written.ends(wanted)
            short = {place: offset for place, offset in wanted.items() if ends[place] < offset}
            if not short:
                return
            if monotonic() > deadline:
                place, offset = next(iter(short.items()))
                stop(StopReason.LOG_TRUNCATED, f"{place[0]}/{place[1]} ends at {ends[place]}, {offset} is needed next")
            await asyncio.sleep(LOOK_SECONDS)


async def stop_out_of_range(settings: Settings, places: Mapping[tuple[str, int], int]) -> NoReturn:
    """End the process whose place in a log is gone while it was reading; say at which end of the log it lay."""
    async with LogEnds(settings.access, uncommitted=True) as written:
        starts, ends = await written.starts(places), await written.ends(places)
    for (topic, partition), offset in places.items():
        start, end = starts[topic, partition], ends[topic, partition]
        if offset < start:
            stop(StopReason.HISTORY_LOST, f"{topic}/{partition}: offset {offset} is needed, the log starts at {start}")
        if offset > end:
            stop(StopReason.LOG_TRUNCATED, f"{topic}/{partition} ends at {end}, {offset} is needed next")
    stop(StopReason.DOUBT, f"a place was not in its log for a moment: {dict(places)}")


class RecoveryWatch:
    """Stops a process whose recovery stands still: Faust's recovery task can end without a word, and hang for ever."""

    def __init__(self) -> None:
        self._seen: object = None
        self._since = monotonic()

    def look(self, *, at_work: bool, owned: Collection[object], read: Mapping[Any, int | None]) -> None:
        """Look at whether partitions are owned but not at work, and how far their changelogs were read."""
        seen = (at_work, dict(read))
        if at_work or not owned or seen != self._seen:
            self._seen, self._since = seen, monotonic()
        elif monotonic() - self._since > RECOVERY_STILL_SECONDS:
            stop(StopReason.DOUBT, "partitions are assigned, but their recovery stands still")


class WaitWatch:
    """Says for what the loops wait, and stops when a barrier lies beyond the end of a log: records were lost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log: Any = structlog.get_logger("waiting")

    async def look(self, waiting: Iterable[tuple[EpochLoop[Any], float | None]]) -> None:
        """Look at loops, each with the monotonic instant since when it has waited (None: not at all)."""
        for loop, since in waiting:
            if since is None or loop.waiting is None or monotonic() - since < self._settings.truncated_seconds:
                continue
            what = loop.waiting
            self._log.warning(
                "waiting",
                partition=loop.partition,
                what=what.what,
                topic=what.topic,
                offset=what.offset,
                policy=what.policy,
            )
            if what.what == WAITING_FOR_RECORDS:
                await self._require_length(self._settings.topic(what.topic), loop.partition, what.offset)

    async def _require_length(self, topic: str, partition: int, offset: int) -> None:
        async with LogEnds(self._settings.access, uncommitted=True) as written:
            end = (await written.ends([(topic, partition)]))[topic, partition]
        if end < offset:
            stop(StopReason.LOG_TRUNCATED, f"{topic}/{partition} ends at {end}, a tick promised {offset}")
