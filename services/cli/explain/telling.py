"""The case as lines for a person: everything in order, or the few lines that matter most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.cli.explain.case import Case, Entry
from services.cli.explain.phrases import Reader, phrase
from services.cli.explain.recomputed import Looked, Recomputed
from shared.contract.base import Event
from shared.contract.loans import LoanBoarded, LoanOpened
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import (
    BreachRecorded,
    ClearanceAnswered,
    ContactAnswered,
    ContactOutcome,
    PermitDeferred,
    PermitExpired,
    PermitGranted,
    PermitRefused,
    PermitWithdrawn,
    PersonHoldForwarded,
)
from shared.contract.repayments import RepaymentReceived, RepaymentReversed
from shared.contract.requests import (
    ContactRequested,
    ContactWithdrawn,
    LoanLinked,
    ReportAction,
    ReportChanged,
    StageChanged,
)
from shared.simulation.checkers.spool_rows import author

ECHOES: Final = (ContactAnswered, ContactOutcome, ClearanceAnswered, PersonHoldForwarded, LoanLinked)
"""What one of our services tells another of what is already told: shown on request only."""

_WEIGHTS: Final[dict[type[Event], int]] = {
    BreachRecorded: 9,
    RepaymentReversed: 9,
    PermitWithdrawn: 8,
    PermitGranted: 7,
    StageChanged: 7,
    ReportChanged: 6,
    RepaymentReceived: 6,
    PermitRefused: 5,
    PermitDeferred: 4,
    ContactWithdrawn: 3,
    OutreachOutcome: 2,
    ContactRequested: 1,
    PermitExpired: 0,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story; `weight` decides what a short story keeps."""

    known_ms: int
    who: str
    text: str
    weight: int


def reader_of(case: Case) -> Reader:
    """Return for whom the case is told."""
    currencies = {
        entry.data.loan_id: entry.data.terms.currency
        for entry in case.entries
        if isinstance(entry.data, (LoanOpened, LoanBoarded))
    }
    return Reader(case.zone, currencies)


def lines_of(case: Case, *, echoes: bool = False) -> list[Line]:
    """Return one line per event, repeated deferrals of the same reason told once."""
    reader = reader_of(case)
    lines: list[Line] = []
    told: dict[str, tuple[str, ...]] = {}
    for entry in case.entries:
        data = entry.data
        if isinstance(data, ECHOES) and not echoes:
            continue
        if isinstance(data, PermitDeferred):
            rules = tuple(rule.rule_id for rule in data.rules)
            if told.get(data.request_id) == rules:
                continue
            told[data.request_id] = rules
        lines.append(Line(entry.known_ms, _who(entry), phrase(data, reader), _weight(data)))
    lines += [
        Line(buried.known_ms, _teller(buried.coordinates), f"dead letter {buried.coordinates}: {buried.reason}", 5)
        for buried in case.buried
    ]
    return sorted(lines, key=lambda line: line.known_ms)


def shorten(lines: Sequence[Line], count: int) -> list[Line]:
    """Return at most `count` lines, the weightiest, in their order; of equals the first and the last ones stay."""
    if len(lines) <= count:
        return list(lines)
    middle = len(lines) / 2
    ranked = sorted(range(len(lines)), key=lambda i: (-lines[i].weight, -abs(i - middle), i))
    return [lines[i] for i in sorted(ranked[:count])]


def silences(found: Sequence[Recomputed]) -> list[Line]:
    """Return a line for every look that led to nothing, runs of the same reason told once with their number."""
    lines: list[Line] = []
    runs: dict[tuple[str, str, str, str], list[Looked]] = {}
    for recomputed in found:
        for look in recomputed.looks:
            for reason, subject in look.skips:
                runs.setdefault((look.service, look.key, reason, subject), []).append(look)
    for (service, key, reason, subject), looks in runs.items():
        about = f" ({subject})" if subject else ""
        more = f", {len(looks)} times until the last tick" if len(looks) > 1 else ""
        lines.append(Line(looks[0].at_ms, service, f"{key}: {reason}{about}{more}", 0))
    return sorted(lines, key=lambda line: (line.known_ms, line.who, line.text))


def next_steps(case: Case, found: Sequence[Recomputed]) -> list[str]:
    """Return what is still open: requests that wait, permits that may be used, and when each service looks again."""
    reader = reader_of(case)
    lines = [*_waiting(case, reader), *_usable(case, reader)]
    for recomputed in found:
        newest = {look.key: look for look in recomputed.looks}
        for key, look in sorted(newest.items()):
            if look.wake_at_ms is not None:
                lines.append(f"{look.service} looks at {key} again at {reader.moment(look.wake_at_ms)}")
    return lines or ["nothing is open: only a new fact would change that"]


def _waiting(case: Case, reader: Reader) -> list[str]:
    open_requests: dict[str, tuple[ContactRequested, PermitDeferred | None]] = {}
    for entry in case.entries:
        match entry.data:
            case ContactRequested() as asked:
                open_requests[asked.request_id] = (asked, None)
            case PermitDeferred() as deferred if deferred.request_id in open_requests:
                open_requests[deferred.request_id] = (open_requests[deferred.request_id][0], deferred)
            case ContactWithdrawn() | PermitRefused() as ended:
                open_requests.pop(ended.request_id, None)
            case ContactAnswered() as answered:
                open_requests.pop(answered.request_id, None)
            case PermitGranted() as granted:
                for loan in granted.loans:
                    open_requests.pop(loan.request_id, None)
            case _:
                pass
    alive = [pair for pair in open_requests.values() if pair[0].not_after_ms > case.last_tick_ms]
    return [f"waits: {phrase(deferred or asked, reader)}" for asked, deferred in alive]


def _usable(case: Case, reader: Reader) -> list[str]:
    permits: dict[str, PermitGranted] = {}
    for entry in case.entries:
        match entry.data:
            case PermitGranted() as granted:
                permits[granted.permit_id] = granted
            case PermitWithdrawn() | PermitExpired() as ended:
                permits.pop(ended.permit_id, None)
            case OutreachOutcome(permit_id=str() as permit_id):
                permits.pop(permit_id, None)
            case _:
                pass
    alive = [permit for permit in permits.values() if permit.valid_until_ms > case.last_tick_ms]
    return [f"may be used: {phrase(permit, reader)}" for permit in alive]


def _who(entry: Entry) -> str:
    service = author(entry.envelope.source)
    if entry.is_ours and service is not None:
        return service[0]
    return _teller(entry.record.coordinates)


def _teller(coordinates: str) -> str:
    topic = coordinates.split("/", 1)[0]
    return {"outreach.outcomes": "gateway", "lending.borrowers": "person"}.get(topic, "lender")


def _weight(data: Event) -> int:
    if isinstance(data, ReportChanged) and data.action is ReportAction.FILED and not data.adverse:
        return 1
    if isinstance(data, OutreachOutcome) and (data.permit_id is None or data.outcome is Outcome.STOP):
        return 8
    return _WEIGHTS.get(type(data), 2)
