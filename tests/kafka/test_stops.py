"""What must not go on stops, at once, with a reason and what to do; never does it jump silently."""

import asyncio
import json
import signal
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.records_to_delete import RecordsToDelete

from shared.contract.loans import DUE_DATES
from shared.contract.ticks import LOAN_CLOCK, PROBE_AT, TimeMode
from shared.contract.topics import REMINDER
from shared.runtime.stop import StopReason
from shared.runtime.topics import TopicAdmin
from tests.kafka.house import House
from tests.shared.engine.toy import tick

pytestmark = pytest.mark.kafka


@pytest.fixture
def make_house(kafka, tmp_path, own_name):
    """Return a maker of a house on the session's broker, with topics of its own."""
    return lambda **settings: House(kafka, tmp_path, own_name, **settings)


def reason_of(process, seconds=60):
    """Wait for a process to stop itself; return its exit code and the reason that it gave."""
    code = process.popen.wait(seconds)
    lines = process.lines("stopped")
    assert lines, process.log.read_text()[-2000:]
    assert lines[-1]["advice"]
    return code, lines[-1]["reason"]


def expected(reason):
    """Return exit code and text of a reason."""
    return reason.code, reason.name.lower()


async def with_admin(house, action):
    """Do something with an admin client."""
    admin = AIOKafkaAdminClient(bootstrap_servers=house.settings.broker)
    await admin.start()
    try:
        return await action(admin)
    finally:
        await admin.close()


async def cut(house, topic, offset):
    """Delete the records of all partitions of a topic below an offset (-1: all)."""
    name = house.settings.topic(topic)
    wanted = {
        TopicPartition(name, p): RecordsToDelete(offset) for p in range(house.settings.topology.partitions[topic])
    }
    await with_admin(house, lambda admin: admin.delete_records(wanted))


async def remake(house, name):
    """Delete a topic and make it anew, empty."""
    await with_admin(house, lambda admin: admin.delete_topics([name]))

    async def made():
        async with TopicAdmin(house.settings) as maker:
            return name in await maker.create()

    await house.wait(made)


async def test_settings_that_do_not_fit_the_topics(make_house):
    """Another kind of time, another number of partitions, topics that do not exist: each is told, nothing is joined."""
    async with make_house(mode=TimeMode.SIMULATED) as house:
        fitting = house.settings
        attempts = {}
        for name, settings in {
            "time": replace(fitting, mode=TimeMode.WALL),
            "count": replace(fitting, loan_partitions=5),
            "none": replace(fitting, prefix="nowhere"),
        }.items():
            house.settings = settings
            attempts[name] = house.service("reminder", name), house.clock(name)
        for process in attempts["time"]:
            assert reason_of(process) == expected(StopReason.WRONG_TIME)
        for name in ("count", "none"):
            for process in attempts[name]:
                assert reason_of(process) == expected(StopReason.TOPICS_WRONG)


async def test_a_first_start_on_cut_history_is_refused_unless_loans_were_boarded(make_house):
    """Facts that nobody can read any more may have been repayments."""
    async with make_house() as house:
        await house.feed(300)
        await cut(house, DUE_DATES, 5)
        refused = house.service("reminder")
        assert reason_of(refused) == expected(StopReason.HISTORY_CUT)
        house.settings = replace(house.settings, boarded=True)
        house.service("reminder", "boarded")
        house.clock()
        await house.wait_for_tick(PROBE_AT + 1, "reminder")
        assert min(await house.progress(REMINDER)) > PROBE_AT


async def test_history_lost_during_an_outage(make_house):
    """Retention below the offset that is needed next: stop, never jump (800 of 2,000 facts were lost so, silently)."""
    async with make_house() as house:
        await house.feed(200)
        reminder = house.service("reminder")
        clock = house.clock()
        await house.wait_for_tick(PROBE_AT + 1, "reminder")
        assert reminder.kill(signal.SIGTERM) == 0
        await house.feed(200)
        clock.kill()
        await cut(house, DUE_DATES, -1)
        reminder.start()
        assert reason_of(reminder) == expected(StopReason.HISTORY_LOST)


async def test_a_changelog_that_was_lost(make_house):
    """The group has reported more transactions than the changelog holds: stop, do not begin from nothing."""
    async with make_house() as house:
        await house.feed(200)
        reminder = house.service("reminder")
        clock = house.clock()
        await house.wait_for_tick(PROBE_AT + 1, "reminder")
        reminder.kill()
        clock.kill()
        await remake(house, house.settings.changelog(REMINDER))
        reminder.start()
        assert reason_of(reminder) == expected(StopReason.CHANGELOG_LOST)


async def test_a_log_that_is_shorter_than_a_tick_promised(make_house):
    """A barrier beyond the end of the log means that the broker has lost acknowledged records."""
    async with make_house(truncated_seconds=2.0) as house:
        await house.feed(100)
        reminder = house.service("reminder")
        producer = AIOKafkaProducer(bootstrap_servers=house.settings.broker)
        await producer.start()
        value = tick(1_800_000_000_000, {DUE_DATES: 10_000})[1]
        await producer.send_and_wait(house.settings.topic(LOAN_CLOCK), value, partition=0)
        await producer.stop()
        assert reason_of(reminder) == expected(StopReason.LOG_TRUNCATED)
        assert reminder.lines("waiting")[0]["offset"] == 10_000


async def test_a_transaction_that_hangs_on_the_changelog(make_house):
    """Records that nobody will complete hide state: stop before anything is read."""
    async with make_house(visible_seconds=2.0) as house:
        stranger = AIOKafkaProducer(
            bootstrap_servers=house.settings.broker, transactional_id="stranger", transaction_timeout_ms=60_000
        )
        await stranger.start()
        await stranger.begin_transaction()
        await stranger.send_and_wait(house.settings.changelog(REMINDER), b"x", key=b"sL1", partition=0)
        reminder = house.service("reminder")
        found = await asyncio.to_thread(reason_of, reminder)
        await stranger.abort_transaction()
        await stranger.stop()
        assert found == expected(StopReason.HANGING_TRANSACTION)
        reminder.start()
        house.clock()
        await house.wait_for_tick(PROBE_AT + 1, "reminder")
        assert min(await house.progress(REMINDER)) > PROBE_AT


async def test_partitions_added_while_running_stop_time(make_house):
    """A deployment's partition counts never change: keys would move away from their state."""
    async with make_house() as house:
        house.service("reminder")
        clock = house.clock()
        await house.wait_for_tick(PROBE_AT + 1, "reminder")
        more = {house.settings.topic(DUE_DATES): NewPartitions(total_count=5, new_assignments=None)}
        await with_admin(house, lambda admin: admin.create_partitions(more))
        assert await asyncio.to_thread(reason_of, clock) == expected(StopReason.PARTITIONS_CHANGED)


async def test_health_tells_recovery_from_work(make_house):
    """`/readyz` says why not until the partitions are at work, and then what is counted is there to be read."""
    async with make_house(health_address="127.0.0.1:0") as house:
        await house.feed(100)
        reminder = house.service("reminder")
        house.clock()
        await house.wait_for_tick(PROBE_AT + 1, "reminder")
        port = reminder.lines("listening")[0]["port"]

        async def get(path):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            text = (await reader.read()).decode()
            writer.close()
            return text

        assert "200 OK" in await get("/livez")
        assert "200 OK" in await get("/readyz")
        assert 'duecourse_partitions_owned{service="reminder"} 3.0' in await get("/metrics")
        reminder.kill()  # who still speaks may be in the middle of a line
        assert all(json.loads(line) for line in reminder.log.read_text().splitlines() if line.startswith("{"))
