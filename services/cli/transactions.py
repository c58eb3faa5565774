"""`duecourse transactions`: finds transactions that nobody will ever complete, and completes or aborts them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final

import click

from services.cli.broker import printable, talk
from services.cli.deployment_options import deployment_options, stamped_settings
from shared.runtime.hanging_transactions import OpenTransaction, TransactionDesk
from shared.runtime.kafka_offsets import GroupProgress
from shared.runtime.records import Deployment, told_plainly
from shared.runtime.settings import Settings
from shared.runtime.transaction_log import Decision

EXIT_FOUND: Final = 1
LOOKS: Final = 20
LOOK_SECONDS: Final = 0.25

yes_option = click.option("--yes", is_flag=True, help="Do it; without, only say what would be done.")


@click.group()
def command() -> None:
    """Find, complete or abort transactions that hang: records that no committed read will ever pass.

    A service that stopped with `hanging_transaction`, or a stage that waits for records for ever, may have met one.
    """


@command.command()
@deployment_options
def find(**given: Any) -> None:
    """List the open transactions on all topics and changelogs; exit code 1 when one hangs."""
    settings = stamped_settings(**given)
    found = _run(settings, lambda desk: desk.find())
    for transaction in found:
        _print(transaction)
    hanging = [transaction for transaction in found if transaction.hangs]
    click.echo(f"{len(hanging)} transactions hang" if hanging else "no transaction hangs")
    if hanging:
        sys.exit(EXIT_FOUND)


@command.command()
@deployment_options
@yes_option
def complete(*, yes: bool, **given: Any) -> None:
    """Write the markers that are missing of what was decided: committed or aborted, as the coordinator said.

    Where only outputs of ours hang and nobody remembers, their state is committed, and so they are committed.
    Stop the services first whose transactions they are; local stores are wiped at their next start.
    """
    settings = stamped_settings(**given)
    _repair(settings, lambda transaction: (_obstacle_to_completion(transaction), transaction.is_right), yes=yes)


@command.command()
@deployment_options
@yes_option
@click.option("--stores-wiped", is_flag=True, help="The local stores of the services concerned are deleted.")
def abort(*, yes: bool, stores_wiped: bool, **given: Any) -> None:
    """Abort what nobody ever decided to commit; refused where that would lose outputs or state.

    Needs --stores-wiped where the state of a service of ours is aborted: a local store could be ahead of it.
    """
    settings = stamped_settings(**given)

    def judged(transaction: OpenTransaction) -> tuple[str | None, Decision]:
        if transaction.is_right is Decision.COMMIT:
            return "it was committed, and would be lost: `duecourse transactions complete`", Decision.ABORT
        if transaction.changelog_hangs and not stores_wiped:
            return "delete the local stores of its service, and say --stores-wiped", Decision.ABORT
        return None, Decision.ABORT

    _repair(settings, judged, yes=yes)


def _obstacle_to_completion(transaction: OpenTransaction) -> str | None:
    if transaction.decision is Decision.UNKNOWN and transaction.is_right is Decision.ABORT:
        return "nobody ever decided: `duecourse transactions abort`"
    return None


Judge = Callable[[OpenTransaction], tuple[str | None, Decision]]


def _repair(settings: Settings, judge: Judge, *, yes: bool) -> None:
    async def work(desk: TransactionDesk) -> int:
        hanging = [transaction for transaction in await desk.find() if transaction.hangs]
        undone = 0
        for transaction in hanging:
            _print(transaction)
            undone += not await _treat(settings, desk, transaction, judge, yes=yes)
        if yes:
            await _wait_until_gone(desk, undone)
        elif hanging:
            click.echo("nothing was done; say --yes to do it")
        click.echo(f"{len(hanging)} transactions hang" if not yes else f"{undone} transactions still hang")
        return undone if yes else len(hanging)

    if _run(settings, work):
        sys.exit(EXIT_FOUND)


async def _treat(
    settings: Settings, desk: TransactionDesk, transaction: OpenTransaction, judge: Judge, *, yes: bool
) -> bool:
    """Do what is right with one transaction, or say why not; True when it was, or would be, done."""
    obstacle, decision = judge(transaction)
    obstacle = obstacle or await _running(settings, transaction)
    if obstacle is not None:
        click.echo(f"    refused: {obstacle}")
        return False
    click.echo(f"    {'writes' if yes else 'would write'} {decision.value} markers")
    if yes:
        await desk.mark(transaction, commit=decision is Decision.COMMIT)
    return True


async def _running(settings: Settings, transaction: OpenTransaction) -> str | None:
    """Refuse while the owner may write: markers under a running producer could end what it has just begun."""
    if transaction.owner is None:
        return None
    service = transaction.owner[0]
    async with GroupProgress(settings.access) as groups:
        members = await groups.members_after(settings.group(service), settings.session_timeout_seconds + 2)
    return f"stop {service} first: its group has {members} members" if members else None


async def _wait_until_gone(desk: TransactionDesk, undone: int) -> None:
    """Look again until the leaders have dropped what was completed: a marker may take a moment to be replicated."""
    for _ in range(LOOKS):
        if sum(transaction.hangs for transaction in await desk.find()) <= undone:
            return
        await asyncio.sleep(LOOK_SECONDS)


def _print(transaction: OpenTransaction) -> None:
    of = f"{transaction.owner[0]}, partition {transaction.owner[1]}" if transaction.owner is not None else "a stranger"
    kind = "hangs" if transaction.hangs else "is open, and its coordinator will end it"
    click.echo(printable(f"producer {transaction.producer_id} of {of} {kind}; {transaction.says}"))
    for part in transaction.parts:
        topic, partition = part.place
        click.echo(printable(f"    {topic}/{partition} from offset {part.start_offset}, epoch {part.producer_epoch}"))
    if transaction.hangs:
        click.echo(f"    {_evidence(transaction)}")


def _evidence(transaction: OpenTransaction) -> str:
    if transaction.decision is not Decision.UNKNOWN:
        return f"the coordinator decided: {transaction.decision.value}"
    if transaction.is_right is Decision.COMMIT:
        return "nobody remembers a decision; only outputs hang, so the state is committed, and they belong to it"
    return "nobody ever decided to commit it"


def _run(settings: Settings, work: Callable[[TransactionDesk], Any]) -> Any:
    async def at_the_desk(where: Deployment) -> Any:
        with told_plainly(where.broker):
            async with TransactionDesk(settings) as desk:
                return await work(desk)

    return talk(settings.broker, settings.prefix, at_the_desk)
