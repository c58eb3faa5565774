"""One cell of the fault matrix: a fault, how it heals, and where it can be struck; all of them by name.

    @cell(Group.PROCESS, heals="a supervisor starts it again")
    async def kill_at_any_moment(system: System, dice: Random) -> None:
        \"\"\"One service is killed as by a power cut, at any moment; its disk stays.\"\"\"
        await (await system.pick(dice)).end(SIGKILL)

The cell is called `kill-at-any-moment`. A strike puts the fault in and returns when it is over, or healed; whoever
cannot reach the moment that the cell is about raises `NotMet`: such a strike proves nothing and is not counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any

from shared.contract.ticks import TimeMode

if TYPE_CHECKING:
    from tests.chaos.system import System

Strike = Callable[["System", Random], Awaitable[None]]
BOUND_SECONDS = 120.0
"""After the last fault, everybody must have applied a new tick, and all facts below it, within this time."""
ONE_BROKER = "one broker"


class Group(StrEnum):
    """What is struck."""

    PROCESS = "process"
    DISK = "disk"
    BROKER = "broker"
    NETWORK = "network"
    CLOCK = "clock"
    LENDER = "lender"


class NotMet(Exception):
    """The fault was put in, but not at the moment that the cell is about; the strike does not count."""


@dataclass(frozen=True)
class Cell:
    """A fault by name: what it does and how it heals, one sentence each, and where it can be struck.

    `modes` are the kinds of time it makes sense in, `ground` is the name of where it is played (`tests.chaos.ground`).
    `codes` are exit codes that processes may end with besides those that belong to any crash; `bound_seconds` is how
    long after the strike everybody may take to be at work again.
    """

    name: str
    does: str
    heals: str
    group: Group
    strike: Strike
    modes: frozenset[TimeMode] = frozenset(TimeMode)
    ground: str = ONE_BROKER
    codes: frozenset[int] = frozenset()
    bound_seconds: float = BOUND_SECONDS


CELLS: dict[str, Cell] = {}
"""Every cell by name; filled when `tests.chaos.cells` is imported."""


def register(one: Cell) -> None:
    """Add a cell; two of one name are a mistake."""
    assert one.name not in CELLS, f"two cells are called {one.name}"
    CELLS[one.name] = one


def cell(group: Group, *, heals: str, **more: Any) -> Callable[[Strike], Strike]:
    """Make the decorated strike a cell; its name is the function's, what it does is the docstring."""

    def decorate(strike: Strike) -> Strike:
        name = strike.__name__.replace("_", "-")  # type: ignore[attr-defined]
        register(Cell(name, " ".join((strike.__doc__ or "").split()), heals, group, strike, **more))
        return strike

    return decorate


def in_wall_time() -> frozenset[TimeMode]:
    """The kinds of time of a cell that needs a clock in true time."""
    return frozenset({TimeMode.WALL})


def chosen(names: Iterable[str]) -> list[Cell]:
    """Return the cells of these names, all when there are none; raise `ValueError` for a name that nobody has."""
    wanted = list(names)
    unknown = [name for name in wanted if name not in CELLS]
    if unknown:
        raise ValueError(f"no cell is called {', '.join(unknown)}")
    return [CELLS[name] for name in wanted or CELLS]
