"""Keys lie where other people's clients put them."""

from zlib import crc32

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.partitioning import Partitioner, murmur2, partition_of

JAVA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}
"""The vectors of Kafka's own test of `Utils.murmur2`, as signed 32-bit integers."""


@pytest.mark.parametrize("text", JAVA)
def test_murmur2_is_that_of_java(text: str) -> None:
    """The hash of Kafka's own test vectors is Kafka's."""
    assert murmur2(text.encode()) == JAVA[text] & 0xFFFFFFFF


@settings(deadline=None)
@given(st.binary(max_size=70), st.integers(1, 64))
def test_murmur2_is_that_of_aiokafka(key: bytes, partitions: int) -> None:
    """Any bytes hash as in aiokafka, whatever their length modulo four."""
    assert murmur2(key) == aiokafka_murmur2(key) & 0xFFFFFFFF
    assert partition_of(key, partitions, Partitioner.MURMUR2) == (aiokafka_murmur2(key) & 0x7FFFFFFF) % partitions
    assert partition_of(key, partitions, Partitioner.CRC32) == crc32(key) % partitions
