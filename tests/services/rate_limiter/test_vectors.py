"""The worked examples that come with the rules of the default policy are what the gate really does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.rate_limiter.judge import Judge
from services.rate_limiter.state import Asked, Borrower, Contact, Owed, Point, Profile, Request
from shared.contract.base import Channel
from shared.contract.outcomes import Outcome
from shared.contract.ticks import Tick
from shared.domain.packs import EVERYBODY, Vector, VectorContact
from shared.kernel.zones import DAY_MS
from tests.services.rate_limiter.situations import local, policy

VECTORS = [(pack, vector) for pack in policy().packs.packs for vector in pack.vectors]


def contact(number: int, made: VectorContact, zone: str) -> Contact:
    """A contact of the vector's history, made under a permit of a minute."""
    at = local(made.local, zone)
    return Contact(
        id=f"permit-{number}",
        is_permit=True,
        channel=made.channel,
        point=made.point,
        lender_id=made.lender,
        contact_class=made.contact_class,
        asked=(Asked(f"request-{number}", made.loan),),
        loan_ids=(made.loan,),
        valid_from_ms=at,
        valid_until_ms=at + 60_000,
        from_ms=at,
        until_ms=at + 60_000,
        outcomes=(made.outcome,),
        conversations_ms=(at,) if made.outcome is Outcome.CONVERSATION else (),
    )


def asked(ask: VectorContact, at: int) -> Request:
    """The wish that the vector asks about."""
    return Request(
        id="request",
        loan_id=ask.loan,
        lender_id=ask.lender,
        contact_class=ask.contact_class,
        step="vector",
        channels=(ask.channel,),
        template="vector",
        currency="CNY",
        amount_due_minor=1,
        owed=Owed(1, 0, 0, 0),
        consequences=(),
        days_past_due=1,
        not_before_ms=at,
        not_after_ms=at + 30 * DAY_MS,
        source="reminder/0",
        fact_id="fact",
        asked_ms=at,
    )


@pytest.mark.parametrize(
    ("pack", "vector"), VECTORS, ids=[f"{vector.rule_id}-{vector.ask.local}" for _, vector in VECTORS]
)
def test_the_rule_answers_as_its_example_says(pack, vector: Vector):
    """Blocked or not, and until when, by this rule, after the history."""
    at = local(vector.ask.local, vector.zone)
    names = sorted({vector.ask.point, *(made.point for made in vector.history)})
    points = tuple(Point(name, tuple(Channel), None) for name in names)
    codes = tuple(code if code != EVERYBODY else "CN" for code in pack.jurisdictions)
    state = Borrower(profile=Profile(1, (vector.zone,), codes, points, "en"))
    packs = replace(policy().packs, packs=(pack,))
    judge = Judge("borrower", state, packs, Tick(at=at, barriers={}, policy="0"), {})
    contacts = [contact(number, made, vector.zone) for number, made in enumerate(vector.history)]
    ruling = judge.ruling(asked(vector.ask, at), vector.ask.channel, vector.ask.point, contacts, at)
    found = [(entry.rule_id, entry.until_ms) for entry in ruling.blocks if entry.rule_id == vector.rule_id]
    until = None if vector.until is None else local(vector.until, vector.zone)
    assert found == ([(vector.rule_id, until)] if vector.blocked else [])


def test_every_rule_of_the_default_policy_has_an_example_that_blocks():
    """A rule without an example of what it forbids is a rule that nobody has tried."""
    packs = policy().packs.packs
    tried = {vector.rule_id for pack in packs for vector in pack.vectors if vector.blocked}
    assert tried == {text.id for pack in packs for text in pack.rule_texts()}
