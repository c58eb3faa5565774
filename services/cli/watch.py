"""`duecourse watch`: what happens on the topics, one readable line per record, as consumers see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from heapq import heappop, heappush

import click

from services.cli.broker import broker_options, printable, talk
from services.cli.explain.phrases import Reader as Audience
from services.cli.operator_phrases import phrase
from shared.contract.base import Event
from shared.contract.codec import Rejected, decode_key
from shared.contract.loans import LoanBoarded, LoanOpened
from shared.contract.outcomes import OutreachOutcome
from shared.contract.outreach import PermitGranted
from shared.contract.recorded import Recorded
from shared.contract.requests import ContactRequested
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK
from shared.contract.topics import DEAD_LETTERS, TOPICS
from shared.kernel.zones import UnknownZone, to_local, zone
from shared.runtime.records import Deployment, reader

_HELD_MAX = 100_000
_QUIET = tuple(name for name in TOPICS if name not in {LOAN_CLOCK, BORROWER_CLOCK})


def _known_zone(_context: click.Context, _option: click.Parameter, name: str) -> str:
    try:
        zone(name)
    except UnknownZone as error:
        raise click.BadParameter(f"{name} is not an IANA time zone, e.g. Asia/Shanghai") from error
    return name


@click.command()
@broker_options
@click.option("--topic", "topics", multiple=True, type=click.Choice(list(TOPICS)), help="Only this topic; repeatable.")
@click.option("--loan", help="Only what concerns this loan.")
@click.option("--borrower", help="Only what concerns this borrower.")
@click.option("--zone", "zone_name", default="UTC", show_default=True, callback=_known_zone, help="For times.")
@click.option("--from-start", is_flag=True, help="Begin with the oldest record instead of the next one.")
@click.option("--until-end", is_flag=True, help="Stop where the topics end now; implies --from-start.")
def command(
    broker: str,
    prefix: str,
    topics: tuple[str, ...],
    loan: str | None,
    borrower: str | None,
    zone_name: str,
    *,
    from_start: bool,
    until_end: bool,
) -> None:
    """Follow the topics until Ctrl-C: appended, where it lies, key, and what it says.

    Without --topic, all topics but the clocks'.
    """
    watcher = Watcher(zone_name, loan, borrower)

    async def follow(deployment: Deployment) -> None:
        async with reader(deployment, topics or _QUIET) as reading:
            if not (from_start or until_end):
                await reading.to_end()
            async with aclosing(reading.until_end() if until_end else reading.follow()) as records:
                # Partitions come one after another when they are read to their end; a person wants one story.
                lines = _in_order(watcher, records, _HELD_MAX if until_end else 0)
                async for line in lines:
                    click.echo(line)

    talk(broker, prefix, follow)


async def _in_order(watcher: Watcher, records: AsyncIterator[Recorded], held_max: int) -> AsyncIterator[str]:
    """Yield the records' lines, each held back until so many later ones are known, the oldest first."""
    held: list[tuple[int, int, str]] = []
    number = 0
    async for record in records:
        line = watcher.line(record)
        if line is None:
            continue
        number += 1
        heappush(held, (record.appended_ms, number, line))
        while len(held) > held_max:
            yield heappop(held)[2]
    while held:
        yield heappop(held)[2]


class Watcher:
    """Turns records into lines; learns the currencies of loans from what it has seen."""

    def __init__(self, zone_name: str, loan: str | None = None, borrower: str | None = None) -> None:
        self._zone = zone_name
        self._loan = loan
        self._borrower = borrower
        self._currencies: dict[str, str] = {}

    def line(self, record: Recorded) -> str | None:
        """Return the record's line, or None if it concerns somebody else."""
        said = self._said(record)
        if said is None:
            return None
        key = decode_key(record.key) or "-"
        when = f"{to_local(record.appended_ms, self._zone):%Y-%m-%d %H:%M:%S}"
        who = "" if record.topic == DEAD_LETTERS else f"{key}: "
        return printable(f"{when}  {record.coordinates:<34} {who}{said}")

    def _said(self, record: Recorded) -> str | None:
        if record.topic == DEAD_LETTERS:
            headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
            if not self._wants({headers.get("duecourse-key", "")}, {headers.get("duecourse-key", "")}):
                return None
            coordinates = headers.get("duecourse-coordinates", "?")
            return f"dead letter of {coordinates}: {headers.get('duecourse-reason', '?')}"
        decoded = record.decode()
        if isinstance(decoded, Rejected):
            key = {decode_key(record.key) or ""}
            return f"unreadable: {decoded.reason}: {decoded.detail}" if self._wants(key, key) else None
        self._learn(decoded.data)
        if not self._wants(loans_of(decoded.data), borrowers_of(decoded.data)):
            return None
        again = f" (replays {decoded.replaces})" if decoded.replaces else ""
        return phrase(decoded.data, Audience(self._zone, self._currencies)) + again

    def _wants(self, loans: set[str], borrowers: set[str]) -> bool:
        if self._loan is None and self._borrower is None:
            return True
        return self._loan in loans or self._borrower in borrowers

    def _learn(self, event: Event) -> None:
        if isinstance(event, (LoanOpened, LoanBoarded)):
            self._currencies[event.loan_id] = event.terms.currency
        elif isinstance(event, ContactRequested):
            self._currencies[event.loan_id] = event.currency


def loans_of(event: Event) -> set[str]:
    """Return the loans that an event names."""
    if isinstance(event, PermitGranted):
        return {loan.loan_id for loan in event.loans}
    if isinstance(event, OutreachOutcome):
        return set(event.loan_ids)
    loan_id = getattr(event, "loan_id", None)
    return {loan_id} if isinstance(loan_id, str) else set()


def borrowers_of(event: Event) -> set[str]:
    """Return the people that an event names."""
    if isinstance(event, (LoanOpened, LoanBoarded)):
        return {obligor.borrower_id for obligor in event.terms.obligors}
    borrower_id = getattr(event, "borrower_id", None)
    return {borrower_id} if isinstance(borrower_id, str) else set()
