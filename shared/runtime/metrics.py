"""What a service process counts, and the one canonical log line per epoch with content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.engine.transaction import EpochSummary, Transaction
from shared.kernel.step import Verdict

PREFIX: Final = "duecourse_"
SECONDS_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one service process. No identifier of a person or loan is ever a label."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self.log: Any = structlog.get_logger("epoch")
        self._applied_at = self._gauge("tick_applied_seconds", "Instant of the last tick applied.", "partition")
        self._partitions = self._gauge("partitions_owned", "Partitions that this process owns.")
        self._facts = self._counter("facts_total", "Input records by what became of them.", "verdict")
        self._wakes = self._counter("wakes_total", "Keys looked at because their instant had come.")
        self._ticks = self._counter("ticks_total", "Ticks applied.")
        self._ignored = self._counter("ticks_ignored_total", "Ticks that did not advance time.")
        self._outputs = self._counter("outputs_total", "Records published.", "topic")
        self._skips = self._counter("skips_total", "Due steps that led to nothing, by reason.", "reason")
        self._dead = self._counter("dead_total", "Records that could not be applied, by reason.", "reason")
        self._transactions = self._counter("transactions_total", "Transactions committed.")
        self._seconds = Histogram(
            PREFIX + "transaction_seconds",
            "From the end of the computation to the local write.",
            registry=self.registry,
            buckets=SECONDS_BUCKETS,
        )
        for verdict in Verdict:
            self._facts.labels(service, verdict.value)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, text, ("service", *labels), registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, ("service", *labels), registry=self.registry)

    def saw_assignment(self, partitions: Sequence[int]) -> None:
        """Take note of the partitions that this process owns now."""
        self._partitions.labels(self.service).set(len(partitions))
        self._applied_at.clear()
        self.log.info("partitions at work", partitions=list(partitions))

    def saw_transaction(self, transaction: Transaction, seconds: float) -> None:
        """Count a transaction that is committed, and say what its epochs contained."""
        service = self.service
        self._applied_at.labels(service, str(transaction.partition)).set(transaction.progress.at / 1000)
        self._ticks.labels(service).inc(transaction.ticks)
        if transaction.ignored_ticks:
            self._ignored.labels(service).inc(transaction.ignored_ticks)
        if not transaction.durable:
            return
        self._transactions.labels(service).inc()
        self._seconds.observe(seconds)
        self._wakes.labels(service).inc(transaction.wakes)
        for (topic, _), outputs in transaction.outputs.items():
            self._outputs.labels(service, topic).inc(len(outputs))
        for epoch in transaction.epochs:
            self._saw_epoch(epoch, transaction)

    def _saw_epoch(self, epoch: EpochSummary, transaction: Transaction) -> None:
        for verdict, count in epoch.facts.items():
            self._facts.labels(self.service, verdict).inc(count)
        for reason, count in epoch.skips.items():
            self._skips.labels(self.service, reason).inc(count)
        for reason, count in epoch.dead.items():
            self._dead.labels(self.service, reason).inc(count)
        self.log.info(
            "epoch",
            at=epoch.at,
            partition=transaction.partition,
            n=transaction.progress.n,
            policy=transaction.progress.policy,
            facts=dict(epoch.facts),
            wakes=epoch.wakes,
            outputs=dict(epoch.outputs),
            skips=dict(epoch.skips),
            dead=dict(epoch.dead),
        )
