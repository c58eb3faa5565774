"""The one place that asks what time it is. Only the clock service and measurements need to know."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return the wall clock's idea of the time, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def elapsed_ms() -> int:
    """Return milliseconds of the monotonic clock, which nobody can set."""
    return time.monotonic_ns() // 1_000_000
