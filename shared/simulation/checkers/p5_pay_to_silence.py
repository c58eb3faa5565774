"""P5 pay to silence: what no longer must be demanded is not demanded, from the very tick that reads why.

For each permit: is the money that its requests name still owed, by all facts in Kafka before the tick, and is the loan
neither closed nor held nor in doubt nor under a promise? For each open permit whose reason goes: is it withdrawn then?
Where the gate's ticks name the pair that asked as silent, nobody can have told the gate: then it must be withdrawn at
the first of its ticks that waits for the pair again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.contract.arrangements import HoldPlaced, PromiseMade
from shared.contract.loans import InstalmentCancelled, LoanClosed
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import PermitGranted, PermittedLoan
from shared.contract.repayments import RepaymentReceived
from shared.contract.requests import ContactClass, ContactRequested, ContactWithdrawn
from shared.contract.ticks import BORROWER_CLOCK
from shared.contract.topics import RATE_LIMITER
from shared.kernel.business_days import BusinessCalendar
from shared.simulation.checkers.chronicle import Chronicle, Entry, Ticks
from shared.simulation.checkers.ledger import Known, Ledger, Position, business_day
from shared.simulation.checkers.person import permit_ends
from shared.simulation.checkers.spool_rows import author
from shared.simulation.checkers.verdict import Findings, Verdict

REMOVING = (RepaymentReceived, HoldPlaced, PromiseMade, LoanClosed, InstalmentCancelled)


@dataclass(frozen=True, slots=True)
class Chance:
    """A fact that could have come too late: a request for its loan was outstanding when it became known."""

    loan_id: str
    request_id: str
    at: int
    fact: str
    contacted: bool


def check(chronicle: Chronicle, calendars: Mapping[str, BusinessCalendar] | None = None) -> Verdict:
    """Judge every permit when it is granted, and every open one when a fact about its loans becomes known."""
    findings = Findings("P5", "pay to silence")
    ledger = Ledger(chronicle, calendars)
    asked = {entry.data.request_id: entry for entry in chronicle.of(ContactRequested)}
    ends = permit_ends(chronicle)
    withdrawn = {entry.data.request_id: chronicle.known_at(entry.record) for entry in chronicle.of(ContactWithdrawn)}
    for entry in chronicle.of(PermitGranted):
        for loan in entry.data.loans if chronicle.judges(entry.data.valid_until_ms) else ():
            request = asked.get(loan.request_id)
            if request is None and chronicle.since is not None:
                findings.left_out()
                continue
            if request is None:
                findings.violated(entry.where, f"no request {loan.request_id} was made")
                continue
            if chronicle.judges(entry.at):
                reason = _gone(ledger.position(loan.loan_id, entry.at), request.data, entry.at)
                reason = reason or _unasked(chronicle, entry, request, withdrawn.get(loan.request_id))
                what = f"granted at {entry.at} for loan {loan.loan_id}: {reason}"
                findings.require(that=reason is None, where=entry.where, what=what)
            facts = [
                (known, _due(chronicle, entry, request.source, known.at))
                for known in ledger.facts(loan.loan_id)
                if chronicle.judges(known.at)
            ]
            _check_while_open(entry, loan, request.data, facts, ledger, ends, findings)
    return findings.verdict()


def _unasked(
    chronicle: Chronicle, permit: Entry[PermitGranted], request: Entry[ContactRequested], withdrawn: int | None
) -> str | None:
    """Return why a wish could not be granted at that tick whatever is owed; None: it could."""
    if withdrawn is not None and withdrawn <= permit.at:
        return "the request had been withdrawn"
    tick = chronicle.tick_of(BORROWER_CLOCK, permit.record.partition, permit.at)
    if tick is not None and request.source.removeprefix("/duecourse/") in tick.silent:
        return "whoever asked was silent at that tick, and could not have told of a payment"
    if not request.data.not_before_ms <= permit.data.valid_from_ms <= permit.data.valid_until_ms:
        return "it began before the request made sense"
    return None if permit.data.valid_until_ms <= request.data.not_after_ms else "it lasts longer than the request"


def _check_while_open(
    entry: Entry[PermitGranted],
    loan: PermittedLoan,
    request: ContactRequested,
    facts: list[tuple[Known, int | None]],
    ledger: Ledger,
    ends: dict[str, int],
    findings: Findings,
) -> None:
    permit = entry.data
    for known, due in facts:
        if not entry.at < known.at < permit.valid_until_ms or not isinstance(known.entry.data, REMOVING):
            continue
        if due is None or due >= permit.valid_until_ms:
            continue
        if _gone(ledger.position(loan.loan_id, known.at), request, known.at) is None:
            continue
        ended = ends.get(permit.permit_id)
        what = f"the reason went at {known.at}, the permit for loan {loan.loan_id} stayed open"
        findings.require(that=ended is not None and ended <= due, where=entry.where, what=what)


def _due(chronicle: Chronicle, permit: Entry[PermitGranted], source: str, at: int) -> int | None:
    """Return when the permit must be withdrawn at the latest; None where the gate had not come so far."""
    partition = permit.record.partition
    due = heard_at(chronicle.ticks[BORROWER_CLOCK, partition], source, at)
    asked = author(source)
    told = asked is None or chronicle.standing.has_applied(asked, at)
    applied = due is not None and chronicle.standing.has_applied((RATE_LIMITER, partition), due)
    return due if told and applied else None


def heard_at(gate: Ticks, source: str, at: int) -> int | None:
    """Return the gate's first tick from `at` on that waited for the pair that asked; None where there was none yet.

    `source` is that of the request: `/duecourse/<service>/<partition>`.
    """
    pair = source.removeprefix("/duecourse/")
    first = bisect_left(gate.ats, at)
    return next((tick.at for tick in gate.ticks[first:] if pair not in tick.silent), None)


def _gone(position: Position, request: ContactRequested, at: int) -> str | None:
    """Return why the request does not stand at a tick; None: it stands."""
    if not position.judged or position.terms is None:
        return None
    if position.closed is not None:
        return "the loan is closed"
    if position.held(at):
        return "a hold on the loan is active"
    if position.in_doubt(at):
        return "a fact about the loan is in doubt"
    day = business_day(at, position.terms.accounting_zone, position.terms.cutoff)
    if position.promised(day) and request.contact_class is not ContactClass.STATUTORY_NOTICE:
        return "a promise to pay still runs"
    open_minor = position.unpaid()
    named = request.instalment_ids or tuple(open_minor)
    owed = sum(open_minor.get(name, 0) for name in named)
    if request.amount_due_minor > owed:
        return f"{request.amount_due_minor} are demanded, {owed} are owed"
    return None


def chances(chronicle: Chronicle) -> Iterator[Chance]:
    """Yield each request whose reason went while nobody had made contact for it yet, and whether anybody did later."""
    ledger = Ledger(chronicle)
    ends = {entry.data.request_id: entry.at for entry in chronicle.of(ContactWithdrawn)}
    attempts = _attempts(chronicle)
    for entry in chronicle.of(ContactRequested):
        request = entry.data
        made = attempts.get(request.request_id)
        until = min(ends.get(request.request_id, request.not_after_ms), request.not_after_ms)
        for known in ledger.facts(request.loan_id):
            if not entry.at < known.at <= until or (made is not None and made < known.at):
                continue
            removing = isinstance(known.entry.data, REMOVING)
            if removing and _gone(ledger.position(request.loan_id, known.at), request, known.at) is not None:
                yield Chance(request.loan_id, request.request_id, known.at, known.entry.id, made is not None)
                break


def _attempts(chronicle: Chronicle) -> dict[str, int]:
    """Return the instant of the attempt by request."""
    by_permit = {entry.data.permit_id: entry.data for entry in chronicle.of(PermitGranted)}
    found: dict[str, int] = {}
    for entry in chronicle.of(OutreachOutcome):
        permit = by_permit.get(entry.data.permit_id or "")
        if permit is not None and entry.data.outcome is Outcome.ATTEMPTED:
            found |= {loan.request_id: entry.data.occurred_ms for loan in permit.loans}
    return found
