"""What many seeds showed together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from shared.simulation.swarm.crossings import Crossings
from shared.simulation.swarm.judge import Outcome

PROMISES: Final = tuple(f"P{number}" for number in range(1, 9))


@dataclass(slots=True)
class Swarm:
    """The outcomes of seeds from `first` on, added up; `failures` say by seed what broke."""

    first: int
    seeds: int = 0
    records: int = 0
    refused: int = 0
    cases: Counter[str] = field(default_factory=Counter)
    crossings: Crossings = field(default_factory=Crossings.none)
    failures: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    """That went by."""
    busy_seconds: float = 0.0
    """Of a processor."""
    _digests: list[str] = field(default_factory=list)

    def take(self, outcome: Outcome, busy_seconds: float = 0.0) -> None:
        """Add a seed that came to its end."""
        self.seeds += 1
        self.busy_seconds += busy_seconds
        self.records += outcome.records
        self.refused += outcome.refused
        self.cases.update(outcome.cases)
        self.crossings.add(outcome.crossings)
        self._digests.append(outcome.digest)
        if outcome.broken:
            self.failures[outcome.seed] = "; ".join(outcome.broken)

    def take_crash(self, seed: int, error: BaseException) -> None:
        """Add a seed that a core or the engine did not survive."""
        self.seeds += 1
        self.failures[seed] = f"crashed: {type(error).__name__}: {error}"

    @property
    def untried(self) -> list[str]:
        """The promises of which no case was tried."""
        return [promise for promise in PROMISES if not self.cases[promise]]

    @property
    def digest(self) -> str:
        """Of everything that was said in all worlds."""
        return sha256("".join(self._digests).encode()).hexdigest()
