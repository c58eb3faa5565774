"""The engine's store on RocksDB: one database per partition, opened by Faust's table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import rocksdict

from shared.engine.store import INSTANT, STATE_PREFIX, Changes, Due, due_of

DUE_PREFIX: Final = b"d"
DUE_END: Final = b"e"
DUE_KEY_AT: Final = 1 + INSTANT.size
OWNER_KEY: Final = b"owner"
"""Local too: of which changelog and partition this store is the image."""


def due_key(entry: Due) -> bytes:
    """Return the local key of a due entry; keys sort as (time, key)."""
    return DUE_PREFIX + INSTANT.pack(entry[0]) + entry[1]


def is_of_the_disk(error: Exception) -> bool:
    """Return whether RocksDB failed because of the disk; its binding raises plain `Exception`."""
    return type(error) is Exception and str(error).startswith("IO error")


class RocksStore:
    """One partition's store. `offset_key` is where Faust looks for the changelog offset that the store reflects."""

    def __init__(self, database: Any, offset_key: bytes) -> None:
        self._database = database
        self._get = database.get
        self._offset_key = offset_key

    def claim(self, owner: bytes) -> bool:
        """Make an empty store the image of `owner`; return whether the store is its image now."""
        found: bytes | None = self._get(OWNER_KEY)
        if found is None and self._get(self._offset_key) is None:
            batch = rocksdict.WriteBatch(raw_mode=True)
            batch.put(OWNER_KEY, owner)
            self._database.write(batch)
            return True
        return found == owner

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a changelog key."""
        value: bytes | None = self._get(key)
        return value

    def scan_due(self, start: Due, until_ms: int, limit: int) -> tuple[list[Due], Due | None]:
        """Return the next entries that are due, and the entry after them."""
        found: list[Due] = []
        iterator = self._database.iter()
        iterator.seek(due_key(start))
        while iterator.valid():
            key = iterator.key()
            if key[:1] != DUE_PREFIX:
                break
            entry = (INSTANT.unpack_from(key, 1)[0], bytes(key[DUE_KEY_AT:]))
            if entry[0] > until_ms or len(found) >= limit:
                return found, entry
            found.append(entry)
            iterator.next()
        return found, None

    def scan_states(self, start: bytes, limit: int) -> tuple[list[bytes], bytes | None]:
        """Return the values of at most `limit` states from the changelog key `start` on, and the key after them."""
        values: list[bytes] = []
        iterator = self._database.iter()
        iterator.seek(start)
        while iterator.valid():
            key = iterator.key()
            if key[:1] != STATE_PREFIX:
                break
            if len(values) >= limit:
                return values, bytes(key)
            values.append(bytes(iterator.value()))
            iterator.next()
        return values, None

    def apply(self, changes: Changes, changelog_offset: int | None) -> None:
        """Write everything in one batch."""
        batch = rocksdict.WriteBatch(raw_mode=True)
        for entry in changes.due_removed:
            batch.delete(due_key(entry))
        for entry in changes.due_added:
            batch.put(due_key(entry), b"")
        for key, value in changes.records.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if changelog_offset is not None:
            batch.put(self._offset_key, b"%d" % changelog_offset)
        if len(batch):
            self._database.write(batch)

    def restore(self, records: Sequence[Any]) -> None:
        """Apply consecutive changelog records in one batch, deriving the due index; stale entries stay until `tidy`."""
        batch = rocksdict.WriteBatch(raw_mode=True)
        for record in records:
            if record.value is None:
                batch.delete(record.key)
                continue
            batch.put(record.key, record.value)
            entry = due_of(record.key, record.value)
            if entry is not None:
                batch.put(due_key(entry), b"")
        batch.put(self._offset_key, b"%d" % records[-1].offset)
        self._database.write(batch)

    def tidy(self) -> None:
        """Leave one due entry per state that has one, in one batch: the first tick would look at each stale one.

        No state may change meanwhile. Takes some 5 us a state.
        """
        batch = rocksdict.WriteBatch(raw_mode=True)
        batch.delete_range(DUE_PREFIX, DUE_END)
        iterator = self._database.iter()
        iterator.seek(STATE_PREFIX)
        while iterator.valid():
            key = iterator.key()
            if key[:1] != STATE_PREFIX:
                break
            entry = due_of(key, iterator.value())
            if entry is not None:
                batch.put(due_key(entry), b"")
            iterator.next()
        self._database.write(batch)
