"""Links that are cut one way or both, reset, slow or lossy, between one process and its brokers.

Without root, iproute2 or iptables there are no such links: then these cells are left out, by name and loudly.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from shared.contract.topics import CLOCK, SERVICES
from shared.runtime.local_kafka import LocalKafka
from tests.chaos.cell import Group, NotMet, Strike, cell
from tests.chaos.cells.brokers import NOBODY_ANSWERS
from tests.chaos.ground import Ground, ground
from tests.chaos.network import Network, Space, why_not
from tests.chaos.system import System

BEHIND_LINKS = "links"
HEALED = "the link is whole again"
CUTS_SECONDS = (4.0, 9.0, 16.0)
"""Within a session; beyond a session; beyond a transaction."""
BAD_SECONDS = 12.0
BURSTS, BURST_SECONDS = 5, 0.5
LOST_SHARE = 0.3
KILOBITS_PER_SECOND = 256
BOUND_SECONDS = 120.0


def link_cell(**more: Any) -> Callable[[Strike], Strike]:
    """Make the decorated strike a cell where links can be made, and leave it out by name where not."""
    if why_not() is None:
        given = {"ground": BEHIND_LINKS, "codes": NOBODY_ANSWERS, "bound_seconds": BOUND_SECONDS, **more}
        return cell(Group.NETWORK, heals=HEALED, **given)

    def leave_out(strike: Strike) -> Strike:
        name = strike.__name__.replace("_", "-")  # type: ignore[attr-defined]
        sys.stderr.write(f"LEFT OUT: {name}: {why_not()}\n")
        return strike

    return leave_out


@ground(BEHIND_LINKS)
def behind_links(folder: Path) -> Iterator[Ground]:
    """One broker on the address of a bridge, and each process of ours behind a link of its own."""
    with Network() as network:
        broker = LocalKafka(folder, die_with_starter=True, host=network.host)
        try:
            yield Ground(broker.start(), network, wrap=network.wrap, alone=True)
        finally:
            broker.stop()


async def suffer(space: Space, seconds: float) -> None:
    """Leave a link as it is for a while, then heal it; a fault that no packet met does not count."""
    require_hit(await endured(space, seconds))


async def endured(space: Space, seconds: float) -> int:
    """Leave a link as it is for a while, then heal it; return how many packets met the fault."""
    try:
        await asyncio.sleep(seconds)
        return space.packets_hit()
    finally:
        space.heal()


def require_hit(packets: int) -> None:
    """Do not count a strike that met nobody."""
    if not packets:
        raise NotMet("no packet met the fault")


def somebody(system: System, dice: Random) -> Space:
    """Return the link of a service or the clock."""
    return system.ground.hands.spaces_by_name[dice.choice((*SERVICES, CLOCK))]


@link_cell()
async def cut_off(system: System, dice: Random) -> None:
    """Nothing gets through between one process and the broker, for less or more than a session or a transaction."""
    space = somebody(system, dice)
    space.partition()
    await suffer(space, dice.choice(CUTS_SECONDS))


@link_cell()
async def cut_off_from_hearing(system: System, dice: Random) -> None:
    """One process is heard by the broker, but hears nothing from it, not even that it was heard."""
    space = somebody(system, dice)
    space.drop_incoming()
    await suffer(space, dice.choice(CUTS_SECONDS))


@link_cell()
async def cut_off_from_being_heard(system: System, dice: Random) -> None:
    """One process hears the broker, but whatever it sends is lost."""
    space = somebody(system, dice)
    space.drop_outgoing()
    await suffer(space, dice.choice(CUTS_SECONDS))


@link_cell()
async def connections_reset(system: System, dice: Random) -> None:
    """All connections of one process are reset, again and again."""
    space = somebody(system, dice)
    hit = 0
    for _ in range(BURSTS):
        space.reset()
        hit += await endured(space, BURST_SECONDS)
        await asyncio.sleep(dice.random())
    require_hit(hit)


@link_cell()
async def slow_link(system: System, dice: Random) -> None:
    """A quarter of a megabit per second is left to one process, and what waits too long is lost."""
    space = somebody(system, dice)
    space.slow_down(KILOBITS_PER_SECOND)
    await suffer(space, BAD_SECONDS)


@link_cell()
async def lossy_link(system: System, dice: Random) -> None:
    """Three packets of ten get lost on the link of one process, at random."""
    space = somebody(system, dice)
    space.lose(LOST_SHARE)
    await suffer(space, BAD_SECONDS)
