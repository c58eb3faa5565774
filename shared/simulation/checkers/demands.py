"""A wish says what is owed and by whom, a permit says what was asked, a withdrawal says why. Part of P7.

A reason that is not true explains nothing. Amounts and days are those of our own ledger, at the tick that decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from shared.contract.loans import LoanTerms, Role
from shared.contract.outreach import PermitGranted, PersonHoldForwarded
from shared.contract.requests import ContactClass, ContactRequested, ContactWithdrawn, WithdrawalReason
from shared.contract.topics import CREDIT_REPORT, DEAD_LETTERS
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.ledger import Ledger, Position, business_day
from shared.simulation.checkers.local_time import local_moment
from shared.simulation.checkers.policies import Policies
from shared.simulation.checkers.spool_rows import author
from shared.simulation.checkers.verdict import Findings

STEPS: Final = frozenset({ContactClass.PRE_DUE, ContactClass.DUE, ContactClass.OVERDUE})
"""Classes of the steps around a due date."""
_REMINDERS: Final = STEPS | {ContactClass.RETURNED_PAYMENT}


def check(chronicle: Chronicle, ledger: Ledger, policies: Policies, findings: Findings) -> None:
    """Compare each wish with the ledger and the one before, each permit with its wishes, withdrawals with reasons."""
    asked = {entry.data.request_id: entry for entry in chronicle.of(ContactRequested)}
    _check_gaps(chronicle, asked.values(), ledger, policies, findings)
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


def _check_gaps(
    chronicle: Chronicle,
    asked: Iterable[Entry[ContactRequested]],
    ledger: Ledger,
    policies: Policies,
    findings: Findings,
) -> None:
    """Require of each new message about arrears that the strategy's days have passed since the one before.

    And that none of the steps is said in the quiet days after the notice that a payment came back. What replaces a
    message that was taken back is no new one.
    """
    overdue: dict[str, int] = {}
    returned: dict[str, int] = {}
    for entry in sorted(asked, key=lambda one: one.at):
        wish, terms = entry.data, ledger.position(entry.data.loan_id, entry.at).terms
        if terms is None or wish.contact_class not in _REMINDERS:
            continue
        day = local_moment(entry.at, terms.accounting_zone).day
        course = policies.of(wish.policy).strategy.treatment(terms.product, terms.segment).reminder
        waits = [(returned, course.returned.quiet_days)] if wish.contact_class in STEPS else []
        if wish.contact_class is ContactClass.OVERDUE and wish.replaces_request_id is None:
            waits.append((overdue, course.gap_days))
        for last, days in waits if chronicle.judges(entry.at) else ():
            passed = day - last.get(wish.loan_id, day - days)
            what = f"it was asked for {passed} days after the message before, the strategy wants {days}"
            findings.require(that=passed >= days, where=entry.where, what=what)
        if wish.contact_class is ContactClass.OVERDUE:
            overdue[wish.loan_id] = day
        elif wish.contact_class is ContactClass.RETURNED_PAYMENT:
            returned[wish.loan_id] = day


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
