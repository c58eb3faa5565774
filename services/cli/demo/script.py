"""What the demo plays: its size, its sixty days, and when something goes wrong on stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.engine.conductor import PlannedSilence
from shared.kernel.zones import DAY_MS, HOUR_MS
from shared.simulation.scenario import Scenario, build_scenario
from shared.simulation.world import Setting

PARTITIONS: Final = 2
"""Of every keyed topic: each adds a transaction per service and hour, and two show all there is to see."""
KILLED: Final = "reminder"
SILENT: Final = "escalation"


@dataclass(frozen=True, slots=True)
class Script:
    """One performance. Instants are simulated; two performances of one seed give the same deterministic report."""

    seed: int = 7
    loans: int = 1_000
    days: int = 60

    @property
    def setting(self) -> Setting:
        """When and how large the world is."""
        return Setting(self.days, loan_partitions=PARTITIONS, borrower_partitions=PARTITIONS)

    @property
    def scenario(self) -> Scenario:
        """Everybody and everything outside duecourse."""
        return build_scenario(self.seed, self.loans, self.setting)

    @property
    def steps(self) -> int:
        """How many ticks there are."""
        setting = self.setting
        return (setting.end_ms - setting.start_ms) // setting.step_ms + 1

    @property
    def repair_ms(self) -> int:
        """When an operator puts right what was sent by mistake (`shared.simulation.scenario` says when that was)."""
        return self._on_day(5, 8)

    @property
    def kill_ms(self) -> int:
        """When a service is killed as by a power cut and its disk wiped."""
        return self._on_day(self.days // 4, 9)

    @property
    def silence(self) -> PlannedSilence:
        """The six hours in which a loan service is down."""
        begins = self._on_day(self.days // 2, 2)
        return PlannedSilence(SILENT, begins, begins + 6 * HOUR_MS)

    def _on_day(self, day: int, hour: int) -> int:
        return self.setting.start_ms + day * DAY_MS + hour * HOUR_MS
