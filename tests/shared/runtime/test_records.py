"""Reading and writing a deployment's topics without a service, on a real Kafka."""

import asyncio
from contextlib import suppress
from itertools import count

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.contract.codec import Envelope, encode
from shared.contract.ticks import CONTROL, DeploymentStamped, TimeMode
from shared.kernel.partitioning import Partitioner, partition_of
from shared.runtime.records import (
    BrokerProblem,
    Deployment,
    partition_counts,
    publisher,
    read_records,
    reader,
    stamp,
)

TOPIC = "lending.repayments"
PARTITIONS = 3
_numbers = count(1)

pytestmark = pytest.mark.kafka


@pytest.fixture
async def deployment(kafka: str) -> Deployment:
    """Two topics of this test's own."""
    made = Deployment(kafka, f"records-{next(_numbers)}")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    config = {"message.timestamp.type": "LogAppendTime"}
    topics = [NewTopic(made.topic(TOPIC), PARTITIONS, 1, topic_configs=config), NewTopic(made.topic(CONTROL), 1, 1)]
    await admin.create_topics(topics)
    await admin.close()
    for _ in range(100):
        with suppress(BrokerProblem):
            await partition_counts(made, [TOPIC, CONTROL])
            return made
        await asyncio.sleep(0.05)
    raise AssertionError("the broker did not make the topics")


async def values(deployment: Deployment) -> list[bytes | None]:
    """Read the topic to its end."""
    return [record.value async for record in read_records(deployment, [TOPIC])]


async def test_every_key_has_its_partition(deployment: Deployment) -> None:
    """Records come back as they were sent, each in the partition that the partitioner names."""
    keys = [b"loan-%d" % number for number in range(200)]
    async with publisher(deployment) as out:
        for sent in [await out.send(TOPIC, key, b"v", (("h", b"1"),)) for key in keys]:
            await sent
    found = [record async for record in read_records(deployment, [TOPIC])]
    assert sorted(record.key for record in found) == sorted(keys)
    for record in found:
        assert record.partition == partition_of(record.key, PARTITIONS, Partitioner.MURMUR2)
        assert (record.topic, record.value, tuple(record.headers)) == (TOPIC, b"v", (("h", b"1"),))
        assert record.appended_ms > 0


async def test_only_what_is_committed_is_read(deployment: Deployment) -> None:
    """A committed transaction is read, an aborted and an open one are not, and neither keeps the reader waiting."""
    producer = AIOKafkaProducer(
        bootstrap_servers=deployment.broker, transactional_id=f"{deployment.prefix}-t", transaction_timeout_ms=60_000
    )
    await producer.start()
    try:
        for end in (producer.commit_transaction, producer.abort_transaction, None):
            await producer.begin_transaction()
            name = b"open" if end is None else end.__name__.encode()
            await producer.send_and_wait(deployment.topic(TOPIC), name, partition=0)
            if end is not None:
                await end()
        assert await values(deployment) == [b"commit_transaction"]
        await producer.abort_transaction()
        assert await values(deployment) == [b"commit_transaction"]
    finally:
        await producer.stop()


async def test_a_compacted_topic_is_read_until_nothing_newer_is_there(deployment: Deployment) -> None:
    """What takes an older value's place meanwhile is read too; any other topic ends where it ended at first."""
    async with publisher(deployment) as out, reader(deployment, [TOPIC]) as still, reader(deployment, [TOPIC]) as ended:
        await (await out.send(TOPIC, b"k", b"old"))
        for reading, wanted in ((ended.until_end(), [b"old"]), (still.until_still(), [b"old", b"new", b"new"])):
            found = []
            async for record in reading:
                found.append(record.value)
                if record.value == b"old":
                    await (await out.send(TOPIC, b"k", b"new"))
            assert found == wanted


async def test_empty_topics_end_at_once(deployment: Deployment) -> None:
    """Nothing to read is read."""
    assert await values(deployment) == []


async def test_reading_can_begin_at_an_instant_and_at_the_end(deployment: Deployment) -> None:
    """From an instant on, only what was appended since is read; from the end on, only what comes."""
    async with publisher(deployment) as out, reader(deployment, [TOPIC]) as reading:
        first = await (await out.send(TOPIC, b"a", b"old"))
        await asyncio.sleep(0.05)
        second = await (await out.send(TOPIC, b"b", b"new"))
        assert first.timestamp < second.timestamp
        await reading.from_instant(second.timestamp)
        assert [record.value async for record in reading.until_end()] == [b"new"]
        await reading.from_instant(second.timestamp + 60_000)
        assert [record.value async for record in reading.until_end()] == []
        await reading.to_end()
        await (await out.send(TOPIC, b"c", b"newest"))
        async for record in reading.follow():
            assert record.value == b"newest"
            break


async def test_the_first_stamp_counts(deployment: Deployment) -> None:
    """A topic set without a stamp has none; with two, the first one counts, and it decides on the partitioner."""
    assert await stamp(deployment) is None
    async with publisher(deployment, Partitioner.MURMUR2) as out:
        for partitioner in ("crc32", "murmur2"):
            stamped = DeploymentStamped(
                mode=TimeMode.WALL, partitioner=partitioner, loan_partitions=3, borrower_partitions=3
            )
            value = encode(Envelope(partitioner, "/test", stamped.TYPE, stamped))
            await (await out.send(CONTROL, b"stamp", value))
    found = await stamp(deployment)
    assert found is not None
    assert found.partitioner == "crc32"
    key = next(b"loan-%d" % n for n in count() if len({partition_of(b"loan-%d" % n, 3, p) for p in Partitioner}) == 2)
    async with publisher(deployment) as out:
        place = await (await out.send(TOPIC, key, b"v"))
    assert place.partition == partition_of(key, PARTITIONS, Partitioner.CRC32)


@pytest.mark.parametrize("broker", ["127.0.0.1:1", "nobody.invalid:9092", "nonsense", "a:b", ""])
async def test_a_missing_broker_is_a_problem_with_advice(broker: str) -> None:
    """Whatever stands for the broker's address, what is wrong is one sentence with advice."""
    with pytest.raises(BrokerProblem) as told:
        await partition_counts(Deployment(broker), [TOPIC])
    assert told.value.problem.endswith(".")
    assert told.value.advice.endswith(".")


async def test_a_missing_topic_is_named(kafka: str) -> None:
    """A topic that is not there is named in full, for reader and publisher."""
    missing = Deployment(kafka, "nobody")
    with pytest.raises(BrokerProblem, match=r"There is no topic nobody\.lending\.repayments at"):
        await values(missing)
    async with publisher(missing, Partitioner.MURMUR2) as out:
        with pytest.raises(BrokerProblem, match=r"There is no topic nobody\.lending\.repayments at"):
            await out.send(TOPIC, b"a", b"b")
