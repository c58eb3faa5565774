"""The command itself: where the log is, whom to explain, how much to tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from services.cli.errors import UserError
from services.cli.explain.case import Case, case_of
from services.cli.explain.recomputed import Recomputed, recompute
from services.cli.explain.telling import Line, lines_of, next_steps, reader_of, shorten, silences
from services.cli.processors import PROCESSORS
from services.cli.sources import Source, policy_option, source_options
from shared.contract.recorded import Recorded
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK
from shared.contract.topics import TOPICS, Keyed
from shared.domain.policy import Policy
from shared.engine.topology import Topology


@click.command()
@source_options
@policy_option
@click.option("--borrower", metavar="ID", help="The person whose case to tell.")
@click.option("--loan", metavar="ID", help="The loan whose case to tell.")
@click.option(
    "--record",
    "coordinates",
    metavar="TOPIC/PARTITION/OFFSET",
    help="A record, as a log line or `check` names it: tell the case of the person or loan that it is about.",
)
@click.option("--short", type=click.IntRange(min=1), metavar="N", help="Only the N lines that matter most.")
@click.option("--echoes", is_flag=True, help="Also what our services tell each other of it.")
def command(
    source: Source,
    policy: Policy,
    borrower: str | None,
    loan: str | None,
    coordinates: str | None,
    short: int | None,
    *,
    echoes: bool,
) -> None:
    """Tell what came in, what was decided, why, by which rule, what happens next, and why nothing happened."""
    if [borrower, loan, coordinates].count(None) != 2:
        raise UserError("Name one person, loan or record.", "Use --borrower ID, --loan ID or --record COORDINATES.")
    records = source.read()
    if coordinates is not None:
        borrower, loan = _subject(records, coordinates)
    case = case_of(records, borrower=borrower, loan=loan)
    if not case.entries:
        raise UserError(f"Nothing on the topics of {source} concerns {borrower or loan}.", "Check the id and the log.")
    click.echo(_heading(case))
    lines = lines_of(case, echoes=echoes)
    if short is not None:
        _print(case, shorten(lines, short))
        return
    _print(case, lines)
    found = recomputed(case, records, source.topology, policy)
    _section("Looked at, and why nothing came of it (computed again from the log)")
    _print(case, silences(found))
    _section("What happens next")
    for step in next_steps(case, found):
        click.echo(f"  {step}")
    _warn_of_policies(found)


def _subject(records: Sequence[Recorded], coordinates: str) -> tuple[str | None, str | None]:
    """Return the person or the loan that a record is about; raise `UserError` where there is none."""
    record = next((record for record in records if record.coordinates == coordinates), None)
    if record is None:
        raise UserError(f"There is no record {coordinates}.", "Name it without the deployment's prefix.")
    keyed, key = TOPICS[record.topic].keyed, (record.key or b"").decode(errors="replace")
    if not key or keyed is Keyed.NONE:
        raise UserError(
            f"{coordinates} is about no person and no loan.", "Dead letters: `duecourse dead-letters show`."
        )
    return (key, None) if keyed is Keyed.BORROWER else (None, key)


def recomputed(case: Case, records: Sequence[Recorded], topology: Topology, policy: Policy) -> list[Recomputed]:
    """Run all services' rules again over the case's loans and people."""
    policies = {policy.hash: policy}
    keys = {LOAN_CLOCK: frozenset(case.loans), BORROWER_CLOCK: frozenset(case.borrowers)}
    return [recompute(processor, records, keys[processor.clock], topology, policies) for processor in PROCESSORS]


def _heading(case: Case) -> str:
    people = ", ".join(sorted(case.borrowers)) or "nobody known"
    return f"{people}; loans {', '.join(sorted(case.loans)) or 'none'}; times in {case.zone}"


def _print(case: Case, lines: Sequence[Line]) -> None:
    reader = reader_of(case)
    for line in lines:
        click.echo(f"  {reader.moment(line.known_ms)}  {line.who:<13} {line.text}")
    if not lines:
        click.echo("  nothing")


def _section(title: str) -> None:
    click.echo(f"\n{title}")


def _warn_of_policies(found: Sequence[Recomputed]) -> None:
    lacking = sorted(frozenset[str]().union(*(recomputed.lacking for recomputed in found)))
    if lacking:
        click.echo(
            f"\nThe ticks name policy {', '.join(lacking)}, which is not at hand: what came after it was not computed "
            f"again. Name its folder with --policy {Path('FOLDER')}.",
            err=True,
        )
