"""P6 fair record: nothing adverse without notice, waiting time and clearance, and no wrong that is known stays.

Months are judged by a ledger of our own. A code may be milder than ours, never harsher; and as soon as a known fact
makes ours milder than what was reported, the correction must be there at that same tick. But a month that cannot be
reported as late is unknown, never good, and no month of a loan whose months are told is left out.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.contract.base import HoldReason, Rung
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import ClearanceAnswered, ContactOutcome, PermitGranted
from shared.contract.requests import (
    ClearancePurpose,
    ContactClass,
    ReportAction,
    ReportChanged,
    StageChanged,
    StageMove,
)
from shared.contract.topics import CREDIT_REPORT
from shared.domain.reporting import Reporting, ReportingRules, next_month
from shared.kernel.zones import DAY_MS
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.ledger import Known, Ledger, Position
from shared.simulation.checkers.person import Society
from shared.simulation.checkers.policies import Policies
from shared.simulation.checkers.verdict import Findings, Verdict

_TOLD: Final = (ReportAction.FILED, ReportAction.CORRECTED)
_GOOD: Final = frozenset({"N", "*", "M", "D"})
_SEVERITY: Final = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "B": 8}


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What of the topics an adverse act may rest on."""

    notices: dict[str, Entry[PermitGranted]]
    outcomes: dict[str, list[tuple[int, OutreachOutcome]]]
    clearances: dict[str, tuple[int, ClearanceAnswered]]
    passed_on: dict[tuple[str | None, str, Outcome], int | None]
    """When stage 1 read what the gate passed on about a permit and a loan; None: not yet."""


def check(chronicle: Chronicle, policies: Policies) -> Verdict:
    """Judge every adverse report and restriction, and every month against every later fact."""
    findings = Findings("P6", "fair record")
    ledger, society, evidence = Ledger(chronicle, policies.calendars), Society(chronicle), _evidence(chronicle)
    reports: dict[str, list[Entry[ReportChanged]]] = defaultdict(list)
    for entry in chronicle.of(ReportChanged):
        reports[entry.data.loan_id].append(entry)
        if entry.data.adverse and entry.data.action in _TOLD and chronicle.judges(entry.at):
            if chronicle.since is not None and entry.data.notice_permit_id not in {None, *evidence.notices}:
                findings.left_out()
                continue
            _check_adverse(entry, ledger, policies, evidence, findings)
            _check_holds(entry, evidence, society, findings)
        elif entry.data.action in _TOLD and chronicle.judges(entry.at):
            _check_good(entry, ledger, policies, findings)
    for loan_id, told in sorted(reports.items()):
        known = sorted({known.at for known in ledger.facts(loan_id) if _is_due(chronicle, known)})
        _check_corrections(loan_id, told, known, ledger, policies, findings)
        if chronicle.judges(told[-1].at):
            _check_gaps(told, ledger.position(loan_id, told[-1].at), findings)
    for raised in chronicle.of(StageChanged):
        restricted = raised.data.move is StageMove.RAISED and raised.data.rung is Rung.RESTRICTION
        if restricted and chronicle.judges(raised.at):
            _check_restriction(raised, evidence, findings)
    return findings.verdict()


def _is_due(chronicle: Chronicle, known: Known) -> bool:
    """Whether a correction that a fact calls for is to be judged, and the service had come so far."""
    share = (CREDIT_REPORT, known.entry.record.partition)
    return chronicle.judges(known.at) and chronicle.standing.has_applied(share, known.at)


def _evidence(chronicle: Chronicle) -> _Evidence:
    notices = {
        entry.data.permit_id: entry
        for entry in chronicle.of(PermitGranted)
        if entry.data.contact_class is ContactClass.STATUTORY_NOTICE
    }
    outcomes: dict[str, list[tuple[int, OutreachOutcome]]] = defaultdict(list)
    for entry in chronicle.of(OutreachOutcome):
        known = chronicle.known_at(entry.record)
        if entry.data.permit_id in notices and known is not None:
            outcomes[entry.data.permit_id].append((known, entry.data))
    clearances = {}
    for answer in chronicle.of(ClearanceAnswered):
        known = chronicle.known_at(answer.record)
        if known is not None:
            clearances[answer.data.clearance_id] = (known, answer.data)
    passed_on = {
        (entry.data.permit_id, entry.data.loan_id, entry.data.outcome): chronicle.known_at(entry.record)
        for entry in chronicle.of(ContactOutcome)
    }
    return _Evidence(notices, outcomes, clearances, passed_on)


def _check_adverse(
    entry: Entry[ReportChanged], ledger: Ledger, policies: Policies, evidence: _Evidence, findings: Findings
) -> None:
    report, where = entry.data, entry.where
    known_then = ledger.position(report.loan_id, entry.at)
    rules = _rules(known_then, policies.of(report.policy).reporting)
    day = cutoff_date(rules, report.month)
    position = ledger.for_month(known_then, report.loan_id, entry.at, day)

    def require(what: str, *, that: bool) -> None:
        findings.require(that=that, where=where, what=f"{report.action} {report.month} {report.code}: {what}")

    _check_notice(entry, rules, evidence, require)
    known, answer = evidence.clearances.get(report.clearance_id or "", (0, None))
    about = answer is not None and (answer.loan_id, answer.purpose) == (report.loan_id, ClearancePurpose.ADVERSE_REPORT)
    require("there is no clearance", that=answer is not None and about and answer.cleared and known <= entry.at)
    if not position.judged:
        return
    require("a hold on the loan is active", that=not position.held(entry.at))
    require("a fact about the loan is in doubt", that=not position.in_doubt(entry.at))
    days = position.days_past_due(day)
    require(f"by our ledger it was {days} days past due", that=_SEVERITY.get(report.code, 9) <= severity(days))
    if report.code != "B":
        grace_days = 0 if position.terms is None else position.terms.grace_days
        require(f"{days} days past due are inside {grace_days} days of grace", that=days > grace_days)
        found = {days, known_then.days_past_due(day)}
        require(f"it says {report.days_past_due} days, our ledger {days}", that=report.days_past_due in found)
    require("the borrower had died by then", that=not _has_died(position, day, rules))
    late = {name for due, name, _ in position.owed() if due < day}
    still = sum(amount for name, amount in position.unpaid().items() if name in late)
    closed = position.closed is not None and report.code != "B"
    require("everything late was paid before it was told", that=still > 0 and not closed)


def _has_died(position: Position, day: date, rules: ReportingRules) -> bool:
    """Whether a hold tells that the borrower had died when a month was closed: no late mark is made of it (T-32)."""
    assert position.terms is not None
    closed_ms = rules.cutoff_ms(f"{day:%Y-%m}", position.terms.accounting_zone)
    return any(hold.reason is HoldReason.DECEASED for hold in position.holds_at(closed_ms))


def _check_good(entry: Entry[ReportChanged], ledger: Ledger, policies: Policies, findings: Findings) -> None:
    """Require that a month that is told as good was good: what could not be told as late is unknown."""
    report = entry.data
    position = ledger.position(report.loan_id, entry.at)
    if report.code not in _GOOD or not position.judged or position.terms is None:
        return
    day = cutoff_date(_rules(position, policies.of(report.policy).reporting), report.month)
    # A due date that was moved just before the month was first judged may count as moved, or as it had been.
    months = (position, ledger.for_month(position, report.loan_id, entry.at, day))
    days = min(one.days_past_due(day) for one in months)
    what = f"{report.action} {report.month} {report.code}: by our ledger it was {days} days past due"
    findings.require(that=days <= position.terms.grace_days, where=entry.where, what=what)


def _check_gaps(told: list[Entry[ReportChanged]], position: Position, findings: Findings) -> None:
    """Require that between the first and the last month that was told none is missing."""
    months = {entry.data.month for entry in told}
    filed = set() if position.boarded is None else {month.month for month in position.boarded.months_filed}
    month, last = min(months), max(months)
    while month < last:
        month = next_month(month)
        missing = month not in months and month not in filed
        findings.require(that=not missing, where=told[-1].where, what=f"month {month} was never told")


def _check_notice(
    entry: Entry[ReportChanged], rules: ReportingRules, evidence: _Evidence, require: Callable[..., None]
) -> None:
    report = entry.data
    notice = evidence.notices.get(report.notice_permit_id or "")
    named = notice is not None and report.loan_id in {loan.loan_id for loan in notice.data.loans}
    require("no notice was permitted for this loan", that=named)
    told = evidence.outcomes.get(report.notice_permit_id or "", [])
    known = [outcome for at, outcome in told if at <= entry.at]
    attempts = [outcome.occurred_ms for outcome in known if outcome.outcome is Outcome.ATTEMPTED]
    require("no attempt of the notice is known", that=bool(attempts))
    waited = min((entry.at - at for at in attempts), default=0)
    require("the waiting time has not passed", that=waited >= rules.waiting_days * DAY_MS)
    lost = [outcome for outcome in known if outcome.outcome in {Outcome.BOUNCED, Outcome.WRONG_NUMBER}]
    require("the notice bounced", that=not any(_was_heard(outcome, entry, evidence) for outcome in lost))


def _was_heard(outcome: OutreachOutcome, entry: Entry[ReportChanged], evidence: _Evidence) -> bool:
    """Whether stage 1 knew what the gate knows: it hears it a tick later, unless the gate never passed it on."""
    read_at = evidence.passed_on.get((outcome.permit_id, entry.data.loan_id, outcome.outcome), entry.at)
    return read_at is not None and read_at <= entry.at


def _check_holds(entry: Entry[ReportChanged], evidence: _Evidence, society: Society, findings: Findings) -> None:
    _, answer = evidence.clearances.get(entry.data.clearance_id or "", (0, None))
    if answer is not None:
        held = society.known(answer.borrower_id, answer.answered_ms).is_held(answer.answered_ms, answer.answered_ms + 1)
        what = "it was cleared although a hold on the person was known"
        findings.require(that=not held, where=entry.where, what=what)


def _check_corrections(
    loan_id: str,
    told: list[Entry[ReportChanged]],
    ticks: list[int],
    ledger: Ledger,
    policies: Policies,
    findings: Findings,
) -> None:
    """At every tick with a new fact, no month may stand harsher than our ledger says."""
    for at in ticks:
        standing = {entry.data.month: entry for entry in told if entry.at <= at and entry.data.action in _ANSWERED}
        adverse = [entry for entry in standing.values() if entry.data.adverse and entry.data.action in _TOLD]
        if not adverse:
            continue
        position = ledger.position(loan_id, at)
        if not position.judged:
            continue
        for entry in adverse:
            day = cutoff_date(_rules(position, policies.of(entry.data.policy).reporting), entry.data.month)
            days = ledger.for_month(position, loan_id, at, day).days_past_due(day)
            what = f"{entry.data.month} stands as {entry.data.code} after {at}, when it was known to be {days} days"
            right = _SEVERITY.get(entry.data.code, 9) <= severity(days)
            findings.require(that=right, where=entry.where, what=what)


_ANSWERED: Final = (*_TOLD, ReportAction.WITHDRAWN)


def _check_restriction(entry: Entry[StageChanged], evidence: _Evidence, findings: Findings) -> None:
    """Require a clearance that was read at this very tick: later it would answer another question."""
    cleared = any(
        known == entry.at and answer.cleared and answer.purpose is ClearancePurpose.RESTRICTION
        for known, answer in evidence.clearances.values()
        if answer.loan_id == entry.data.loan_id
    )
    findings.require(that=cleared, where=entry.where, what="a restriction without clearance at its tick")


def _rules(position: Position, reporting: Reporting) -> ReportingRules:
    if position.terms is None:
        return reporting.defaults
    return reporting.rules(position.terms.product, position.terms.segment)


def cutoff_date(rules: ReportingRules, month: str) -> date:
    """Return the day whose end a month's report is about."""
    year, number = (int(part) for part in month.split("-"))
    return date(year, number, monthrange(year, number)[1] if rules.cutoff_day == "last" else rules.cutoff_day)


def severity(days: int) -> int:
    """Return how adverse a number of days past due is: 0 not, 1 for up to 30, one more for each 30, up to 7."""
    return min(7, (days + 29) // 30) if days > 0 else 0
