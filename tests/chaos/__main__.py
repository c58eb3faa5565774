"""Chaos on a real Kafka: `python -m tests.chaos [--minutes 20] [--only CELL,...] [--seed N] [--list] [--record]`.

Rounds of strikes against the five real services, several rounds side by side, each with a verdict. Faults of different
processes are put in at the same time (`--abreast`). A round that fails keeps its folder, which holds logs and the
recorded topics, and names the command that plays it again. Exit code 1 when a verdict failed, or when a promise was
never tried.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from time import monotonic, time

import tests.chaos.cells  # noqa: F401 - registers all cells
from shared.contract.ticks import TimeMode
from shared.simulation.checkers import PROMISES
from tests.chaos.cell import CELLS, Volley, chosen, name_of, volley_of
from tests.chaos.ground import GROUNDS, Ground
from tests.chaos.ledger import Ledger, add_counts, kafka_version, read_ledger, record
from tests.chaos.round import Outcome, play
from tests.chaos.system import PAUSE_SECONDS
from tests.chaos.table import write_page

STRIKES = 8
SHOWN_MAX = 8
BESIDE = 2
ABREAST = 2
SECONDS_OF_A_ROUND = 100.0


class Run:
    """All rounds of one run on one ground after the other; `ledger` is what decides which cells come next."""

    def __init__(self, given: argparse.Namespace, folder: Path, ledger: Ledger) -> None:
        self.given, self.folder, self.ledger = given, folder, ledger
        self.outcomes: list[Outcome] = []
        self.seed = given.seed if given.seed is not None else int(time())
        self.chance = Random(self.seed)
        self._planned = Counter({name: count.clean for name, count in ledger.cells.items()})

    async def on(self, ground: Ground, asked: list[Volley], seconds: float) -> None:
        """Play rounds beside each other until the time is over, or as many as were asked for."""
        until = monotonic() + seconds
        rounds = iter(range(self.given.rounds or sys.maxsize))
        beside = 1 if ground.alone else min(self.given.beside, self.given.rounds or self.given.beside)
        await asyncio.gather(*(self._rounds(ground, asked, rounds, until) for _ in range(beside)))

    async def _rounds(self, ground: Ground, asked: list[Volley], rounds: Iterable[int], until: float) -> None:
        for number in rounds:
            late = monotonic() > until - SECONDS_OF_A_ROUND
            if late and not self.given.rounds and self.outcomes:
                return
            mode, following = self._plan(asked)
            seed, self.seed = self.seed, self.seed + 1
            folder = self.folder / f"round-{seed}-{number}"
            say(f"round {seed} ({mode.value}): {', '.join(map(name_of, following))}")
            end, pause = None if self.given.rounds else until, self.given.pause
            outcome = await play(ground, folder, seed, mode, following, until=end, pause_seconds=pause)
            self._has_played(outcome)
            if self.given.record:
                record([outcome])
                write_page()
            tell(outcome)

    def _plan(self, asked: list[Volley]) -> tuple[TimeMode, list[Volley]]:
        """Choose the kind of time, and those cells that were met least; asked for rounds, take them as named."""
        cells = [one for volley in asked for one in volley]
        modes = [TimeMode(self.given.mode)] if self.given.mode else [*TimeMode]
        modes = [mode for mode in modes if any(mode in one.modes for one in cells)]
        if self.given.rounds and self.given.mode:
            return modes[0], asked
        weights = [sum(1 / (1 + self._planned[one.name]) for one in cells if mode in one.modes) for mode in modes]
        mode = self.chance.choices(modes, weights)[0]
        possible = [one for one in cells if mode in one.modes]
        following: list[Volley] = []
        while len(following) < self.given.strikes:
            self.chance.shuffle(possible)
            least = sorted(possible, key=lambda one: self._planned[one.name])
            following.append(volley_of(least, self.given.abreast))
            self._planned.update(one.name for one in following[-1])
        return mode, following

    def _has_played(self, outcome: Outcome) -> None:
        """Count what a round really met; what was only planned is planned again."""
        self.outcomes.append(outcome)
        self._planned.subtract(outcome.cells)
        self._planned.update({name: met for name, met in outcome.met.items() if name not in outcome.blamed})


def tell(outcome: Outcome) -> None:
    """Say how a round ended; keep its folder only if something failed."""
    met = ", ".join(f"{name} {count}" for name, count in sorted(outcome.met.items()))
    missed = ", ".join(sorted(outcome.unmet)) or "none"
    say(f"round {outcome.seed}: {outcome.seconds:.0f} s, met: {met}; not met: {missed}")
    say(f"  seconds by strike: {', '.join(f'{name} {seconds:.0f}' for name, seconds in outcome.took)}")
    if not outcome.failures:
        shutil.rmtree(outcome.folder, ignore_errors=True)
        return
    told = outcome.folder / "failures.txt"
    told.write_text("\n\n".join(f"FAILED {name}: {what}" for name, what in outcome.failures))
    for name, what in outcome.failures[:SHOWN_MAX]:
        say(f"FAILED {name}: {what.splitlines()[0]}")
    say(f"its folder: {outcome.folder}\nplay it again: {outcome.command}")


def never_tried(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the promises for which no round found anything to judge."""
    judged = [outcome.judged.tried for outcome in outcomes if outcome.judged]
    return [promise for promise in PROMISES if not any(tried.get(promise) for tried in judged)]


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def options() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="when to begin no further round")
    parser.add_argument("--rounds", type=int, default=0, help="play this many rounds instead")
    parser.add_argument("--seed", type=int, help="of the first round; by default one that nobody had")
    parser.add_argument("--mode", choices=[mode.value for mode in TimeMode], help="one kind of time only")
    parser.add_argument("--only", default="", metavar="CELL,...", help="these, A+B at the same time")
    parser.add_argument("--beside", type=int, default=BESIDE, help="rounds beside each other on one broker")
    parser.add_argument("--strikes", type=int, default=STRIKES, help="how many in a round")
    parser.add_argument("--abreast", type=int, default=ABREAST, help="faults of different processes in one strike")
    parser.add_argument("--pause", type=float, default=PAUSE_SECONDS, help="seconds for which clocks stand still")
    parser.add_argument("--list", action="store_true", help="name the cells and end")
    parser.add_argument("--record", action="store_true", help="add the counts to docs/reliability/counts.json")
    parser.add_argument("--add-counts", type=Path, metavar="FILE", help="add those of such a file there, and end")
    return parser.parse_args()


def main() -> int:
    """Run, and return the exit code."""
    given = options()
    if given.list:
        for one in CELLS.values():
            say(f"{one.name:34} {one.group.value:8} {one.ground:12} {one.does}")
        return 0
    if given.add_counts:
        add_counts(given.add_counts)
        write_page()
        return 0
    try:
        asked = chosen(name for name in given.only.split(",") if name)
    except ValueError as error:
        sys.stderr.write(f"{error}; `python -m tests.chaos --list` names them all\n")
        return 2
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    run = Run(given, Path(tempfile.mkdtemp(prefix="duecourse-chaos-")), read_ledger())
    for name in dict.fromkeys(volley[0].ground for volley in asked):
        here = [volley for volley in asked if volley[0].ground == name]
        seconds = given.minutes * 60 * len(here) / len(asked)
        with GROUNDS[name](run.folder / name.replace(" ", "-")) as ground:
            asyncio.run(run.on(ground, here, seconds))
        shutil.rmtree(run.folder / name.replace(" ", "-"), ignore_errors=True)
    return conclude(run)


def conclude(run: Run) -> int:
    """Say what the run showed, and return the exit code."""
    shown = Ledger(kafka_version())
    for outcome in run.outcomes:
        shown.add(outcome)
    for name, count in sorted(shown.cells.items()):
        say(f"{name:34} met {count.met:3}  failures {count.failures}")
    say(f"{shown.rounds} rounds; cases tried: {', '.join(f'{p} {n:,}' for p, n in sorted(shown.tried.items()))}")
    untried = never_tried(run.outcomes) if not run.given.only else []
    if untried:
        say(f"never tried: {', '.join(untried)}")
    failed = [outcome for outcome in run.outcomes if outcome.failures]
    if not failed:
        shutil.rmtree(run.folder, ignore_errors=True)
    return 1 if failed or untried or not run.outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
