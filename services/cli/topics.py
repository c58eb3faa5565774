"""`duecourse topics`: makes every topic of a deployment, tells what is wrong with them, and who needs which rights."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import click

from services.cli.broker import talk
from services.cli.deployment_options import deployment_options, given_settings, stamped_settings
from services.cli.errors import UserError
from shared.contract.topics import CLOCK, SERVICES
from shared.runtime.records import Deployment, told_plainly
from shared.runtime.rights import rights_of
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin, TopicFault, TopicProblem


@click.group()
def command() -> None:
    """Make or check every topic of a deployment, changelogs included, or list the rights that processes need."""


@command.command()
@deployment_options
def create(**given: Any) -> None:
    """Make what is missing, and stamp the topic set with its kind of time and its partition counts."""
    settings = given_settings(**given)
    try:
        made = talk(settings.broker, settings.prefix, lambda where: _create(where, settings))
    except TopicProblem as problem:
        raise UserError(f"{problem}.", "Correct the options, or delete the topic and try again.") from problem
    click.echo(f"{len(made)} topics made" if made else "all topics were there")
    _tell(talk(settings.broker, settings.prefix, lambda where: _check(where, settings)))


@command.command()
@deployment_options
def check(**given: Any) -> None:
    """Compare all topics with what the services need; exit code 1 when something is wrong."""
    settings = stamped_settings(**given)
    _tell(talk(settings.broker, settings.prefix, lambda where: _check(where, settings)))


def _tell(faults: tuple[TopicFault, ...]) -> None:
    for fault in faults:
        click.echo(f"{fault} ({fault.remedy})")
    if faults:
        sys.exit(1)
    click.echo("all topics are as they must be")


async def _create(where: Deployment, settings: Settings) -> tuple[str, ...]:
    with told_plainly(where.broker):
        async with TopicAdmin(settings) as admin:
            return await admin.create()


async def _check(where: Deployment, settings: Settings) -> tuple[TopicFault, ...]:
    with told_plainly(where.broker):
        async with TopicAdmin(settings) as admin:
            return await admin.check()


@command.command()
@deployment_options
@click.option("--user", default="{process}", show_default=True, metavar="NAME",
              help="The user of each process; {process} stands for its name.")  # fmt: skip
def rights(user: str, **given: Any) -> None:
    """Print the kafka-acls commands that give each process what it needs; nothing is changed.

    Add your own --command-config to them, with the user who may change rights.
    """
    settings = given_settings(**given)
    for process in (*SERVICES, CLOCK):
        for command_line in _grants(settings, process, user.replace("{process}", process)):
            click.echo(command_line)


def _grants(settings: Settings, process: str, user: str) -> Iterator[str]:
    """Yield one command for each thing that the user of a process needs rights on."""
    start = ["kafka-acls", "--bootstrap-server", settings.broker, "--add", "--allow-principal", f"User:{user}"]
    together = groupby(rights_of(settings, process), key=lambda right: (right.kind, right.name, right.prefixed))
    for (kind, name, prefixed), found in together:
        operations = [word for right in found for word in ("--operation", right.operation)]
        pattern = ["--resource-pattern-type", "prefixed"] if prefixed else []
        yield shlex.join([*start, *operations, f"--{kind}", name, *pattern])
