"""Which contacts a cap counts, and in which windows of local days they lie: plain loops, apart from the gate's."""

from __future__ import annotations

from typing import Final

from shared.contract.base import Channel
from shared.contract.outcomes import Outcome
from shared.domain.packs import Cap, Per, Unit
from shared.simulation.checkers.person import Contact, Knowledge, days_between

_SPOKEN: Final = frozenset({Channel.CALL, Channel.VISIT})


def counts(cap: Cap, contact: Contact, knowledge: Knowledge) -> bool:
    """Whether a contact counts for a cap: its channel, its class, what became of it, and who began it."""
    if contact.channel not in cap.channels or contact.is_given_back():
        return False
    if contact.contact_class is not None and contact.contact_class in cap.exempt_classes:
        return False
    if cap.callback_exempt and knowledge.asked_to_be_called(contact.channel, contact.from_ms):
        return False
    told = {outcome.outcome for outcome in contact.outcomes}
    if told.intersection(cap.not_counted):
        return False
    if cap.unit is Unit.CONVERSATION:
        return Outcome.CONVERSATION in told or _may_still_be_one(contact, told)
    return not contact.inbound


def _may_still_be_one(contact: Contact, told: set[Outcome]) -> bool:
    """Whether a permit to speak may, for all that is known, have led to a conversation (T-42)."""
    return contact.permit is not None and contact.channel in _SPOKEN and told <= {Outcome.ATTEMPTED}


def is_about(per: Per, contact: Contact, subject: str | None, lender_id: str | None) -> bool:
    """Whether a contact counts for what a cap counts by; where it does not say, it counts for all that it may be."""
    match per:
        case Per.PERSON:
            return True
        case Per.LENDER:
            return contact.lender_id in {None, subject}
        case Per.LOAN:
            unnamed = not contact.loan_ids and contact.lender_id in {None, lender_id}
            return unnamed or subject in contact.loan_ids
        case Per.CONTACT_POINT:
            return contact.point in {None, subject}


def count_within(contacts: list[Contact], window: range, zone: str) -> int:
    """Return how many contacts touch a window of local days, given by their numbers."""
    count = 0
    for contact in contacts:
        touched = days_between(*contact.instants(), zone)
        count += touched.start < window.stop and window.start < touched.stop
    return count
