"""Fetched bytes as records, whatever is in them: what aiokafka's parser would die of becomes a record that says so.

aiokafka's consumer parses what it has fetched by a class named `MemoryRecords`; one of ours takes its place
(`read_tolerantly`). It lets the fast parser work, and differs in four things:

- a compressed batch is opened within a bound (`decompression`); beyond it, each of its records is unreadable;
- of one answer of the broker no more is opened than `OPENED_BYTES_MAX`: the rest is fetched again;
- where the parser raises (header names that are not UTF-8, lengths that lie), or a record claims an offset outside of
  its batch, the rest of the batch is parsed tolerantly (`tolerant_parsing`);
- damage that the checksum shows is an error as before: it is no producer's doing, and must not be skipped.

An unreadable record has its bytes as value and `UNREADABLE_HEADER` as its first header: the codec refuses it by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, Final

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from shared.runtime.decompression import NotOpened, decompress
from shared.runtime.private_attributes import parse_fetched_with
from shared.runtime.tolerant_parsing import BatchPlace, parse_tolerantly, unreadable_batch

OPENED_BYTES_MAX: Final = 4 * 1024 * 1024
"""When a fetched answer has come to this much, what follows in it is left for the next fetch."""
RECORDS_MAX: Final = 16_384
"""How many records are taken over at once: an opened batch may hold millions of tiny ones."""
_LENGTH: Final = Struct(">i")
_LENGTH_AT: Final = 8
_LENGTH_OVERHEAD: Final = 12
_CODEC_AT: Final = 22
_HEADER_BYTES: Final = DefaultRecordBase.HEADER_STRUCT.size
_CODEC_MASK: Final = DefaultRecordBase.CODEC_MASK
_PARSER_ERRORS: Final = (CorruptRecordException, ValueError, IndexError, OverflowError)


def read_tolerantly() -> None:
    """Make every aiokafka consumer of this process parse what it fetches by `TolerantRecords`."""
    parse_fetched_with(TolerantRecords)


class TolerantRecords:
    """The batches of one partition in one answer of the broker."""

    __slots__ = ("_data", "_fast", "_opened_bytes", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._fast: Any = MemoryRecords(data)
        self._position = 0
        self._opened_bytes = 0

    def size_in_bytes(self) -> int:
        """Return how many bytes were fetched."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether there is another whole batch, and room left to open it."""
        return self._opened_bytes < OPENED_BYTES_MAX and bool(self._fast.has_next())

    def next_batch(self) -> Any:
        """Return the next batch."""
        start = self._position
        (length,) = _LENGTH.unpack_from(self._data, start + _LENGTH_AT)
        self._position = start + _LENGTH_OVERHEAD + length
        fast = self._fast.next_batch()
        if not isinstance(fast, DefaultRecordBatch):
            return fast
        return TolerantBatch(fast, self._data, slice(start, self._position), self._opened)

    def _opened(self, size: int) -> None:
        self._opened_bytes += size


class TolerantBatch:
    """One batch of format 2. Iterating gives one record for each record in it, in order of offsets."""

    __slots__ = ("_data", "_fast", "_opened", "_where")

    def __init__(self, fast: Any, data: bytes, where: slice, opened: Callable[[int], None]) -> None:
        self._fast = fast
        self._data = data
        self._where = where
        self._opened = opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __next__(self) -> Any:
        return next(self._fast)

    def __iter__(self) -> Iterator[Any]:
        fast = self._fast
        place = BatchPlace(fast.base_offset, fast.next_offset - 1, fast.max_timestamp, fast.timestamp_type)
        raw = self._data[self._where]
        try:
            raw = _uncompressed(raw)
        except NotOpened as error:
            self._opened(OPENED_BYTES_MAX)
            return unreadable_batch(place, str(error), raw)
        self._opened(len(raw))
        return _records(place, raw)


def _uncompressed(raw: bytes) -> bytes:
    """Return the same batch without compression; its checksum is no longer true."""
    codec = raw[_CODEC_AT] & _CODEC_MASK
    if not codec:
        return raw
    head = bytearray(raw[:_HEADER_BYTES])
    head[_CODEC_AT] &= ~_CODEC_MASK & 0xFF
    return bytes(head) + decompress(codec, raw[_HEADER_BYTES:])


def _records(place: BatchPlace, raw: bytes) -> Iterator[Any]:
    """Yield what the fast parser reads; from its first error on, or where an offset is none of the batch's, the rest.

    In a compacted log offsets are missing; elsewhere a rising row of them within the batch leaves none out, because
    the broker refuses a batch whose number of records is not that of its offsets.
    """
    done = place.first - 1
    try:
        for record in DefaultRecordBatch(raw):
            offset = record.offset
            if not done < offset <= place.last:
                break
            yield record
            done = offset
        else:
            return
    except _PARSER_ERRORS:
        pass
    for record in parse_tolerantly(place, raw[_HEADER_BYTES:]):
        if record.offset > done:
            yield record
