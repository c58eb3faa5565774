"""Half a million facts under one tick: the peak of a loan service's resident memory, and its pace.

The real reminder runs as a process over topics of simulated time. It is at work when the facts arrive, reads them
ahead as far as its queues allow, and applies them all when the one tick over them comes.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Final

from shared.contract.ticks import LOAN_CLOCK, Tick, TimeMode
from shared.contract.topics import REMINDER
from shared.domain.policy import load_policy
from shared.kernel.zones import HOUR_MS
from shared.runtime.clock_log import TickWriter
from shared.runtime.kafka_offsets import LogEnds
from shared.runtime.settings import Settings
from tests.bench.fold import TOPICS
from tests.bench.portfolio import KNOWN_MS, facts, feeder
from tests.bench.processes import House, broker, load

FACTS: Final = 500_000
FACTS_QUICK: Final = 100_000
PROTOTYPE: Final = "prototype, another machine: 500,400 facts, 70 MiB at rest, peak 180 MiB, 22.8 us CPU per fact"


async def write_tick(settings: Settings, at: int) -> None:
    """Write one tick over everything that lies on the facts' topics, under the real policy."""
    policy = load_policy(None).hash
    places = [(settings.topic(topic), p) for topic in TOPICS for p in range(settings.loan_partitions)]
    async with LogEnds(settings.access, uncommitted=True) as logs:
        ends = await logs.ends(places)
    ticks = [
        (p, Tick(at=at, barriers={topic: ends[settings.topic(topic), p] for topic in TOPICS}, policy=policy))
        for p in range(settings.loan_partitions)
    ]
    writer = TickWriter(settings)
    await writer.start()
    await writer.write(LOAN_CLOCK, ticks)
    await writer.stop()


async def measure(settings: Settings, folder: Path, count: int) -> str:
    """Run the service over the facts and report."""
    house = House(settings, folder)
    try:
        await house.create_topics()
        service = house.start(REMINDER, "--log-level", "warning")
        await house.ready(service)
        await write_tick(settings, KNOWN_MS)
        await house.applied(REMINDER, KNOWN_MS)
        rest = service.memory_mib()
        async with feeder(settings) as bulk:
            await bulk.send_all(facts(count))
        waiting, before, started = service.memory_mib(), service.cpu_seconds, monotonic()
        await write_tick(settings, KNOWN_MS + HOUR_MS)
        await house.applied(REMINDER, KNOWN_MS + HOUR_MS)
        seconds, cpu = monotonic() - started, service.cpu_seconds - before
        peak = service.memory_mib("VmHWM")
    finally:
        house.close()
    return (
        f"{count:,} facts under one tick: {rest:.0f} MiB at rest, {waiting:.0f} with full queues, peak {peak:.0f} MiB\n"
        f"applied in {seconds:.1f} s: {count / seconds:,.0f} facts/s, {1e6 * cpu / count:.1f} us CPU per fact, "
        f"wakes included; {load()}\n{PROTOTYPE}"
    )


def run(folder: Path, *, quick: bool) -> str:
    """Measure in `folder` and return the report."""
    with broker(folder) as address:
        settings = replace(Settings(broker=address, prefix="memory"), mode=TimeMode.SIMULATED)
        return asyncio.run(measure(settings, folder / "memory", FACTS_QUICK if quick else FACTS))
