"""Processes that die, are told to end, stand still, come, go and stay away."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random
from signal import SIGCONT, SIGKILL, SIGTERM

from shared.contract.repayments import REPAYMENTS
from shared.contract.topics import LOAN_SERVICES, RATE_LIMITER, SERVICES
from shared.runtime.crash_points import CrashPoint
from shared.runtime.stop import StopReason
from tests.chaos.cell import Cell, Group, NotMet, cell, in_wall_time, register
from tests.chaos.member import CRASH_AT, PAUSE_AT, Member
from tests.chaos.system import PARTITIONS, START_SECONDS, Broken, System, at_work

AGAIN = "a supervisor starts it again"
PASSAGES_MAX = 5
SELDOM_PASSED = {CrashPoint.AFTER_FENCE: PARTITIONS, CrashPoint.AFTER_RECOVERY: 1}
"""Fenced is each partition, recovered are all at once; a lonely instance does neither again."""
DOWN_SECONDS = 15.0
TAKEOVER_SECONDS = 90.0
END_OF_ZOMBIE_SECONDS = 40.0


@cell(Group.PROCESS, heals=AGAIN)
async def kill_at_any_moment(system: System, dice: Random) -> None:
    """One service is killed as by a power cut, at any moment; its disk stays."""
    await asyncio.sleep(dice.random())
    member = system.pick(dice)
    if not at_work(member):
        raise NotMet("it was not at work")
    await member.end(SIGKILL)


async def die_at(point: CrashPoint, system: System, dice: Random) -> None:
    """Start a service so that it dies at a step of its commit sequence, and wait until it does."""
    member = system.pick(dice)
    passage = dice.randint(1, SELDOM_PASSED.get(point, PASSAGES_MAX))
    member.once = {CRASH_AT: f"{point.value}:{passage}"}
    ends = len(member.ends) + 2
    await member.end(SIGKILL)
    await system.until(lambda: len(member.ends) >= ends, START_SECONDS, f"{member.name} dies {point.value}:{passage}")
    if member.ends[-1][1] != -SIGKILL:
        raise NotMet("it ended otherwise")


for point in CrashPoint:
    where = point.value.replace("_", " ")
    register(
        Cell(
            f"die-{point.value.replace('_', '-')}",
            f"One service dies {where}, a step of its commit sequence, at one of its first passages.",
            AGAIN,
            Group.PROCESS,
            partial(die_at, point),
        )
    )


@cell(Group.PROCESS, heals=AGAIN)
async def told_to_end(system: System, dice: Random) -> None:
    """One service is told to end by SIGTERM at any moment: exit code 0 within the grace period."""
    await asyncio.sleep(dice.random())
    code = await system.pick(dice).end(SIGTERM)
    require_code(0, code)


@cell(
    Group.PROCESS, heals="each is at work again before the next is told to end", victims=0, claims=frozenset(SERVICES)
)
async def rolling_restart(system: System, dice: Random) -> None:
    """All services, in any order, are told to end and started again, one after the other."""
    for member in dice.sample(system.services, len(SERVICES)):
        starts = member.starts
        require_code(0, await member.end(SIGTERM))
        await system.until(lambda m=member, n=starts: m.starts > n and at_work(m), START_SECONDS, f"{member.name} back")


@cell(Group.PROCESS, heals="it is continued after another instance has taken over: it must end at once, fenced")
async def zombie(system: System, dice: Random) -> None:
    """A service stands still with a transaction open, for longer than its session lasts; then it wakes up."""
    member = system.pick(dice)
    member.once = {PAUSE_AT: f"before_commit:{dice.randint(1, PASSAGES_MAX)}"}
    starts = member.starts
    await member.end(SIGKILL)
    await system.until(lambda: member.starts > starts and member.is_paused, START_SECONDS, f"{member.name} pauses")
    heir = await system.add(member.service, f"{member.name}-heir")
    await system.flow(TAKEOVER_SECONDS, [member.service])
    ends = len(member.ends)
    member.signal(SIGCONT)
    await system.until(lambda: len(member.ends) > ends, END_OF_ZOMBIE_SECONDS, f"the zombie {member.name} ends")
    if member.ends[ends][1] not in {StopReason.FENCED.code, StopReason.DOUBT.code}:
        raise Broken(f"the zombie ended with {member.ends[ends][1]}\n{member.tail()}")
    require_code(0, await system.remove(heir))


@cell(Group.PROCESS, heals="only the first instance is left, with all partitions")
async def rebalance_storm(system: System, dice: Random) -> None:
    """A service goes from one instance to three and back to one, each by SIGTERM, or as by a power cut."""
    member = system.pick(dice)
    guests = [await system.add(member.service, f"{member.name}-guest-{number}") for number in range(2)]
    dice.shuffle(guests)
    for guest in guests:
        how = dice.choice((SIGTERM, SIGKILL))
        code = await system.remove(guest, how)
        require_code(0 if how == SIGTERM else -SIGKILL, code)


@cell(Group.PROCESS, heals=AGAIN)
async def killed_during_recovery(system: System, dice: Random) -> None:
    """A service that lost its disk is killed while it reads its changelog back."""
    member = system.pick(dice)
    await system.down(member, SIGKILL)
    member.wipe()
    member.start(**{PAUSE_AT: f"after_fence:{dice.randint(1, 2)}"})
    await system.until(lambda: member.is_paused, START_SECONDS, f"{member.name} begins to recover")
    member.signal(SIGCONT)
    await asyncio.sleep(dice.random() / 5)
    recovering = not at_work(member)
    await member.end(SIGKILL)
    if not recovering:
        raise NotMet("it had recovered")


@cell(Group.PROCESS, heals="the instance that is left has all partitions")
async def two_recoveries_within_seconds(system: System, dice: Random) -> None:
    """Two of three instances die within seconds, so that the third takes over, and recovers, twice in a row."""
    member = system.pick(dice)
    first, second = [await system.add(member.service, f"{member.name}-guest-{number}") for number in range(2)]
    before = recoveries(member)
    await system.remove(first, SIGKILL)
    # Whoever dies before the group has noticed the first parting makes one recovery of the two.
    await system.until(lambda: recoveries(member) > before, TAKEOVER_SECONDS, f"{member.name} takes over once")
    await asyncio.sleep(dice.uniform(0.0, 2.0))
    await system.remove(second, SIGKILL)
    await system.flow(TAKEOVER_SECONDS, [member.service])
    if recoveries(member) < before + 2:
        raise NotMet("both partings came as one")


@cell(
    Group.PROCESS,
    heals="it is started again and works off what it missed",
    modes=in_wall_time(),
    claims=frozenset({REPAYMENTS}),  # the others must be able to go on, on all partitions
)
async def down_for_long(system: System, dice: Random) -> None:
    """One service is down for longer than its session and everybody's patience; the others go on."""
    member = system.pick(dice)
    await system.down(member, dice.choice((SIGTERM, SIGKILL)))
    await asyncio.sleep(DOWN_SECONDS)
    await system.flow(TAKEOVER_SECONDS, [name for name in LOAN_SERVICES if name != member.name])
    member.start()


@cell(
    Group.PROCESS,
    heals="it is started again; its open records are aborted by the fence",
    modes=in_wall_time(),
    victims=0,
    claims=frozenset({RATE_LIMITER}),
)
async def limiter_dead_in_mid_transaction(system: System, dice: Random) -> None:
    """The gate dies with a transaction open and stays away; what it left open must not stop the loan services."""
    gate = system.members[RATE_LIMITER]
    await system.down(gate, SIGKILL)
    gate.start(**{CRASH_AT: f"before_commit:{dice.randint(1, PASSAGES_MAX)}"})
    gate.wanted = False
    await system.until(lambda: gate.popen is None, START_SECONDS, "the gate dies in mid-transaction")
    await system.flow(TAKEOVER_SECONDS, LOAN_SERVICES)
    gate.start()


def recoveries(member: Member) -> int:
    """Return how often the present process has got its partitions."""
    return len(member.said("partitions at work"))


def require_code(wanted: int, code: int) -> None:
    """Insist on an exit code."""
    if code != wanted:
        raise Broken(f"a process ended with {code}, not with {wanted}")
