"""One round: a deployment of its own on a ground, some strikes one after the other, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic

from shared.contract.ticks import TimeMode
from shared.runtime.log_directory import write_log
from shared.runtime.records import Deployment, read_records
from shared.simulation.log import RECORDED
from tests.chaos.cell import Cell, NotMet
from tests.chaos.ground import Ground
from tests.chaos.system import System
from tests.chaos.verdict import Judged, judge_elsewhere

WARM_SECONDS = 180.0


@dataclass
class Outcome:
    """What a round showed: how often each cell was met, what failed, and the promises as judged."""

    seed: int
    mode: TimeMode
    cells: tuple[str, ...]
    folder: Path
    met: Counter[str] = field(default_factory=Counter)
    unmet: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    judged: Judged | None = None
    seconds: float = 0.0

    @property
    def command(self) -> str:
        """The command that plays this round again."""
        cells = ",".join(self.cells)
        return f"python -m tests.chaos --seed {self.seed} --mode {self.mode.value} --only {cells} --rounds 1"


async def play(
    ground: Ground,
    folder: Path,
    seed: int,
    mode: TimeMode,
    cells: Sequence[Cell],
    until: float | None = None,
    builds: Mapping[str, list[str]] | None = None,
) -> Outcome:
    """Play one round; failures are told in the outcome, not raised.

    No strike begins after `until` (monotonic). `builds` are other programs in place of services, by service.
    """
    outcome, began = Outcome(seed, mode, tuple(one.name for one in cells), folder), monotonic()
    dice, now = Random(seed), None
    system = System(ground, folder, f"chaos-{mode.value}-{seed}", mode, seed)
    system.modules |= builds or {}
    try:
        async with system:
            await system.flow(WARM_SECONDS)
            for now in cells:
                if until is not None and monotonic() > until:
                    break
                await strike(system, now, dice, outcome)
            now = None
            for problem in await system.close():
                outcome.failures.append(("the end", problem))
            records = [r async for r in read_records(Deployment(ground.address, system.settings.prefix), RECORDED)]
        write_log(folder / "log", records)
        outcome.judged = await judge_elsewhere(folder / "log")
        outcome.failures += [("verdict", text) for text in outcome.judged.broken]
    except (AssertionError, OSError) as error:
        outcome.failures.append((now.name if now else "the round", str(error)))
    outcome.seconds = monotonic() - began
    return outcome


async def strike(system: System, one: Cell, dice: Random, outcome: Outcome) -> None:
    """Put one fault in; afterwards everybody must be at work again within the bound."""
    system.codes = one.codes
    try:
        await one.strike(system, dice)
    except NotMet:
        outcome.unmet[one.name] += 1
    else:
        outcome.met[one.name] += 1
    await system.flow(one.bound_seconds)
