"""A mistake, and the world in which it is seen."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from shared.engine.processor import Processor
from shared.simulation.service import Instance
from tests.shared.simulation.stage import PROCESSORS, play

Build = tuple[Processor[Any], ...]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake: the promise that it breaks, and the world in which it is seen."""

    title: str
    promise: str
    processors: Build = PROCESSORS
    shell: type[Instance] = Instance
    loans: int = 14
    days: int = 26
    instead: tuple[object, str, object] | None = None
    """What is put in the place of a part of a core: whose part, its name, and the broken one."""

    def caught_by(self) -> tuple[str, ...]:
        """Play it, and return the promises whose checkers found violations."""
        with nullcontext() if self.instead is None else patch.object(*self.instead):
            played = play(loans=self.loans, days=self.days, processors=self.processors, instance=self.shell)
            return tuple(sorted(played.broken()))
