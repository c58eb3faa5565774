"""What lenders' producers may put on the wire: every codec, and bytes that no honest client writes."""

import asyncio
from collections import Counter

import pytest
from aiokafka.errors import KafkaError
from confluent_kafka import Producer

from shared.contract.loans import DUE_DATES
from shared.contract.repayments import REPAYMENTS
from shared.contract.ticks import TimeMode
from shared.contract.topics import DEAD_LETTERS
from shared.runtime.records import Deployment, read_records
from tests.kafka.house import House
from tests.kafka.raw_batches import CODECS, batch, record, send_raw
from tests.shared.engine.toy import HOUR_MS, START_MS, due, repayment

pytestmark = pytest.mark.kafka


@pytest.fixture
def house(kafka, tmp_path, own_name):
    """Return a house on the session's broker, in simulated time."""
    return House(kafka, tmp_path, own_name, mode=TimeMode.SIMULATED)


def loans_on(house, topic, partition, count):
    """Return ids of loans that belong on a partition."""
    names = (f"L{n}" for n in range(10_000))
    return [n for n in names if house.settings.topology.partition_of(topic, n.encode()) == partition][:count]


async def test_every_codec_that_a_lender_may_choose(house):
    """A producer of librdkafka compresses by each of its codecs; services and plain readers read every fact of it."""
    async with house:
        for number, codec in enumerate(CODECS):
            await asyncio.to_thread(produce, house, codec, range(100 * number, 100 * number + 100))
        house.service("reminder")
        house.service("rate_limiter")
        clock = house.simulated_clock(3)
        await house.wait_for_tick(START_MS + 2 * HOUR_MS)
        clock.kill()
        counted = await house.verdict()
        plain = [r async for r in read_records(Deployment(house.settings.broker, house.settings.prefix), [DUE_DATES])]
        assert counted["facts"] >= 500
        assert len(plain) == 500
        assert await house.read(DEAD_LETTERS) == {0: []}


def produce(house, codec, numbers):
    """Publish facts by librdkafka."""
    producer = Producer({"bootstrap.servers": house.settings.broker, "compression.type": codec, "linger.ms": 50})
    for number in numbers:
        key, value = due(f"L{number}", number, 100, 0)
        partition = house.settings.topology.partition_of(DUE_DATES, key)
        producer.produce(house.settings.topic(DUE_DATES), value, key, partition)
    assert producer.flush(30) == 0


async def test_bytes_that_no_honest_client_writes(house):
    """Whatever the broker accepts gives one disposition per offset; nobody dies, and neighbours are not held up."""
    async with house:
        accepted = await send_all_kinds(house)
        processes = [house.service("reminder"), house.service("rate_limiter")]
        clock = house.simulated_clock(4)
        await house.wait_for_tick(START_MS + 3 * HOUR_MS)
        clock.kill()
        counted = await house.verdict()
        letters = (await house.read(DEAD_LETTERS))[0]
        dead = Counter(dict(letter.headers)["duecourse-reason"].decode() for letter in letters)
        read = [[r.offset for r in (await house.read(topic))[0]] for topic in (DUE_DATES, REPAYMENTS)]
        assert all(process.popen.poll() is None for process in processes)
        assert accepted["refused"] >= 4, "the broker refuses the plain lies"
        assert accepted["bomb"] == 4
        assert dead["unreadable_record"] >= 2 * accepted["bomb"] + accepted["broken"]
        assert read == [list(range(len(offsets))) for offsets in read], "each offset is read once, none is left out"
        assert counted["facts"] >= sum(map(len, read))


async def send_all_kinds(house):
    """Send good facts between hostile batches to partition 0 of two topics; return how many batches were accepted."""
    broker, seen = house.settings.broker, Counter()
    for topic, make in ((DUE_DATES, lambda n: due(n, 1, 100, 0)), (REPAYMENTS, lambda n: repayment(n, 1))):
        facts = [make(name) for name in loans_on(house, topic, 0, 40)]
        good = [record(0, *fact) for fact in facts]
        for codec in CODECS:
            key, value = facts.pop()
            big = [record(0, key, bytes(9 * 2**20)), record(1, key, bytes(9 * 2**20))]
            kinds = {
                "good": batch([good.pop()], codec=codec),
                "name": batch([record(0, key, value, [(b"\xff\xfe", b"x"), (b"", None), (b"", b"")])], codec=codec),
                "broken length": batch([record(0, key, value, length=3)], codec=codec),
                "broken delta": batch([record(0, key, value), record(7, *facts.pop())], codec=codec),
                "broken twice": batch([record(0, key, value), record(0, *facts.pop())], codec=codec),
                "count": batch([record(0, key, value, header_count=2**31 - 1)], codec=codec),
                "bomb": batch(big, codec=codec) if codec != "none" and topic == DUE_DATES else None,
                "instants": batch([record(0, key, b"{", timestamp_delta=-(2**50))], codec=codec, first_timestamp=-7),
            }
            for kind, data in kinds.items():
                if data is None:
                    continue
                try:
                    await send_raw(broker, house.settings.topic(topic), 0, data)
                    seen[kind.partition(" ")[0]] += 1
                except KafkaError:
                    seen["refused"] += 1
    return seen
