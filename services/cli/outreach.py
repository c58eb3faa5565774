"""`duecourse outreach`: the operators' switch over everything, a channel, a lender, or one of both."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Callable
from contextlib import aclosing
from typing import Final, TypeVar

import click
from pydantic import ValidationError

from services.cli.broker import broker_options, printable, talk
from services.cli.errors import UserError
from shared.contract.base import Channel
from shared.contract.codec import Envelope, Rejected, encode
from shared.contract.ticks import BORROWER_CLOCK, CONTROL, OutreachMode, OutreachSwitched, Switch, Tick
from shared.kernel.ids import derive_id
from shared.kernel.zones import format_instant
from shared.runtime.records import Deployment, Reader, publisher, read_records, reader

_SOURCE: Final = "/duecourse/command-line"
_DONE: Final = {
    OutreachMode.STARTED: "outreach is started",
    OutreachMode.STOPPED: "outreach is stopped: no permit is granted",
    OutreachMode.SHADOW: "outreach is in shadow mode: everything is decided, nothing is granted",
}
_Function = TypeVar("_Function", bound=Callable[..., None])


@click.group()
def command() -> None:
    """Stop outreach, start it again, or put it in shadow mode (decide everything, grant nothing).

    The strictest switch that fits a contact applies: one for everything, for its channel, its lender, or both.
    """


def _switch_options(function: _Function) -> _Function:
    for option in (
        click.option("--wait", type=click.FloatRange(min=0), default=15.0, show_default=True, help="Seconds at most."),
        click.option("--operator", default=getpass.getuser, help="Who says so; the login name if not given."),
        click.option("--reason", required=True, help="Why; kept on record."),
        click.option("--lender", help="Only this lender; all if not given."),
        click.option(
            "--channel",
            type=click.Choice([channel.value for channel in Channel]),
            help="Only this channel; all if not given.",
        ),
        broker_options,
    ):
        function = option(function)
    return function


@command.command()
@_switch_options
def stop(
    broker: str, prefix: str, channel: str | None, lender: str | None, reason: str, operator: str, wait: float
) -> None:
    """Grant no permit any more, and wait until that is in force."""
    _switch(broker, prefix, _event(OutreachMode.STOPPED, channel, lender, reason, operator), wait)


@command.command()
@_switch_options
def start(
    broker: str, prefix: str, channel: str | None, lender: str | None, reason: str, operator: str, wait: float
) -> None:
    """Take a stop or shadow mode of the same scope back."""
    _switch(broker, prefix, _event(OutreachMode.STARTED, channel, lender, reason, operator), wait)


@command.command()
@_switch_options
def shadow(
    broker: str, prefix: str, channel: str | None, lender: str | None, reason: str, operator: str, wait: float
) -> None:
    """Decide everything, grant nothing."""
    _switch(broker, prefix, _event(OutreachMode.SHADOW, channel, lender, reason, operator), wait)


def _event(mode: OutreachMode, channel: str | None, lender: str | None, reason: str, operator: str) -> OutreachSwitched:
    try:
        switch = Switch(mode=mode, channel=Channel(channel) if channel else None, lender_id=lender)
        return OutreachSwitched(switch=switch, reason=reason, operator=operator)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise UserError(f"The {first['loc'][-1]} is not usable: {first['msg']}.") from error


def _switch(broker: str, prefix: str, event: OutreachSwitched, wait: float) -> None:
    async def work(deployment: Deployment) -> Tick | None:
        async with reader(deployment, [BORROWER_CLOCK]) as clock:
            await clock.to_end()
            await _write(deployment, event)
            try:
                return await asyncio.wait_for(_in_force(clock, event.switch), wait)
            except TimeoutError:
                return None

    tick = talk(broker, prefix, work)
    scope = printable(_scope(event.switch))
    if tick is not None:
        click.echo(f"{_DONE[event.switch.mode]}, for {scope}, from {format_instant(tick.at)} on")
        return
    click.echo(f"the switch is written for {scope}, but no tick has carried it within {wait:g} s", err=True)
    click.echo("It takes effect with the next tick of the limiter's clock: is the clock running, and fresh?", err=True)
    sys.exit(1)


async def _write(deployment: Deployment, event: OutreachSwitched) -> None:
    said_before = [record async for record in read_records(deployment, [CONTROL])]
    scope = _scope(event.switch)
    envelope = Envelope(
        id=derive_id("outreach-switched", scope, len(said_before)), source=_SOURCE, type=event.TYPE, data=event
    )
    async with publisher(deployment) as out:
        await (await out.send(CONTROL, scope.encode(), encode(envelope)))


def _scope(switch: Switch) -> str:
    channel = switch.channel.value if switch.channel else "all channels"
    return f"{channel} of {switch.lender_id or 'all lenders'}"


async def _in_force(clock: Reader, switch: Switch) -> Tick:
    """Return the first new tick that carries the switch; one that says `started` is carried by silence."""
    async with aclosing(clock.follow()) as records:
        async for record in records:
            decoded = record.decode()
            if isinstance(decoded, Rejected) or not isinstance(decoded.data, Tick):
                continue
            tick = decoded.data
            same = [other for other in tick.switches if _scope(other) == _scope(switch)]
            wanted = [] if switch.mode is OutreachMode.STARTED else [switch]
            if same == wanted:
                return tick
    raise AssertionError("a topic is followed for ever")
