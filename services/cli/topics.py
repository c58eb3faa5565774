"""`duecourse topics`: makes every topic of a deployment, or tells what is wrong with those that are there."""

from __future__ import annotations

import sys
from typing import Any

import click

from services.cli.broker import talk
from services.cli.deployment_options import deployment_options, given_settings, stamped_settings
from services.cli.errors import UserError
from shared.runtime.records import Deployment, told_plainly
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin, TopicFault, TopicProblem


@click.group()
def command() -> None:
    """Make or check every topic of a deployment, changelogs included."""


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
