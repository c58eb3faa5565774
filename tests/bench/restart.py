"""A service comes back: from the signal until it is ready, and until the next tick is applied everywhere.

The reminder with the state of 20,000 loans, the clock at work beside it. After kill -9 the local store is not trusted,
so a kept disk is recovered from the changelog like a lost one; only after SIGTERM is it taken up where it was.
"""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Final

from shared.contract.topics import CLOCK, REMINDER
from shared.runtime.settings import Settings
from shared.runtime.system_clock import now_ms
from tests.bench.portfolio import FACTS_PER_LOAN, facts, feeder
from tests.bench.processes import House, Member, broker, load

LOANS: Final = 20_000
LOANS_QUICK: Final = 4_000
LOANS_LARGE: Final = 100_000
ROUNDS: Final = 5
ROUNDS_QUICK: Final = 1
FACTS_OF_EACH: Final = 4
WAYS: Final = (
    ("kill -9, disk kept", signal.SIGKILL, False),
    ("kill -9, disk wiped", signal.SIGKILL, True),
    ("SIGTERM, disk kept", signal.SIGTERM, False),
)
PROTOTYPE: Final = "prototype, another machine: ready 2.2 to 3.0 s after kill -9, 1.5 s of it Faust's own start"


@dataclass(frozen=True, slots=True)
class Row:
    """One restart; seconds since the signal."""

    round: int
    way: str
    ended: float
    ready: float
    applied: float
    load: str


async def restart(house: House, member: Member, how: signal.Signals, *, wipe: bool) -> tuple[float, float, float]:
    """Restart the service; return after how many seconds it had ended, was ready, and had applied a new tick."""
    sent = await asyncio.to_thread(house.restart, member, how, wipe=wipe)
    started, known = monotonic(), now_ms()
    await house.ready(member)
    ready = monotonic()
    await house.applied(REMINDER, known)
    return started - sent, ready - sent, monotonic() - sent


async def measure(settings: Settings, folder: Path, loans: int, rounds: int) -> str:
    """Build the state, restart again and again, and report."""
    house = House(settings, folder)
    rows = []
    try:
        await house.create_topics()
        member = house.start(REMINDER, "--log-level", "warning")
        await house.ready(member, house.start(CLOCK, "--gate-on", REMINDER, "--log-level", "warning"))
        of_each = (e for n, e in enumerate(facts(loans * FACTS_PER_LOAN)) if n % FACTS_PER_LOAN < FACTS_OF_EACH)
        async with feeder(settings) as bulk:
            await bulk.send_all(of_each)
        await house.applied(REMINDER, now_ms() + 1000)
        for number in range(1, rounds + 1):
            for way, how, wipe in WAYS:
                before = load()
                rows.append(Row(number, way, *await restart(house, member, how, wipe=wipe), before))
    finally:
        house.close()
    return report(rows, loans)


def report(rows: list[Row], loans: int) -> str:
    """Return raw rows and medians."""
    lines = [f"{loans:,} loans of {FACTS_OF_EACH} facts each; seconds since the signal"]
    lines.append(f"{'round':>5} {'way':<20} {'ended':>6} {'ready':>6} {'next tick applied':>18}")
    lines += [f"{r.round:>5} {r.way:<20} {r.ended:>6.2f} {r.ready:>6.2f} {r.applied:>18.2f}   {r.load}" for r in rows]
    for way, _, _ in WAYS:
        ready = [row.ready for row in rows if row.way == way]
        applied = [row.applied for row in rows if row.way == way]
        lines.append(f"{way}: median ready {median(ready):.2f} s, next tick applied {median(applied):.2f} s")
    lines.append(PROTOTYPE)
    return "\n".join(lines)


def run_large(folder: Path, *, quick: bool) -> str:
    """Measure with five times the state, once each way, and return the report."""
    with broker(folder) as address:
        settings = Settings(broker=address, prefix="restart")
        return asyncio.run(measure(settings, folder / "restart", LOANS if quick else LOANS_LARGE, ROUNDS_QUICK))


def run(folder: Path, *, quick: bool) -> str:
    """Measure in `folder` and return the report."""
    with broker(folder) as address:
        settings = Settings(broker=address, prefix="restart")
        loans, rounds = (LOANS_QUICK, ROUNDS_QUICK) if quick else (LOANS, ROUNDS)
        return asyncio.run(measure(settings, folder / "restart", loans, rounds))
