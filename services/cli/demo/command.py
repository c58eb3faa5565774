"""The command itself: perform, record, judge, tell."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from services.cli.broker import quiet_client
from services.cli.demo.page import Page, Run, story_lines
from services.cli.demo.progress import Screen
from services.cli.demo.script import Script
from services.cli.demo.stage import Performed, Stage
from services.cli.demo.troupe import CannotGoOn
from services.cli.errors import UserError
from services.cli.processors import PROCESSORS
from services.cli.simulate import STORY_DAYS
from shared.domain.policy import load_policy
from shared.engine.epoch import Deployment
from shared.runtime.local_kafka import LocalKafkaError
from shared.runtime.records import BrokerProblem
from shared.simulation.checkers import Build, Chronicle, check_all
from shared.simulation.counterfactual import Counterfactual, without_gate
from shared.simulation.report import report
from shared.simulation.scenario import unlike_told

EXIT_BROKEN: Final = 1
LOWEST_PRIORITY: Final = 19


@click.command()
@click.option("--seed", default=7, show_default=True, help="Everything but the run part follows from it.")
@click.option("--loans", default=1_000, show_default=True, type=click.IntRange(2, 20_000), help="Besides the twelve's.")
@click.option("--days", default=60, show_default=True, type=click.IntRange(1, 400), help="Simulated days.")
@click.option(
    "--directory",
    default=Path(".demo"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the log, the report and what the processes said are kept.",
)
def command(seed: int, loans: int, days: int, directory: Path) -> None:
    """Let simulated days pass on a real Kafka, with real processes and things going wrong, and judge the promises.

    Exit code 1 when a promise was broken or one of the twelve stories did not end as told.
    """
    quiet_client()
    script, console = Script(seed, loans, days), Console()
    setting = script.setting
    screen = Screen(console, setting.start_ms, setting.step_ms, script.steps)
    with _only_one(directory), _beside(script) as compared:
        try:
            performed = Stage(directory, script, screen).perform()
        except (LocalKafkaError, BrokerProblem) as error:
            raise UserError(error.problem, error.advice) from error
        except CannotGoOn as error:
            raise UserError(f"The demo cannot go on: {error}.") from error
        screen.say("judging the eight promises from the topics ...")
        page = _judge(script, performed, compared)
        page.write(directory)
        for lines in (
            story_lines(performed.records, script.scenario.characters),
            ("", *page.deterministic_lines(), ""),
            (*page.run_lines(), ""),
            page.closing_lines(directory),
        ):
            for line in lines:
                click.echo(line)
    sys.exit(0 if page.good else EXIT_BROKEN)


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Keep a second demo out of the same folder; another checkout has its own."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"Another demo runs in {directory}.", "Wait for it, or name another folder with --directory."
            ) from error
        yield


@contextmanager
def _beside(script: Script) -> Iterator[Future[Counterfactual]]:
    """Compute the world without the gate meanwhile, out of the way of those on stage."""
    executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=os.nice, initargs=(LOWEST_PRIORITY,))
    try:
        yield executor.submit(_without_gate, script)
    finally:
        for process in list(executor._processes.values()):  # noqa: SLF001 - an interrupted demo leaves nothing behind
            process.terminate()
        executor.shutdown(wait=True, cancel_futures=True)


def _without_gate(script: Script) -> Counterfactual:
    return without_gate(script.scenario, PROCESSORS, load_policy())


def _judge(script: Script, performed: Performed, compared: Future[Counterfactual]) -> Page:
    """Judge everything from the topics as recorded, apart from the services that wrote them."""
    policy, scenario = load_policy(), script.scenario
    chronicle = Chronicle(performed.records)
    deployment = Deployment(script.setting.topology(), {policy.hash: policy})
    verdicts = check_all(chronicle, Build(PROCESSORS, deployment))
    whole = script.days >= STORY_DAYS
    return Page(
        report=report(chronicle, policy.packs, verdicts),
        without_gate=compared.result(),
        unlike_told=unlike_told(chronicle, scenario.characters) if whole else {},
        stories=len(scenario.characters) if whole else 0,
        run=Run(performed.seconds, script.steps, performed.own_exits),
    )
