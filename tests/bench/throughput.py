"""Five interleaved rounds of both sides over the same facts: medians, spread, raw rows.

`python -m tests.bench.throughput [--rounds N] [--facts N]`. Each round has topics of its own; the facts are there
before either side starts, and for ours one tick lies over all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.contract.base import Amounts, Event
from shared.contract.codec import Envelope, encode
from shared.contract.loans import InstalmentScheduled, LoanOpened, LoanTerms, Obligor, Role
from shared.contract.repayments import RepaymentReceived
from shared.contract.ticks import LOAN_CLOCK, Tick, TimeMode
from shared.runtime.local_kafka import LocalKafka
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin
from tests.bench.fold import POLICY, TOPICS

PARTITIONS: Final = 4
FACTS_PER_LOAN: Final = 20
TICK_AT: Final = 1_710_000_000_000
SIDE_SECONDS_MAX: Final = 600
TERMS: Final = LoanTerms(
    lender_id="bench",
    obligors=(Obligor(borrower_id="b1", role=Role.BORROWER),),
    currency="CNY",
    product="term",
    accounting_zone="Asia/Shanghai",
    jurisdiction="CN",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One side in one round."""

    round: int
    side: str
    facts: int
    seconds: float
    cpu_seconds: float

    @property
    def facts_per_second(self) -> float:
        """The pace from the first record at hand to the last one applied."""
        return self.facts / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """Processor time of the process per fact."""
        return 1e6 * self.cpu_seconds / self.facts


def facts(count: int) -> list[tuple[str, bytes, bytes]]:
    """Return `count` facts: for each loan its opening, then instalments and their repayments in turn."""
    found = []
    for number in range(count):
        loan, step = divmod(number, FACTS_PER_LOAN)
        event = _event(f"l{loan}", step)
        value = encode(Envelope(f"e{number}", "/bench", event.TYPE, event, time_ms=TICK_AT))
        found.append((event.TOPICS[0], f"l{loan}".encode(), value))
    return found


def _event(loan_id: str, step: int) -> Event:
    if step == 0:
        return LoanOpened(loan_id=loan_id, terms=TERMS)
    due = date(2024, 1, 15) + timedelta(days=30 * (step // 2))
    name = f"{loan_id}-{step // 2}"
    if step % 2:
        return InstalmentScheduled(
            loan_id=loan_id,
            instalment_id=name,
            due_date=due,
            amounts=Amounts(principal_minor=90_000, interest_minor=1_000),
        )
    return RepaymentReceived(loan_id=loan_id, payment_id=name, amount_minor=91_000, currency="CNY", value_date=due)


async def prepare(settings: Settings, count: int) -> None:
    """Make the topics, publish the facts, and one tick over them."""
    async with TopicAdmin(settings) as admin:
        await admin.create()
    raw = AIOKafkaAdminClient(bootstrap_servers=settings.broker)
    await raw.start()
    naive_changelog = NewTopic(f"{settings.prefix}-naive-loans-changelog", PARTITIONS, 1)
    await raw.create_topics([naive_changelog])
    await raw.close()
    producer: Any = AIOKafkaProducer(bootstrap_servers=settings.broker, linger_ms=20, max_batch_size=512 * 1024)
    await producer.start()
    sent = [
        await producer.send(settings.topic(topic), value, key=key, partition=settings.topology.partition_of(topic, key))
        for topic, key, value in facts(count)
    ]
    await asyncio.gather(*sent)
    for partition, barriers in (await _barriers(settings)).items():
        tick = Tick(at=TICK_AT, barriers=barriers, policy=POLICY)
        value = encode(Envelope(f"t{partition}", "/bench", Tick.TYPE, tick))
        await producer.send_and_wait(settings.topic(LOAN_CLOCK), value, partition=partition)
    await producer.stop()


async def _barriers(settings: Settings) -> Mapping[int, dict[str, int]]:
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=settings.broker)
    await consumer.start()
    places = {(t, p): TopicPartition(settings.topic(t), p) for t in TOPICS for p in range(PARTITIONS)}
    ends = await consumer.end_offsets(list(places.values()))
    await consumer.stop()
    return {p: {t: ends[places[t, p]] for t in TOPICS} for p in range(PARTITIONS)}


def run_side(side: str, number: int, settings: Settings, count: int, folder: Path) -> Row:
    """Run one side in a process of its own over the prepared facts."""
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
        text=True,
        check=False,
        timeout=SIDE_SECONDS_MAX,
    )
    answer = re.search(r'\{"facts".*\}', done.stdout)
    if answer is None:
        raise RuntimeError(f"{side} ended with exit code {done.returncode} and no result: {done.stdout[-2000:]}")
    found = json.loads(answer[0])
    return Row(number, side, found["facts"], found["seconds"], found["cpu_seconds"])


def report(rows: list[Row]) -> str:
    """Return raw rows, medians, spread and the two ratios."""
    lines = [f"{'round':>5} {'side':<6} {'facts/s':>9} {'CPU us/fact':>12}"]
    lines += [f"{r.round:>5} {r.side:<6} {r.facts_per_second:>9.0f} {r.cpu_microseconds:>12.1f}" for r in rows]
    middle = {}
    for side in ("naive", "epoch"):
        pace = sorted(r.facts_per_second for r in rows if r.side == side)
        cpu = sorted(r.cpu_microseconds for r in rows if r.side == side)
        middle[side] = median(pace), median(cpu)
        lines.append(
            f"{side}: median {median(pace):.0f} facts/s ({pace[0]:.0f} to {pace[-1]:.0f}), "
            f"{median(cpu):.1f} us/fact ({cpu[0]:.1f} to {cpu[-1]:.1f})"
        )
    lines.append(f"facts per second: {middle['epoch'][0] / middle['naive'][0]:.1f} times the naive app (aim: 10)")
    lines.append(f"CPU per fact: {middle['naive'][1] / middle['epoch'][1]:.1f} times less than the naive app (aim: 10)")
    return "\n".join(lines)


def main() -> None:
    """Run all rounds and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--facts", type=int, default=60_000)
    given = parser.parse_args()
    rows: list[Row] = []
    with TemporaryDirectory() as name:
        broker = LocalKafka(Path(name) / "kafka", die_with_starter=True)
        address = broker.start()
        try:
            for number in range(1, given.rounds + 1):
                settings = Settings(
                    broker=address,
                    prefix=f"bench{number}",
                    mode=TimeMode.SIMULATED,
                    loan_partitions=PARTITIONS,
                    borrower_partitions=PARTITIONS,
                )
                asyncio.run(prepare(settings, given.facts))
                sides = ("naive", "epoch") if number % 2 else ("epoch", "naive")
                rows += [run_side(side, number, settings, given.facts, Path(name)) for side in sides]
        finally:
            broker.stop()
    sys.stdout.write(report(rows) + "\n")


if __name__ == "__main__":
    main()
