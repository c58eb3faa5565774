"""What only several brokers can show: commits whose partition has no leader, and topics that are kept too seldom."""

import asyncio
import time
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from shared.engine.progress import metadata
from shared.runtime.kafka_offsets import GroupProgress
from shared.runtime.kafka_security import Access
from shared.runtime.stop import StopReason
from shared.runtime.topics import TopicAdmin
from tests.chaos.cluster import Cluster
from tests.kafka.house import House

pytestmark = pytest.mark.kafka
COORDINATING, HOLDING = 1, 2
TOPIC, TRANSACTION = "facts", "somebody"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two brokers; the log of all transactions, kept once, is on the first, which was alone when it was made."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), brokers=2, replicas=1)
    try:
        cluster.start(COORDINATING)
        assert asyncio.run(cluster.transaction_coordinator(TRANSACTION)) == COORDINATING
        cluster.start()
        yield cluster
    finally:
        cluster.close()


async def test_a_commit_whose_partition_has_no_leader_is_carried_out_when_it_has_one(cluster):
    """The record of an acknowledged commit is visible once its broker is back (Kafka 4.3.0 drops it, 4.2.1 does not).

    The partition's broker is dead, and known to be dead, when the coordinator on the other one decides. A sound
    coordinator keeps the decision until that broker is back; one that takes no leader for no topic throws it away.
    """
    async with cluster.admin() as admin:
        await admin.create_topics([NewTopic(TOPIC, -1, -1, replica_assignments={0: [HOLDING]})])
    await leads(cluster, HOLDING)
    async with AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, transactional_id=TRANSACTION) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(TOPIC, b"paid", partition=0)
        cluster.kill_broker(HOLDING)
        await leads(cluster, -1)
        await asyncio.wait_for(producer.commit_transaction(), 30)
    cluster.launch(HOLDING)
    await cluster.answering(HOLDING)
    await leads(cluster, HOLDING)
    assert await seen(cluster) == b"paid"


async def leads(cluster, broker, seconds=60.0):
    """Wait until the cluster says that this broker (-1: none) leads the only partition."""
    deadline = time.monotonic() + seconds
    while (await cluster.leaders(TOPIC))[0] != broker:
        assert time.monotonic() < deadline, cluster.tails()
        await asyncio.sleep(0.1)


async def seen(cluster, seconds=20.0):
    """Return the first committed record; None when none becomes visible."""
    async with AIOKafkaConsumer(
        TOPIC, bootstrap_servers=cluster.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    ) as consumer:
        try:
            return (await asyncio.wait_for(consumer.getone(), seconds)).value
        except TimeoutError:
            return None


async def test_progress_is_found_again_when_the_coordinator_of_a_group_has_moved(cluster):
    """A broker that is no longer the coordinator answers with nothing: asked for progress, that is no answer.

    Were it taken for one, a clock would call services silent for ever that report all the time.
    """
    async with cluster.admin() as admin:
        await admin.create_topics([NewTopic("ticks", 1, 1)])
    place = TopicPartition("ticks", 0)
    async with AIOKafkaConsumer(
        bootstrap_servers=cluster.bootstrap, group_id="service", enable_auto_commit=False
    ) as consumer:
        consumer.assign([place])
        await consumer.commit({place: (1, metadata(7, 1))})
    async with GroupProgress(Access(cluster.bootstrap)) as groups:
        assert await told(groups) == {0: 7}
        former = {COORDINATING: HOLDING, HOLDING: COORDINATING}[groups._coordinators["service"]]
        groups._coordinators["service"] = former
        assert await told(groups) == {0: 7}
        assert groups._coordinators["service"] != former


async def told(groups, seconds=20.0):
    """Ask what the group reports until there is an answer."""
    found, deadline = None, time.monotonic() + seconds
    while not found and time.monotonic() < deadline:
        found = await groups.of("service", "ticks", 1)
        await asyncio.sleep(0.1)
    return found


@pytest.mark.parametrize(
    ("kept", "wanted", "named"),
    [
        ((1, 1), (2, 1), "has 1 replicas, the settings say 2"),
        ((2, 1), (2, 2), "min.insync.replicas is 1, must be 2"),
        ((2, 2), (2, 2), "__transaction_state: has 1 replicas, the settings say 2"),
    ],
    ids=["too few replicas", "too few in sync", "the brokers' own topics"],
)
async def test_a_service_does_not_start_on_topics_that_a_dead_broker_would_take_along(
    cluster, tmp_path, kept, wanted, named
):
    """It says which topic is kept too seldom, and how to mend it; nothing is joined, nothing written."""
    factor, in_sync = kept
    name = f"kept-{factor}-{in_sync}"
    house = House(cluster.bootstrap, tmp_path, name, replication_factor=factor, min_insync_replicas=in_sync)
    async with house:
        house.settings = replace(house.settings, replication_factor=wanted[0], min_insync_replicas=wanted[1])
        async with TopicAdmin(house.settings) as admin:
            assert named in " ".join(map(str, await admin.check()))
        process = house.service("reminder")
        assert process.popen.wait(60) == StopReason.REPLICATION_LOW.code
        (line,) = process.lines("stopped")
        assert named in line["detail"]
        assert "kafka-reassign-partitions" in line["advice"]
