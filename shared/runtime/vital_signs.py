"""What is measured by looking, once a second: lag, queues, waiting, recovery, disk, and how late the event loop is."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final

from faust.types import TP

from shared.engine.epoch import EpochLoop
from shared.engine.waiting import WAITING_FOR_POLICY, WAITING_FOR_RECORDS, Waiting
from shared.runtime.metric_board import Board
from shared.runtime.metric_catalogue import (
    DISK_FREE,
    DISK_SIZE,
    LAG_RECORDS,
    LAG_SECONDS,
    LOOP_LAG,
    OFFSET,
    PAUSED,
    QUEUED,
    READY,
    RECOVERY_REMAINING,
    REPORTS,
    STORE_BYTES,
    WAITING_SECONDS,
)
from shared.runtime.shell import Shell
from shared.runtime.system_clock import now_ms

LOOK_SECONDS: Final = 1.0
LOOP_SECONDS: Final = 0.25
DISK_EVERY: Final = 15
"""Looks between two looks at the disk."""


def waited_for(waiting: Waiting | None, seconds: float) -> dict[str, float]:
    """Return for how long each thing was waited for: who is woken does another thing for a policy than for records."""
    what = None if waiting is None else waiting.what
    return {each: seconds if each == what else 0.0 for each in (WAITING_FOR_RECORDS, WAITING_FOR_POLICY)}


class VitalSigns:
    """Looks at one process. `ends` gives the visible ends of inputs as the last fetch responses told them."""

    def __init__(
        self,
        shell: Shell,
        board: Board,
        directory: Path,
        *,
        ready: Callable[[], str | None],
        ends: Callable[[], Mapping[TP, int]],
        recovering: Callable[[], Mapping[TP, int]],
    ) -> None:
        self._shell = shell
        self._board = board
        self._directory = directory
        self._ready = ready
        self._ends = ends
        self._recovering = recovering
        self._looks = 0
        self._told = (0, 0)

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            for _ in range(round(LOOK_SECONDS / LOOP_SECONDS)):
                before = monotonic()
                await asyncio.sleep(LOOP_SECONDS)
                self._board.observe(LOOP_LAG, max(0.0, monotonic() - before - LOOP_SECONDS))

    def look(self) -> None:
        """Look once."""
        self._board.set(READY, self._ready() is None)
        workers, now = list(self._shell.workers.values()), now_ms()
        ends = self._ends() if workers else {}
        for worker in workers:
            if worker.loop is not None:
                since = worker.waiting_since
                seconds = 0.0 if since is None else monotonic() - since
                for what, waited in waited_for(worker.loop.waiting, seconds).items():
                    self._board.set(WAITING_SECONDS, waited, str(worker.partition), what)
                self._look_at_inputs(worker.loop, ends, now)
        self._board.set(PAUSED, len(self._shell.paused()))
        self._look_at_reports()
        for tp, remaining in self._recovering().items():
            self._board.set(RECOVERY_REMAINING, remaining, str(tp.partition))
        if self._looks % DISK_EVERY == 0:
            self._look_at_disk()
        self._looks += 1

    def _look_at_inputs(self, loop: EpochLoop[Any], ends: Mapping[TP, int], now: int) -> None:
        partition, queued = str(loop.partition), 0
        for topic in self._shell.inputs:
            place = TP(self._shell.settings.topic(topic), loop.partition)
            done, oldest = loop.done_offset(topic), loop.oldest(topic)
            self._board.set(OFFSET, done, topic, partition)
            self._board.set(LAG_RECORDS, max(0, ends.get(place, done) - done), topic, partition)
            age = 0.0 if oldest is None else max(0, now - int(getattr(oldest, "timestamp", now))) / 1000
            self._board.set(LAG_SECONDS, age, topic, partition)
            queued += loop.queued(topic)
        self._board.set(QUEUED, queued, partition)

    def _look_at_reports(self) -> None:
        reporter = self._shell.reporter
        for outcome, now, before in zip(
            ("told", "failed"), (reporter.reports, reporter.failures), self._told, strict=True
        ):
            self._board.add(REPORTS, now - before, outcome)
        self._told = (reporter.reports, reporter.failures)

    def _look_at_disk(self) -> None:
        usage = shutil.disk_usage(self._directory)
        self._board.set(DISK_FREE, usage.free)
        self._board.set(DISK_SIZE, usage.total)
        self._board.set(STORE_BYTES, bytes_under(self._directory))


def bytes_under(directory: Path) -> int:
    """Return the size of all files under a directory; files that vanish meanwhile count nothing."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total
