"""Named places where a test can make the process die as if by kill -9, or stand still as if paused.

`DUECOURSE_CRASH_AT=before_commit:3` dies at the third passage, `DUECOURSE_PAUSE_AT=...` stops until continued.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from enum import StrEnum
from typing import Final

_CRASH: Final = "DUECOURSE_CRASH_AT"
_PAUSE: Final = "DUECOURSE_PAUSE_AT"


class CrashPoint(StrEnum):
    """The steps of the commit sequence between which a process may die."""

    AFTER_FENCE = "after_fence"
    AFTER_RECOVERY = "after_recovery"
    AFTER_BEGIN = "after_begin"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    AFTER_STORE = "after_store"
    BEFORE_REPORT = "before_report"
    AFTER_REPORT = "after_report"


class CrashPoints:
    """Counts passages; does nothing unless the environment names a point."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        given = dict(os.environ) if environment is None else environment
        self._crash = _parse(given.get(_CRASH))
        self._pause = _parse(given.get(_PAUSE))
        self._passages: Counter[str] = Counter()
        self.armed = self._crash is not None or self._pause is not None

    def pass_by(self, point: CrashPoint) -> None:
        """Die or pause here, if this passage is the one that was named."""
        if not self.armed:
            return
        self._passages[point] += 1
        here = (point.value, self._passages[point])
        if here == self._crash:
            os.kill(os.getpid(), signal.SIGKILL)
        if here == self._pause:
            os.kill(os.getpid(), signal.SIGSTOP)


def _parse(text: str | None) -> tuple[str, int] | None:
    if not text:
        return None
    name, _, passage = text.partition(":")
    return CrashPoint(name).value, int(passage or 1)
