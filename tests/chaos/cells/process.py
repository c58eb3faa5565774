"""Processes that die, are told to end, stand still, come, go and stay away."""

from __future__ import annotations

import asyncio
from random import Random
from signal import SIGKILL, SIGTERM

from tests.chaos.cell import Group, NotMet, cell
from tests.chaos.system import System, at_work

AGAIN = "a supervisor starts it again"


@cell(Group.PROCESS, heals=AGAIN)
async def kill_at_any_moment(system: System, dice: Random) -> None:
    """One service is killed as by a power cut, at any moment; its disk stays."""
    await asyncio.sleep(dice.random())
    member = system.pick(dice)
    if not at_work(member):
        raise NotMet("it was not at work")
    await member.end(SIGKILL)


@cell(Group.PROCESS, heals=AGAIN)
async def told_to_end(system: System, dice: Random) -> None:
    """One service is told to end by SIGTERM at any moment: exit code 0 within the grace period."""
    await asyncio.sleep(dice.random())
    code = await system.pick(dice).end(SIGTERM)
    assert code == 0, f"it ended with {code}"
