"""One cell of the fault matrix: a fault, how it heals, and where it can be struck; all of them by name.

    @cell(Group.PROCESS, heals="a supervisor starts it again")
    async def kill_at_any_moment(system: System, dice: Random) -> None:
        \"\"\"One service is killed as by a power cut, at any moment; its disk stays.\"\"\"
        await (await system.pick(dice)).end(SIGKILL)

The cell is called `kill-at-any-moment`. A strike puts the fault in and returns when it is over, or healed; whoever
cannot reach the moment that the cell is about raises `NotMet`: such a strike proves nothing and is not counted. It may
return the names of further cells that the same fault has met: a broker that dies often has several offices.

Faults seldom come one by one: cells that strike different processes can be struck at the same time, as a `Volley`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any

from shared.contract.ticks import TimeMode
from shared.contract.topics import SERVICES

if TYPE_CHECKING:
    from tests.chaos.system import System

Strike = Callable[["System", Random], Awaitable[Iterable[str] | None]]
BOUND_SECONDS = 120.0
"""After the last fault, everybody must have applied a new tick, and all facts below it, within this time."""
ONE_BROKER = "one broker"
BESIDE_EACH_OTHER = "+"
"""Between the names of cells that are struck at the same time."""


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
    long after the strike everybody may take to be at work again. `victims` is how many services it picks by chance,
    `claims` names what it strikes besides: services or whatever else no other fault may touch meanwhile.
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
    victims: int = 1
    claims: frozenset[str] = frozenset()


Volley = tuple[Cell, ...]
"""Cells that are struck at the same time."""

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


def go_together(cells: Sequence[Cell]) -> bool:
    """Whether cells can be struck at the same time: their victims differ, and the ground under them stays whole."""
    if len(cells) < 2:
        return True
    claims = [claim for one in cells for claim in one.claims]
    services_left = len(SERVICES) - sum(claim in SERVICES for claim in claims)
    ground_is_whole = all(one.group not in {Group.BROKER, Group.NETWORK} for one in cells)
    return ground_is_whole and len(set(claims)) == len(claims) and sum(one.victims for one in cells) <= services_left


def volley_of(cells: Iterable[Cell], size: int) -> Volley:
    """Return the first cell, with those after it that go together with it and one another: up to so many."""
    volley: list[Cell] = []
    for one in cells:
        if len(volley) < size and go_together([*volley, one]):
            volley.append(one)
    return tuple(volley)


def name_of(volley: Iterable[Cell]) -> str:
    """Return the names of cells that are struck at the same time, as `chosen` reads them."""
    return BESIDE_EACH_OTHER.join(one.name for one in volley)


def chosen(names: Iterable[str]) -> list[Volley]:
    """Return the cells of these names, all one by one when there are none.

    A name may be several, joined by `+`: these are struck at the same time. Raise `ValueError` for a name that nobody
    has, and for cells that cannot go together.
    """
    wanted = [name.split(BESIDE_EACH_OTHER) for name in names] or [[name] for name in CELLS]
    unknown = [name for together in wanted for name in together if name not in CELLS]
    if unknown:
        raise ValueError(f"no cell is called {', '.join(unknown)}")
    volleys = [tuple(CELLS[name] for name in together) for together in wanted]
    apart = [name_of(volley) for volley in volleys if not go_together(volley)]
    if apart:
        raise ValueError(f"these strike the same: {', '.join(apart)}")
    return volleys
