"""The clock's process, as far as it can be asked without a broker."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import chain, repeat

from services.clock import app
from services.clock.app import ClockApp, ClockSettings
from shared.engine.conductor import LoanTick, Plan
from shared.kernel.zones import DAY_MS
from shared.runtime.settings import Settings

NOW = 1_800_000_000_000


class Recording(ClockApp):
    """A clock that writes its ticks down."""

    def __init__(self) -> None:
        super().__init__(Settings(), ClockSettings(plan=Plan(1, 1), policy="p", interval_ms=50))
        self.written: list[int] = []

    async def _probe(self) -> None:
        self._time.saw_append(NOW, app.elapsed_ms(), app.elapsed_ms())

    async def _write_loan(self, due: LoanTick) -> None:
        self.written.append(due.at)
        raise asyncio.CancelledError


def test_a_tick_tells_the_reading_that_was_judged(monkeypatch) -> None:
    """Where the time of day jumps right after it was found to be true, the tick still tells the true time."""
    readings = chain([NOW], repeat(NOW + 2 * DAY_MS))
    monkeypatch.setattr(app, "now_ms", lambda: next(readings))
    clock = Recording()
    with suppress(asyncio.CancelledError):
        asyncio.run(clock._every_interval())
    assert clock.written == [NOW]
