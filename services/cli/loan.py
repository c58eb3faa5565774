"""`duecourse loan`: look at loans without Kafka, from a file of facts."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, Final

import click

from services.cli.errors import UserError
from services.cli.loan_report import FactsReport, LoanReport, RefusedReport, report
from shared.contract.base import DATE_MAX, DATE_MIN
from shared.contract.catalogue import EVENTS
from shared.contract.codec import DeadReason, Envelope, Rejected, decode
from shared.domain.delinquency import Basis
from shared.domain.doubt import doubt
from shared.domain.loan_dates import Calendars
from shared.domain.loan_facts import LOAN_FACTS, apply
from shared.domain.loan_state import Loan
from shared.domain.policy import load_policy
from shared.domain.policy_errors import PolicyError
from shared.kernel.step import Verdict
from shared.kernel.zones import start_of_day

WRONG_LINES_SHOWN_MAX: Final = 20
_LOAN_TYPES: Final = frozenset(event.TYPE for event in LOAN_FACTS)
_ADVICE: Final = "docs/loan-try.md describes the file, docs/events.md every event."
_FILLED_IN: Final = {"specversion": "1.0", "source": "loan-try"}


@click.group()
def command() -> None:
    """Look at a loan without Kafka."""


@command.command(name="try")
@click.argument("file", type=click.File("rb"))
@click.option("--as-of", "as_of", type=click.DateTime(["%Y-%m-%d"]), required=True, metavar="DATE",
              help="The business date, YYYY-MM-DD, at whose end to look, in each loan's accounting zone.")  # fmt: skip
@click.option("--basis", type=click.Choice([basis.value for basis in Basis]), default=Basis.BOOKS.value,
              help="books (default): money counts from its value date; contact: once it is known.")  # fmt: skip
@click.option("--policy", "policy", type=click.Path(file_okay=False, path_type=Path),
              help="Folder of policy files whose holiday tables count, instead of the default policy's.")  # fmt: skip
def try_(file: BinaryIO, as_of: datetime, basis: str, policy: Path | None) -> None:
    """Fold the facts of FILE (- for standard input), one JSON event per line, and print the loan as JSON.

    A line is a structured CloudEvent, or just {"type": ..., "data": ...}. Order and repetition of lines do not matter.
    One loan prints as an object, several as a list in order of their ids.
    """
    day = as_of.date()
    if not DATE_MIN <= day < DATE_MAX:
        raise UserError(f"{day} is no business date.", f"Use a date from {DATE_MIN} to {DATE_MAX}.")
    reports = tried(file, day, Basis(basis), _calendars(policy))
    if not reports:
        raise UserError(f"{file.name} holds no facts.", _ADVICE)
    documents = [one.model_dump(mode="json") for one in reports]
    click.echo(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2, ensure_ascii=False))


def _calendars(folder: Path | None) -> Calendars:
    try:
        return load_policy(folder).calendars
    except PolicyError as error:
        raise UserError(f"The policy cannot be used: {error}.") from error


@dataclass(slots=True)
class _Case:
    """One loan while its lines are read."""

    loan: Loan | None = None
    refused: list[RefusedReport] = field(default_factory=list)
    verdicts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))

    def take(self, number: int, envelope: Envelope, loan_id: str, now_ms: int) -> None:
        applied = apply(self.loan, loan_id, envelope.data, envelope.id, now_ms, envelope.replaces)
        self.loan = applied.loan
        self.verdicts[applied.verdict] += 1
        if applied.dead is not None:
            self.refused.append(RefusedReport(line=number, reason=applied.dead, detail=applied.detail))
            self.loan = doubt(self.loan, loan_id, envelope.data.TOPICS[0], f"line/{number}", now_ms)


def tried(lines: Iterable[bytes], as_of: date, basis: Basis, calendars: Calendars) -> list[LoanReport]:
    """Return a report per loan, in order of their ids; raise `UserError` naming every line that is no fact."""
    now_ms = start_of_day(as_of, "UTC")
    cases: dict[str, _Case] = {}
    for number, loan_id, envelope in _facts(lines):
        cases.setdefault(loan_id, _Case()).take(number, envelope, loan_id, now_ms)
    return [_reported(loan_id, case, as_of, basis, calendars) for loan_id, case in sorted(cases.items())]


def _reported(loan_id: str, case: _Case, as_of: date, basis: Basis, calendars: Calendars) -> LoanReport:
    facts = FactsReport(
        applied=case.verdicts[Verdict.APPLIED],
        duplicate=case.verdicts[Verdict.DUPLICATE],
        dead=case.verdicts[Verdict.DEAD],
    )
    return report(case.loan or Loan(loan_id), as_of, basis, calendars, tuple(case.refused), facts)


def _facts(lines: Iterable[bytes]) -> Iterator[tuple[int, str, Envelope]]:
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        value = line.removeprefix(BOM_UTF8).strip() if number == 1 else line.strip()
        if not value:
            continue
        read = _read(number, value)
        if isinstance(read, Rejected):
            wrong.append(f"line {number}: {read.reason}: {read.detail}")
        elif not wrong:
            yield number, getattr(read.data, read.data.KEY or ""), read
    if wrong:
        _refuse(wrong)


def _read(number: int, value: bytes) -> Envelope | Rejected:
    """Judge a line by the codec, as the record on its topic would be judged."""
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return Rejected(DeadReason.NOT_JSON, "the line is not a JSON object")
    kind, data = document.get("type"), document.get("data")
    if not isinstance(kind, str) or kind not in EVENTS:
        return Rejected(DeadReason.UNKNOWN_TYPE, "no event of the catalogue has this type")
    if kind not in _LOAN_TYPES:
        return Rejected(DeadReason.WRONG_TOPIC, f"{kind} is not a fact about a loan")
    loan_id = data.get("loan_id") if isinstance(data, dict) else None
    key = loan_id.encode(errors="replace") if isinstance(loan_id, str) and loan_id else b"none"
    return decode(EVENTS[kind].TOPICS[0], key, _completed(number, value, document))


def _completed(number: int, value: bytes, document: dict[str, object]) -> bytes:
    """Give a bare line the attributes of an event. The text itself stays, for the codec judges that."""
    missing = {name: text for name, text in {**_FILLED_IN, "id": f"line-{number}"}.items() if name not in document}
    if not missing:
        return value
    return json.dumps(missing)[:-1].encode() + b"," + value[1:]


def _refuse(wrong: list[str]) -> None:
    for line in wrong[:WRONG_LINES_SHOWN_MAX]:
        click.echo(line, err=True)
    if len(wrong) > WRONG_LINES_SHOWN_MAX:
        click.echo(f"and {len(wrong) - WRONG_LINES_SHOWN_MAX} more", err=True)
    lines = "One line is" if len(wrong) == 1 else f"{len(wrong)} lines are"
    raise UserError(f"{lines} no fact about a loan; nothing was folded.", _ADVICE)
