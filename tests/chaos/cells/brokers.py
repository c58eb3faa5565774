"""The only broker there is: restarted, killed or paused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from signal import SIGTERM
from typing import Any

from services.cli import EXIT_USER_ERROR
from shared.runtime.local_kafka import LocalKafka
from tests.chaos.cell import Cell, Group, NotMet, Strike, cell, register
from tests.chaos.ground import Ground, ground
from tests.chaos.system import Broken, System

LONELY_BROKER = "lonely broker"
SOON_SECONDS, LATE_SECONDS = 3.0, 25.0
PAUSES_SECONDS = (8.0, 20.0, 40.0)
"""Beyond a session; beyond a transaction; beyond every deadline."""
BOUND_SECONDS = 150.0
"""A broker needs some time of its own before anybody can be at work again."""
BACK = "it is started again on the same data"
NOBODY_ANSWERS = frozenset({EXIT_USER_ERROR})
"""How a process ends that is started where no broker answers; it is started again until one does."""


@ground(LONELY_BROKER)
def lonely_broker(folder: Path) -> Iterator[Ground]:
    """One real Kafka for one deployment alone: what strikes it strikes everybody."""
    broker = LocalKafka(folder, die_with_starter=True)
    try:
        yield Ground(broker.start(), broker, alone=True)
    finally:
        broker.stop()


def broker_cell(heals: str, where: str, **more: Any) -> Callable[[Strike], Strike]:
    """Make the decorated strike a cell in which processes may be started while no broker answers."""
    return cell(Group.BROKER, heals=heals, ground=where, codes=NOBODY_ANSWERS, bound_seconds=BOUND_SECONDS, **more)


async def away(end: Callable[[LocalKafka], bool], seconds: float, system: System, dice: Random) -> None:
    """End the only broker, leave it away for a while, and start it again."""
    broker: LocalKafka = system.ground.hands
    await asyncio.sleep(dice.random())
    await asyncio.to_thread(end, broker)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(broker.start)


for how, end in (("stopped", LocalKafka.stop), ("killed", LocalKafka.kill)):
    for seconds in (SOON_SECONDS, LATE_SECONDS):
        register(
            Cell(
                f"broker-{how}-for-{seconds:.0f}-s",
                f"The only broker is {how} {'as by a power cut' if how == 'killed' else 'as an operator does'}, "
                f"and stays away for {seconds:.0f} s.",
                BACK,
                Group.BROKER,
                partial(away, end, seconds),
                ground=LONELY_BROKER,
                codes=NOBODY_ANSWERS,
                bound_seconds=BOUND_SECONDS,
            )
        )


@broker_cell("it goes on", LONELY_BROKER)
async def broker_paused(system: System, dice: Random) -> None:
    """The only broker stands still, its connections open, for longer than a session, a transaction or any deadline."""
    broker: LocalKafka = system.ground.hands
    broker.pause()
    try:
        await asyncio.sleep(dice.choice(PAUSES_SECONDS))
    finally:
        broker.resume()


@broker_cell(BACK, LONELY_BROKER)
async def told_to_end_without_a_broker(system: System, dice: Random) -> None:
    """All services are told to end while the only broker is gone: each does so within the grace period."""
    broker: LocalKafka = system.ground.hands
    await asyncio.sleep(dice.random())
    await asyncio.to_thread(broker.kill)
    try:
        await asyncio.sleep(dice.uniform(0.0, SOON_SECONDS))
        running = [member for member in system.services if member.runs]
        await asyncio.gather(*(member.end(SIGTERM) for member in running))
        late = [member.name for member in running if member.overstayed]
        if late:
            raise Broken(f"{', '.join(late)} outstayed the grace period")
    finally:
        await asyncio.to_thread(broker.start)
    if not running:
        raise NotMet("nobody was running")
