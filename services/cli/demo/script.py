"""What the demo plays: its size, its sixty days, and when something goes wrong on stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.engine.conductor import PlannedSilence
from shared.kernel.zones import DAY_MS, HOUR_MS
from shared.simulation.portfolio import START_MS

SERVICES: Final = ("reminder", "escalation", "credit_report", "rate_limiter")
KILLED: Final = "reminder"
SILENT: Final = "escalation"


@dataclass(frozen=True, slots=True)
class Script:
    """One performance. Instants are simulated; two performances of one seed give the same deterministic report."""

    seed: int = 7
    loans: int = 1_000
    days: int = 60
    start_ms: int = START_MS
    step_ms: int = HOUR_MS
    loan_partitions: int = 2
    borrower_partitions: int = 2

    @property
    def end_ms(self) -> int:
        """The last tick."""
        return self.start_ms + self.days * DAY_MS

    @property
    def steps(self) -> int:
        """How many ticks there are."""
        return (self.end_ms - self.start_ms) // self.step_ms + 1

    def _on_day(self, share: float, hour: int) -> int:
        """The instant at `hour` of the day that lies at `share` of the whole."""
        return self.start_ms + int(self.days * share) * DAY_MS + hour * HOUR_MS

    @property
    def kill_ms(self) -> int:
        """When a service is killed as by a power cut and its disk wiped."""
        return self._on_day(0.2, 9)

    @property
    def silence(self) -> PlannedSilence:
        """The six hours in which a loan service is down."""
        begins = self._on_day(0.4, 2)
        return PlannedSilence(SILENT, begins, begins + 6 * HOUR_MS)

    @property
    def garbage_ms(self) -> int:
        """When somebody sends bytes that nobody can read, and a repayment to the wrong partition."""
        return self._on_day(0.5, 10)

    @property
    def repair_ms(self) -> int:
        """When an operator puts the dead letters right."""
        return self.garbage_ms + 5 * HOUR_MS
