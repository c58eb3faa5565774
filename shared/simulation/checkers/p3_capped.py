"""P3 capped: brute force over every cap, zone and window that a permit touches, given what was known at its grant.

What others did beyond a cap, or outside the hours, must be on record from the tick that reads of it: not hidden.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.contract.outreach import PermitGranted
from shared.domain.packs import Cap, Packs, Per
from shared.simulation.checkers import breaches
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.counting import count_within, counts, is_about
from shared.simulation.checkers.person import (
    Contact,
    Knowledge,
    Society,
    date_of,
    days_between,
    in_force,
    rules_for,
)
from shared.simulation.checkers.policies import Policies
from shared.simulation.checkers.verdict import Findings, Verdict


def check(chronicle: Chronicle, policies: Policies) -> Verdict:
    """Count, for every permit, every window of every cap around each day on which it may be used."""
    findings = Findings("P3", "capped")
    society = Society(chronicle)
    for borrower_id, permits in sorted(society.permits.items()):
        for number, entry in enumerate(permits):
            if not chronicle.judges(entry.at):
                continue
            knowledge = society.known(borrower_id, entry.at)
            later = {other.data.permit_id for other in permits[number:]}
            before = [
                contact
                for contact in society.contacts(knowledge, borrower_id)
                if contact.permit is None or contact.permit.permit_id not in later
            ]
            _check_permit(entry, knowledge, before, policies.of(entry.data.policy).packs, findings)
    breaches.check(chronicle, society, policies, findings)
    return findings.verdict()


def _check_permit(
    entry: Entry[PermitGranted], knowledge: Knowledge, before: list[Contact], packs: Packs, findings: Findings
) -> None:
    permit = entry.data
    _, caps = rules_for(packs, knowledge.profile)
    for cap in caps:
        if permit.channel not in cap.blocks or permit.contact_class in cap.exempt_classes:
            continue
        if cap.callback_exempt and knowledge.asked_to_be_called(permit.channel, permit.valid_from_ms):
            continue
        counted = [contact for contact in before if counts(cap, contact, knowledge)]
        for subject in _subjects(cap.per, permit):
            same = [contact for contact in counted if is_about(cap.per, contact, subject, permit.lender_id)]
            _check_windows(entry, cap, knowledge.zones(), same, findings)


def _check_windows(
    entry: Entry[PermitGranted], cap: Cap, zones: tuple[str, ...], same: list[Contact], findings: Findings
) -> None:
    permit = entry.data
    for zone in zones:
        for day in days_between(permit.valid_from_ms, permit.valid_until_ms - 1, zone):
            if not in_force(cap, date_of(day)):
                continue
            most = max(
                count_within(same, range(first, first + cap.days), zone) for first in range(day - cap.days + 1, day + 1)
            )
            what = f"{most} contacts were known in {cap.days} days in {zone}, rule {cap.rule.id} allows {cap.limit}"
            findings.require(that=most < cap.limit, where=entry.where, what=what)


def _subjects(per: Per, permit: PermitGranted) -> Iterator[str | None]:
    match per:
        case Per.PERSON:
            yield None
        case Per.LENDER:
            yield permit.lender_id
        case Per.LOAN:
            yield from sorted({loan.loan_id for loan in permit.loans})
        case Per.CONTACT_POINT:
            yield permit.contact_point_id
