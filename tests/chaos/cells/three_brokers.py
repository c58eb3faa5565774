"""A cluster of three brokers: those with an office killed, all restarted in turn, all killed, one out of reach."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random

from shared.contract.topics import CLOCK, SERVICES
from tests.chaos.cell import Cell, Group, register
from tests.chaos.cells.brokers import BACK, BOUND_SECONDS, LATE_SECONDS, NOBODY_ANSWERS, SOON_SECONDS, broker_cell
from tests.chaos.cells.network import CUTS_SECONDS, link_cell, suffer
from tests.chaos.cluster import Cluster
from tests.chaos.ground import Ground, ground
from tests.chaos.network import Network, why_not
from tests.chaos.system import PARTITIONS, System

THREE_BROKERS = "three brokers"
INTERVALS_MS = (2000,)
"""Four processes of Java beside the services fell behind four ticks a second on two crowded cores."""
TICKS_MAX = 512
"""Four processes of Java leave little of two cores: whoever falls behind is to catch up in few transactions."""


@ground(THREE_BROKERS)
def three_brokers(folder: Path) -> Iterator[Ground]:
    """Three brokers and a controller, everything kept three times; processes behind links, where possible."""
    with ExitStack() as stack:
        network = None if why_not() else stack.enter_context(Network())
        cluster = Cluster(folder, host=network.host) if network else Cluster(folder)
        stack.enter_context(cluster)
        settings = {"replication_factor": 3, "min_insync_replicas": 2, "ticks_max": TICKS_MAX}
        made = Ground(cluster.bootstrap, (cluster, network), settings=settings, alone=True, intervals_ms=INTERVALS_MS)
        if network:
            made.wrap = network.wrap
        yield made


Holders = Callable[[Cluster, System], Awaitable[list[int]]]


async def leaders_of_changelogs(cluster: Cluster, system: System) -> list[int]:
    """Return the brokers that lead a partition of a changelog."""
    topics = [system.settings.changelog(service) for service in SERVICES]
    return [leader for topic in topics for leader in (await cluster.leaders(topic)).values()]


async def coordinators_of_groups(cluster: Cluster, system: System) -> list[int]:
    """Return the brokers that coordinate a service's group."""
    return [await cluster.group_coordinator(system.settings.group(service)) for service in SERVICES]


async def coordinators_of_transactions(cluster: Cluster, system: System) -> list[int]:
    """Return the brokers that decide the transactions of a service's partition."""
    places = [(service, partition) for service in SERVICES for partition in range(PARTITIONS)]
    return [await cluster.transaction_coordinator(system.settings.transactional_id(*place)) for place in places]


OFFICES: dict[str, Holders] = {
    "changelog-leader": leaders_of_changelogs,
    "group-coordinator": coordinators_of_groups,
    "transaction-coordinator": coordinators_of_transactions,
}


async def one_of_three_killed(office: str, system: System, dice: Random) -> list[str]:
    """Kill a broker that has a certain office, and start it again after a while; return the offices that it had."""
    cluster = cluster_of(system)
    holders = {name: await find(cluster, system) for name, find in OFFICES.items()}
    victim = dice.choice(holders[office])
    cluster.kill_broker(victim)
    await asyncio.sleep(dice.choice((SOON_SECONDS, LATE_SECONDS)))
    await back(cluster, victim)
    return [f"{name}-killed" for name, held_by in holders.items() if victim in held_by and name != office]


for office in OFFICES:
    register(
        Cell(
            f"{office}-killed",
            f"Of three brokers the {office.replace('-', ' ')} of some service is killed, for 3 s or for 25 s.",
            BACK,
            Group.BROKER,
            partial(one_of_three_killed, office),
            ground=THREE_BROKERS,
            codes=NOBODY_ANSWERS,
            bound_seconds=BOUND_SECONDS,
        )
    )


@broker_cell("each is in sync again before the next ends", THREE_BROKERS)
async def brokers_restarted_in_turn(system: System, dice: Random) -> None:
    """All three brokers, one after the other in any order, are told to end and started again."""
    cluster = cluster_of(system)
    for number in dice.sample([*cluster.brokers], len(cluster.brokers)):
        await asyncio.to_thread(cluster.stop_broker, number)
        await back(cluster, number)


@broker_cell("all are started again on the same data", THREE_BROKERS)
async def all_brokers_killed(system: System, dice: Random) -> None:
    """All three brokers are killed at the same moment."""
    cluster = cluster_of(system)
    cluster.kill_broker(*cluster.brokers)
    await asyncio.sleep(dice.choice((SOON_SECONDS, LATE_SECONDS)))
    await back(cluster, *cluster.brokers)


async def back(cluster: Cluster, *numbers: int) -> None:
    """Start brokers again and wait until nothing lacks a replica: the next fault is to be a single one."""
    cluster.launch(*numbers)
    await cluster.answering(*numbers)
    await cluster.in_sync()


def cluster_of(system: System) -> Cluster:
    """Return the cluster that a deployment lives on."""
    cluster, _ = system.ground.hands
    return cluster


@link_cell(ground=THREE_BROKERS)
async def cut_off_from_one_of_three(system: System, dice: Random) -> None:
    """One process cannot reach one of three brokers, the leader of a changelog; everybody else can."""
    cluster, network = system.ground.hands
    broker = dice.choice(await leaders_of_changelogs(cluster, system))
    space = network.spaces_by_name[dice.choice((*SERVICES, CLOCK))]
    space.partition(cluster.node(broker).port)
    await suffer(space, dice.choice(CUTS_SECONDS))
