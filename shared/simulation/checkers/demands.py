"""A wish says what is owed and by whom, a permit says what was asked, a withdrawal says why. Part of P7.

A reason that is not true explains nothing. Amounts and days are those of our own ledger, at the tick that decided.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.contract.loans import LoanTerms, Role
from shared.contract.outreach import PermitGranted, PersonHoldForwarded
from shared.contract.requests import ContactRequested, ContactWithdrawn, WithdrawalReason
from shared.contract.topics import CREDIT_REPORT, DEAD_LETTERS
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.ledger import Ledger, Position, business_day
from shared.simulation.checkers.spool_rows import author
from shared.simulation.checkers.verdict import Findings


def check(chronicle: Chronicle, ledger: Ledger, findings: Findings) -> None:
    """Compare each wish with the ledger, each permit with its wishes, and each withdrawal with its reason."""
    asked = {entry.data.request_id: entry for entry in chronicle.of(ContactRequested)}
    for entry in asked.values():
        if chronicle.judges(entry.at):
            _check_request(entry, ledger.position(entry.data.loan_id, entry.at), findings)
    for permit in chronicle.of(PermitGranted):
        if chronicle.judges(permit.at):
            _check_permit(permit, asked, findings)
    held, aside = _held_people(chronicle), _quarantined(chronicle)
    for withdrawn in chronicle.of(ContactWithdrawn):
        request = asked.get(withdrawn.data.request_id)
        written = author(withdrawn.source)
        # Where a month's end takes a notice back, its reason is about the month.
        if request is not None and chronicle.judges(withdrawn.at) and written and written[0] != CREDIT_REPORT:
            loan_id = withdrawn.data.loan_id
            # What the gate told of holds long ago may not have been read.
            is_held = chronicle.since is not None or any(at <= withdrawn.at for at in held.get(loan_id, ()))
            position = ledger.position(loan_id, withdrawn.at)
            if position.judged and loan_id not in aside:
                _check_reason(withdrawn, request.data, position, findings, person_held=is_held)


def asked_first(terms: LoanTerms) -> str:
    """Return the person whom messages about a loan go to: its first borrower, or else who is named first."""
    borrowers = [obligor.borrower_id for obligor in terms.obligors if obligor.role is Role.BORROWER]
    return borrowers[0] if borrowers else terms.obligors[0].borrower_id


def _check_request(entry: Entry[ContactRequested], position: Position, findings: Findings) -> None:
    request, where, terms = entry.data, entry.where, position.terms
    findings.require(that=terms is not None, where=where, what="nobody had told the terms of the loan")
    if terms is None:
        return
    parties = (request.borrower_id, request.lender_id, request.currency)
    wanted = (asked_first(terms), terms.lender_id, terms.currency)
    findings.require(that=parties == wanted, where=where, what=f"it names {parties}, the terms {wanted}")
    if not position.judged:
        return
    day = business_day(entry.at, terms.accounting_zone, terms.cutoff)
    open_minor = position.unpaid(today=day)
    owed = sum(open_minor.get(name, 0) for name in request.instalment_ids)
    what = f"it demands {request.amount_due_minor}, by our ledger {owed} are owed"
    right = request.amount_due_minor == request.amounts.total_minor == owed
    findings.require(that=right, where=where, what=what)
    late = [(day - due).days for due, name, _ in position.overdue(day) if name in request.instalment_ids]
    days = max(late, default=0)
    what = f"it says {request.days_past_due} days past due, by our ledger {days}"
    findings.require(that=request.days_past_due == days, where=where, what=what)


def _check_permit(
    entry: Entry[PermitGranted], asked: Mapping[str, Entry[ContactRequested]], findings: Findings
) -> None:
    permit = entry.data
    for loan in permit.loans:
        request = asked.get(loan.request_id)
        if request is None:
            continue
        wish = request.data
        wanted = (wish.borrower_id, wish.lender_id, wish.contact_class, wish.loan_id, wish.currency, wish.step)
        given = (permit.borrower_id, permit.lender_id, permit.contact_class, loan.loan_id, loan.currency, loan.step)
        same = (wish.amount_due_minor, wish.amounts) == (loan.amount_due_minor, loan.amounts)
        right = given == wanted and same and permit.channel in wish.channels
        what = f"it does not say what request {wish.request_id} asked for"
        findings.require(that=right, where=entry.where, what=what)


def _check_reason(
    entry: Entry[ContactWithdrawn],
    request: ContactRequested,
    position: Position,
    findings: Findings,
    *,
    person_held: bool,
) -> None:
    assert position.terms is not None
    terms, at = position.terms, entry.at
    day = business_day(at, terms.accounting_zone, terms.cutoff)
    open_minor = position.unpaid(today=day)
    owed = sum(open_minor.get(name, 0) for name in request.instalment_ids)
    match entry.data.reason:
        case WithdrawalReason.PAID:
            true = owed <= terms.tolerance_minor
        case WithdrawalReason.AMOUNT_CHANGED:
            true = owed > terms.tolerance_minor
        case WithdrawalReason.HOLD:
            true = position.held(at) or person_held
        case WithdrawalReason.PROMISE:
            true = position.promised(day)
        case WithdrawalReason.LOAN_CLOSED:
            true = position.closed is not None
        case WithdrawalReason.FACT_IN_DOUBT:
            true = position.in_doubt(at)
        case _:
            return
    findings.require(that=true, where=entry.where, what=f"its reason, {entry.data.reason}, was not so")


def _held_people(chronicle: Chronicle) -> dict[str, list[int]]:
    """Return, by loan, the ticks at which it heard of a hold on a person."""
    found: dict[str, list[int]] = {}
    for entry in chronicle.of(PersonHoldForwarded):
        known = chronicle.known_at(entry.record)
        if known is not None:
            found.setdefault(entry.data.loan_id, []).append(known)
    return found


def _quarantined(chronicle: Chronicle) -> frozenset[str]:
    """Return the keys of which an operator took something out of the way: in doubt for a service, whatever it was."""
    found = set()
    for topic, records in chronicle.topics():
        for record in records if topic == DEAD_LETTERS else ():
            headers = dict(record.headers)
            if headers.get("duecourse-reason") == b"quarantined":
                found.add((headers.get("duecourse-key") or b"").decode(errors="replace"))
    return frozenset(found)
