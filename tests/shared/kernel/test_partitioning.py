from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.partitioning import Partitioner, murmur2, partition_of


@given(key=st.binary(max_size=64))
def test_murmur2_is_that_of_the_clients_in_use(key):
    """Our hash equals aiokafka's, which equals the Java client's."""
    assert murmur2(key) & 0x7FFFFFFF == aiokafka_murmur2(key) & 0x7FFFFFFF


def test_known_partitions():
    """Vectors of the Java client (murmur2) and of zlib's polynomial (crc32)."""
    assert murmur2(b"21") == (-973932308) & 0xFFFFFFFF
    assert murmur2(b"foobar") == (-790332482) & 0xFFFFFFFF
    assert partition_of(b"123456789", 1 << 32, Partitioner.CRC32) == 0xCBF43926
