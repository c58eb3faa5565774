"""The shell under faults on a real broker. The verdict is always the same: equal to the fold, byte for byte."""

import asyncio
import random
import signal
from itertools import pairwise

import pytest
import rocksdict

from shared.contract.codec import Envelope, decode
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK, PROBE_AT, TimeMode
from shared.engine.store import due_of
from shared.runtime.crash_points import CrashPoint
from shared.runtime.stop import StopReason
from shared.runtime.store import DUE_PREFIX, due_key
from tests.kafka.house import House
from tests.shared.engine.toy import HOUR_MS, START_MS

pytestmark = pytest.mark.kafka
SIMULATED = {"mode": TimeMode.SIMULATED}


@pytest.fixture
def make_house(kafka, tmp_path, own_name):
    """Return a maker of a house on the session's broker, with topics of its own."""
    return lambda **settings: House(kafka, tmp_path, own_name, **settings)


async def ticks_of(house, topic):
    """Return all ticks on a clock topic, in order of partition and offset."""
    envelopes = [decode(topic, r.key, r.value) for log in (await house.read(topic)).values() for r in log]
    return [e.data for e in envelopes if isinstance(e, Envelope)]


async def test_killed_and_terminated_with_kept_and_wiped_disks(make_house):
    """Twelve times a service or the clock is killed or told to end, disks kept or wiped: no output changes (P2).

    A disk that is filled anew from the changelog holds no instant at which a loan is no longer due.
    """
    async with make_house(**SIMULATED, facts_and_wakes_max=50) as house:
        rnd = random.Random(7)
        await house.feed(800)
        services = [house.service("reminder"), house.service("rate_limiter")]
        clock = house.simulated_clock(2_000)
        await house.wait_for_tick(START_MS, mending=True)
        for number in range(12):
            await house.feed(60)
            victim = clock if number % 4 == 3 else rnd.choice(services)
            how = signal.SIGTERM if number % 3 == 0 else signal.SIGKILL
            victim.restart(how, wipe=victim is not clock and rnd.random() < 0.5)
            await asyncio.sleep(rnd.choice((0.3, 1.0, 2.5)))
            house.mend()
        at = await house.newest_tick()
        await house.wait_for_tick(at + 3 * HOUR_MS, mending=True)
        clock.kill()
        counted = await house.verdict()
        assert counted["outputs"] > 500
        assert counted["facts"] > 1_000
        assert [await _due_after_recovery(house, service) for service in services] == [[], []]


async def _due_after_recovery(house, service):
    """Let a service fill its disk anew from its changelog; return what is due by the disk but not by the states."""
    service.restart(wipe=True)
    await house.wait(lambda: _works(service))
    service.kill()
    read_only, options = rocksdict.AccessType.read_only(), rocksdict.Options(raw_mode=True)
    found = [
        dict(rocksdict.Rdict(str(path), options, access_type=read_only).items()) for path in service.data.rglob("*.db")
    ]
    entries = [(key, due_of(key, value)) for disk in found for key, value in disk.items()]
    due = {due_key(entry) for _, entry in entries if entry is not None}
    assert due
    return sorted(due ^ {key for key, _ in entries if key[:1] == DUE_PREFIX})


async def test_killed_at_every_step_of_the_commit_sequence(make_house):
    """The process dies at each named crash point in turn, and each time goes on where the log says (P2)."""
    async with make_house(**SIMULATED, facts_and_wakes_max=50) as house:
        await house.feed(600)
        reminder = house.service("reminder", DUECOURSE_CRASH_AT="after_begin:3")
        house.service("rate_limiter")
        clock = house.simulated_clock(2_000)
        died = []
        for point in CrashPoint:
            await house.wait(reminder.ended, 60)
            died.append(reminder.popen.wait())
            await house.feed(40)
            passage = 1 if point in {CrashPoint.AFTER_FENCE, CrashPoint.AFTER_RECOVERY} else 4
            reminder.start(DUECOURSE_CRASH_AT=f"{point.value}:{passage}")
        await house.wait(reminder.ended, 60)
        reminder.start(DUECOURSE_CRASH_AT="")
        await house.wait_for_tick(await house.newest_tick() + 3 * HOUR_MS, mending=True)
        clock.kill()
        assert died == [-signal.SIGKILL] * len(CrashPoint)
        assert (await house.verdict())["outputs"] > 200


async def test_a_limiter_dead_in_the_middle_of_a_transaction_does_not_stop_stage_1(make_house):
    """Its open records on loan-contacts hide behind the last stable offset; stage 1 goes on, then it comes back."""
    async with make_house(facts_and_wakes_max=50, transaction_timeout_seconds=60.0) as house:
        await house.feed(600)
        house.service("reminder")
        limiter = house.service("rate_limiter", DUECOURSE_CRASH_AT="before_commit:5")
        clock = house.clock()
        await house.wait(limiter.ended, 120)
        at = await house.newest_tick()
        await house.feed(100)
        await house.wait_for_tick(at + 3_000, "reminder")
        limiter.start(DUECOURSE_CRASH_AT="")
        await house.wait_for_tick(await house.newest_tick())
        clock.kill()
        assert (await house.verdict())["outputs"] > 100


async def test_a_paused_owner_that_wakes_up_after_a_takeover_changes_nothing(make_house):
    """A zombie with an open transaction is fenced: it ends at once, and what it had open is aborted (P2)."""
    async with make_house(facts_and_wakes_max=50) as house:
        await house.feed(600)
        house.service("rate_limiter")
        zombie = house.service("reminder", "zombie", DUECOURSE_PAUSE_AT="before_commit:6")
        clock = house.clock()
        await house.wait(zombie.is_paused, 60)
        await house.feed(300)
        house.service("reminder", "heir")
        at = await house.newest_tick()
        await house.wait_for_tick(at + 8_000, "reminder")
        zombie.popen.send_signal(signal.SIGCONT)
        await house.wait(zombie.ended, 30)
        await house.feed(100)
        await house.wait_for_tick(await house.newest_tick() + 500)
        clock.kill()
        assert zombie.popen.returncode in {StopReason.FENCED.code, StopReason.DOUBT.code}
        assert (await house.verdict())["outputs"] > 100


async def test_an_instance_that_joins_and_leaves(make_house):
    """Partitions move to a second instance and back; nothing is lost and nothing done twice (P1, P2)."""
    async with make_house(facts_and_wakes_max=50) as house:
        await house.feed(500)
        house.service("rate_limiter")
        house.service("reminder", "a")
        clock = house.clock()
        await house.wait_for_tick(PROBE_AT + 1)
        second = house.service("reminder", "b")
        await house.wait(lambda: _works(second), 40)
        await house.feed(300)
        await house.wait_for_tick(await house.newest_tick() + 500)
        second.kill(signal.SIGTERM)
        await house.feed(200)
        await house.wait_for_tick(await house.newest_tick() + 8_000)
        clock.kill()
        assert second.codes == [0]
        assert (await house.verdict())["facts"] > 900


async def _works(process):
    return bool(process.lines("partitions at work"))


def _owned(process):
    """Return the partitions that a process has at work, as it said last."""
    return {partition for line in process.lines("partitions at work")[-1:] for partition in line["partitions"]}


async def _share(one, other):
    """Whether two instances both have partitions, and none in common: the first may have all until the second comes."""
    return bool(_owned(one) and _owned(other)) and _owned(one).isdisjoint(_owned(other))


async def test_two_clocks_and_the_death_of_one(make_house):
    """Two clocks are harmless, and when one dies the other goes on: time never goes back, outputs equal the fold."""
    async with make_house() as house:
        await house.feed(400)
        house.service("reminder")
        house.service("rate_limiter")
        first, second = house.clock("first"), house.clock("second")
        await house.wait_for_tick(PROBE_AT + 1)
        await house.feed(200)
        await asyncio.sleep(2)
        first.kill()
        at = await house.newest_tick()
        await house.wait_for_tick(at + 2_000)
        first.start()
        await house.wait_for_tick(at + 5_000)
        first.kill()
        second.kill()
        assert (await house.verdict())["outputs"] > 50


async def test_a_silent_pair_is_named_deferred_and_comes_back(make_house):
    """While one instance stands still its pairs are silent and the gate waits for them; afterwards nobody is silent.

    It is missed by nobody but the clock: its session and its transaction outlast its sleep, however long that takes.
    """
    async with make_house(session_timeout_seconds=60.0, transaction_timeout_seconds=60.0) as house:
        await house.feed(400)
        house.service("rate_limiter")
        other, still = house.service("reminder", "a"), house.service("reminder", "b")
        clock = house.clock(patience_ms=2_500)
        await house.wait(lambda: _share(other, still), 40)
        await house.wait_for_tick(await house.newest_tick() + 500)
        its_own = {f"reminder/{partition}" for partition in _owned(still)}
        still.popen.send_signal(signal.SIGSTOP)
        await house.feed(100)
        await house.wait(lambda: _have_been_silent(house, its_own))
        still.popen.send_signal(signal.SIGCONT)
        await house.wait_for_tick(await house.newest_tick() + 1_000)
        await house.wait(lambda: _nobody_is_silent(house))
        clock.kill()
        ticks = sorted(await ticks_of(house, BORROWER_CLOCK), key=lambda tick: tick.at)
        assert its_own in [set(tick.silent) for tick in ticks], "its pairs were silent, and those of no other"
        assert ticks[-1].silent == ()
        assert (await house.verdict())["outputs"] > 50


async def _have_been_silent(house, pairs):
    """Whether a tick has called these pairs silent, and no others."""
    return pairs in [set(tick.silent) for tick in await ticks_of(house, BORROWER_CLOCK)]


async def _nobody_is_silent(house):
    """Whether the newest tick calls nobody silent."""
    return max(await ticks_of(house, BORROWER_CLOCK), key=lambda tick: tick.at).silent == ()


async def test_a_stage_1_service_that_was_down_ends_where_it_would_have_been(make_house):
    """It works off its ticks one by one; stage 2 is silent meanwhile and gets only fresh ticks afterwards."""
    async with make_house() as house:
        await house.feed(400)
        reminder = house.service("reminder")
        house.service("rate_limiter")
        clock = house.clock(patience_ms=1_000, freshness_ms=1_000)
        await house.wait_for_tick(PROBE_AT + 1)
        reminder.kill()
        await house.feed(300)
        await house.wait(lambda: _is_stage_2_left_behind(house))
        quiet = len(await ticks_of(house, BORROWER_CLOCK))
        await asyncio.sleep(1)
        assert len(await ticks_of(house, BORROWER_CLOCK)) == quiet, "with everybody silent stage 2 gets no tick"
        reminder.start()
        await house.wait_for_tick(await house.newest_tick() + 1_000)
        clock.kill()
        instants = sorted({tick.at for tick in await ticks_of(house, BORROWER_CLOCK)})
        assert max(b - a for a, b in pairwise(instants)) > 3_000, "the outage left a gap"
        assert (await house.verdict())["outputs"] > 50


async def _is_stage_2_left_behind(house):
    """Whether stage 1 has gone on for long without stage 2."""
    return await house.newest_tick() - await house.newest_tick(BORROWER_CLOCK) > 4_000


async def test_a_service_born_late(make_house):
    """Old facts are applied, old ticks wake nobody, and from its birth on it equals the fold (rule 9)."""
    async with make_house() as house:
        await house.feed(300)
        house.service("rate_limiter")
        clock = house.clock()
        await house.wait(lambda: _has_ticks(house), 40)
        reminder = house.service("reminder")
        await house.feed(100)
        await house.wait_for_tick(await house.newest_tick() + 1_000)
        clock.kill()
        epochs = reminder.lines("epoch")
        woken = [line["at"] for line in epochs if line["wakes"]]
        ticks = sorted(tick.at for tick in await ticks_of(house, LOAN_CLOCK))
        assert woken
        assert min(woken) > ticks[10]
        assert (await house.verdict())["outputs"] > 50


async def _has_ticks(house):
    return len(await ticks_of(house, LOAN_CLOCK)) > 20
