"""A loan service was down for ten hours: how long it takes to work off what it missed, tick by tick.

Ten hours of ticks of one second lie on the clock topic of each of four partitions, 36,000 each, with two facts a second
between them, when the service starts. It goes through every one of them, wakes loans at the ticks at which they were
due, and ends where it would have been. The topics are of simulated time: nobody can wait for ten hours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Final

from shared.contract.base import Event
from shared.contract.ticks import LOAN_CLOCK, Tick, TimeMode
from shared.contract.topics import REMINDER
from shared.domain.policy import load_policy
from shared.kernel.zones import SECOND_MS
from shared.runtime.clock_log import TickWriter
from shared.runtime.kafka_offsets import LogEnds
from shared.runtime.settings import Settings
from tests.bench.fold import TOPICS
from tests.bench.memory import write_tick
from tests.bench.portfolio import KNOWN_MS, facts, feeder
from tests.bench.processes import House, broker, load

HOURS: Final = 10
HOURS_QUICK: Final = 1
FACTS_PER_SECOND: Final = 2
CHUNK_SECONDS: Final = 600
PROTOTYPE: Final = "prototype, another machine: 10 h, 72,000 facts in 9.0 s (load 15), 3.2 s with progress in the state"


async def publish(settings: Settings, hours: int) -> None:
    """Write ticks and facts as a lender and the clock would have written them meanwhile, ten minutes at a time."""
    policy, places = load_policy(None).hash, range(settings.loan_partitions)
    source: Iterator[Event] = facts(hours * 3600 * FACTS_PER_SECOND)
    writer = TickWriter(settings)
    await writer.start()
    async with feeder(settings) as bulk, LogEnds(settings.access, uncommitted=True) as logs:
        for start in range(0, hours * 3600, CHUNK_SECONDS):
            names = [(settings.topic(topic), p) for topic in TOPICS for p in places]
            before = await logs.ends(names)
            await bulk.send_all(islice(source, CHUNK_SECONDS * FACTS_PER_SECOND))
            after = await logs.ends(names)
            ticks = []
            for second in range(CHUNK_SECONDS):
                at = KNOWN_MS + (1 + start + second) * SECOND_MS
                share = (second + 1) / CHUNK_SECONDS
                for p in places:
                    barriers = {}
                    for topic in TOPICS:
                        place = settings.topic(topic), p
                        barriers[topic] = before[place] + int(share * (after[place] - before[place]))
                    ticks.append((p, Tick(at=at, barriers=barriers, policy=policy)))
            await writer.write(LOAN_CLOCK, ticks)
    await writer.stop()


async def measure(settings: Settings, folder: Path, hours: int) -> str:
    """Let the service be born, stop it, let the hours pass, start it again, and report."""
    house = House(settings, folder)
    try:
        await house.create_topics()
        service = house.start(REMINDER, "--log-level", "warning")
        await house.ready(service)
        await write_tick(settings, KNOWN_MS)
        await house.applied(REMINDER, KNOWN_MS)
        service.process.terminate()
        await asyncio.to_thread(service.process.wait)
        await publish(settings, hours)
        before, started = load(), monotonic()
        house.start_again(service)
        await house.ready(service)
        ready, cpu_ready = monotonic(), service.cpu_seconds
        await house.applied(REMINDER, KNOWN_MS + hours * 3600 * SECOND_MS)
        seconds, cpu = monotonic() - started, service.cpu_seconds
        peak = service.memory_mib("VmHWM")
    finally:
        house.close()
    ticks = hours * 3600 * settings.loan_partitions
    return (
        f"{hours} h of ticks of 1 s, {settings.loan_partitions} partitions, {hours * 3600 * FACTS_PER_SECOND:,} facts; "
        f"{before} at the start\nworked off {seconds:.1f} s after its start (ready after {ready - started:.1f} s): "
        f"{ticks / seconds:,.0f} partition-ticks/s, {1e6 * cpu / ticks:.0f} us CPU each, start included "
        f"({cpu_ready:.1f} s of CPU until ready), peak {peak:.0f} MiB\n{PROTOTYPE}"
    )


def run(folder: Path, *, quick: bool) -> str:
    """Measure in `folder` and return the report."""
    with broker(folder) as address:
        settings = replace(Settings(broker=address, prefix="outage"), mode=TimeMode.SIMULATED)
        return asyncio.run(measure(settings, folder / "outage", HOURS_QUICK if quick else HOURS))
