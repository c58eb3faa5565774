"""Counts all kept states, slowly and again and again, from the local store: what no running total could promise.

A census takes at most a fixed share of the process's time, so that a big book is counted less often, never at the
expense of decisions.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

from shared.engine.census import Count
from shared.engine.state import StateCodec
from shared.engine.store import STATE_PREFIX
from shared.runtime.metric_board import Board
from shared.runtime.metric_catalogue import CATALOGUE, CENSUS_AT, STORE_ENTRIES, Metric
from shared.runtime.shell import Shell
from shared.runtime.system_clock import now_ms

SLICE: Final = 100
SHARE: Final = 0.02
"""Of the process's time, at most."""
PAUSE_SECONDS: Final = 15.0
_BY_NAME: Final[Mapping[str, Metric]] = {metric.name: metric for metric in CATALOGUE}


class Census:
    """Takes the census of one process's partitions."""

    def __init__(self, shell: Shell, board: Board, count: Count | None, policies: Mapping[str, Any]) -> None:
        self._shell = shell
        self._board = board
        self._count = count
        self._policies = policies
        self._codec: StateCodec[Any] = StateCodec(shell.processor.state, shell.processor.upgrades)
        self._told: set[tuple[Metric, tuple[str, ...]]] = set()

    async def run(self) -> None:
        """Count for ever."""
        while True:
            if self._shell.accepting:
                await self.take()
            await asyncio.sleep(PAUSE_SECONDS)

    async def take(self) -> bool:
        """Count once; return False when partitions went elsewhere meanwhile: a part is no census."""
        found: Counter[tuple[Metric, tuple[str, ...]]] = Counter()
        owned, entries = sorted(self._shell.workers), 0
        for partition in owned:
            start: bytes | None = STATE_PREFIX
            while start is not None:
                if not self._shell.accepting or sorted(self._shell.workers) != owned:
                    return False
                began = monotonic()
                values, start = self._shell.store_of(partition).scan_states(start, SLICE)
                entries += len(values)
                self._count_values(partition, values, found)
                await asyncio.sleep((monotonic() - began) * (1 / SHARE - 1))
        self._publish(found, entries)
        return True

    def _count_values(
        self, partition: int, values: list[bytes], found: Counter[tuple[Metric, tuple[str, ...]]]
    ) -> None:
        loop = self._shell.workers[partition].loop
        if loop is None or self._count is None:
            return
        progress = loop.progress
        policy = self._policies.get(progress.policy)
        if policy is None:
            return
        for value in values:
            state, _ = self._codec.decode(value)
            for counted in self._count(state, progress.at, policy):
                found[_BY_NAME[counted.what], counted.labels] += counted.amount

    def _publish(self, found: Counter[tuple[Metric, tuple[str, ...]]], entries: int) -> None:
        for metric, labels in self._told - found.keys():
            self._board.set(metric, 0, *labels)
        for (metric, labels), amount in found.items():
            self._board.set(metric, amount, *labels)
        self._told |= found.keys()
        self._board.set(STORE_ENTRIES, entries)
        self._board.set(CENSUS_AT, now_ms() / 1000)
