"""One round: a deployment of its own on a ground, some strikes one after the other, and the verdict.

A strike that fails ends the round, as a power cut would; what the deployment has said until then is judged all the
same, so that the strikes before it are proved or refuted.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic, time
from typing import TypeVar

from shared.contract.ticks import TimeMode
from shared.runtime.kafka_offsets import BrokerError
from shared.runtime.log_directory import write_log
from shared.runtime.records import BrokerProblem, Deployment, read_records
from shared.simulation.log import RECORDED
from tests.chaos.cell import Cell, NotMet
from tests.chaos.ground import Ground
from tests.chaos.system import TRANSACTION_SECONDS, System
from tests.chaos.verdict import Judged, judge_elsewhere

T = TypeVar("T")
WARM_SECONDS = 180.0
ABORTED_WITHIN_SECONDS = TRANSACTION_SECONDS + 3.0
"""When the broker has aborted what killed processes left open: until then it hides what others have committed."""
ROUND, END, VERDICT = "the round", "the end", "verdict"
"""Who failed where it was no cell."""


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
    took: list[tuple[str, float]] = field(default_factory=list)
    """In seconds, until everybody was at work again: the start, each strike, the end and the verdict."""
    ended: float = 0.0
    """The time of day, in seconds since 1970."""
    seconds: float = 0.0
    load: float = 0.0
    """The machine's load average over the last five minutes of the round."""

    @property
    def blamed(self) -> set[str]:
        """Return the cells that did not pass: one whose strike failed; all that were met, if anything else did."""
        guilty = {name for name, _ in self.failures}
        return guilty | set(self.met) if guilty - set(self.cells) else guilty

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
    system = System(ground, folder, f"chaos-{mode.value}-{seed}", mode, seed)
    system.modules |= builds or {}
    await _live(system, cells, until, outcome)
    if outcome.failures:
        await asyncio.sleep(ABORTED_WITHIN_SECONDS)
    await _timed(VERDICT, _judge(system, outcome), outcome)
    outcome.seconds, outcome.ended, outcome.load = monotonic() - began, time(), os.getloadavg()[1]
    return outcome


async def _live(system: System, cells: Sequence[Cell], until: float | None, outcome: Outcome) -> None:
    """Start the deployment, strike it, and end it."""
    dice, now = Random(outcome.seed), ROUND
    try:
        async with system:
            await _timed("start", system.flow(WARM_SECONDS), outcome)
            for one in cells:
                if until is not None and monotonic() > until:
                    break
                now = one.name
                await _timed(one.name, strike(system, one, dice, outcome), outcome)
            now = ROUND
            outcome.failures += [(END, problem) for problem in await _timed(END, system.close(), outcome)]
    except (AssertionError, OSError, BrokerError, BrokerProblem) as error:
        outcome.failures.append((now, str(error) or repr(error)))


async def _timed(name: str, done: Awaitable[T], outcome: Outcome) -> T:
    began = monotonic()
    try:
        return await done
    finally:
        outcome.took.append((name, monotonic() - began))


async def _judge(system: System, outcome: Outcome) -> None:
    """Keep what was recorded, and judge it."""
    log, place = outcome.folder / "log", Deployment(system.ground.address, system.settings.prefix)
    try:
        write_log(log, [record async for record in read_records(place, RECORDED)])
    except BrokerProblem as problem:
        outcome.failures.append((VERDICT, f"nothing can be judged: {problem}"))
        return
    outcome.judged = await judge_elsewhere(log)
    outcome.failures += [(VERDICT, text) for text in outcome.judged.broken]


async def strike(system: System, one: Cell, dice: Random, outcome: Outcome) -> None:
    """Put one fault in; afterwards everybody must be at work again within the bound."""
    await system.all_run()
    system.codes = one.codes
    try:
        await one.strike(system, dice)
    except NotMet:
        outcome.unmet[one.name] += 1
    else:
        outcome.met[one.name] += 1
    await system.flow(one.bound_seconds)
