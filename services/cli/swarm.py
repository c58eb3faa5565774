"""`duecourse swarm`: thousands of tiny deployments in memory, each under one seed with faults of its own choice."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path
from time import monotonic, process_time

import click

from services.cli.processors import PROCESSORS
from services.cli.swarm_text import summary_lines, table_lines, written_page
from services.clock.core import BORROWER_INPUTS, LOAN_INPUTS, borrower_ticks, loan_ticks
from shared.domain.policy import load_policy
from shared.simulation.swarm.clockwork import TickRules
from shared.simulation.swarm.judge import Outcome, judge
from shared.simulation.swarm.tally import Swarm
from shared.simulation.swarm.trial import System

EXIT_BROKEN = 1
AHEAD = 8
"""So many seeds wait for each process."""
FAILURES_SHOWN = 20


@cache
def system() -> System:
    """Return the build as it is shipped."""
    rules = TickRules(loan_ticks, borrower_ticks, LOAN_INPUTS, BORROWER_INPUTS)
    return System(PROCESSORS, load_policy(), rules)


def play(seed: int) -> Outcome:
    """Play one seed in whatever process this is."""
    return judge(seed, system())


def _timed(seed: int) -> tuple[Outcome, float]:
    """Play one seed, and tell how many seconds of a processor it took: others may be at work beside it."""
    began = process_time()
    return play(seed), process_time() - began


def fly(first: int, seeds: int, jobs: int, seconds_max: float | None = None) -> Iterator[Swarm]:
    """Play seeds one after the other on `jobs` processes, and yield what is known after each."""
    swarm, began = Swarm(first), monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        seeds_left = iter(range(first, first + seeds))
        waiting = deque((seed, pool.submit(_timed, seed)) for seed in islice(seeds_left, jobs * AHEAD))
        while waiting:
            seed, done = waiting.popleft()
            error = done.exception()
            if error is None:
                swarm.take(*done.result())
            else:
                swarm.take_crash(seed, error)
            swarm.seconds = monotonic() - began
            yield swarm
            if seconds_max is None or swarm.seconds < seconds_max:
                waiting.extend((following, pool.submit(_timed, following)) for following in islice(seeds_left, 1))


@click.command()
@click.option("--seeds", default=1000, show_default=True, type=click.IntRange(1), help="So many worlds.")
@click.option("--from", "first", default=1, show_default=True, type=click.IntRange(0), help="The first seed.")
@click.option(
    "--jobs", default=lambda: os.cpu_count() or 1, type=click.IntRange(1), help="Processes; as many as cores."
)
@click.option("--seconds", type=click.FloatRange(1), help="Stop after so long, whatever is left.")
@click.option("--all-met", is_flag=True, help="Fail, too, when a possible crossing of fault and phase was never met.")
@click.option("--digest", is_flag=True, help="Print the digest of everything said: equal on every machine and Python.")
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="Write the tables as a page.")
def command(
    *, seeds: int, first: int, jobs: int, seconds: float | None, all_met: bool, digest: bool, write: Path | None
) -> None:
    """Play many small worlds with crashes, lost stores, zombies, clocks gone wrong and odd records, and judge each.

    A seed that breaks anything is printed with the command that plays it again. Exit code 1 when one did, when a
    promise was never tried, or, if asked, when a crossing was never met.
    """
    swarm, told = Swarm(first), 0
    for swarm in fly(first, seeds, jobs, seconds):
        told = _tell_failures(swarm, told)
        if sys.stderr.isatty() and swarm.seeds % 50 == 0:
            click.echo(f"\r{swarm.seeds:,} seeds, {len(swarm.failures)} broken", err=True, nl=False)
    if digest:
        click.echo(f"digest {swarm.digest}")
    if seeds == 1:
        sys.exit(EXIT_BROKEN if swarm.failures else 0)
    for line in (*table_lines(swarm.crossings), *summary_lines(swarm, jobs)):
        click.echo(line)
    if write is not None:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(written_page(swarm, jobs), encoding="utf-8")
    missing = swarm.crossings.never_met()
    for fault, phase in missing:
        click.echo(f"never met: {fault} at {phase}")
    sys.exit(EXIT_BROKEN if swarm.failures or swarm.untried or (all_met and missing) else 0)


def _tell_failures(swarm: Swarm, told: int) -> int:
    """Say what broke since the last time, with the command that plays it again; return how many were told."""
    for seed, what in list(swarm.failures.items())[told:FAILURES_SHOWN]:
        click.echo(f"seed {seed} is broken: {what}")
        click.echo(f"again: duecourse swarm --seeds 1 --from {seed}")
    return len(swarm.failures)
