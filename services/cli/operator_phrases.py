"""Sentences for what `explain` has no use for: ticks, switches, policies and stamps."""

from __future__ import annotations

from services.cli.explain.phrases import Reader, phrase
from shared.contract.ticks import DeploymentStamped, FactQuarantined, OutreachSwitched, PolicyActivated, Switch, Tick
from shared.engine.quarantine import coordinates_of

__all__ = ["phrase", "scope_of"]


@phrase.register
def _(event: Tick, reader: Reader) -> str:
    silent = f", silent: {', '.join(event.silent)}" if event.silent else ""
    switches = f", {'; '.join(map(scope_of, event.switches))}" if event.switches else ""
    return f"tick {reader.moment(event.at)}{silent}{switches}"


@phrase.register
def _(event: OutreachSwitched, _reader: Reader) -> str:
    return f"outreach {scope_of(event.switch)}, by {event.operator}: {event.reason}"


@phrase.register
def _(event: PolicyActivated, _reader: Reader) -> str:
    return f"policy {event.policy} activated by {event.operator}: {event.reason}"


@phrase.register
def _(event: FactQuarantined, _reader: Reader) -> str:
    place = coordinates_of(event)
    return f"{place} quarantined for {event.service} by {event.operator}: {event.reason}"


@phrase.register
def _(event: DeploymentStamped, _reader: Reader) -> str:
    counts = f"{event.loan_partitions} and {event.borrower_partitions} partitions"
    return f"topics made for {event.mode.value} time, {event.partitioner}, {counts}"


def scope_of(switch: Switch) -> str:
    """Return what a switch does, and to whom."""
    channel = switch.channel.value if switch.channel else "all channels"
    return f"{switch.mode.value} for {channel} of {switch.lender_id or 'all lenders'}"
