"""Which partition a key belongs to. One partitioner serves every keyed topic of a deployment.

`murmur2` is that of Kafka's Java client and of aiokafka, `crc32` the default of librdkafka (`consistent_random`).
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final
from zlib import crc32

_M: Final = 0x5BD1E995
_SEED: Final = 0x9747B28C
_U32: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF


class Partitioner(StrEnum):
    """The two ways in which the clients in use map a key to a partition."""

    MURMUR2 = "murmur2"
    CRC32 = "crc32"


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 hash of `data` as Kafka's Java client computes it (unsigned)."""
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _U32
        h = (h * _M & _U32) ^ ((k ^ (k >> 24)) * _M & _U32)
    if whole < length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _U32
    h = (h ^ (h >> 13)) * _M & _U32
    return h ^ (h >> 15)


@lru_cache(maxsize=1 << 16)
def partition_of(key: bytes, partitions: int, partitioner: Partitioner) -> int:
    """Return the partition of `key` among `partitions`; cached, because a key is asked for again and again."""
    if partitioner is Partitioner.MURMUR2:
        return (murmur2(key) & _POSITIVE) % partitions
    return crc32(key) % partitions
