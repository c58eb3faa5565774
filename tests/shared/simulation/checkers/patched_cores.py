"""Cores with one part put wrong: mistakes that small changes make, and that no checker had noticed once."""

from __future__ import annotations

from typing import Any, Final

from services.rate_limiter import desk as gate_desk
from tests.shared.simulation.checkers.mutant import Mutant


def _no(*_: Any) -> bool:
    return False


PATCHED: Final[tuple[Mutant, ...]] = (
    Mutant("what was said is said again when it is asked anew", "P2", instead=(gate_desk.Desk, "_was_said", _no)),
)
