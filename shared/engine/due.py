"""The due index: which keys must be looked at, in (time, key) order, whatever the transaction boundaries.

Committed entries are scanned in the store, those of the open transaction wait in a heap. A lower bound in memory
makes a tick with nothing due cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from shared.engine.store import NEVER_MS, Due, Store


class DueIndex:
    """The due entries of one partition; `scanned` are the stored ones taken since the last commit."""

    __slots__ = ("_cursor", "_heap", "_next_ms", "_store", "scanned")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heap: list[Due] = []
        self._next_ms = 0
        self._cursor: Due = (0, b"")
        self.scanned: list[Due] = []

    def is_due(self, at: int) -> bool:
        """Whether an entry may be due by `at`; never wrongly False."""
        return self._next_ms <= at or bool(self._heap and self._heap[0][0] <= at)

    def schedule(self, wake_at: int, key: bytes) -> None:
        """Add an entry of the open transaction."""
        heappush(self._heap, (wake_at, key))

    def take(self, at: int, limit: int) -> list[Due]:
        """Remove and return the next entries due by `at`, in order, at most `limit` stored ones; empty: none is left.

        The open transaction's own entries come on top: they are bounded by its size.
        """
        stored, cut = self._take_stored(at, limit)
        last = stored[-1] if cut else None
        fresh = []
        heap = self._heap
        while heap and (heap[0][0] <= at if last is None else heap[0] <= last):
            fresh.append(heappop(heap))
        return sorted(stored + fresh) if fresh else stored

    def committed(self, added: Iterable[Due]) -> None:
        """Forget the open transaction's entries: the store has them now."""
        self._heap.clear()
        self.scanned.clear()
        for entry in added:
            self._next_ms = min(self._next_ms, entry[0])
            self._cursor = min(self._cursor, entry)

    def _take_stored(self, at: int, limit: int) -> tuple[list[Due], bool]:
        if self._next_ms > at:
            return [], False
        found, following = self._store.scan_due(self._cursor, at, limit)
        self._next_ms, self._cursor = (NEVER_MS, (NEVER_MS, b"")) if following is None else (following[0], following)
        self.scanned.extend(found)
        return found, bool(found) and self._next_ms <= at
