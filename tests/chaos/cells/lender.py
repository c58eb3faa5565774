"""Lenders whose transactions stay open, or who die in the middle of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer

from shared.contract.repayments import REPAYMENTS
from shared.contract.topics import LOAN_SERVICES
from shared.runtime.system_clock import now_ms
from tests.chaos.cell import Group, Strike, cell, in_wall_time
from tests.chaos.system import PARTITIONS, Broken, System

OPEN_MS_MAX = 180_000
"""Longer than neighbours may take to go on: else the broker aborts it meanwhile, and nobody waits any more."""
DIES_WITHIN_MS = 8_000
NEIGHBOURS_SECONDS = 90.0


def lender_cell(heals: str, **more: Any) -> Callable[[Strike], Strike]:
    """Make the decorated strike a cell that strikes the repayments' topic, and no process."""
    return cell(Group.LENDER, heals=heals, victims=0, claims=frozenset({REPAYMENTS}), **more)


@lender_cell("the transaction is aborted, or committed at last", modes=in_wall_time())
async def open_transaction(system: System, dice: Random) -> None:
    """A lender's transaction stays open on one partition of an input: it waits, and its neighbours go on."""
    partition = dice.randrange(PARTITIONS)
    async with transaction(system, partition, OPEN_MS_MAX) as producer:
        await require_waiting(system, partition)
        await (producer.abort_transaction if dice.random() < 0.7 else producer.commit_transaction)()


@lender_cell("the broker aborts what was left open")
async def lender_dead_in_mid_transaction(system: System, dice: Random) -> None:
    """A lender disappears with a transaction open: everybody waits until the broker has aborted it."""
    async with transaction(system, dice.randrange(PARTITIONS), DIES_WITHIN_MS):
        pass


@asynccontextmanager
async def transaction(system: System, partition: int, timeout_ms: int) -> AsyncIterator[AIOKafkaProducer]:
    """Open a transaction of garbage on one partition of the repayments; leaving the block ends the lender, not it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=system.ground.address,
        transactional_id=f"{system.settings.prefix}-lender-{now_ms()}",
        transaction_timeout_ms=timeout_ms,
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(system.settings.topic(REPAYMENTS), b"{", key=b"nobody", partition=partition)
        yield producer
    finally:
        await producer.stop()


async def require_waiting(system: System, partition: int) -> None:
    """Insist that a new tick passes everywhere but on the partition that waits."""
    since = now_ms()
    neighbours = [p for p in range(PARTITIONS) if p != partition]

    async def neighbours_have_passed() -> bool:
        reported = [await system.progress(service) for service in LOAN_SERVICES]
        return all(ats[p] > since for ats in reported for p in neighbours)

    await system.until(neighbours_have_passed, NEIGHBOURS_SECONDS, "the neighbours of an open transaction go on")
    for service in LOAN_SERVICES:
        at = (await system.progress(service))[partition]
        if at > since:
            raise Broken(f"{service}/{partition} has passed {at} although records before it are open")
