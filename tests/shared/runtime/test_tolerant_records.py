import pytest
from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import example, given
from hypothesis import strategies as st

from shared.contract.codec import UNREADABLE_HEADER, DeadReason, Rejected, decode
from shared.contract.loans import DUE_DATES
from shared.runtime.kafka_clients import new_consumer
from shared.runtime.kafka_security import Access
from shared.runtime.tolerant_records import OPENED_BYTES_MAX, TolerantRecords
from tests.kafka.raw_batches import CODECS, batch, compressed, record, sized, varint

PLACE = TopicPartition("topic", 0)
GOOD = [record(n, b"key%d" % n, b"value%d" % n, [(b"name", b"x"), (b"name", None), (b"", b"")]) for n in range(3)]
ATTRIBUTES_AT = 21


def fetched(data, parser=TolerantRecords, fetch_offset=0):
    """Return what aiokafka's fetcher makes of an answer's bytes, and the offset at which it would go on."""
    records = fetcher.PartitionRecords(PLACE, parser(data), [], fetch_offset, None, None, True, 1)
    return list(records), records.next_fetch_offset


def why(found):
    """Return why a record cannot be read, None when it can."""
    return found.headers[0][1].decode() if found.headers and found.headers[0][0] == UNREADABLE_HEADER else None


@pytest.mark.parametrize("codec", CODECS)
def test_what_the_fast_parser_reads_is_untouched(codec):
    """Honest batches come out as aiokafka itself reads them, whatever the codec."""
    data = batch(GOOD, codec=codec, base_offset=5) + batch(GOOD[:1], codec=codec, base_offset=8)
    assert fetched(data) == fetched(data, MemoryRecords)
    assert [found.offset for found in fetched(data)[0]] == [5, 6, 7, 8]
    assert [found.offset for found in fetched(data, fetch_offset=7)[0]] == [7, 8]


@pytest.mark.parametrize("codec", CODECS)
def test_a_header_name_that_is_not_utf_8(codec):
    """The record is read, the name with its bytes escaped; aiokafka's own parser raises."""
    data = batch([*GOOD[:1], record(1, b"k", b"v", [(b"\xff\xfe", b"x")]), GOOD[2]], codec=codec)
    with pytest.raises(UnicodeDecodeError):
        fetched(data, MemoryRecords)
    records, after = fetched(data)
    assert [found.key for found in records] == [b"key0", b"k", b"key2"]
    assert records[1].headers == (("\\xff\\xfe", b"x"),)
    assert after == 3


LIES = {
    "negative header count": record(1, b"k", b"v", header_count=-1),
    "huge header count": record(1, b"k", b"v", header_count=2**31 - 1),
    "more headers than there are": record(1, b"k", b"v", header_count=3),
    "a header without a name": varint(11)
    + b"\0"
    + varint(0)
    + varint(1)
    + sized(b"k")
    + sized(b"v")
    + b"\x02\x01\x02x",
    "a key longer than its record": varint(21) + b"\0" + varint(0) + varint(1) + varint(1000) + b"k" * 16,
    "a number without an end": varint(12) + b"\0" + b"\xff" * 11,
    "no bytes at all": varint(0),
    "an offset behind the batch": record(7, b"k", b"v"),
    "an offset before the batch": record(-7, b"k", b"v"),
    "an offset that was there already": record(0, b"k", b"v"),
}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("lie", LIES)
def test_one_record_that_lies_is_unreadable_at_its_place_and_its_neighbours_are_read(lie, codec):
    """Exactly one record for each offset of the batch; the broken one has its bytes and says why."""
    records, after = fetched(batch([GOOD[0], LIES[lie], GOOD[2]], codec=codec))
    assert [found.offset for found in records] == [0, 1, 2]
    assert [bool(why(found)) for found in records] == [False, True, False]
    assert records[1].value is not None
    assert after == 3


@pytest.mark.parametrize("length", [3, 100, -1])
def test_a_record_whose_length_lies(length):
    """What follows cannot be told apart, so it is unreadable too; no offset is left out, none comes twice."""
    records, after = fetched(batch([GOOD[0], record(1, b"k", b"v", length=length), GOOD[2]]))
    assert [found.offset for found in records] == [0, 1, 2]
    assert [bool(why(found)) for found in records] == [False, True, True]
    assert after == 3


def test_the_key_of_a_broken_record_is_kept_where_it_can_be_read():
    """So that the loan it was about comes under doubt."""
    records, _ = fetched(batch([record(0, b"L1", b"v", header_count=9)]))
    assert records[0].key == b"L1"


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "none"])
def test_a_bomb_is_unreadable_at_each_of_its_offsets(codec):
    """20 MiB in a few kilobytes: not opened, each of its records says so, and what follows is read."""
    bomb = [record(0, b"a", bytes(10 * 2**20)), record(1, b"b", bytes(10 * 2**20))]
    first, after = fetched(batch(bomb, codec=codec) + batch(GOOD, codec=codec, base_offset=2))
    assert [(found.offset, found.key) for found in first] == [(0, None), (1, None)]
    assert all("comes to more than is opened" in why(f) for f in first)
    assert after == 2, "the rest of the answer is fetched again"


def test_of_one_answer_no_more_is_opened_than_the_bound():
    """Fifty batches of 1 MiB each from fifty small ones: a few are opened, the rest is left for the next fetch."""
    answer = b"".join(batch([record(0, b"k", bytes(2**20))], codec="zstd", base_offset=n) for n in range(50))
    offset, answers = 0, 0
    while offset < 50:
        start = len(answer) // 50 * offset
        records, offset = fetched(answer[start:], fetch_offset=offset)
        assert sum(len(found.value) for found in records) <= OPENED_BYTES_MAX + 2**20
        answers += 1
    assert answers == 13


def test_the_codec_refuses_what_could_not_be_read():
    """The stand-in of an unreadable record becomes a dead letter with this one reason."""
    found = fetched(batch([record(0, b"L1", b"{}", header_count=9)]))[0][0]
    refused = decode(DUE_DATES, found.key, found.value, found.headers)
    assert isinstance(refused, Rejected)
    assert refused.reason is DeadReason.UNREADABLE_RECORD
    assert refused.detail == "a number in the record has no end"


def test_damage_that_the_checksum_shows_is_an_error_as_before():
    """A broken disk or wire is not a producer's doing: nothing is skipped."""
    data = bytearray(batch(GOOD))
    data[-1] ^= 1
    with pytest.raises(Exception, match="CRC"):
        fetched(bytes(data))


@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    codec=st.sampled_from(sorted(CODECS)),
    count=st.sampled_from([1, 2, 3]),
)
@example(changes=[(0, 0x80), (1, 0xFF)], codec="zstd", count=3)
def test_whatever_the_bytes_each_offset_gives_one_record(changes, codec, count):
    """Records changed at will under a true checksum, before or after compression: never an error, never a gap."""
    plain = bytearray(b"".join(GOOD))
    for at, byte in changes[::2]:
        plain[at % len(plain)] = byte
    payload = bytearray(compressed(codec, bytes(plain)))
    for at, byte in changes[1::2]:
        payload[at % len(payload)] = byte
    records, after = fetched(batch([], payload=bytes(payload), codec=codec, count=count, base_offset=10))
    assert [found.offset for found in records] == list(range(10, 10 + count))
    assert after == 10 + count


async def test_every_new_consumer_parses_tolerantly():
    """The class stands where aiokafka's fetcher looks for it."""
    consumer = new_consumer(Access("127.0.0.1:1"))
    consumer._closed = True
    assert fetcher.MemoryRecords is TolerantRecords
