"""Whether a partition makes progress: an assignment alone is no work, and a connection alone brings no records."""

from __future__ import annotations

from typing import Final

from shared.engine.waiting import WAITING_FOR_TICK, Waiting

STUCK_SECONDS: Final = 30.0
"""So long a partition may wait for records or a policy."""
STILL_SECONDS: Final = 60.0
"""So long it may settle nothing: in true time a tick comes every second."""


def obstacle(
    partition: int, waiting: Waiting | None, waited_seconds: float | None, still_seconds: float, *, true_time: bool
) -> str | None:
    """Return why a partition makes no progress, None while it does.

    `waited_seconds` is how long it has waited for anything but a tick, `still_seconds` how long it has settled nothing.
    In simulated time nobody says when the next tick is due.
    """
    if waiting is not None and waiting.what != WAITING_FOR_TICK and (waited_seconds or 0.0) >= STUCK_SECONDS:
        return f"partition {partition} waits for {waiting.what} {waiting.topic}{waiting.policy}"
    if true_time and still_seconds >= STILL_SECONDS:
        what = "no tick comes (clock, or every service before this one), or the broker does not deliver"
        return f"partition {partition} has settled nothing for {still_seconds:.0f} s: {what}"
    return None
