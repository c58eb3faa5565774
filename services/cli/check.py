"""`duecourse check`: judge the eight promises from the topics of a broker, or from a folder of recorded ones."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from importlib.metadata import version

import click

from services.cli.audit import Audit, Auditor
from services.cli.errors import UserError
from services.cli.processors import PROCESSORS
from services.cli.report_text import verdict_lines
from services.cli.sources import Source, policy_option, source_options, topology_of
from shared.contract.recorded import Recorded
from shared.contract.ticks import Tick
from shared.domain.policy import Policy
from shared.engine.epoch import Deployment
from shared.engine.progress import UnusableProgress
from shared.runtime.records import BrokerProblem, read_records
from shared.runtime.records import Deployment as Place
from shared.simulation.checkers import Build, Chronicle, check_all
from shared.simulation.log import CHANGELOG, RECORDED

DISTRIBUTION = "duecourse"
EXIT_BROKEN = 1


@click.command()
@source_options
@policy_option
@click.option("--every-minutes", type=click.FloatRange(0.1, 1440), help="Judge for ever, and tell it as metrics.")
@click.option(
    "--health",
    "health_address",
    default="",
    envvar="DUECOURSE_HEALTH_ADDRESS",
    metavar="HOST:PORT",
    help="Where /livez, /readyz and /metrics answer, with --every-minutes.",
)
def command(source: Source, policy: Policy, every_minutes: float | None, health_address: str) -> None:
    """Read all topics, changelogs included, and say of each promise how often it was tried and broken.

    Nothing is written. Exit code 1 when a promise was broken, or could not be tried at all.
    """
    if every_minutes is not None:
        Auditor(lambda: _judge(source, policy)[1], every_minutes, version(DISTRIBUTION)).run(health_address)
        return
    records, audit = _judge(source, policy)
    click.echo(f"{records:,} records of {source}; promises: violations / cases tried")
    for verdict in audit.verdicts:
        for line in verdict_lines(verdict):
            click.echo(line)
    if not all(verdict.kept for verdict in audit.verdicts):
        sys.exit(EXIT_BROKEN)


def _judge(source: Source, policy: Policy) -> tuple[int, Audit]:
    """Read everything and judge it; return how many records there were, and what came of it."""
    records = _read(source)
    chronicle = Chronicle(records)
    _require_policy(chronicle, policy)
    deployment = Deployment(topology_of(records), {policy.hash: policy})
    try:
        verdicts = check_all(chronicle, Build(PROCESSORS, deployment, policy.packs, policy.reporting))
    except UnusableProgress as error:
        raise UserError(
            f"A changelog of {source} is of another build: {error}.", "Check it with that build."
        ) from error
    return len(records), Audit(chronicle, verdicts, policy.packs)


def _read(source: Source) -> list[Recorded]:
    """Read from the folder, or from the broker with the changelogs, which a source alone leaves out."""
    if source.log is not None or source.broker is None:
        records = source.read()
    else:
        try:
            records = asyncio.run(_read_all(Place(source.broker, source.prefix), RECORDED))
        except BrokerProblem as error:
            raise UserError(error.problem, error.advice) from error
    if not any(record.topic.endswith(CHANGELOG) for record in records):
        raise UserError(
            f"{source} holds no changelogs, and without them nobody can say what the services hold.",
            "Record the topics with their changelogs, or let the services run first.",
        )
    return records


async def _read_all(place: Place, topics: Sequence[str]) -> list[Recorded]:
    return [record async for record in read_records(place, topics)]


def _require_policy(chronicle: Chronicle, policy: Policy) -> None:
    """A recording is folded again with the policy that was in force; another one would prove nothing."""
    named = sorted({entry.data.policy for entry in chronicle.of(Tick)})
    if named and named != [policy.hash]:
        raise UserError(
            f"The ticks name policy {', '.join(named)}, this one is {policy.hash}.",
            "Give the policy that was in force with --policy FOLDER.",
        )
