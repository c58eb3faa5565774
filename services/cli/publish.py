"""`duecourse publish`: facts from a file or a pipe, one CloudEvent per line, checked before any of them is sent."""

from __future__ import annotations

import asyncio
import json
import sys
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO, Final

import click
from rich.console import Console
from rich.progress import Progress

from services.cli.broker import broker_options, talk
from services.cli.errors import UserError
from shared.contract.catalogue import EVENTS
from shared.contract.codec import Rejected, decode, key_of
from shared.contract.topics import TOPICS
from shared.runtime.records import Deployment, publisher

_BATCH: Final = 500
_FAULTS_SHOWN_MAX: Final = 20
_OUTSIDE: Final = frozenset({"lenders", "gateways", "agencies", "call-centres", "self-service", "agents"})


@dataclass(frozen=True, slots=True)
class Sendable:
    """A line that is an event: where it goes, under which key, and its own bytes."""

    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is none, and why."""

    line: int
    reason: str
    detail: str

    def __str__(self) -> str:
        """Tell it in one line."""
        return f"line {self.line}: {self.reason}: {self.detail}"


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="At most so many events a second.")
@click.option("--dry-run", is_flag=True, help="Check the lines, send nothing; no broker has to answer.")
@broker_options
def command(file: BinaryIO, rate: float | None, broker: str, prefix: str, *, dry_run: bool) -> None:
    """Send the events of FILE (- for standard input), one structured CloudEvent per line, in their order.

    Topic and key follow from each event's type. A file with a wrong line is not sent at all: every such line is named.
    Lines sent twice are no harm: a fact is known by its business key.
    """
    with TemporaryFile() as spool:
        with _progress() as progress:
            counts = _spool(progress.track(file, description="checking"), spool)
        if not counts:
            raise UserError(
                f"{file.name} holds no events.", "Write one CloudEvent per line; docs/events.md has examples."
            )
        told = ", ".join(f"{count} to {topic}" for topic, count in counts.items())
        if dry_run:
            click.echo(f"well formed: {told}; nothing was sent")
            return
        spool.seek(0)
        talk(broker, prefix, lambda deployment: _send(deployment, spool, counts.total(), rate))
    click.echo(f"sent, and acknowledged by all replicas: {told}")


def _spool(lines: Iterable[bytes], spool: IO[bytes]) -> Counter[str]:
    """Write what can be sent aside, because nothing is sent before the last line is read; count it by topic."""
    counts: Counter[str] = Counter()
    faults: list[Fault] = []
    for found in checked(lines):
        if isinstance(found, Fault):
            faults.append(found)
        elif not faults:
            counts[found.topic] += 1
            spool.write(b"\t".join((found.topic.encode(), found.key, found.value)) + b"\n")
    if faults:
        _refuse(faults)
    return counts


def checked(lines: Iterable[bytes]) -> Iterator[Sendable | Fault]:
    """Judge line by line what can be sent; empty lines are passed over."""
    for number, line in enumerate(lines, 1):
        value = line.removeprefix(BOM_UTF8).strip() if number == 1 else line.strip()
        if value:
            yield _check(number, value)


def _check(number: int, value: bytes) -> Sendable | Fault:
    document = _parsed(value)
    data, kind = document.get("data"), document.get("type")
    model = EVENTS.get(kind) if isinstance(kind, str) else None
    topic = model.TOPICS[0] if model else ""
    if model and not _OUTSIDE.intersection(TOPICS[topic].writers):
        return Fault(number, "wrong_topic", f"{model.TYPE} is written by duecourse alone, on {topic}")
    field = data.get(model.KEY) if model and model.KEY and isinstance(data, dict) else None
    key = field.encode(errors="surrogatepass") if isinstance(field, str) and field else b"none"
    decoded = decode(topic, key, value)
    if isinstance(decoded, Rejected):
        return Fault(number, decoded.reason, decoded.detail)
    return Sendable(topic, (key_of(decoded.data) or "").encode(), value)


def _parsed(value: bytes) -> dict[str, Any]:
    """Look into a line only as far as the codec needs for a start; it judges everything else."""
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _refuse(faults: list[Fault]) -> None:
    for fault in faults[:_FAULTS_SHOWN_MAX]:
        click.echo(str(fault), err=True)
    more = len(faults) - _FAULTS_SHOWN_MAX
    if more > 0:
        click.echo(f"and {more} more", err=True)
    lines = "One line is" if len(faults) == 1 else f"{len(faults)} lines are"
    raise UserError(f"{lines} not a valid event; nothing was sent.", "docs/events.md describes every event.")


async def _send(deployment: Deployment, spool: IO[bytes], total: int, rate: float | None) -> None:
    loop = asyncio.get_running_loop()
    size = _BATCH if rate is None else max(1, min(_BATCH, int(rate)))
    sent = 0
    async with publisher(deployment) as out:
        began = loop.time()
        with _progress() as progress:
            task = progress.add_task("publishing", total=total)
            while batch := [_unspooled(line) for line in islice(spool, size)]:
                await asyncio.gather(*[await out.send(event.topic, event.key, event.value) for event in batch])
                sent += len(batch)
                progress.update(task, completed=sent)
                if rate is not None and sent < total:
                    await asyncio.sleep(max(0.0, began + sent / rate - loop.time()))


def _unspooled(line: bytes) -> Sendable:
    topic, key, value = line.rstrip(b"\n").split(b"\t", 2)
    return Sendable(topic.decode(), key, value)


def _progress() -> Progress:
    return Progress(console=Console(file=sys.stderr), disable=not sys.stderr.isatty(), transient=True)
