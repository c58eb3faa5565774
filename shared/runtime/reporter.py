"""Tells the group, and so the clock, how far the partitions are: one ordinary commit for all that have news.

It is a report, not the truth: a failed one is repeated with newer news. It is never in flight together with a
transaction of the same partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from shared.engine.progress import Progress, metadata
from shared.runtime.crash_points import CrashPoint, CrashPoints

GATHER_SECONDS: Final = 0.002
RETRY_SECONDS: Final = 0.5
TIMEOUT_SECONDS: Final = 10.0

Commit = Callable[[Mapping[TP, tuple[int, str]]], Awaitable[None]]


class Reporter:
    """Collects the newest progress of each partition and commits it for the group."""

    def __init__(self, commit: Commit, clock: str, topics: Mapping[str, str], crash_points: CrashPoints) -> None:
        self._commit = commit
        self._clock = clock
        self._topics = topics
        self._crash_points = crash_points
        self._news: dict[int, Progress] = {}
        self._has_news = asyncio.Event()
        self._in_flight: frozenset[int] = frozenset()
        self._landed = asyncio.Event()
        self._landed.set()
        self.reports = 0
        self.failures = 0

    def note(self, partition: int, progress: Progress) -> None:
        """Take note of committed progress."""
        self._news[partition] = progress
        self._has_news.set()

    def forget(self) -> None:
        """Drop what was not reported: the partitions may belong to somebody else now."""
        self._news.clear()

    async def settled(self, partition: int) -> None:
        """Wait until no report of this partition is in flight."""
        while partition in self._in_flight:
            await self._landed.wait()

    async def run(self) -> None:
        """Report for ever."""
        while True:
            await self._has_news.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._has_news.clear()
            if not await self.report():
                await asyncio.sleep(RETRY_SECONDS)
                if self._news:
                    self._has_news.set()

    async def report(self) -> bool:
        """Report what is new now; return False when it did not work and must be repeated."""
        news, self._news = self._news, {}
        if not news:
            return True
        self._in_flight = frozenset(news)
        self._landed.clear()
        self._crash_points.pass_by(CrashPoint.BEFORE_REPORT)
        try:
            await asyncio.wait_for(self._commit(self._offsets(news)), TIMEOUT_SECONDS)
        except (KafkaError, TimeoutError) as error:
            structlog.get_logger("reporter").warning("progress not reported", error=type(error).__name__)
            self.failures += 1
            self._news = {**news, **self._news}
            return False
        else:
            self.reports += 1
            self._crash_points.pass_by(CrashPoint.AFTER_REPORT)
            return True
        finally:
            self._in_flight = frozenset()
            self._landed.set()

    def _offsets(self, news: Mapping[int, Progress]) -> dict[TP, tuple[int, str]]:
        offsets: dict[TP, tuple[int, str]] = {}
        for partition, progress in news.items():
            offsets[TP(self._topics[self._clock], partition)] = (
                progress.clock_offset,
                metadata(progress.at, progress.n),
            )
            for topic, offset in progress.offsets.items():
                offsets[TP(self._topics[topic], partition)] = (offset, "")
        return offsets
