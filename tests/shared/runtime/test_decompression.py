import gzip
import tracemalloc

import cramjam
import pytest
from aiokafka.codec import lz4_encode, snappy_encode
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.decompression import NotOpened, decompress

ENCODERS = {1: gzip.compress, 2: snappy_encode, 3: lz4_encode, 4: lambda data: bytes(cramjam.zstd.compress(data))}
BOUND = 1024 * 1024


def size_of_opened(codec, data):
    """Return how many bytes came out, 0 where the stream was refused."""
    try:
        return len(decompress(codec, data, 5_000))
    except NotOpened:
        return 0


@pytest.mark.parametrize("codec", ENCODERS)
@pytest.mark.parametrize("size", [0, 1, 100, 70_000, BOUND])
def test_what_was_compressed_comes_back(codec, size):
    """Every codec that a producer may choose, up to the bound itself."""
    data = bytes(i * i % 251 for i in range(size))
    assert decompress(codec, ENCODERS[codec](data), BOUND) == data


def test_both_forms_of_snappy_and_several_members_of_gzip():
    """A bare snappy block, Java's framed one, and gzip streams one after the other."""
    data = b"abc" * 50_000
    assert decompress(2, bytes(cramjam.snappy.compress_raw(data))) == data
    assert decompress(2, snappy_encode(data)) == data
    assert decompress(1, gzip.compress(data) + gzip.compress(b"more")) == data + b"more"


@pytest.mark.parametrize("codec", ENCODERS)
def test_a_bomb_takes_no_more_memory_than_the_bound(codec):
    """256 times the bound is refused, and never held in memory."""
    bomb = ENCODERS[codec](bytes(256 * BOUND))
    tracemalloc.start()
    with pytest.raises(NotOpened):
        decompress(codec, bomb, BOUND)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * BOUND


def test_a_snappy_block_that_claims_gigabytes():
    """What a block says of its own size is not believed."""
    with pytest.raises(NotOpened, match="says that it comes to"):
        decompress(2, b"\xff\xff\xff\xff\x0f")


@given(codec=st.integers(0, 7), data=st.binary(max_size=300), magic=st.sampled_from([b"", b"\x82SNAPPY\0" + bytes(8)]))
def test_garbage_is_refused_or_opened_and_nothing_else(codec, data, magic):
    """Whatever bytes come, there is a result within the bound or the one error."""
    assert size_of_opened(codec, magic + data) <= 5_000


@given(codec=st.sampled_from(sorted(ENCODERS)), data=st.binary(min_size=1, max_size=300), cut=st.data())
def test_a_damaged_stream_is_refused_or_opened_and_nothing_else(codec, data, cut):
    """A stream that was cut or changed anywhere never raises anything but the one error."""
    stream = bytearray(ENCODERS[codec](data))
    at = cut.draw(st.integers(0, len(stream) - 1))
    stream[at] = cut.draw(st.integers(0, 255))
    del stream[cut.draw(st.integers(at, len(stream))) :]
    assert size_of_opened(codec, bytes(stream)) <= 5_000
