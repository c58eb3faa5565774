"""Clocks that die, that are two, that stand still, and whose time of day is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import Any

from shared.contract.topics import CLOCK
from shared.kernel.zones import DAY_MS
from shared.runtime.system_clock import now_ms
from tests.chaos.cell import Group, Strike, cell, in_wall_time
from tests.chaos.cells.process import AGAIN, require_code
from tests.chaos.system import START_SECONDS, Broken, System

STANDBY = "clock-standby"
FALSE_SECONDS = 6.0
TRUE_MS_MAX = 5_000
NOTICED_SECONDS = 40.0


def clock_cell(heals: str, **more: Any) -> Callable[[Strike], Strike]:
    """Make the decorated strike a cell that strikes the clock alone."""
    return cell(Group.CLOCK, heals=heals, victims=0, claims=frozenset({CLOCK}), **more)


@clock_cell(AGAIN)
async def clock_killed(system: System, dice: Random) -> None:
    """The only clock is killed at any moment, or told to end."""
    await asyncio.sleep(dice.random())
    how = dice.choice((SIGKILL, SIGTERM))
    require_code(-SIGKILL if how == SIGKILL else 0, await system.clock.end(how))


@clock_cell("one of them is left")
async def two_clocks(system: System, dice: Random) -> None:
    """Two clocks write at the same time; then one of them is gone, the first or the second."""
    second = await system.add(CLOCK, STANDBY)
    await system.flow(START_SECONDS)
    if dice.random() < 0.5:
        await system.clock.end(SIGKILL)
        await system.flow(START_SECONDS)
    await system.remove(second, dice.choice((SIGTERM, SIGKILL)))


@clock_cell("the standby has taken over, and the first clock is back", modes=in_wall_time())
async def standby_takes_over_after_a_pause(system: System, dice: Random) -> None:
    """A second clock has stood still for long when the first one dies; then it goes on, and must tell the true time."""
    standby = await system.add(CLOCK, STANDBY)
    await asyncio.sleep(dice.random())
    standby.signal(SIGSTOP)
    await asyncio.sleep(system.pause_seconds)
    await system.down(system.clock, SIGKILL)
    standby.signal(SIGCONT)
    await system.flow(START_SECONDS)
    system.clock.start()
    await system.remove(standby, SIGTERM)


@clock_cell("it is continued", modes=in_wall_time())
async def clock_stands_still(system: System, dice: Random) -> None:
    """The only clock stands still for a while, anywhere in its work, and goes on."""
    await asyncio.sleep(dice.random())
    system.clock.signal(SIGSTOP)
    await asyncio.sleep(dice.choice((2.0, system.pause_seconds)))
    system.clock.signal(SIGCONT)


@clock_cell("the time of day is set right again", modes=in_wall_time())
async def time_stepped_by_two_days(system: System, dice: Random) -> None:
    """The time of day of the clock's machine jumps two days forward, or back: no tick may tell it."""
    await falsely(system, dice.choice((2, -2)) * DAY_MS)


@clock_cell("the time of day is set right again, and it is started again", modes=in_wall_time())
async def clock_started_in_false_time(system: System, dice: Random) -> None:
    """A clock is started on a machine whose time of day is two days off: no tick may tell it."""
    await system.down(system.clock, SIGKILL)
    await falsely(system, dice.choice((2, -2)) * DAY_MS, start=True)
    await system.clock.end(SIGKILL)


async def falsely(system: System, by_ms: int, *, start: bool = False) -> None:
    """Let the clock's time of day be wrong until it says so, and a while longer; nobody may apply such a tick."""
    file = system.folder / "step"
    try:
        aside = file.with_suffix(".new")
        aside.write_text(str(by_ms))
        aside.replace(file)
        seen = len(system.clock.said("clock_disagrees"))
        if start:
            system.clock.start()
            seen = 0
        await system.until(
            lambda: len(system.clock.said("clock_disagrees")) > seen, NOTICED_SECONDS, "the clock refuses"
        )
        await asyncio.sleep(FALSE_SECONDS)
        newest = await system.newest()
        if newest > now_ms() + TRUE_MS_MAX:
            raise Broken(f"a tick of a false time was applied: {newest}")
    finally:
        file.unlink(missing_ok=True)
