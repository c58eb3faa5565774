"""Compressed batches of Kafka, opened within a bound: a few kilobytes that somebody sends can stand for gigabytes.

The broker bounds what is sent, not what becomes of it. Nothing here takes more memory than the bound allows.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

import cramjam

BYTES_MAX: Final = 16 * 1024 * 1024
"""What a batch may come to. Honest producers of Java and librdkafka stay below 1 MiB before they compress."""
_FIRST_GUESS_BYTES: Final = 64 * 1024
_LIKELY_RATIO: Final = 16
_GZIP_WINDOW: Final = 31
_XERIAL: Final = b"\x82SNAPPY\0"
_XERIAL_HEADER_BYTES: Final = 16
_BLOCK_LENGTH_BYTES: Final = 4


class NotOpened(ValueError):
    """The bytes are damaged, of a codec that nobody knows, or come to more than the bound."""


def decompress(codec: int, data: bytes, bytes_max: int = BYTES_MAX) -> bytes:
    """Return what was compressed; `codec` is the number in a batch's attributes. Raise `NotOpened`."""
    opener = _OPENERS.get(codec)
    if opener is None:
        raise NotOpened("no codec has the number that the batch names")
    try:
        return opener(data, bytes_max)
    except (cramjam.DecompressionError, zlib.error) as error:
        raise NotOpened("the compressed batch is damaged, or comes to more than is opened") from error


def _gzip(data: bytes, bytes_max: int) -> bytes:
    """Open all members of a gzip stream, one after the other."""
    found = bytearray()
    while data:
        member = zlib.decompressobj(_GZIP_WINDOW)
        found += member.decompress(data, bytes_max - len(found) + 1)
        if len(found) > bytes_max or not member.eof:
            raise NotOpened("the compressed batch is cut off, or comes to more than is opened")
        data = member.unused_data
    return bytes(found)


def _snappy(data: bytes, bytes_max: int) -> bytes:
    """Open one block, or the framed blocks of the Java library."""
    if not data.startswith(_XERIAL):
        return _snappy_block(data, bytes_max)
    found = bytearray()
    position = _XERIAL_HEADER_BYTES
    while position < len(data):
        length = int.from_bytes(data[position : position + _BLOCK_LENGTH_BYTES], "big", signed=True)
        position += _BLOCK_LENGTH_BYTES
        if length <= 0:
            raise NotOpened("a snappy block has no length")
        found += _snappy_block(data[position : position + length], bytes_max - len(found))
        position += length
    return bytes(found)


def _snappy_block(block: bytes, bytes_max: int) -> bytes:
    size = cramjam.snappy.decompress_raw_len(block)
    if size > bytes_max:
        raise NotOpened("the compressed batch says that it comes to more than is opened")
    room = bytearray(size)
    return bytes(room[: cramjam.snappy.decompress_raw_into(block, room)])


def _into_room(into: Callable[[bytes, bytearray], int], data: bytes, bytes_max: int) -> bytes:
    """Open into a room of fixed size: a likely one first, because a large one costs time, then the largest allowed."""
    likely = min(bytes_max, max(_FIRST_GUESS_BYTES, _LIKELY_RATIO * len(data)))
    room = bytearray(likely)
    try:
        return bytes(room[: into(data, room)])
    except cramjam.DecompressionError:
        if likely == bytes_max:
            raise
    room = bytearray(bytes_max)
    return bytes(room[: into(data, room)])


def _lz4(data: bytes, bytes_max: int) -> bytes:
    return _into_room(cramjam.lz4.decompress_into, data, bytes_max)


def _zstd(data: bytes, bytes_max: int) -> bytes:
    return _into_room(cramjam.zstd.decompress_into, data, bytes_max)


_OPENERS: Final[dict[int, Callable[[bytes, int], bytes]]] = {1: _gzip, 2: _snappy, 3: _lz4, 4: _zstd}
