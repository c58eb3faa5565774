"""`duecourse simulate`: the whole deployment in memory, under one seed, judged by the checkers. Needs no Kafka."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.cli.processors import PROCESSORS
from services.cli.report_text import report_lines
from services.cli.sources import policy_option
from shared.contract.topics import RATE_LIMITER
from shared.domain.policy import Policy
from shared.engine.epoch import Deployment
from shared.kernel.zones import format_instant
from shared.runtime.log_directory import write_log
from shared.simulation.checkers import Build, Chronicle, check_all
from shared.simulation.counterfactual import without_gate
from shared.simulation.faults import Faults, drawn
from shared.simulation.no_gate import NO_GATE
from shared.simulation.report import report
from shared.simulation.scenario import Scenario, build_scenario, unlike_told
from shared.simulation.world import Setting, World

EXIT_BROKEN = 1
STORY_DAYS = 60


@click.command()
@click.option("--seed", default=7, show_default=True, help="Everything follows from it.")
@click.option("--days", default=60, show_default=True, type=click.IntRange(1, 400), help="Simulated days.")
@click.option("--loans", default=1000, show_default=True, type=click.IntRange(2, 100_000), help="Besides the twelve's.")
@click.option("--faults", is_flag=True, help="Crashes, lost stores, duplicates, late and bad records, outages.")
@click.option("--no-gate", is_flag=True, help="The counterfactual: a stand-in grants every wish. Nothing is judged.")
@click.option("--compare", is_flag=True, help="Also run without the gate, and show both.")
@click.option("--record", type=click.Path(file_okay=False, path_type=Path), help="Keep the topics in this folder.")
@policy_option
def command(
    policy: Policy, *, seed: int, days: int, loans: int, faults: bool, no_gate: bool, compare: bool, record: Path | None
) -> None:
    """Let simulated days pass in memory, and report what happened and whether every promise was kept.

    The same seed gives the same bytes. Exit code 1 when a promise was broken or a story did not end as told.
    """
    setting = Setting(days)
    scenario = build_scenario(seed, loans, setting)
    processors = PROCESSORS
    if no_gate:
        processors = (*(one for one in PROCESSORS if one.name != RATE_LIMITER), NO_GATE)
    deployment = Deployment(setting.topology(), {policy.hash: policy})
    wrong = drawn(seed, setting.start_ms, days) if faults else Faults(seed)
    world = scenario.world(processors, deployment, wrong)
    click.echo(f"seed {seed}: {loans:,} loans and the twelve people's, {days} days, one tick an hour")
    _run(world)
    if record is not None:
        write_log(record, world.log)
    chronicle = Chronicle(world.log)
    build = Build(processors, deployment)
    found = report(chronicle, policy.packs, () if no_gate else check_all(chronicle, build))
    if no_gate:
        click.echo("without the gate: every wish is granted, no promise is judged")
    compared = without_gate(scenario, PROCESSORS, policy) if compare else None
    for line in report_lines(found, compared):
        click.echo(line)
    _tell_faults(wrong)
    if not no_gate and not (_tell_stories(scenario, chronicle, undisturbed=not faults) and found.kept):
        click.echo(f"again: duecourse simulate --seed {seed} --days {days} --loans {loans}{' --faults' * faults}")
        sys.exit(EXIT_BROKEN)


def _run(world: World) -> None:
    setting = world.setting
    columns = (TextColumn("{task.fields[moment]}"), BarColumn(bar_width=30), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("days", total=setting.end_ms - setting.start_ms, moment="")
        world.run(
            lambda at: (
                progress.update(task, completed=at - setting.start_ms, moment=format_instant(at)[:13])
                if at % (6 * setting.step_ms) == 0
                else None
            )
        )


def _tell_faults(faults: Faults) -> None:
    if faults.met:
        click.echo("faults met: " + ", ".join(f"{count} {name}" for name, count in sorted(faults.met.items())))


def _tell_stories(scenario: Scenario, chronicle: Chronicle, *, undisturbed: bool) -> bool:
    """Say which stories did not end as told; faults and shorter runs may change them, so there they are not judged."""
    if not undisturbed or scenario.setting.days < STORY_DAYS:
        return True
    unlike = unlike_told(chronicle, scenario.characters)
    told = len(scenario.characters)
    click.echo(f"stories that ended as they must: {told - len(unlike)} of {told}")
    for name, problems in unlike.items():
        for problem in problems:
            click.echo(f"  {name}: {problem}")
    return not unlike
