"""`duecourse quarantine`: one fact that crashes a service is taken out of its way, without a new build."""

from __future__ import annotations

import asyncio
import getpass
import sys
from contextlib import aclosing

import click
from pydantic import ValidationError

from services.cli.broker import broker_options, printable, talk
from services.cli.errors import UserError
from shared.contract.codec import DeadReason, Envelope, encode
from shared.contract.ticks import CONTROL, FactQuarantined
from shared.contract.topics import CLOCK, DEAD_LETTERS, SERVICES, TOPICS, physical_name
from shared.engine.dead_letters import coordinates
from shared.engine.quarantine import REASON_HEADER, SERVICE_HEADER
from shared.kernel.ids import derive_id
from shared.runtime.kafka_offsets import GroupProgress, LogEnds
from shared.runtime.records import Deployment, Reader, partition_counts, publisher, reader, told_plainly


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("topic", type=click.Choice([name for name, topic in TOPICS.items() if CLOCK not in topic.writers]))
@click.argument("partition", type=click.IntRange(min=0))
@click.argument("offset", type=click.IntRange(min=0))
@click.option("--reason", required=True, help="Why; kept on record.")
@click.option("--operator", default=getpass.getuser, help="Who says so; the login name if not given.")
@click.option("--wait", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Seconds at most.")
@broker_options
def command(
    service: str,
    topic: str,
    *,
    partition: int,
    offset: int,
    reason: str,
    operator: str,
    wait: float,
    broker: str,
    prefix: str,
) -> None:
    """Take one fact out of the way of the SERVICE that crashes at it; its last log line says which one that is.

    At its next start the service writes the fact to the dead letters (reason `quarantined`), and leaves its loan or
    person alone for 72 hours, or until it is replayed or discarded. Other services apply the fact as ever.
    """
    if service not in TOPICS[topic].readers:
        reads = ", ".join(
            name for name, other in TOPICS.items() if service in other.readers and CLOCK not in other.writers
        )
        raise UserError(f"{service} does not read {topic}.", f"It reads {reads}.")
    try:
        event = FactQuarantined(
            service=service, topic=topic, partition=partition, offset=offset, reason=reason, operator=operator
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise UserError(f"The {first['loc'][-1]} is not usable: {first['msg']}.") from error
    done = talk(broker, prefix, lambda deployment: _quarantine(deployment, event, wait))
    place = printable(coordinates(topic, partition, offset))
    if done:
        click.echo(f"{place} is a dead letter now, and {service} goes on behind it")
        return
    click.echo(f"{place} is quarantined, but {service} has not passed it by within {wait:g} s", err=True)
    click.echo(
        f"It does so at its next start: is {service} being started again, and by a build that knows this?", err=True
    )
    sys.exit(1)


async def _quarantine(deployment: Deployment, event: FactQuarantined, wait: float) -> bool:
    with told_plainly(deployment.broker):
        await _require_fact(deployment, event)
        await _require_not_applied(deployment, event)
    async with reader(deployment, [DEAD_LETTERS]) as letters:
        await _write(deployment, event)
        try:
            await asyncio.wait_for(_buried(letters, event), wait)
        except TimeoutError:
            return False
        return True


async def _require_fact(deployment: Deployment, event: FactQuarantined) -> None:
    count = (await partition_counts(deployment, [event.topic]))[event.topic]
    if event.partition >= count:
        raise UserError(f"{event.topic} has {count} partitions, 0 to {count - 1}.")
    place = (deployment.topic(event.topic), event.partition)
    async with LogEnds(deployment.broker, uncommitted=True) as logs:
        end = (await logs.ends([place]))[place]
    if event.offset >= end:
        raise UserError(f"{event.topic}/{event.partition} ends at {end}: there is no fact at {event.offset} yet.")


async def _require_not_applied(deployment: Deployment, event: FactQuarantined) -> None:
    group, topic = physical_name(deployment.prefix, event.service), deployment.topic(event.topic)
    async with GroupProgress(deployment.broker) as groups:
        applied = await groups.offset_of(group, topic, event.partition)
    if applied is not None and applied > event.offset:
        raise UserError(
            f"{event.service} has passed that fact by: it stands at {event.topic}/{event.partition}/{applied}.",
            "What was applied cannot be taken out of the way; correct it by another fact.",
        )


async def _write(deployment: Deployment, event: FactQuarantined) -> None:
    place = coordinates(event.topic, event.partition, event.offset)
    event_id = derive_id("quarantine", event.service, place)
    envelope = Envelope(id=event_id, source="/duecourse/command-line", type=event.TYPE, data=event)
    async with publisher(deployment) as out:
        await (await out.send(CONTROL, f"{event.service} {place}".encode(), encode(envelope)))


async def _buried(letters: Reader, event: FactQuarantined) -> None:
    """Wait for the service's dead letter, which may have been written before."""
    place = coordinates(event.topic, event.partition, event.offset).encode()
    async with aclosing(letters.follow()) as records:
        async for record in records:
            headers = dict(record.headers)
            by = (record.key, headers.get(SERVICE_HEADER), headers.get(REASON_HEADER))
            if by == (place, event.service.encode(), DeadReason.QUARANTINED.encode()):
                return
