"""How many lines a process may write: a storm of one kind of line is cut, counted and said, and fills no disk.

Each kind of line has a bucket of its own. What is canonical (one line per epoch with content, why a process stopped)
is never cut: its number follows ticks and audits, not what the world sends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from structlog import DropEvent

CANONICAL: Final = frozenset({
    "epoch", "stopped", "starting", "partitions at work", "audited", "promise broken", "uncaught error",
})  # fmt: skip
BURST: Final = 20
PER_SECOND: Final = 1.0
KINDS_MAX: Final = 256
"""Kinds beyond these share one bucket: a library that writes its data into its texts gains nothing by it."""


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_at: float
    suppressed: int = 0


class LineBound:
    """Decides which lines are written. `rates` are lines per second of some kinds, beside that of all others.

    A rate of 0 writes none. A kind may write as many at once as in twenty seconds.
    """

    def __init__(self, rates: Mapping[str, float] | None = None, clock: Callable[[], float] = monotonic) -> None:
        self._rates = dict(rates or {})
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def admits(self, kind: str) -> int | None:
        """Return how many lines of this kind were cut since the last one written; None when this one is cut too."""
        if kind in CANONICAL:
            return 0
        rate = self._rates.get(kind, PER_SECOND)
        bucket = self._bucket(kind, rate)
        now = self._clock()
        bucket.left = min(rate * BURST, bucket.left + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        if bucket.left < 1:
            bucket.suppressed += 1
            return None
        bucket.left -= 1
        cut, bucket.suppressed = bucket.suppressed, 0
        return cut

    def _bucket(self, kind: str, rate: float) -> _Bucket:
        if kind not in self._buckets and len(self._buckets) >= KINDS_MAX:
            kind = ""
        return self._buckets.setdefault(kind, _Bucket(rate * BURST, self._clock()))


class BoundProcessor:
    """The bound for lines of ours, as a step of structlog."""

    def __init__(self, bound: LineBound, cut: Callable[[], None]) -> None:
        self._bound = bound
        self._cut = cut

    def __call__(self, _logger: object, _method: str, event: Any) -> Any:
        """Let the line pass, with the number of those cut before it, or drop it."""
        cut = self._bound.admits(str(event.get("event")))
        if cut is None:
            self._cut()
            raise DropEvent
        if cut:
            event["suppressed"] = cut
        return event


class BoundFilter(logging.Filter):
    """The bound for lines of libraries, by logger and template."""

    def __init__(self, bound: LineBound, cut: Callable[[], None]) -> None:
        super().__init__()
        self._bound = bound
        self._cut = cut

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line is written; note on it how many were cut before it."""
        cut = self._bound.admits(f"{record.name} {record.msg}")
        if cut is None:
            self._cut()
            return False
        if cut:
            record.suppressed = cut
        return True
