"""Five interleaved rounds of both sides over the same facts: medians, spread, raw rows.

Each round has topics of its own; the facts are there before either side starts, and for ours one tick lies over all of
them. The naive side is a stock Faust app with the same codec and the same fold, at-least-once.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.contract.ticks import LOAN_CLOCK, Tick, TimeMode
from shared.runtime.clock_log import TickWriter
from shared.runtime.kafka_offsets import LogEnds
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin
from tests.bench.fold import POLICY, TOPICS
from tests.bench.portfolio import KNOWN_MS, facts, feeder
from tests.bench.processes import broker, load

PARTITIONS: Final = 4
ROUNDS: Final = 5
ROUNDS_QUICK: Final = 2
FACTS: Final = 60_000
FACTS_QUICK: Final = 20_000
SIDE_SECONDS_MAX: Final = 600
SIDES: Final = ("naive", "epoch")
PROTOTYPE: Final = (
    "prototype, another machine: 15,800 facts/s at load 21, 22.8 us CPU per fact (smaller events and state)"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One side in one round."""

    round: int
    side: str
    facts: int
    seconds: float
    cpu_seconds: float
    load: str

    @property
    def facts_per_second(self) -> float:
        """The pace from the first record at hand to the last one applied."""
        return self.facts / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """Processor time of the process per fact."""
        return 1e6 * self.cpu_seconds / self.facts


async def prepare(settings: Settings, count: int) -> None:
    """Make the topics, publish the facts, and one tick over them."""
    async with TopicAdmin(settings) as admin:
        await admin.create()
    raw: Any = AIOKafkaAdminClient(bootstrap_servers=settings.broker)
    await raw.start()
    await raw.create_topics([NewTopic(f"{settings.prefix}-naive-loans-changelog", PARTITIONS, 1)])
    await raw.close()
    async with feeder(settings) as bulk:
        await bulk.send_all(facts(count))
    places = [(settings.topic(topic), p) for topic in TOPICS for p in range(PARTITIONS)]
    async with LogEnds(settings.access, uncommitted=True) as logs:
        ends = await logs.ends(places)
    barriers = {p: {topic: ends[settings.topic(topic), p] for topic in TOPICS} for p in range(PARTITIONS)}
    writer = TickWriter(settings)
    await writer.start()
    await writer.write(LOAN_CLOCK, [(p, Tick(at=KNOWN_MS, barriers=b, policy=POLICY)) for p, b in barriers.items()])
    await writer.stop()


def run_side(side: str, number: int, settings: Settings, count: int, folder: Path) -> Row:
    """Run one side in a process of its own over the prepared facts."""
    before = load()
    environment = {
        **os.environ,
        "BROKER": settings.broker,
        "PREFIX": settings.prefix,
        "FACTS": str(count),
        "PARTITIONS": str(PARTITIONS),
        "FOLDER": str(folder / f"{side}-{number}"),
    }
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{side}_app"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=SIDE_SECONDS_MAX,
    )
    answer = re.search(r'\{"facts".*\}', done.stdout)
    if answer is None:
        raise RuntimeError(f"{side} ended with exit code {done.returncode} and no result: {done.stdout[-2000:]}")
    found = json.loads(answer[0])
    return Row(number, side, found["facts"], found["seconds"], found["cpu_seconds"], before)


def report(rows: list[Row]) -> str:
    """Return raw rows, medians, spread and the two ratios."""
    lines = [f"{'round':>5} {'side':<6} {'facts/s':>9} {'CPU us/fact':>12}"]
    lines += [
        f"{r.round:>5} {r.side:<6} {r.facts_per_second:>9.0f} {r.cpu_microseconds:>12.1f}   {r.load}" for r in rows
    ]
    middle = {}
    for side in SIDES:
        pace = sorted(r.facts_per_second for r in rows if r.side == side)
        cpu = sorted(r.cpu_microseconds for r in rows if r.side == side)
        middle[side] = median(pace), median(cpu)
        lines.append(
            f"{side}: median {median(pace):.0f} facts/s ({pace[0]:.0f} to {pace[-1]:.0f}), "
            f"{median(cpu):.1f} us/fact ({cpu[0]:.1f} to {cpu[-1]:.1f})"
        )
    pairs = [({r.side: r for r in rows if r.round == n}) for n in sorted({r.round for r in rows})]
    faster = [pair["epoch"].facts_per_second / pair["naive"].facts_per_second for pair in pairs]
    cheaper = [pair["naive"].cpu_microseconds / pair["epoch"].cpu_microseconds for pair in pairs]
    by_pace, by_cpu = middle["epoch"][0] / middle["naive"][0], middle["naive"][1] / middle["epoch"][1]
    lines.append(f"facts per second: {by_pace:.1f} times the naive app (aim: 10); {_each_round(faster)}")
    lines.append(f"CPU per fact: {by_cpu:.1f} times less than the naive app (aim: 10); {_each_round(cheaper)}")
    return "\n".join([*lines, PROTOTYPE])


def _each_round(ratios: list[float]) -> str:
    return f"round by round {' '.join(f'{r:.1f}' for r in ratios)}, median {median(ratios):.1f}"


def run(folder: Path, *, quick: bool) -> str:
    """Measure in `folder` and return the report."""
    rows: list[Row] = []
    count = FACTS_QUICK if quick else FACTS
    with broker(folder) as address:
        for number in range(1, (ROUNDS_QUICK if quick else ROUNDS) + 1):
            settings = Settings(
                broker=address,
                prefix=f"bench{number}",
                mode=TimeMode.SIMULATED,
                loan_partitions=PARTITIONS,
                borrower_partitions=PARTITIONS,
            )
            asyncio.run(prepare(settings, count))
            sides = SIDES if number % 2 else tuple(reversed(SIDES))
            rows += [run_side(side, number, settings, count, folder) for side in sides]
    return report(rows)
