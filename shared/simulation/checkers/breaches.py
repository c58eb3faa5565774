"""What others did against the rules: on record from the tick that reads of it (T-45, T-51). Part of P3.

A contact that nobody permitted is judged once, when its first outcome becomes known, by what is known then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from shared.contract.outreach import BreachRecorded
from shared.contract.topics import RATE_LIMITER
from shared.domain.packs import Cap, Packs, Per, Unit
from shared.simulation.checkers.chronicle import Chronicle
from shared.simulation.checkers.counting import count_within, counts
from shared.simulation.checkers.p4_quiet import is_allowed
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
from shared.simulation.checkers.verdict import Findings


def check(chronicle: Chronicle, society: Society, policies: Policies, findings: Findings) -> None:
    """Require of each contact by others that broke hours, or a cap on the person, a record that names the rule."""
    recorded: dict[str, set[str]] = defaultdict(set)
    for entry in chronicle.of(BreachRecorded):
        recorded[entry.data.outcome_id] |= {rule.rule_id for rule in entry.data.rules}
    for borrower_id in society.people():
        judged: set[tuple[object, ...]] = set()
        for at in society.told(borrower_id):
            knowledge = society.known(borrower_id, at)
            for contact in society.contacts(knowledge, borrower_id):
                which = (contact.channel, contact.from_ms, contact.point, contact.lender_id, contact.inbound)
                if contact.permit is not None or which in judged:
                    continue
                judged.add(which)
                partition = society.partition_of(borrower_id)
                applied = chronicle.standing.has_applied((RATE_LIMITER, partition), at)
                if not contact.inbound and chronicle.judges(at) and applied:
                    before = _others(society, knowledge, borrower_id, contact)
                    named = {rule for outcome in contact.outcomes for rule in recorded[outcome.outcome_id]}
                    packs = policies.at(chronicle, partition, at).packs
                    for rule_id in _broken(contact, before, knowledge, packs):
                        what = f"a contact of others broke {rule_id}, known at {at}, and is not on record"
                        where = f"{RATE_LIMITER}/{partition} {contact.outcomes[0].outcome_id}"
                        findings.require(that=rule_id in named, where=where, what=what)


def _others(society: Society, knowledge: Knowledge, borrower_id: str, contact: Contact) -> list[Contact]:
    """Return the other contacts that were known before the tick decided anything."""
    known = society.contacts(knowledge, borrower_id)
    return [other for other in known if other != contact and not (other.permit and other.granted_at >= knowledge.at)]


def _broken(contact: Contact, before: list[Contact], knowledge: Knowledge, packs: Packs) -> Iterator[str]:
    """Yield the rules of hours, and the plain caps on the person, that the contact broke."""
    hours, caps = rules_for(packs, knowledge.profile)
    zones = knowledge.zones()
    for rule in hours:
        if contact.channel in rule.channels and any(not is_allowed(rule, contact.from_ms, zone) for zone in zones):
            yield rule.rule.id
    for cap in caps:
        plain = cap.per is Per.PERSON and cap.unit is Unit.ATTEMPT and contact.channel in cap.blocks
        if plain and counts(cap, contact, knowledge) and _overflows(cap, contact, before, knowledge):
            yield cap.rule.id


def _overflows(cap: Cap, contact: Contact, before: list[Contact], knowledge: Knowledge) -> bool:
    counted = [other for other in before if counts(cap, other, knowledge)]
    for zone in knowledge.zones():
        for day in days_between(*contact.instants(), zone):
            windows = (range(first, first + cap.days) for first in range(day - cap.days + 1, day + 1))
            if in_force(cap, date_of(day)) and any(count_within(counted, one, zone) >= cap.limit for one in windows):
                return True
    return False
