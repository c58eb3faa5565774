"""A second opinion: Kafka's own Java client under `read_committed` sees what our readers see, and nothing else."""

import asyncio
import hashlib
import subprocess
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK, TimeMode
from shared.contract.topics import DEAD_LETTERS
from shared.runtime.local_kafka import find_java, kafka_classpath
from tests.kafka.house import CLOCKS, House
from tests.shared.engine.toy import GATE, HOUR_MS, LOANS

pytestmark = pytest.mark.kafka
RECOUNT = Path(__file__).parents[1] / "java" / "Recount.java"
DEATHS = ("before_commit:4", "after_begin:6", "before_commit:9")


def recounted(broker, topics):
    """Return what the Java client sees: count and checksum by topic and partition."""
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    command = [find_java(), "-XX:TieredStopAtLevel=1", quiet, "-cp", kafka_classpath(), str(RECOUNT), broker, *topics]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    words = [line.split() for line in done.stdout.splitlines()]
    return {(topic, int(partition)): (int(count), checksum) for topic, partition, count, checksum in words}


def checksum(records):
    """Return the same checksum of records that we have read."""
    digest = hashlib.sha256()
    for record in records:
        for part in (record.key, record.value):
            digest.update((-1 if part is None else len(part)).to_bytes(4, "big", signed=True))
            digest.update(part or b"")
    return len(records), digest.hexdigest()


async def test_java_counts_what_we_count_after_transactions_were_aborted(kafka, tmp_path):
    """After deaths in mid-transaction both clients see the same records, byte for byte, on every topic (P2)."""
    async with House(kafka, tmp_path, "recount", mode=TimeMode.SIMULATED, facts_and_wakes_max=20) as house:
        await house.feed(500)
        reminder = house.service("reminder", DUECOURSE_CRASH_AT=DEATHS[0])
        house.service("rate_limiter")
        clock = house.simulated_clock(2_000)
        for death in (*DEATHS[1:], ""):
            await asyncio.to_thread(reminder.popen.wait, 60)
            await house.feed(60)
            reminder.start(DUECOURSE_CRASH_AT=death)
        await house.wait_for_tick(await house.newest_tick() + 2 * HOUR_MS, mending=True)
        clock.kill()
        for service, topic in CLOCKS.items():
            await house.wait_for_tick(await house.newest_tick(topic), service)
        assert (await house.verdict())["outputs"] > 100
        await _compare(house)


async def _compare(house):
    logical = {*LOANS.reads, *LOANS.writes, *GATE.reads, *GATE.writes, LOAN_CLOCK, BORROWER_CLOCK, DEAD_LETTERS}
    ours = {
        (house.settings.topic(topic), partition): checksum(records)
        for topic in logical
        for partition, records in (await house.read(topic)).items()
    }
    changelog = house.settings.changelog("reminder")
    for partition, records in (await house.read(LOAN_CLOCK, physical=changelog)).items():
        ours[changelog, partition] = checksum(records)
    theirs = await asyncio.to_thread(recounted, house.settings.broker, sorted({topic for topic, _ in ours}))
    assert theirs == ours
    visible = sum(count for (topic, _), (count, _) in ours.items() if topic == changelog)
    assert await written(house.settings.broker, [place for place in ours if place[0] == changelog]) > visible


async def written(broker, places):
    """Return how many records lie there, those of aborted transactions too."""
    count, tps = 0, [TopicPartition(*place) for place in places]
    async with AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest") as consumer:
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            count += sum(map(len, (await consumer.getmany(timeout_ms=200)).values()))
    return count
