"""`duecourse rebuild`: a service's state is computed anew from history, and nothing that was said is said again."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from services.cli.broker import talk
from services.cli.deployment_options import deployment_options, stamped_settings
from services.cli.errors import UserError
from services.cli.processors import PROCESSORS
from shared.contract.topics import SERVICES
from shared.domain.policy import load_policy
from shared.domain.policy_errors import PolicyError
from shared.kernel.zones import format_instant
from shared.runtime.rebuild import Irrecoverable
from shared.runtime.records import Deployment, told_plainly
from shared.runtime.rewrite import Plan, Rewrite

EXIT_DIFFERS = 1


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
@deployment_options
@click.option("--policy", "folders", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True,
              help="Folder of each policy that ticks have named; the default one is known.")  # fmt: skip
@click.option("--boarded", is_flag=True, default=None, help="History is cut off, because loans were boarded.")
@click.option("--born-at", "born_at", type=click.IntRange(0), metavar="OFFSET",
              help="Clock offset of the service's first start, where the changelog does not tell.")  # fmt: skip
@click.option("--despite-differences", is_flag=True, help="Write although another build or policy made the history.")
@click.option("--yes", is_flag=True, help="Write the changelogs; without, only say what would be written.")
def command(
    service: str,
    *,
    folders: tuple[Path, ...],
    born_at: int | None,
    despite_differences: bool,
    yes: bool,
    **given: Any,
) -> None:
    """Compute the state of SERVICE anew from its recorded inputs, and write its changelogs.

    For a changelog that was lost or rolled back, and for going back to an older build. The service must be stopped.
    Outputs are off: what was said already is dropped, and the service goes on at the first thing not said yet.
    Exit code 1 when this build would have said something else than was said.
    """
    settings = stamped_settings(**given, build=version("duecourse"))
    processor = next(found for found in PROCESSORS if found.name == service)
    try:
        policies = {policy.hash: policy for policy in (load_policy(folder) for folder in (None, *folders))}
        rewrite = Rewrite(settings, processor, policies, born_at_clock_offset=born_at)
        plans = talk(settings.broker, settings.prefix, lambda where: _fold(where, rewrite))
        differs = any(plan.rebuilt.differs for plan in plans)
        if yes and not (differs and not despite_differences):
            talk(settings.broker, settings.prefix, lambda where: _write(where, rewrite, plans))
    except PolicyError as error:
        raise UserError(f"The policy cannot be used: {error}.") from error
    except Irrecoverable as error:
        raise UserError(f"The state of {service} cannot be rebuilt: {error}.") from error
    if differs and not despite_differences:
        click.echo("nothing was written: this build would have said something else than was said.")
        click.echo("Take the build and the policies of that time, or say --born-at, or --despite-differences.")
        sys.exit(EXIT_DIFFERS)
    click.echo(f"{service} can be started" if yes else "nothing was written; say --yes to do it")


async def _fold(where: Deployment, rewrite: Rewrite) -> list[Plan]:
    with told_plainly(where.broker):
        plans = []
        async for plan in rewrite.plans():
            _print(plan)
            plans.append(plan)
        return plans


async def _write(where: Deployment, rewrite: Rewrite, plans: list[Plan]) -> None:
    with told_plainly(where.broker):
        for plan in plans:
            await rewrite.write(plan)
            click.echo(f"partition {plan.partition}: written")


def _print(plan: Plan) -> None:
    rebuilt, progress = plan.rebuilt, plan.rebuilt.progress
    facts = sum(counts.total for counts in progress.counts.values())
    click.echo(
        f"partition {plan.partition}: {len(rebuilt.records):,} states of {facts:,} facts, as of "
        f"{format_instant(progress.at)}; {rebuilt.dropped:,} outputs were said before and are dropped"
    )
    if rebuilt.differs:
        click.echo(
            f"    {rebuilt.unsaid:,} outputs of this build were never said, {rebuilt.unexplained:,} were otherwise"
        )
