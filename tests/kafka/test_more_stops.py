"""Operations that go wrong under a running service, or before it: each is told by name, none is passed over."""

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String

from shared.contract.codec import encode
from shared.contract.examples import example
from shared.contract.loans import DUE_DATES
from shared.contract.requests import REMINDERS
from shared.contract.ticks import LOAN_CLOCK, PROBE_AT, TimeMode
from shared.contract.topics import REMINDER
from shared.runtime.kafka_offsets import GroupProgress
from shared.runtime.local_kafka import LocalKafka
from shared.runtime.rights import Operation
from shared.runtime.stop import StopReason
from tests.kafka.access_rules import AUTHORIZER, ask, deny
from tests.kafka.house import House
from tests.kafka.test_stops import cut, expected, reason_of, remake
from tests.shared.engine.toy import HOUR_MS, tick

pytestmark = pytest.mark.kafka
ASKED = "collections.contact.requested.v1"
TEXT = String("utf-8")
AUTHORIZED = {"authorizer.class.name": AUTHORIZER, "allow.everyone.if.no.acl.found": "true"}


@pytest.fixture
def make_house(kafka, tmp_path, own_name):
    """Return a maker of a house on the session's broker, with topics of its own."""
    return lambda **settings: House(kafka, tmp_path, own_name, **settings)


class _Answer(Response):
    API_KEY = 42
    API_VERSION = 1
    SCHEMA = Schema(("throttle_time_ms", Int32), ("results", Array(("group", TEXT), ("error_code", Int16))))


class _DeleteGroups(RequestStruct):
    API_KEY = 42
    API_VERSION = 1
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(("groups", Array(TEXT)))


async def forget_group(house, service):
    """Delete the group's offsets, once nobody is in it."""
    group = house.settings.group(service)

    async def deleted():
        answer = await ask(house.settings.broker, _DeleteGroups([group]), group)
        return answer.results[0][1] == 0

    await house.wait(deleted, 40)


async def test_a_partition_taken_over_meanwhile_is_not_a_lost_one(make_house):
    """What a new owner has said, while this process stood still with what it had recovered, is nobody's loss."""
    async with make_house(session_timeout_seconds=60.0) as house:
        still = house.service(REMINDER, DUECOURSE_PAUSE_AT="after_recovery")
        await house.wait(still.is_paused, 60)
        said = replace(example(ASKED), source="/duecourse/reminder/0")
        heir = AIOKafkaProducer(
            bootstrap_servers=house.settings.broker, transactional_id=house.settings.transactional_id(REMINDER, 0)
        )
        await heir.start()
        async with heir.transaction():
            await heir.send_and_wait(house.settings.changelog(REMINDER), b"{}", key=b"progress", partition=0)
            key = said.data.borrower_id.encode()
            await heir.send_and_wait(house.settings.topic(REMINDERS), encode(said), key=key, partition=0)
        await heir.stop()
        still.popen.send_signal(signal.SIGCONT)
        await house.wait(still.ended, 30)
        assert still.popen.returncode == StopReason.FENCED.code


async def test_history_lost_under_a_reader(make_house):
    """Retention overtakes a service that stands still: it stops, and does not go on at the log's new start."""
    async with make_house() as house:
        await house.feed(100)
        reminder = house.service("reminder")
        clock = house.clock()
        await house.wait_for_tick(PROBE_AT + 1, "reminder")
        clock.kill()
        reminder.popen.send_signal(signal.SIGSTOP)
        await house.feed(20)  # answers the question that was open
        await asyncio.sleep(1)
        await house.feed(200)
        await cut(house, DUE_DATES, -1)
        await house.feed(10)
        reminder.popen.send_signal(signal.SIGCONT)
        assert await asyncio.to_thread(reason_of, reminder) == expected(StopReason.HISTORY_LOST)


async def test_a_log_made_anew_under_a_reader_and_before_a_start(make_house):
    """Facts that were applied are gone from the log: what comes to lie in their place must not be taken for new.

    Who looks while the topic is gone is in doubt first, and is told what happened when it is started again.
    """
    async with make_house(truncated_seconds=2.0) as house:
        await house.feed(200)
        reminder = house.service("reminder")
        clock = house.clock()
        await house.wait_for_tick(PROBE_AT + 1, "reminder")
        clock.kill()
        await remake(house, house.settings.topic(DUE_DATES))
        first = await asyncio.to_thread(reason_of, reminder)
        assert first in (expected(StopReason.LOG_TRUNCATED), expected(StopReason.DOUBT))
        reminder.start()
        assert await asyncio.to_thread(reason_of, reminder) == expected(StopReason.LOG_TRUNCATED)


async def test_group_offsets_lost_are_no_loss_and_lost_with_the_changelog_are_told(make_house):
    """Progress is in the changelog: without a report the service goes on; without both it is not born a second time."""
    async with make_house(mode=TimeMode.SIMULATED) as house:
        await house.feed(400)
        reminder, _ = house.service("reminder"), house.service("rate_limiter")
        clock = house.simulated_clock(2_000)
        await house.wait(lambda: outputs_in(house, 20))
        clock.kill()
        assert reminder.kill(signal.SIGTERM) == 0
        await forget_group(house, REMINDER)
        reminder.start()
        clock.start()
        await house.wait_for_tick(await house.newest_tick() + 3 * HOUR_MS)
        clock.kill()
        counted = await house.verdict()
        assert reminder.kill(signal.SIGTERM) == 0
        await forget_group(house, REMINDER)
        await remake(house, house.settings.changelog(REMINDER))
        reminder.start(DUECOURSE_DATA_DIRECTORY=str(house.directory / "elsewhere"))
        told = await asyncio.to_thread(reason_of, reminder)
        assert told == expected(StopReason.CHANGELOG_LOST)
        assert counted["outputs"] > 20


async def outputs_in(house, count):
    """Whether the reminder has said that much."""
    return sum(len(log) for log in (await house.read(REMINDERS)).values()) >= count


async def test_two_instances_with_one_name(make_house):
    """Each takes the other's place: the one that is fenced says what to look for, and no output changes."""
    async with make_house(mode=TimeMode.SIMULATED) as house:
        await house.feed(300)
        first, _ = house.service("reminder"), house.service("rate_limiter")
        clock = house.simulated_clock(2_000)
        await house.wait(lambda: outputs_in(house, 5))
        elsewhere = str(house.directory / "second")
        second = house.service("reminder", "second", DUECOURSE_INSTANCE="a", DUECOURSE_DATA_DIRECTORY=elsewhere)
        code, reason = await asyncio.to_thread(reason_of, first)
        await house.wait_for_tick(await house.newest_tick() + 3 * HOUR_MS)
        clock.kill()
        counted = await house.verdict()
        assert (code, reason) == expected(StopReason.FENCED)
        assert "two instances have one name" in first.lines("stopped")[-1]["advice"]
        assert second.popen.poll() is None
        assert counted["outputs"] > 5


async def test_a_policy_that_nobody_gave_is_waited_for_and_named(make_house):
    """An instance that lacks the policy of a tick acts on nothing, says which one it lacks, and goes on with it."""
    async with make_house(truncated_seconds=1.0) as house:
        await house.feed(50)
        reminder = house.service("reminder", TOY_POLICIES="b2")
        clock = house.clock()

        async def said():
            return bool(reminder.lines("waiting"))

        await house.wait(said, 60)
        lines = reminder.lines("waiting")
        assert (lines[0]["what"], lines[0]["policy"]) == ("policy", "a1")
        reminder.kill()
        reminder.start(TOY_POLICIES="b2,a1")
        await house.wait_for_tick(PROBE_AT + 1, "reminder")
        clock.kill()
        assert min(await house.progress(REMINDER)) > PROBE_AT


async def test_a_disk_that_cannot_be_written(make_house):
    """Nobody can write below /proc: the service says so before it joins anything."""
    async with make_house() as house:
        house.settings = replace(house.settings, data_directory=Path("/proc/duecourse"))
        reminder = house.service("reminder")
        assert await asyncio.to_thread(reason_of, reminder) == expected(StopReason.DISK_UNUSABLE)
        async with GroupProgress(house.settings.access) as groups:
            assert await groups.members(house.settings.group(REMINDER)) == 0


async def test_two_deployments_with_one_prefix(make_house):
    """The topics carry their deployment's name: clock and services of another one stop before they read anything."""
    async with make_house(deployment="north") as house:
        house.settings = replace(house.settings, deployment="south")
        strangers = house.service("reminder"), house.clock()
        told = [await asyncio.to_thread(reason_of, process) for process in strangers]
        house.settings = replace(house.settings, deployment="north")
        house.service("reminder", "ours")
        house.clock("ours")
        await house.wait_for_tick(PROBE_AT + 1, "reminder")
        assert told == [expected(StopReason.FOREIGN_DEPLOYMENT)] * 2
        assert min(await house.progress(REMINDER)) > PROBE_AT


async def test_access_denied_at_a_start_and_under_a_writer(tmp_path):
    """Rights are missing or taken away: that is no doubt and no missing topic, and restarting does not help."""
    kafka = LocalKafka(tmp_path / "kafka", die_with_starter=True, more=AUTHORIZED)
    broker = await asyncio.to_thread(kafka.start)
    try:
        async with House(broker, tmp_path, "denied") as house:
            reminders, due_dates = house.settings.topic(REMINDERS), house.settings.topic(DUE_DATES)
            reminder = house.service("reminder")
            clock = house.clock()
            await house.wait_for_tick(PROBE_AT + 1, "reminder")
            await deny(broker, reminders, Operation.WRITE)
            await house.feed(200)
            at = await house.newest_tick() + 500
            await house.wait(lambda: has_heard(house, reminder, at))
            clock.kill()
            await speak(house)
            assert await asyncio.to_thread(reason_of, reminder) == expected(StopReason.ACCESS_DENIED)
            await deny(broker, due_dates, Operation.DESCRIBE)
            for process in (reminder, clock):
                process.start()
                assert await asyncio.to_thread(reason_of, process) == expected(StopReason.ACCESS_DENIED)
    finally:
        await asyncio.to_thread(kafka.stop)


async def has_heard(house, reminder, at):
    """Whether the reminder has applied the facts below a tick, or has had to speak of them already."""
    return await reminder.ended() or min(await house.progress(REMINDER)) >= at


async def speak(house):
    """Write one tick of a later day, at which the reminder has something to say."""
    at = await house.newest_tick() + 24 * HOUR_MS
    producer = AIOKafkaProducer(bootstrap_servers=house.settings.broker)
    await producer.start()
    for partition in range(house.settings.loan_partitions):
        await producer.send_and_wait(house.settings.topic(LOAN_CLOCK), tick(at, {})[1], partition=partition)
    await producer.stop()
