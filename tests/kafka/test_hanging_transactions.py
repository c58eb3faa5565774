"""Transactions that nobody will complete: the service stops by name, one command repairs it, nothing is lost."""

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

from shared.contract.recorded import Recorded
from shared.contract.requests import REMINDERS
from shared.contract.ticks import TimeMode
from shared.contract.topics import DEAD_LETTERS, REMINDER
from shared.runtime.stop import StopReason
from tests.kafka.ghost import Ghost, aborted, unguarded
from tests.kafka.house import House
from tests.shared.engine.toy import HOUR_MS, START_MS

pytestmark = pytest.mark.kafka


def ask(house, *arguments):
    """Type `duecourse transactions ...`; return exit code and output."""
    command = [sys.executable, "-m", "services.cli", "transactions", *arguments]
    done = subprocess.run(
        command, env={**os.environ, **house.environment("")}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@asynccontextmanager
async def cut_off(kafka, tmp_path, name):
    """Give a house whose reminder died before a commit, and the records of that transaction, by place."""
    settings = {"mode": TimeMode.SIMULATED, "facts_and_wakes_max": 50, "loan_partitions": 1, "visible_seconds": 2.0}
    async with House(kafka, tmp_path, name, **settings, transaction_timeout_seconds=3.0) as house, unguarded(kafka):
        await house.feed(400)
        reminder = house.service("reminder", DUECOURSE_CRASH_AT="before_commit:12")
        house.service("rate_limiter")
        clock = house.simulated_clock(2_000)
        await house.wait(reminder.ended)
        clock.kill()
        changelog = (house.settings.changelog(REMINDER), 0)
        places = [changelog, *((house.settings.topic(REMINDERS), p) for p in range(2))]
        records = await aborted(kafka, places)
        assert changelog in records
        assert len(records) > 1
        yield house, reminder, changelog, records


async def go_on(house, reminder):
    """Start the reminder and the clock again, and return the verdict a while later."""
    reminder.start(DUECOURSE_CRASH_AT="")
    clock = next(process for process in house.processes if process.service == "clock")
    clock.start()
    at = max(await house.newest_tick(), START_MS)
    await house.wait_for_tick(at + 5 * HOUR_MS, mending=True)
    clock.kill()
    return await house.verdict()


async def stopped(process):
    """Wait until a process has stopped itself; return its exit code and what it says."""
    code = await asyncio.to_thread(process.popen.wait, 60)
    return code, process.lines("stopped")[-1]


@pytest.mark.parametrize(
    "commit", [pytest.param(True, id="committed"), pytest.param(False, id="aborted", marks=pytest.mark.repairs)]
)
async def test_markers_that_were_lost_are_written_as_the_coordinator_decided(kafka, tmp_path, commit):
    """State and outputs hang, the decision is only in the coordinator's log: `complete` does it, once (P1, P2)."""
    async with cut_off(kafka, tmp_path, f"lost-{commit}") as (house, reminder, changelog, records):
        async with Ghost(kafka, f"{house.settings.group(REMINDER)}-0") as ghost:
            await ghost.join(records)
            await ghost.end(commit=commit)
            for place, batch in records.items():
                await ghost.write(place, batch)
        reminder.start(DUECOURSE_CRASH_AT="")
        code, told = await stopped(reminder)
        refused = await asyncio.to_thread(ask, house, "abort", "--yes", "--stores-wiped") if commit else None
        found = await asyncio.to_thread(ask, house, "find")
        rehearsed = await asyncio.to_thread(ask, house, "complete")
        done = await asyncio.to_thread(ask, house, "complete", "--yes")
        assert (done[0], "refused" in done[1]) == (0, False), done[1]
        after = await asyncio.to_thread(ask, house, "find")
        counted = await go_on(house, reminder)
        word = "commit" if commit else "abort"
        assert code == StopReason.HANGING_TRANSACTION.code
        assert "duecourse transactions" in told["advice"]
        assert refused is None or (refused[0], "would be lost" in refused[1]) == (1, True)
        assert found[0] == 1
        assert f"{changelog[0]}/0 from offset" in found[1]
        assert f"the coordinator decided: {word}" in found[1]
        assert (rehearsed[0], f"would write {word} markers" in rehearsed[1]) == (1, True)
        assert (done[0], f"writes {word} markers" in done[1]) == (0, True), done[1]
        assert after == (0, "no transaction hangs\n")
        assert counted["outputs"] > 100


@pytest.mark.repairs
async def test_where_only_outputs_hang_they_are_never_aborted(kafka, tmp_path):
    """The state is committed, the markers of its outputs are lost: the service stops, and `complete` shows them."""
    async with cut_off(kafka, tmp_path, "outputs") as (house, reminder, changelog, records):
        async with Ghost(kafka, f"{house.settings.group(REMINDER)}-0") as ghost:
            await ghost.join(records)
            await ghost.write(changelog, records[changelog])
            await ghost.end(commit=True)
            for place in records.keys() - {changelog}:
                await ghost.write(place, records[place])
        reminder.start(DUECOURSE_CRASH_AT="")
        code, told = await stopped(reminder)
        refused = await asyncio.to_thread(ask, house, "abort", "--yes", "--stores-wiped")
        done = await asyncio.to_thread(ask, house, "complete", "--yes")
        counted = await go_on(house, reminder)
        assert (code, "stands still" in told["detail"]) == (StopReason.HANGING_TRANSACTION.code, True)
        assert (refused[0], "would be lost" in refused[1]) == (1, True)
        assert done[0] == 0, done[1]
        assert counted["outputs"] > 100


@pytest.mark.repairs
async def test_what_nobody_ever_decided_is_aborted_and_the_service_does_it_anew(kafka, tmp_path):
    """A producer that no coordinator knows left records in changelog and outputs: abort, with the stores deleted."""
    async with cut_off(kafka, tmp_path, "stranger") as (house, reminder, _, records):
        ghost = Ghost(kafka, "stranger")
        ghost.producer = (987_654, 0)
        for place, batch in records.items():
            await ghost.write(place, batch)
        reminder.start(DUECOURSE_CRASH_AT="")
        code, _ = await stopped(reminder)
        refused = await asyncio.to_thread(ask, house, "complete", "--yes")
        careless = await asyncio.to_thread(ask, house, "abort", "--yes")
        done = await asyncio.to_thread(ask, house, "abort", "--yes", "--stores-wiped")
        counted = await go_on(house, reminder)
        assert code == StopReason.HANGING_TRANSACTION.code
        assert (refused[0], "nobody ever decided" in refused[1]) == (1, True)
        assert (careless[0], "say --stores-wiped" in careless[1]) == (1, True)
        assert done[0] == 0, done[1]
        assert counted["outputs"] > 100


@pytest.mark.repairs
async def test_a_running_service_is_not_repaired_and_an_open_transaction_is_left_alone(kafka, tmp_path):
    """Markers under a running producer could end what it has just begun; the coordinator ends what it knows."""
    async with House(kafka, tmp_path, "running", loan_partitions=1) as house, unguarded(kafka):
        house.service("reminder")
        clock = house.clock()
        await house.wait_for_tick(START_MS, "reminder")
        clock.kill()
        ghost = Ghost(kafka, "stranger")
        ghost.producer = (987_655, 0)
        place = (house.settings.changelog(REMINDER), 0)
        await ghost.write(place, [Recorded("", 0, 0, b"sL1", b"x", (), 0)])
        refused = await asyncio.to_thread(ask, house, "abort", "--yes", "--stores-wiped")
        async with Ghost(kafka, "lender") as lender:
            letters = (house.settings.topic(DEAD_LETTERS), 0)
            await lender.join([letters])
            await lender.write(letters, [Recorded("", 0, 0, b"k", b"x", (), 0)])
            found = await asyncio.to_thread(ask, house, "find")
            await lender.end(commit=False)
        assert (refused[0], "stop reminder first" in refused[1]) == (1, True), refused[1]
        assert "of a stranger is open, and its coordinator will end it; lender is in state Ongoing" in found[1]
