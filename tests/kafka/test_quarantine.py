"""One fact, or one key at a tick, crashes a core: an operator takes it out of the way, and the record tells so."""

import asyncio
import shlex
import subprocess
import sys

import pytest

from shared.contract.loans import DUE_DATES
from shared.contract.ticks import TimeMode
from shared.contract.topics import DEAD_LETTERS
from shared.runtime.records import Deployment, publisher
from shared.runtime.stop import StopReason
from tests.kafka.house import House
from tests.shared.engine.toy import CRASHING_MINOR, CRASHING_WAKE_MINOR, HOUR_MS, START_MS, due

pytestmark = pytest.mark.kafka


async def test_one_poison_fact_is_taken_out_of_the_way_without_a_new_build(kafka, tmp_path):
    """The service names the fact it dies at; quarantined, it is a dead letter and a doubt, and the fold agrees (P8)."""
    async with House(kafka, tmp_path, "quarantine", mode=TimeMode.SIMULATED, facts_and_wakes_max=50) as house:
        await house.feed(300)
        reminder = house.service("reminder")
        house.service("rate_limiter")
        clock = house.simulated_clock(2_000)
        await house.wait_for_tick(START_MS, "reminder")
        place = await poison(house)
        await house.wait(reminder.ended, 60)
        code = reminder.popen.returncode
        told = reminder.lines("stopped")[-1]["detail"]
        await house.feed(100)
        refused = await asyncio.to_thread(quarantine, house, DUE_DATES, str(place[1]), "0")
        asking = asyncio.create_task(asyncio.to_thread(quarantine, house, DUE_DATES, *map(str, place[1:])))
        await asyncio.sleep(2)
        await house.wait(lambda: is_done(asking), 90, mending=True)
        done = await asking
        await house.wait_for_tick(await house.newest_tick() + 3 * HOUR_MS, mending=True)
        clock.kill()
        counted = await house.verdict()
        letters = [dict(letter.headers) for letter in (await house.read(DEAD_LETTERS))[0]]
        quarantined = [letter for letter in letters if letter["duecourse-reason"] == b"quarantined"]
        assert code == StopReason.CORE_CRASHED.code
        assert f"duecourse quarantine reminder {DUE_DATES} {place[1]} {place[2]} --reason" in told
        assert refused.returncode == 2
        assert "has passed that by" in refused.stderr
        assert (done.returncode, done.stderr) == (0, "")
        assert [letter["duecourse-coordinates"].decode() for letter in quarantined] == ["/".join(map(str, place))]
        assert quarantined[0]["duecourse-service"] == b"reminder"
        assert counted["facts"] > 400


async def test_a_key_whose_wake_crashes_is_put_aside_without_a_new_build(kafka, tmp_path):
    """The service names tick and key; what was asked is taken back, the others go on, and the fold agrees (P8)."""
    async with House(kafka, tmp_path, "aside", mode=TimeMode.SIMULATED, facts_and_wakes_max=50) as house:
        await house.feed(300)
        reminder = house.service("reminder")
        house.service("rate_limiter")
        clock = house.simulated_clock(2_000)
        await house.wait_for_tick(START_MS, "reminder")
        await poison(house, "sleeper", CRASHING_WAKE_MINOR)
        await house.wait(reminder.ended, 60)
        code = reminder.popen.returncode
        told = reminder.lines("stopped")[-1]["detail"]
        words = shlex.split(told[told.index("`") :].strip("`"))
        place = words[3:6]
        options = ("--key", words[7], "--hours", "8760")
        asking = asyncio.create_task(asyncio.to_thread(quarantine, house, *place, *options))
        await asyncio.sleep(2)
        await house.feed(100)
        await house.wait(lambda: is_done(asking), 90, mending=True)
        done = await asking
        await house.wait_for_tick(await house.newest_tick() + 3 * HOUR_MS, mending=True)
        reminder.restart(wipe=True)
        await house.wait_for_tick(await house.newest_tick() + 3 * HOUR_MS, mending=True)
        clock.kill()
        counted = await house.verdict()
        letters = [dict(letter.headers) for letter in (await house.read(DEAD_LETTERS))[0]]
        quarantined = [letter for letter in letters if letter["duecourse-reason"] == b"quarantined"]
        assert code == StopReason.CORE_CRASHED.code
        assert words[:3] == ["duecourse", "quarantine", "reminder"]
        assert words[6:8] == ["--key", "sleeper"]
        assert (done.returncode, done.stderr) == (0, "")
        assert [letter["duecourse-coordinates"].decode() for letter in quarantined] == ["/".join((*place, "sleeper"))]
        assert quarantined[0]["duecourse-key"] == b"sleeper"
        assert counted["facts"] > 400


async def poison(house, loan="L7", minor=CRASHING_MINOR):
    """Publish one fact that the toy core cannot bear, at once or when it looks, and return where it lies."""
    key, value = due(loan, 9_999, minor, 0)
    async with publisher(Deployment(house.settings.broker, house.settings.prefix)) as out:
        sent = await (await out.send(DUE_DATES, key, value))
    return DUE_DATES, sent.partition, sent.offset


def quarantine(house, *place):
    """Type the command."""
    options = ["--broker", house.settings.broker, "--prefix", house.settings.prefix, "--reason", "crashes it"]
    command = [sys.executable, "-m", "services.cli", "quarantine", "reminder", *place, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def is_done(task):
    return task.done()
