"""What a partition keeps: the protocol of a store, how its values are written, and a store in memory.

Changelog and store hold the same keys: `s` + key holds a key's state as eight bytes, of which the upper two are the
state's format less one and the others `wake_at` (milliseconds, 0 for never), followed by the encoded state; `p` is the
progress record. The due index is derived from the values, so it is
kept by the store alone and never travels.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, Protocol, TypeAlias

STATE_PREFIX: Final = b"s"
PROGRESS_KEY: Final = b"p"
INSTANT: Final = Struct(">Q")
FORMAT_SHIFT: Final = 48
INSTANT_MASK: Final = (1 << FORMAT_SHIFT) - 1
NEVER_MS: Final = 1 << 62
"""Later than every instant: the lower bound of an empty due index."""

Due: TypeAlias = tuple[int, bytes]
"""An instant in epoch milliseconds and the key that must be looked at then."""


def wake_at_of(value: bytes) -> int | None:
    """Return the instant that a state's value asks for, None for never."""
    wake_at: int = INSTANT.unpack_from(value)[0] & INSTANT_MASK
    return wake_at or None


def format_of(value: bytes) -> int:
    """Return the format in which a state was written, 1 for the first."""
    head: int = INSTANT.unpack_from(value)[0]
    return (head >> FORMAT_SHIFT) + 1


def due_of(key: bytes, value: bytes | None) -> Due | None:
    """Return the due entry that a changelog record implies, None when it implies none."""
    if value is None or key[:1] != STATE_PREFIX:
        return None
    wake_at = wake_at_of(value)
    return None if wake_at is None else (wake_at, key[1:])


@dataclass(frozen=True, slots=True)
class Changes:
    """What one transaction does to a store: records as in the changelog, and the due entries derived from them."""

    records: Mapping[bytes, bytes | None] = field(default_factory=dict)
    due_removed: Iterable[Due] = ()
    due_added: Iterable[Due] = ()


class Store(Protocol):
    """What is known locally of one partition; it holds committed data only."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a changelog key."""
        ...

    def scan_due(self, start: Due, until_ms: int, limit: int) -> tuple[list[Due], Due | None]:
        """Return, in order, at most `limit` entries from `start` that are due by `until_ms`, and the entry after them.

        Entries may be stale: the state decides, not the index.
        """
        ...

    def apply(self, changes: Changes, changelog_offset: int | None) -> None:
        """Write `changes` in one step; `changelog_offset` is that of their last record, None for local clean-up."""
        ...


class MemoryStore:
    """A store in memory, for simulation and tests; it can be rebuilt from a changelog like the one on disk."""

    __slots__ = ("_due", "_records", "changelog_offset")

    def __init__(self) -> None:
        self._records: dict[bytes, bytes] = {}
        self._due: list[Due] = []
        self.changelog_offset: int | None = None

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a changelog key."""
        return self._records.get(key)

    def scan_due(self, start: Due, until_ms: int, limit: int) -> tuple[list[Due], Due | None]:
        """Return the next entries that are due, and the entry after them."""
        first = bisect_left(self._due, start)
        last = min(bisect_left(self._due, (until_ms + 1, b"")), first + limit)
        last = max(first, last)
        return self._due[first:last], self._due[last] if last < len(self._due) else None

    def apply(self, changes: Changes, changelog_offset: int | None) -> None:
        """Write `changes`; removals come first, so that an entry both removed and added stays."""
        for entry in changes.due_removed:
            self._drop_due(entry)
        for entry in changes.due_added:
            self._add_due(entry)
        for key, value in changes.records.items():
            if value is None:
                self._records.pop(key, None)
            else:
                self._records[key] = value
        if changelog_offset is not None:
            self.changelog_offset = changelog_offset

    def restore(self, key: bytes, value: bytes | None, changelog_offset: int) -> None:
        """Apply one changelog record, deriving its due entry; older entries of the key stay behind as stale ones."""
        entry = due_of(key, value)
        self.apply(Changes({key: value}, (), () if entry is None else (entry,)), changelog_offset)

    def snapshot(self) -> dict[bytes, bytes]:
        """Return a copy of all records."""
        return dict(self._records)

    def _add_due(self, entry: Due) -> None:
        at = bisect_left(self._due, entry)
        if at == len(self._due) or self._due[at] != entry:
            insort(self._due, entry)

    def _drop_due(self, entry: Due) -> None:
        at = bisect_left(self._due, entry)
        if at < len(self._due) and self._due[at] == entry:
            del self._due[at]
