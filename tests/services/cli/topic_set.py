"""A deployment's topics made, filled and read in a test, without any service."""

import asyncio
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.contract.codec import Envelope, encode, key_of
from shared.contract.examples import example
from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL, DeploymentStamped, TimeMode
from shared.contract.topics import DEAD_LETTERS, TOPICS, Keyed
from shared.engine.dead_letters import dead_letter
from shared.kernel.partitioning import Partitioner
from shared.runtime.kafka_offsets import LogEnds
from shared.runtime.records import BrokerProblem, Deployment, partition_counts, publisher, read_records

PARTITIONS = 4


def make_topics(deployment: Deployment, partitioner: Partitioner = Partitioner.MURMUR2) -> None:
    """Make all topics of a deployment and stamp it."""
    asyncio.run(_make_topics(deployment, partitioner))


async def _make_topics(deployment: Deployment, partitioner: Partitioner) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=deployment.broker)
    await admin.start()
    counts = {Keyed.LOAN: PARTITIONS, Keyed.BORROWER: PARTITIONS, Keyed.NONE: 1}
    append_time = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics(
        [
            NewTopic(deployment.topic(topic.name), counts[topic.keyed], 1, topic_configs=append_time)
            for topic in TOPICS.values()
        ]
    )
    await admin.close()
    while not await _complete(deployment):  # noqa: ASYNC110 - the broker alone knows when it is done
        await asyncio.sleep(0.05)
    # A broker names itself as a partition's leader before it is: whoever writes at once would be told to try again.
    async with LogEnds(deployment.access, uncommitted=True) as logs:
        await logs.ends((deployment.topic(it.name), p) for it in TOPICS.values() for p in range(counts[it.keyed]))
    stamped = DeploymentStamped(
        mode=TimeMode.WALL, partitioner=partitioner.value, loan_partitions=PARTITIONS, borrower_partitions=PARTITIONS
    )
    await _put(deployment, CONTROL, b"stamp", encode(Envelope("stamp", "/test", stamped.TYPE, stamped)))


async def _complete(deployment: Deployment) -> bool:
    try:
        return len(await partition_counts(deployment, list(TOPICS))) == len(TOPICS)
    except BrokerProblem:
        return False


async def _put(deployment: Deployment, topic: str, key: bytes | None, value: bytes | None, headers=()) -> str:
    async with publisher(deployment, Partitioner.MURMUR2) as out:
        place = await (await out.send(topic, key, value, headers))
    return f"{topic}/{place.partition}/{place.offset}"


def put(deployment: Deployment, topic: str, key: bytes | None, value: bytes | None, headers=()) -> str:
    """Write one record and return its coordinates."""
    return asyncio.run(_put(deployment, topic, key, value, headers))


def put_example(deployment: Deployment, event_type: str, topic: str | None = None) -> str:
    """Write the example of a type and return its coordinates."""
    envelope = example(event_type)
    key = (key_of(envelope.data) or "").encode()
    return put(deployment, topic or envelope.data.TOPICS[0], key, encode(envelope))


def records(deployment: Deployment, topics: Sequence[str]) -> list[Recorded]:
    """Read committed records of the topics up to their end."""

    async def read() -> list[Recorded]:
        return [record async for record in read_records(deployment, topics)]

    return asyncio.run(read())


def bury(deployment: Deployment, record: Recorded, reason: str, detail: str = "why") -> str:
    """Write the dead letter of a record as a service would, and return the record's coordinates."""
    service = TOPICS[record.topic].dead_letters_by or "reminder"
    output = dead_letter(record.coordinates, record, service, 1_708_228_800_000, reason, detail)
    put(deployment, DEAD_LETTERS, output.key, output.value, output.headers)
    return record.coordinates
