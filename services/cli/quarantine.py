"""`duecourse quarantine`: one fact, or one key's wake, that crashes a service is taken out of its way."""

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
from shared.engine.quarantine import REASON_HEADER, SERVICE_HEADER, coordinates_of
from shared.kernel.ids import derive_id
from shared.runtime.kafka_offsets import GroupProgress, LogEnds
from shared.runtime.records import Deployment, Reader, partition_counts, publisher, reader, told_plainly


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("topic", type=click.Choice(list(TOPICS)))
@click.argument("partition", type=click.IntRange(min=0))
@click.argument("offset", type=click.IntRange(min=0))
@click.option("--key", help="Of a clock topic: the loan or person that is not to be woken at this tick.")
@click.option("--hours", type=click.IntRange(1, 8760), default=72, show_default=True, help="How long, with --key.")
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
    key: str | None,
    hours: int,
    reason: str,
    operator: str,
    wait: float,
    broker: str,
    prefix: str,
) -> None:
    """Take one fact, or one wake, out of the way of the SERVICE that crashes at it; its last log line says which.

    At its next start the service writes the fact to the dead letters (reason `quarantined`), and leaves its loan or
    person alone for 72 hours, or until it is replayed or discarded. Other services apply the fact as ever.

    With --key, TOPIC and OFFSET name a tick: the loan or person is not woken then, nor for --hours after it; what was
    asked for it is taken back. Discarding the dead letter of a loan's wake lets it be woken again before.
    """
    if service not in TOPICS[topic].readers:
        reads = ", ".join(name for name, other in TOPICS.items() if service in other.readers)
        raise UserError(f"{service} does not read {topic}.", f"It reads {reads}.")
    if (CLOCK in TOPICS[topic].writers) is not (key is not None):
        raise UserError(
            f"{topic} holds {'facts' if key is not None else 'ticks'}.",
            "--key goes with a clock topic, and a clock topic with --key: a tick is passed by for one key only.",
        )
    try:
        event = FactQuarantined(
            service=service, topic=topic, partition=partition, offset=offset, key=key, hours=hours, reason=reason,
            operator=operator,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise UserError(f"The {first['loc'][-1]} is not usable: {first['msg']}.") from error
    done = talk(broker, prefix, lambda deployment: _quarantine(deployment, event, wait))
    place = printable(coordinates_of(event))
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
    async with LogEnds(deployment.access, uncommitted=True) as logs:
        end = (await logs.ends([place]))[place]
    if event.offset >= end:
        raise UserError(f"{event.topic}/{event.partition} ends at {end}: there is nothing at {event.offset} yet.")


async def _require_not_applied(deployment: Deployment, event: FactQuarantined) -> None:
    group, topic = physical_name(deployment.prefix, event.service), deployment.topic(event.topic)
    async with GroupProgress(deployment.access) as groups:
        applied = await groups.offset_of(group, topic, event.partition)
    if applied is not None and applied > event.offset:
        raise UserError(
            f"{event.service} has passed that by: it stands at {event.topic}/{event.partition}/{applied}.",
            "What was applied cannot be taken out of the way; correct it by another fact.",
        )


async def _write(deployment: Deployment, event: FactQuarantined) -> None:
    place = coordinates_of(event)
    event_id = derive_id("quarantine", event.service, place)
    envelope = Envelope(id=event_id, source="/duecourse/command-line", type=event.TYPE, data=event)
    async with publisher(deployment) as out:
        await (await out.send(CONTROL, f"{event.service} {place}".encode(), encode(envelope)))


async def _buried(letters: Reader, event: FactQuarantined) -> None:
    """Wait for the service's dead letter, which may have been written before."""
    place = coordinates_of(event).encode()
    async with aclosing(letters.follow()) as records:
        async for record in records:
            headers = dict(record.headers)
            by = (record.key, headers.get(SERVICE_HEADER), headers.get(REASON_HEADER))
            if by == (place, event.service.encode(), DeadReason.QUARANTINED.encode()):
                return
