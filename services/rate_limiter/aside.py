"""A person who is put aside: open permits are taken back without a judgement, for that judgement may have crashed."""

from __future__ import annotations

from dataclasses import replace

from services.rate_limiter.answered import remembered
from services.rate_limiter.answers import Answers
from services.rate_limiter.facts import doubt
from services.rate_limiter.state import Borrower
from shared.contract.codec import DeadReason
from shared.domain.packs import Standing
from shared.engine.processor import PutAside, Unreadable
from shared.kernel.step import Step


def put_aside(state: Borrower, key: str, given: PutAside, now: int, policy_hash: str) -> Step[Borrower]:
    """Withdraw every permit that may still be used, and put the person in doubt; wishes wait, questions as well."""
    answers = Answers(key, now, policy_hash)
    contacts, pending = [], {request.id: request for request in state.pending}
    for contact in state.contacts:
        if not contact.requests or not contact.is_open(now):
            contacts.append(contact)
            continue
        answers.withdrawn(contact, Standing.FACT_IN_DOUBT.value, [it.fact_id for it in contact.requests], ())
        gone = {withdrawal.request_id for withdrawal in contact.withdrawals}
        for request in contact.requests:
            if request.id in gone:
                state = remembered(state, request.id, request.not_after_ms)
            else:
                waiting = replace(request, awaits=contact.id, told_rules=(), told_earliest_ms=None)
                pending[request.id] = waiting
        contacts.append(replace(contact, withdrawn_ms=now, requests=(), withdrawals=()))
    lost = Unreadable(given.topic, key, DeadReason.QUARANTINED, given.coordinates)
    after = replace(doubt(state, lost, now), contacts=tuple(contacts), wake_ms=now)
    after = replace(after, pending=tuple(pending[name] for name in sorted(pending)))
    return Step(after, answers.emits, now)
