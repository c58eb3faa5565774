"""How long the clock leaves the groups alone in lockstep before it asks again whether they have answered a tick.

Each question costs the broker about as much as an answer. So the first comes when most of the time has passed that the
quicker answers have lately taken, the next ones at a tenth of it: few questions, and hardly any answer kept waiting.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

FIRST_SHARE: Final = 0.6
NEXT_SHARE: Final = 0.1
DOWN: Final = 0.5
UP: Final = 0.05
"""Down at once, up slowly: ticks differ much in what they bring, and a busy one must not keep the idle ones waiting."""
EXPECTED_MS_MAX: Final = 200.0
"""A service that starts anew takes seconds; that says nothing of the next tick."""


class Stage(StrEnum):
    """Which half of a step is waited for."""

    LOAN = "loan"
    BORROWER = "borrower"


class Pacing:
    """Remembers how long the answers to a tick took, by stage. All instants are those of the monotonic clock."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_ms = poll_seconds * 1000
        self._expected_ms = dict.fromkeys(Stage, self._poll_ms)
        self._stage: Stage | None = None
        self._asked_ms = 0

    def asked(self, stage: Stage, elapsed_ms: int) -> None:
        """Take note that the tick of a stage is written."""
        self._stage, self._asked_ms = stage, elapsed_ms

    def answered(self, elapsed_ms: int) -> None:
        """Take note that everybody has answered it."""
        if self._stage is None:
            return
        took, expected = min(elapsed_ms - self._asked_ms, EXPECTED_MS_MAX), self._expected_ms[self._stage]
        self._expected_ms[self._stage] = expected + (took - expected) * (DOWN if took < expected else UP)
        self._stage = None

    def pause_seconds(self, elapsed_ms: int) -> float:
        """Return how long to wait before asking again."""
        if self._stage is None:
            return self._poll_ms / 1000
        expected = self._expected_ms[self._stage]
        first = self._asked_ms + FIRST_SHARE * expected - elapsed_ms
        return max(self._poll_ms, first, NEXT_SHARE * expected) / 1000
