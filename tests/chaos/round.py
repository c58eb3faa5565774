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
from tests.chaos.cell import BESIDE_EACH_OTHER, CELLS, Cell, NotMet, Volley, name_of
from tests.chaos.ground import Ground
from tests.chaos.system import PAUSE_SECONDS, TRANSACTION_SECONDS, System
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
    volleys: tuple[str, ...]
    folder: Path
    pause_seconds: float = PAUSE_SECONDS
    met: Counter[str] = field(default_factory=Counter)
    unmet: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    judged: Judged | None = None
    striking: tuple[str, ...] = ()
    """The cells of the present volley, with those that were met beside."""
    took: list[tuple[str, float]] = field(default_factory=list)
    """In seconds, until everybody was at work again: the start, each strike, the end and the verdict."""
    ended: float = 0.0
    """The time of day, in seconds since 1970."""
    seconds: float = 0.0
    load: float = 0.0
    """The machine's load average over the last five minutes of the round."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The names of all cells that were to be struck."""
        return tuple(name for volley in self.volleys for name in volley.split(BESIDE_EACH_OTHER))

    @property
    def blamed(self) -> set[str]:
        """Return the cells that did not pass: those of a failed volley; all that were met, if anything else failed."""
        guilty = {name for failed, _ in self.failures for name in failed.split(BESIDE_EACH_OTHER)}
        return guilty | set(self.met) if guilty - set(CELLS) else guilty

    @property
    def command(self) -> str:
        """The command that plays this round again."""
        volleys = ",".join(self.volleys)
        longer = f" --pause {self.pause_seconds:g}" if self.pause_seconds != PAUSE_SECONDS else ""
        return f"python -m tests.chaos --seed {self.seed} --mode {self.mode.value} --only {volleys} --rounds 1{longer}"


async def play(
    ground: Ground,
    folder: Path,
    seed: int,
    mode: TimeMode,
    volleys: Sequence[Volley],
    *,
    until: float | None = None,
    builds: Mapping[str, list[str]] | None = None,
    pause_seconds: float = PAUSE_SECONDS,
) -> Outcome:
    """Play one round; failures are told in the outcome, not raised.

    No strike begins after `until` (monotonic). `builds` are other programs in place of services, by service;
    `pause_seconds` is how long clocks stand still that do so for long.
    """
    outcome, began = Outcome(seed, mode, tuple(map(name_of, volleys)), folder, pause_seconds), monotonic()
    system = System(ground, folder, f"chaos-{mode.value}-{seed}", mode, seed)
    system.modules |= builds or {}
    system.pause_seconds = pause_seconds
    await _live(system, volleys, until, outcome)
    if outcome.failures:
        await asyncio.sleep(ABORTED_WITHIN_SECONDS)
    await _timed(VERDICT, _judge(system, outcome), outcome)
    outcome.seconds, outcome.ended, outcome.load = monotonic() - began, time(), os.getloadavg()[1]
    return outcome


async def _live(system: System, volleys: Sequence[Volley], until: float | None, outcome: Outcome) -> None:
    """Start the deployment, strike it, and end it."""
    dice = Random(outcome.seed)
    try:
        async with system:
            await _timed("start", system.flow(WARM_SECONDS), outcome)
            for volley in volleys:
                if until is not None and monotonic() > until:
                    break
                await _timed(name_of(volley), strike(system, volley, dice, outcome), outcome)
            outcome.striking = ()
            outcome.failures += [(END, problem) for problem in await _timed(END, system.close(), outcome)]
    except (AssertionError, OSError, BrokerError, BrokerProblem) as error:
        outcome.failures.append((BESIDE_EACH_OTHER.join(outcome.striking) or ROUND, str(error) or repr(error)))


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


async def strike(system: System, volley: Volley, dice: Random, outcome: Outcome) -> None:
    """Put the faults of a volley in at the same time; afterwards everybody must be at work again within the bound."""
    outcome.striking = tuple(one.name for one in volley)
    await system.all_run()
    system.codes = frozenset().union(*(one.codes for one in volley))
    system.struck = set().union(*(one.claims for one in volley))
    strikes = [asyncio.create_task(put_in(system, one, Random(dice.random()), outcome)) for one in volley]
    try:
        await asyncio.gather(*strikes)
    finally:
        for task in strikes:
            task.cancel()
        await asyncio.gather(*strikes, return_exceptions=True)
    await system.flow(max(one.bound_seconds for one in volley))


async def put_in(system: System, one: Cell, dice: Random, outcome: Outcome) -> None:
    """Put one fault in, and count whom it met: its own cell, and others that the same fault met beside."""
    try:
        beside = await one.strike(system, dice)
    except NotMet:
        outcome.unmet[one.name] += 1
        return
    met = (one.name, *(beside or ()))
    outcome.met.update(met)
    outcome.striking = tuple(dict.fromkeys((*outcome.striking, *met)))
