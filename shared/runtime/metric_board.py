"""Where a process keeps its metrics: the catalogue's, made once, counted by constant, never by a name in a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from shared.runtime.metric_catalogue import BUILD, LOG_LINES, LOG_LINES_CUT, Kind, Metric, metrics_of

Vocabularies = Mapping[str, Sequence[str]]
"""By label, or by metric and label (`outputs_total.topic`), the values that it can take; partitions have none."""
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_KINDS: Final[dict[Kind, Any]] = {Kind.COUNTER: Counter, Kind.GAUGE: Gauge}


class Board:
    """The metrics of one process, and their registry. Not a single method formats or looks up more than a tuple."""

    def __init__(self, service: str, build: str = "", vocabularies: Vocabularies | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.service = service
        self.registry = CollectorRegistry()
        self._vocabularies = {"level": LEVELS, **(vocabularies or {})}
        self._children: dict[tuple[Metric, tuple[str, ...]], Any] = {}
        self._made = {metric: self._make(metric) for metric in metrics_of(service)}
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.set(BUILD, 1, build or "unknown")

    def add(self, metric: Metric, amount: float, *labels: str) -> None:
        """Count on."""
        self._child(metric, labels).inc(amount)

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._child(metric, labels).set(value)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Take one observation into a histogram."""
        self._child(metric, labels).observe(value)

    def forget(self, *metrics: Metric) -> None:
        """Drop all series of metrics whose labels no longer apply: those of partitions that went elsewhere."""
        for metric in metrics:
            self._made[metric].clear()
        self._children = {key: child for key, child in self._children.items() if key[0] not in metrics}

    def knows(self, metric: Metric) -> bool:
        """Tell whether this process has the metric."""
        return metric in self._made

    def admits(self, label: str, value: str) -> str:
        """Return the value where the label's vocabulary has it, else `other`: labels stay bounded whatever comes."""
        return value if value in self._vocabularies.get(label, ()) else "other"

    def count_line(self, level: str) -> None:
        """Count a log line."""
        self.add(LOG_LINES, 1, level if level in LEVELS else "error")

    def count_cut_line(self) -> None:
        """Count a line that was one too many of its kind."""
        self.add(LOG_LINES_CUT, 1)

    def value(self, metric: Metric, *labels: str) -> float:
        """Return a series' present value (of a histogram, its count), 0 where there is none: for tests and answers."""
        suffix = "_count" if metric.kind is Kind.HISTOGRAM else ""
        named = dict(zip(("service", *metric.labels), (self.service, *labels), strict=True))
        return self.registry.get_sample_value(metric.full_name + suffix, named) or 0.0

    def _child(self, metric: Metric, labels: tuple[str, ...]) -> Any:
        child = self._children.get((metric, labels))
        if child is None:
            child = self._children[metric, labels] = self._made[metric].labels(self.service, *labels)
        return child

    def _values(self, metric: Metric, label: str) -> Sequence[str]:
        own = self._vocabularies.get(f"{metric.name}.{label}")
        return self._vocabularies.get(label, ()) if own is None else own

    def _make(self, metric: Metric) -> Any:
        names = ("service", *metric.labels)
        if metric.kind is Kind.HISTOGRAM:
            made: Any = Histogram(metric.full_name, metric.text, names, registry=self.registry, buckets=metric.buckets)
        else:
            made = _KINDS[metric.kind](metric.full_name, metric.text, names, registry=self.registry)
        if metric.starts_at_zero:
            for labels in product(*(self._values(metric, label) for label in metric.labels)):
                made.labels(self.service, *labels)
        return made
