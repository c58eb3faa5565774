"""The records of a batch of Kafka's format 2, read as far as they can be: what cannot be read says so, at its place.

It is used for batches in which aiokafka's parser found a fault. Each of a batch's records lies at the batch's first
offset plus its number, whatever it says itself: brokers refuse most lies, but not all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from shared.contract.codec import UNREADABLE_HEADER

_VARINT_BYTES_MAX: Final = 10
_HEADERS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class BatchPlace:
    """Where the records of a batch lie (offsets `first` to `last`), and when the broker appended them, in ms."""

    first: int
    last: int
    appended_ms: int
    timestamp_type: int


@dataclass(frozen=True, slots=True)
class PlainRecord:
    """A record as aiokafka's fetcher wants it."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    checksum: int | None = None


class _Broken(ValueError):
    """The bytes at hand are no record; `key` is its key where that much could be read."""

    def __init__(self, why: str, key: bytes | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.key = key


def unreadable(
    place: BatchPlace, offset: int, why: str, *, key: bytes | None = None, raw: bytes | None = None
) -> PlainRecord:
    """Return what stands for a record that cannot be read: its bytes as value, and a first header that says why."""
    headers = ((UNREADABLE_HEADER, why.encode()),)
    return PlainRecord(offset, place.appended_ms, place.timestamp_type, key, raw, headers)


def unreadable_batch(place: BatchPlace, why: str, raw: bytes) -> Iterator[PlainRecord]:
    """Yield a stand-in for every record of a batch that cannot be opened; the first one has the batch's bytes."""
    for offset in range(place.first, place.last + 1):
        yield unreadable(place, offset, why, raw=raw if offset == place.first else None)


def parse_tolerantly(place: BatchPlace, data: bytes) -> Iterator[PlainRecord]:
    """Yield exactly one record for each offset of the batch, whose records' bytes are `data`."""
    position = 0
    for offset in range(place.first, place.last + 1):
        start = position
        try:
            body, position = _frame(data, start)
        except _Broken as broken:
            position = len(data)
            yield unreadable(place, offset, broken.why, raw=data[start:])
            continue
        if offset == place.last and position != len(data):
            yield unreadable(place, offset, "the batch has bytes after its last record", raw=data[start:])
        else:
            yield _record(place, offset, body)


def _frame(data: bytes, start: int) -> tuple[bytes, int]:
    length, body = _varint(data, start)
    if length < 0 or body + length > len(data):
        raise _Broken("a record's length does not fit its batch")
    return data[body : body + length], body + length


def _record(place: BatchPlace, offset: int, body: bytes) -> PlainRecord:
    try:
        return _parsed(place, offset, body)
    except _Broken as broken:
        return unreadable(place, offset, broken.why, key=broken.key, raw=body)


def _parsed(place: BatchPlace, offset: int, body: bytes) -> PlainRecord:
    _, position = _varint(body, 1)
    delta, position = _varint(body, position)
    key, position = _sized(body, position)
    try:
        value, position = _sized(body, position)
        headers, position = _headers(body, position)
    except _Broken as broken:
        raise _Broken(broken.why, key) from broken
    if position != len(body):
        raise _Broken("the record has bytes after its last header", key)
    if place.first + delta != offset:
        raise _Broken("the record claims an offset that is not its place in the batch", key)
    return PlainRecord(offset, place.appended_ms, place.timestamp_type, key, value, headers)


def _headers(body: bytes, position: int) -> tuple[tuple[tuple[str, bytes | None], ...], int]:
    count, position = _varint(body, position)
    if not 0 <= count <= _HEADERS_MAX:
        raise _Broken("the record's number of headers is impossible")
    headers = []
    for _ in range(count):
        name, position = _sized(body, position)
        if name is None:
            raise _Broken("a header has no name")
        value, position = _sized(body, position)
        headers.append((name.decode(errors="backslashreplace"), value))
    return tuple(headers), position


def _sized(body: bytes, position: int) -> tuple[bytes | None, int]:
    length, position = _varint(body, position)
    if length < 0:
        return None, position
    if position + length > len(body):
        raise _Broken("a part of the record is longer than the record")
    return body[position : position + length], position + length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Read a zigzag varint; return it and the position behind it."""
    found = 0
    for number, byte in enumerate(data[position : position + _VARINT_BYTES_MAX]):
        found |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), position + number + 1
    raise _Broken("a number in the record has no end")
