"""A service's state is computed anew from history: it goes on as if it had never been lost, and repeats nothing."""

import asyncio
import shutil
import signal

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.contract.ticks import TimeMode
from shared.contract.topics import REMINDER
from shared.runtime.rebuild import Irrecoverable
from shared.runtime.rewrite import Rewrite
from shared.runtime.stop import StopReason
from shared.runtime.topics import TopicAdmin
from tests.kafka.house import House
from tests.kafka.toy_upgrade import LATER_LOANS
from tests.shared.engine.toy import GATE, HOUR_MS, LOANS, POLICY, START_MS

pytestmark = pytest.mark.kafka
SETTINGS = {"mode": TimeMode.SIMULATED, "facts_and_wakes_max": 30}


async def plans_of(house):
    """Fold the reminder's history; return the rewrite and its plans."""
    rewrite = Rewrite(house.settings, LOANS, {POLICY: None})
    return rewrite, [plan async for plan in rewrite.plans()]


async def lose_changelog(house):
    """Delete the reminder's changelog and make it anew, empty."""
    changelog = house.settings.changelog(REMINDER)
    admin = AIOKafkaAdminClient(bootstrap_servers=house.settings.broker)
    await admin.start()
    await admin.delete_topics([changelog])
    await admin.close()
    await house.wait(lambda: made(house, changelog), 20)


async def made(house, topic):
    """Make what is missing; whether the topic was among it."""
    async with TopicAdmin(house.settings) as admin:
        return topic in await admin.create()


async def go_on(house, *processes):
    """Start processes again, let time pass, and return the verdict."""
    for process in processes:
        process.start(DUECOURSE_CRASH_AT="")
    clock = next(process for process in house.processes if process.service == "clock")
    at = await house.newest_tick()
    await house.wait_for_tick(at + 5 * HOUR_MS, mending=True)
    clock.kill()
    return await house.verdict()


@pytest.mark.parametrize("lost", ["all", pytest.param("nothing", marks=pytest.mark.repairs)])
async def test_a_lost_changelog_is_rebuilt_and_nothing_is_said_twice(kafka, tmp_path, lost):
    """Dead in the middle of a commit, its changelog gone: rebuilt, the service goes on, outputs equal the fold."""
    async with House(kafka, tmp_path, f"rebuild-{lost}", **SETTINGS) as house:
        await house.feed(600)
        reminder = house.service("reminder", DUECOURSE_CRASH_AT="before_commit:60")
        house.service("rate_limiter")
        clock = house.simulated_clock(2_000)
        await house.wait(reminder.ended)
        with pytest.raises(Irrecoverable, match="rate_limiter runs"):
            await anext(Rewrite(house.settings, GATE, {POLICY: None}).plans())
        clock.kill()
        await house.feed(100)
        # What was said until now cannot be counted yet: the dead one's transaction hides what is behind it.
        until = await house.ends(LOANS.writes[0], uncommitted=True)
        if lost == "all":
            await lose_changelog(house)
            reminder.start(DUECOURSE_CRASH_AT="")
            code = await asyncio.to_thread(reminder.popen.wait, 60)
            told = reminder.lines("stopped")[-1]
            assert code == StopReason.CHANGELOG_LOST.code
            assert "duecourse rebuild" in told["advice"]
        shutil.rmtree(reminder.data, ignore_errors=True)
        await house.wait(lambda: nobody(house))
        rewrite, plans = await plans_of(house)
        for plan in plans:
            await rewrite.write(plan)
        await house.wait(lambda: house.is_visible(LOANS.writes[0]))
        outputs = await house.recorded(LOANS.writes[0])
        clock.start()
        counted = await go_on(house, reminder)
        assert [output for output in outputs if output.offset >= until[output.partition]] == []
        assert [plan.rebuilt.differs for plan in plans] == [False] * 3
        assert sum(plan.rebuilt.dropped for plan in plans) >= len(outputs)
        assert sum(len(plan.rebuilt.records) for plan in plans) > 100
        assert counted["outputs"] > len(outputs) > 300


async def nobody(house):
    """Whether the reminder's group has no members any more, and what it left open is ended."""
    try:
        await plans_of(house)
    except Irrecoverable as error:
        if "members" in str(error) or "is open" in str(error):
            return False
        raise
    return True


@pytest.mark.repairs
async def test_a_newer_build_takes_over_and_an_older_one_goes_back_by_a_rebuild(kafka, tmp_path):
    """States are converted when they are read; the older build refuses what it cannot read, and rebuilds it."""
    async with House(kafka, tmp_path, "upgrade", **SETTINGS) as house:
        await house.feed(400)
        reminder, _ = house.service("reminder"), house.service("rate_limiter")
        clock = house.simulated_clock(2_000)
        await house.wait_for_tick(START_MS + 2 * HOUR_MS)
        assert reminder.kill(signal.SIGTERM) == 0
        await house.feed(100)
        reminder.start(TOY_FORMAT="2")
        await house.wait_for_tick(await house.newest_tick() + 3 * HOUR_MS)
        clock.kill()
        house.processors[REMINDER] = LATER_LOANS
        upgraded = await house.verdict()
        assert reminder.kill(signal.SIGTERM) == 0
        reminder.start(TOY_FORMAT="1")
        code = await asyncio.to_thread(reminder.popen.wait, 60)
        told = reminder.lines("stopped")[-1]
        await house.wait(lambda: nobody(house))
        rewrite, plans = await plans_of(house)
        for plan in plans:
            await rewrite.write(plan)
        house.processors[REMINDER] = LOANS
        reminder.start(TOY_FORMAT="1")
        clock.start()
        await house.wait_for_tick(await house.newest_tick() + 3 * HOUR_MS)
        clock.kill()
        back = await house.verdict()
        assert code == StopReason.UNREADABLE_STATE.code
        assert "states have format 2, this build reads 1" in told["detail"]
        assert "duecourse rebuild" in told["advice"]
        assert not any(plan.rebuilt.differs for plan in plans)
        assert back["outputs"] >= upgraded["outputs"] > 20
