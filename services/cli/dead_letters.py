"""`duecourse dead-letters`: what could not be applied, why, and how it is put right."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from typing import Any, BinaryIO, Final

import click

from services.cli.broker import broker_options, printable, talk
from services.cli.dead_letter_book import Book, DeadLetter, read_book
from services.cli.errors import UserError
from shared.contract.arrangements import ARRANGEMENTS, DeadLetterDiscarded
from shared.contract.catalogue import EVENTS
from shared.contract.codec import DeadReason, Envelope, Rejected, decode, encode, key_of
from shared.contract.remedies import REMEDIES
from shared.contract.topics import CLOCK, DEAD_LETTERS, SERVICES, TOPICS
from shared.kernel.ids import derive_id
from shared.kernel.zones import format_instant
from shared.runtime.records import Deployment, Publisher, publisher

_KEY_REASONS: Final = frozenset({DeadReason.NO_KEY, DeadReason.KEY_NOT_TEXT, DeadReason.KEY_MISMATCH})
_REASONS: Final = [reason.value for reason in DeadReason]
_SHOWN_BYTES_MAX: Final = 4096
_SOURCE: Final = "/duecourse/command-line"


class _NotReplayable(Exception):
    """A dead letter stays one; the text says why and what would help."""


@click.group()
def command() -> None:
    """List, show, replay and discard what could not be applied.

    COORDINATES are topic/partition/offset of the original, as `list` prints them.
    """


@command.command("list")
@broker_options
@click.option("--reason", type=click.Choice(_REASONS), help="Only these.")
@click.option("--topic", type=click.Choice(list(TOPICS)), help="Only those from this topic.")
@click.option("--open", "only_open", is_flag=True, help="Only those that nobody has dealt with.")
def list_letters(broker: str, prefix: str, reason: str | None, topic: str | None, *, only_open: bool) -> None:
    """List all dead letters, oldest first, and what has become of them."""
    book = talk(broker, prefix, read_book)
    chosen = [
        letter
        for place, letter in book.letters.items()
        if reason in (None, letter.reason) and topic in (None, letter.topic) and (not only_open or book.is_open(place))
    ]
    for letter in chosen:
        when = format_instant(letter.at_ms)
        key = (letter.key or b"-").decode(errors="replace")
        click.echo(
            printable(f"{letter.coordinates:<30} {letter.reason:<22} {when}  {key:<24} {book.fate(letter.coordinates)}")
        )
    still_open = sum(book.is_open(letter.coordinates) for letter in chosen)
    counts = ", ".join(f"{count} {name}" for name, count in Counter(letter.reason for letter in chosen).most_common())
    click.echo(f"{len(chosen)} dead letters, {still_open} open" + (f": {counts}" if counts else ""))


@command.command()
@broker_options
@click.argument("coordinates")
def show(broker: str, prefix: str, coordinates: str) -> None:
    """Show one dead letter: why, by whom, its bytes, and whether it could be replayed now."""
    book = talk(broker, prefix, read_book)
    letter = _find(book, coordinates)
    rows = {
        "original": letter.coordinates,
        "key": (letter.key or b"-").decode(errors="replace"),
        "reason": f"{letter.reason}: {letter.detail}" if letter.detail else letter.reason,
        "means": _meaning(letter),
        "met by": f"{letter.service} at {format_instant(letter.at_ms)}",
        "bytes": f"{letter.bytes_in_all}" + (", kept in part only" if letter.incomplete else ""),
        "fate": book.fate(letter.coordinates),
        "replay": _prospect(letter),
    }
    for name, text in rows.items():
        click.echo(f"{name:<9} {printable(text)}")
    for header, value in letter.headers:
        click.echo(f"header    {printable(header)}: {printable((value or b'').decode(errors='replace'))}")
    for line in _content(letter).splitlines():
        click.echo(f"  {printable(line)}")


def _meaning(letter: DeadLetter) -> str:
    remedy = REMEDIES[DeadReason(letter.reason)] if letter.reason in _REASONS else None
    return f"{remedy.meaning} What helps: {remedy.help}." if remedy else "no reason that this build knows"


def _prospect(letter: DeadLetter) -> str:
    try:
        _envelope(letter, fix_key=False)
    except _NotReplayable as error:
        return f"not now: {error}"
    return "possible: by this build's contract it is valid, and it goes to the partition where its key belongs"


def _content(letter: DeadLetter) -> str:
    value = letter.value or b""
    try:
        text = json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = value.decode(errors="backslashreplace")
    cut = len(text) > _SHOWN_BYTES_MAX
    return text[:_SHOWN_BYTES_MAX] + ("\n(more was cut off)" if cut else "")


@command.command("replay")
@broker_options
@click.argument("coordinates", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are open.")
@click.option("--reason", type=click.Choice(_REASONS), help="With --all: only these.")
@click.option("--fix-key", is_flag=True, help="Trust the data where the Kafka key is missing, unreadable or differs.")
@click.option("--value", type=click.File("rb"), help="Send this corrected CloudEvent instead of the original.")
def replay_letters(
    broker: str,
    prefix: str,
    coordinates: tuple[str, ...],
    reason: str | None,
    value: BinaryIO | None,
    *,
    everything: bool,
    fix_key: bool,
) -> None:
    """Send dead letters again, each to the partition where its key belongs; that lifts the doubt about their loans.

    What this build's contract still refuses is not sent. What was replayed before is not sent twice.
    """
    if everything == bool(coordinates) or (value is not None and len(coordinates) != 1):
        raise UserError(
            "Say which dead letters to replay: coordinates, or --all; --value goes with one.",
            "`duecourse dead-letters list --open` prints their coordinates.",
        )
    corrected = value.read() if value is not None else None

    async def work(deployment: Deployment) -> list[tuple[str, str, bool]]:
        book = await read_book(deployment)
        chosen = [_find(book, place) for place in coordinates] or _open(book, reason)
        async with publisher(deployment) as out:
            return [
                (letter.coordinates, *await _replay(out, book, letter, corrected, fix_key=fix_key)) for letter in chosen
            ]

    outcomes = talk(broker, prefix, work)
    for place, told, _ in outcomes:
        click.echo(printable(f"{place}: {told}"))
    if not outcomes:
        click.echo("no dead letter is open" + (f" with reason {reason}" if reason else ""))
    sys.exit(0 if all(done for *_, done in outcomes) else 1)


def _open(book: Book, reason: str | None) -> list[DeadLetter]:
    return [letter for place, letter in book.letters.items() if book.is_open(place) and reason in (None, letter.reason)]


async def _replay(
    out: Publisher, book: Book, letter: DeadLetter, corrected: bytes | None, *, fix_key: bool
) -> tuple[str, bool]:
    already = book.replayed_as(letter.coordinates)
    if already is not None:
        return f"already replayed as {already}", True
    try:
        envelope = _envelope(letter, fix_key=fix_key) if corrected is None else _corrected(letter, corrected)
    except _NotReplayable as error:
        return f"not replayed: {error}", False
    key = (key_of(envelope.data) or "").encode()
    sent = await out.send(letter.topic, key, encode(replace(envelope, replaces=letter.coordinates)))
    place = await sent
    return f"replayed as {letter.topic}/{place.partition}/{place.offset}", True


def _envelope(letter: DeadLetter, *, fix_key: bool) -> Envelope:
    """Return what would be sent for a dead letter; raise `_NotReplayable` if it still is one."""
    _check_source(letter)
    if letter.incomplete:
        raise _NotReplayable("it was kept in part only; ask its producer to send a smaller one, or use --value")
    found = letter.decode()
    if isinstance(found, Envelope):
        return found
    if found.reason in _KEY_REASONS:
        if fix_key:
            return _with_key_of_data(letter.topic, letter.value or b"", letter)
        raise _NotReplayable(f"{found.detail}; --fix-key trusts the data")
    raise _NotReplayable(f"{found.reason}: {found.detail}; --value sends a corrected event, `discard` gives it up")


def _corrected(letter: DeadLetter, value: bytes) -> Envelope:
    _check_source(letter)
    return _with_key_of_data(letter.topic, value.strip(), None)


def _check_source(letter: DeadLetter) -> None:
    topic = TOPICS.get(letter.topic)
    if letter.reason == DeadReason.QUARANTINED and topic is not None and CLOCK in topic.writers:
        raise _NotReplayable("it is a wake and no fact; `discard` lets its loan be woken again")
    if topic is None or {*SERVICES, CLOCK}.intersection(topic.writers) or topic.name == DEAD_LETTERS:
        raise _NotReplayable("its topic is written by duecourse alone; find out who else wrote there")


def _with_key_of_data(topic: str, value: bytes, letter: DeadLetter | None) -> Envelope:
    """Read an event under the key that its own data name."""
    headers = letter.headers if letter is not None else ()
    try:
        document: Any = json.loads(value)
    except (ValueError, RecursionError):
        document = {}
    document = document if isinstance(document, dict) else {}
    binary = {name: raw for name, raw in headers if name.startswith("ce_")}
    kind = (binary.get("ce_type") or b"").decode(errors="replace") or document.get("type")
    data = document if "ce_type" in binary else document.get("data")
    model = EVENTS.get(kind) if isinstance(kind, str) else None
    key = str(data.get(model.KEY)) if model and model.KEY and isinstance(data, dict) else "-"
    found = decode(topic, key.encode(errors="replace"), value, headers)
    if isinstance(found, Rejected):
        raise _NotReplayable(f"{found.reason}: {found.detail}")
    return found


@command.command()
@broker_options
@click.argument("coordinates")
@click.option("--reason", required=True, help="Why it means nothing; kept on record.")
def discard(broker: str, prefix: str, coordinates: str, reason: str) -> None:
    """Say that a dead letter about a loan means nothing; that lifts the doubt about the loan."""
    if not 0 < len(reason) <= 500:
        raise UserError("The reason must have 1 to 500 characters.")

    async def work(deployment: Deployment) -> str:
        book = await read_book(deployment)
        letter = _find(book, coordinates)
        if not book.is_open(coordinates):
            return book.fate(coordinates)
        envelope = _discard(letter, reason)
        async with publisher(deployment) as out:
            place = await (await out.send(ARRANGEMENTS, str(letter.loan_id).encode(), encode(envelope)))
        return f"discarded by {ARRANGEMENTS}/{place.partition}/{place.offset}"

    click.echo(printable(f"{coordinates}: {talk(broker, prefix, work)}"))


def _discard(letter: DeadLetter, reason: str) -> Envelope:
    try:
        data = DeadLetterDiscarded(loan_id=letter.loan_id or "", coordinates=letter.coordinates, reason=reason)
    except ValueError as error:
        raise UserError(
            f"No loan is in doubt because of {letter.coordinates}.",
            "Its key names no loan: there is nothing to lift, and it stays on record.",
        ) from error
    return Envelope(
        id=derive_id("dead-letter-discarded", letter.coordinates), source=_SOURCE, type=data.TYPE, data=data
    )


def _find(book: Book, coordinates: str) -> DeadLetter:
    letter = book.letters.get(coordinates)
    if letter is None:
        raise UserError(
            f"There is no dead letter {coordinates}.", "`duecourse dead-letters list` prints all coordinates."
        )
    return letter
