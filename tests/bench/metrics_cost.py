"""What measuring costs: CPU per fact of an epoch loop with and without metrics, interleaved.

`python -m tests.bench.metrics_cost`. The loop runs without Kafka, so the share shown is an upper bound: in a real
process the Kafka client's time comes on top of both sides. Decision lines are written to the null device.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import Any

import structlog

from services.escalation.processor import PROCESSOR
from shared.contract.loans import DUE_DATES
from shared.contract.repayments import REPAYMENTS
from shared.contract.ticks import Tick
from shared.domain.policy import Policy, load_policy
from shared.engine.epoch import Deployment, EpochLoop
from shared.engine.progress import birth
from shared.engine.store import MemoryStore
from shared.engine.topology import Topology
from shared.runtime.metrics import Metrics
from shared.simulation.desk import publication
from shared.simulation.scenario import build_scenario
from shared.simulation.world import Setting
from tests.shared.engine.fold import LogRecord

ROUNDS = 7
LOANS, DAYS = 1_500, 30


@dataclass(frozen=True)
class Record(LogRecord):
    """A record with the append time that a consumer would give it."""

    timestamp: int = 1


def epochs() -> list[tuple[dict[str, list[Any]], int]]:
    """The facts of each tick of one partition, by topic."""
    scenario = build_scenario(7, LOANS, Setting(days=DAYS), mistakes=False)
    lender, setting = scenario.lender(), scenario.setting
    counts: dict[str, int] = {}
    found = []
    for at in range(setting.start_ms, setting.end_ms, setting.step_ms):
        by_topic: dict[str, list[Any]] = {}
        for said in lender.answer(at):
            if said.topic in {DUE_DATES, REPAYMENTS}:
                offset = counts.get(said.topic, 0)
                counts[said.topic] = offset + 1
                by_topic.setdefault(said.topic, []).append(Record(offset, said.key, said.value, said.headers))
        found.append((by_topic, at + setting.step_ms))
    return found


def fold(log: list[tuple[dict[str, list[Any]], int]], policy: Policy, *, measured: bool) -> tuple[float, int]:
    """Return the CPU seconds of folding everything, and how many facts it was."""
    topology = Topology(dict.fromkeys((*PROCESSOR.reads, PROCESSOR.clock, *PROCESSOR.writes), 1))
    deployment = Deployment(topology, {policy.hash: policy})
    loop = EpochLoop(PROCESSOR, deployment, 0, MemoryStore(), birth(PROCESSOR.reads, 0, {}, "bench"))
    metrics = Metrics(PROCESSOR, {policy.hash: policy})
    ends = dict.fromkeys(PROCESSOR.reads, 0)
    facts, began = 0, process_time()
    for number, (by_topic, at) in enumerate(log):
        for topic, records in by_topic.items():
            loop.feed(topic, records)
            ends[topic] += len(records)
            facts += len(records)
        tick = publication(Tick(at=at, barriers=dict(ends), policy=policy.hash), f"t{number}", "/bench", at)
        loop.feed(PROCESSOR.clock, [Record(number, None, tick.value, tick.headers)])
        while (transaction := loop.advance()) is not None:
            origins = metrics.delays.origins(transaction) if measured else {}
            loop.committed(transaction, 0)
            if measured:
                metrics.saw_transaction(transaction, 0.01, epoch_seconds=0.02, origins=origins)
    return process_time() - began, facts


def main() -> None:
    """Print medians and raw rows."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device, not a file of ours
        structlog.configure(
            processors=[structlog.processors.JSONRenderer()],
            logger_factory=structlog.WriteLoggerFactory(file=nowhere),
            wrapper_class=structlog.make_filtering_bound_logger(
                logging.INFO if "--lines" in sys.argv else logging.ERROR
            ),
        )
        log, policy = epochs(), load_policy()
        rows = []
        for _ in range(ROUNDS):
            for measured in (False, True):
                seconds, facts = fold(log, policy, measured=measured)
                rows.append((measured, seconds / facts * 1e6))
    plain, measuring = (median(cost for kind, cost in rows if kind is which) for which in (False, True))
    for measured, cost in rows:
        sys.stdout.write(f"{'with   ' if measured else 'without'} {cost:8.2f} us per fact\n")
    share = (measuring - plain) / plain
    sys.stdout.write(f"median without {plain:.2f}, with {measuring:.2f}: {share:+.1%} ({facts:,} facts a round)\n")


if __name__ == "__main__":
    main()
