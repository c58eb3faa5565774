"""One of two instances dies: from kill -9 until every partition decides again, and what stage 2 was told meanwhile.

Two reminders share the partitions of 20,000 loans, the clock writes a tick a second in true time, and the gate follows.
After the kill the broker waits for the session to time out; then the other instance fences, recovers and takes over.
The killed one is started again before the next round.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contract.codec import Envelope, decode
from shared.contract.ticks import BORROWER_CLOCK, PROBE_AT, Tick
from shared.contract.topics import CLOCK, RATE_LIMITER, REMINDER
from shared.runtime.settings import Settings
from shared.runtime.system_clock import now_ms
from tests.bench.portfolio import FACTS_PER_LOAN, facts, feeder
from tests.bench.processes import House, broker, load

LOANS: Final = 20_000
LOANS_QUICK: Final = 2_000
ROUNDS: Final = 5
ROUNDS_QUICK: Final = 1
FACTS_OF_EACH: Final = 4
SETTLE_SECONDS: Final = 15.0
PROTOTYPE: Final = "prototype, another machine: permits resume 6 s after the stop, with a session of 6 s"


async def second_ticks(settings: Settings) -> list[tuple[int, int, int]]:
    """Return partition, instant and append time of every tick of stage 2."""
    name = settings.topic(BORROWER_CLOCK)
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=settings.broker, auto_offset_reset="earliest")
    await consumer.start()
    found = []
    try:
        places = [TopicPartition(name, p) for p in range(settings.borrower_partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    envelope = decode(BORROWER_CLOCK, record.key, record.value, record.headers)
                    if isinstance(envelope, Envelope) and isinstance(envelope.data, Tick):
                        found.append((place.partition, envelope.data.at, record.timestamp))
    finally:
        await consumer.stop()
    return [tick for tick in found if tick[1] > PROBE_AT]


async def measure(settings: Settings, folder: Path, loans: int, rounds: int) -> str:
    """Build the state, kill again and again, and report."""
    house = House(settings, folder)
    rows, seconds = [], []
    try:
        await house.create_topics()
        members = [house.start(REMINDER, "--log-level", "warning", number=n) for n in (1, 2)]
        gate = house.start(RATE_LIMITER, "--log-level", "warning")
        await house.ready(*members, gate, house.start(CLOCK, "--gate-on", REMINDER, "--log-level", "warning"))
        of_each = (e for n, e in enumerate(facts(loans * FACTS_PER_LOAN)) if n % FACTS_PER_LOAN < FACTS_OF_EACH)
        async with feeder(settings) as bulk:
            await bulk.send_all(of_each)
        await house.applied(REMINDER, now_ms() + 1000)
        for number in range(rounds):
            await asyncio.sleep(SETTLE_SECONDS)
            victim, before = members[number % 2], load()
            killed, known = monotonic(), now_ms()
            victim.process.send_signal(signal.SIGKILL)
            victim.process.wait()
            await house.applied(REMINDER, known + 1000, but=victim)
            seconds.append(monotonic() - killed)
            rows.append(f"{number + 1:>5} {seconds[-1]:>10.1f} s   {before}")
            house.start_again(victim)
            await house.ready(victim)
        ages = sorted(appended - at for _, at, appended in await second_ticks(settings))
    finally:
        house.close()
    rows.insert(0, f"two instances, {loans:,} loans, session of {settings.session_timeout_seconds:g} s; kill -9 of one")
    rows.append(f"all partitions decide again after {median(seconds):.1f} s (median of {len(seconds)})")
    rows.append(f"stage 2 was told {len(ages)} ticks, the oldest {ages[-1] / 1000:.1f} s old when it was written")
    return "\n".join([*rows, PROTOTYPE])


def run(folder: Path, *, quick: bool) -> str:
    """Measure in `folder` and return the report."""
    with broker(folder) as address:
        settings = Settings(broker=address, prefix="takeover")
        loans, rounds = (LOANS_QUICK, ROUNDS_QUICK) if quick else (LOANS, ROUNDS)
        return asyncio.run(measure(settings, folder / "takeover", loans, rounds))
