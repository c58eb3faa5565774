"""`duecourse check`: judge the eight promises from the topics of a broker, or from a folder of recorded ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from time import monotonic
from typing import Final

import click

from services.cli.audit import Auditor, audit_of
from services.cli.errors import UserError
from services.cli.judging import judged
from services.cli.report_text import verdict_lines
from services.cli.sources import Source, policies_option, source_options
from shared.kernel.zones import DAY_MS, format_instant, parse_instant
from shared.simulation.checkers import FOLDED, PROMISES, Period, Policies, Verdict

DISTRIBUTION: Final = "duecourse"
EXIT_BROKEN: Final = 1


def _instant(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise click.BadParameter(f"{text} is not an instant, e.g. 2024-03-01T00:00:00Z") from error


@click.command()
@source_options
@policies_option
@click.option(
    "--since",
    callback=_instant,
    metavar="INSTANT",
    help="Judge only what was decided at that instant (RFC 3339) or later; P1 and P8 are always about everything.",
)
@click.option(
    "--promise",
    "promises",
    multiple=True,
    type=click.Choice(PROMISES),
    help="Only this promise; repeatable. Without P1 and P8 nothing is folded again, which is most of the work.",
)
@click.option("--every-minutes", type=click.FloatRange(0.1, 1440), help="Judge for ever, and tell it as metrics.")
@click.option(
    "--health",
    "health_address",
    default="",
    envvar="DUECOURSE_HEALTH_ADDRESS",
    metavar="HOST:PORT",
    help="Where /livez, /readyz and /metrics answer, with --every-minutes.",
)
def command(
    source: Source,
    policies: Policies,
    since: int | None,
    promises: tuple[str, ...],
    every_minutes: float | None,
    health_address: str,
) -> None:
    """Read all topics, changelogs included, and say of each promise how often it was tried and broken.

    Nothing is written but a temporary file as large as the topics (in TMPDIR). Exit code 1 when a promise was broken,
    or could not be tried at all.
    """
    period = None if since is None else Period.since_instant(since, policies)
    asked = promises or PROMISES
    if every_minutes is not None:
        if since is not None:
            raise UserError("--every-minutes judges everything, from its beginning.", "Leave --since out.")
        Auditor(lambda: audit_of(source, policies, asked), every_minutes, version(DISTRIBUTION)).run(health_address)
        return
    began = monotonic()
    with judged(source, policies, period, asked) as found:
        records, verdicts = found.spool.records, found.verdicts
    seconds = monotonic() - began
    for line in _lines(records, source, verdicts, period):
        click.echo(line)
    click.echo(f"read and judged in {seconds:.1f} s, {records / seconds:,.0f} records a second", err=True)
    if not all(verdict.kept for verdict in verdicts):
        sys.exit(EXIT_BROKEN)


def _lines(records: int, source: Source, verdicts: Sequence[Verdict], period: Period | None) -> Iterator[str]:
    yield f"{records:,} records of {source}; promises: violations / cases tried"
    if period is not None:
        days = (period.since - period.read_from) / DAY_MS
        yield (
            f"P2 to P7 judge what was decided since {format_instant(period.since)}. Wishes, permits and answers are "
            f"read back to {format_instant(period.read_from)}, one longest window of the policy ({days:.1f} days); "
            "what lenders, people and gateways told is read from its beginning."
        )
        if any(verdict.promise in FOLDED for verdict in verdicts):
            yield "P1 and P8 fold all of history, whatever --since says."
    for verdict in verdicts:
        yield from verdict_lines(verdict)
    untried = [verdict.promise for verdict in verdicts if not verdict.cases]
    if untried:
        yield f"not tried: {', '.join(untried)}. What was not tried is not shown to hold: this counts as a failure."
