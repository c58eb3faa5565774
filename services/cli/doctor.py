"""`duecourse doctor`: what an operator wants to know first, each line well or with what to do."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from services.cli.broker import quiet_client, told_to_the_user
from services.cli.deployment_options import deployment_options, stamped_settings
from services.cli.errors import UserError
from shared.domain.policy import load_policy
from shared.domain.policy_errors import PolicyError
from shared.runtime.examination import FACTS_PER_SECOND, Examination
from shared.runtime.records import told_plainly

EXIT_UNWELL = 1


@click.command()
@deployment_options
@click.option("--policy", "folders", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True,
              help="Folder of a policy that may be in force; the default one is known.")  # fmt: skip
@click.option("--data", "data_directory", type=click.Path(file_okay=False), help="Where local stores live.")
@click.option("--import", "import_records", type=click.IntRange(0), default=0, metavar="RECORDS",
              help="Predict the silence that an import of so many records would cause.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(min=1), default=FACTS_PER_SECOND, show_default=True, metavar="RECORDS",
              help="What one instance applies in a second, as measured.")  # fmt: skip
def command(folders: tuple[Path, ...], import_records: int, rate: float, **given: Any) -> None:
    """Look at broker, topics, clock, policy, transactions, services, lag, disk and versions.

    Exit code 1 when something must be done.
    """
    quiet_client()
    settings = stamped_settings(**given, build=version("duecourse"))
    try:
        policies = [load_policy(folder).hash for folder in (None, *folders)]
    except PolicyError as error:
        raise UserError(f"The policy cannot be used: {error}.") from error
    with told_to_the_user(settings.access):
        unwell = asyncio.run(_examine(Examination(settings, policies, import_records, rate), settings.broker))
    if unwell:
        sys.exit(EXIT_UNWELL)


async def _examine(examination: Examination, broker: str) -> int:
    unwell = 0
    with told_plainly(broker):
        async for finding in examination.findings():
            unwell += not finding.is_well
            click.echo(f"{'ok ' if finding.is_well else 'DO '} {finding.what:14} {finding.found}")
            if not finding.is_well:
                click.echo(f"{'':19}{finding.advice}")
    click.echo("all is well" if not unwell else f"{unwell} things to do")
    return unwell
