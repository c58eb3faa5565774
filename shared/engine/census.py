"""What a service says of one kept state when all states are counted: for dashboards, never for deciding."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Counted:
    """Adds `amount` to the gauge named `what` (of the runtime's catalogue) with these labels."""

    what: str
    labels: tuple[str, ...] = ()
    amount: int = 1


Count: TypeAlias = Callable[[Any, int, Any], Iterable[Counted]]
"""`count(state, now, policy)`: pure. `now` is the newest tick applied, in epoch milliseconds."""
