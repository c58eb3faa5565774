"""The counterfactual: a stand-in for the gate that grants every wish at once. For comparison only, never deployed.

It shows what the loan services would do to people if nobody weighed their wishes over all loans, hours and refusals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from shared.contract.base import Amounts, Channel
from shared.contract.outcomes import OUTCOMES, Outcome, OutreachOutcome
from shared.contract.outreach import (
    LOAN_CONTACTS,
    OUTREACH,
    Answer,
    ClearanceAnswered,
    ContactAnswered,
    ContactOutcome,
    PermitGranted,
    PermittedLoan,
)
from shared.contract.people import BORROWERS, BorrowerProfile
from shared.contract.requests import (
    CREDIT_REPORTS,
    ESCALATIONS,
    REMINDERS,
    ClearancePurpose,
    ClearanceRequested,
    ContactClass,
    ContactRequested,
    ContactWithdrawn,
)
from shared.contract.ticks import BORROWER_CLOCK
from shared.contract.topics import RATE_LIMITER
from shared.domain.policy import Policy
from shared.engine.processor import Fact, Input, Processor, Wake
from shared.kernel.ids import derive_id
from shared.kernel.step import Emit, Step
from shared.kernel.zones import HOUR_MS

RULE: Final = "no_gate"


@dataclass(frozen=True, slots=True)
class Wish:
    """A request as it came."""

    request_id: str
    loan_id: str
    lender_id: str
    contact_class: ContactClass
    step: str
    channels: tuple[Channel, ...]
    template: str
    currency: str
    amount_due_minor: int
    not_before_ms: int
    fact_id: str


@dataclass(frozen=True, slots=True)
class Made:
    """A contact that was reported, to be told to its loans."""

    outcome_id: str
    permit_id: str | None
    outcome: Outcome
    channel: Channel
    occurred_ms: int
    loan_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A clearance that was asked for."""

    clearance_id: str
    loan_id: str
    purpose: ClearancePurpose


@dataclass(frozen=True, slots=True)
class OpenDoor:
    """What is kept of a person: the ways in, and what is to be done at the next tick."""

    points: tuple[tuple[str, tuple[Channel, ...]], ...] = ()
    wishes: tuple[Wish, ...] = ()
    made: tuple[Made, ...] = ()
    asked: tuple[Asked, ...] = ()
    granted: tuple[tuple[str, ContactClass, str], ...] = ()
    """Permit id, class and request of what was granted."""


def decide(state: OpenDoor | None, key: str, received: Input, now: int, policy: Policy) -> Step[OpenDoor]:
    """Grant everything that was asked for."""
    door = state or OpenDoor()
    if isinstance(received, Wake):
        return _open(door, key, now, policy)
    return Step(_noted(door, received) if isinstance(received, Fact) else door, wake_at=now)


def _noted(door: OpenDoor, fact: Fact) -> OpenDoor:
    match fact.data:
        case BorrowerProfile() as profile:
            points = tuple((point.contact_point_id, point.channels) for point in profile.contact_points)
            return replace(door, points=points)
        case ContactRequested() as asked if asked.request_id not in {wish.request_id for wish in door.wishes}:
            return replace(
                door, wishes=tuple(sorted((*door.wishes, _wish(asked, fact.id)), key=lambda w: w.request_id))
            )
        case ContactWithdrawn() as withdrawn:
            kept = tuple(wish for wish in door.wishes if wish.request_id != withdrawn.request_id)
            return replace(door, wishes=kept)
        case ClearanceRequested() as asked:
            clearance = Asked(asked.clearance_id, asked.loan_id, asked.purpose)
            return replace(door, asked=tuple(sorted({*door.asked, clearance}, key=lambda a: a.clearance_id)))
        case OutreachOutcome() as told:
            made = Made(told.outcome_id, told.permit_id, told.outcome, told.channel, told.occurred_ms, told.loan_ids)
            return replace(door, made=tuple(sorted({*door.made, made}, key=lambda m: m.outcome_id)))
        case _:
            return door


def _wish(asked: ContactRequested, fact_id: str) -> Wish:
    return Wish(
        asked.request_id,
        asked.loan_id,
        asked.lender_id,
        asked.contact_class,
        asked.step,
        asked.channels,
        asked.template,
        asked.currency,
        asked.amount_due_minor,
        asked.not_before_ms,
        fact_id,
    )


def _open(door: OpenDoor, key: str, now: int, policy: Policy) -> Step[OpenDoor]:
    events: list[Emit] = []
    waiting: list[Wish] = []
    granted = {permit_id: (kind, request_id) for permit_id, kind, request_id in door.granted}
    for wish in door.wishes:
        way = _way_in(door, wish)
        if way is None or wish.not_before_ms > now:
            waiting.append(wish)
            continue
        permit_id = derive_id(RULE, key, wish.request_id)
        granted[permit_id] = (wish.contact_class, wish.request_id)
        events.append(Emit(OUTREACH, key, _permit(key, wish, permit_id, way, now, policy)))
        events.append(Emit(LOAN_CONTACTS, wish.loan_id, _answer(key, wish, permit_id, way[0], now)))
    events.extend(Emit(LOAN_CONTACTS, asked.loan_id, _cleared(key, asked, now)) for asked in door.asked)
    for made in door.made:
        kind, request_id = granted.get(made.permit_id or "", (None, None))
        events.extend(Emit(LOAN_CONTACTS, loan, _told(key, made, kind, request_id, loan)) for loan in made.loan_ids)
    kept = tuple(sorted((permit_id, kind, request_id) for permit_id, (kind, request_id) in granted.items()))
    later = min((wish.not_before_ms for wish in waiting if wish.not_before_ms > now), default=None)
    return Step(OpenDoor(door.points, tuple(waiting), (), (), kept), tuple(events), later)


def _way_in(door: OpenDoor, wish: Wish) -> tuple[Channel, str] | None:
    ways = ((channel, point) for channel in wish.channels for point, open_to in door.points if channel in open_to)
    return next(ways, None)


def _permit(key: str, wish: Wish, permit_id: str, way: tuple[Channel, str], now: int, policy: Policy) -> PermitGranted:
    loan = PermittedLoan(
        request_id=wish.request_id,
        loan_id=wish.loan_id,
        step=wish.step,
        currency=wish.currency,
        amount_due_minor=wish.amount_due_minor,
        amounts=Amounts(principal_minor=wish.amount_due_minor),
    )
    return PermitGranted(
        borrower_id=key,
        permit_id=permit_id,
        lender_id=wish.lender_id,
        contact_class=wish.contact_class,
        channel=way[0],
        contact_point_id=way[1],
        template=wish.template,
        loans=(loan,),
        valid_from_ms=now,
        valid_until_ms=now + HOUR_MS,
        rules=(RULE,),
        policy=policy.hash,
        caused_by=(wish.fact_id,),
    )


def _answer(key: str, wish: Wish, permit_id: str, channel: Channel, now: int) -> ContactAnswered:
    return ContactAnswered(
        loan_id=wish.loan_id,
        borrower_id=key,
        request_id=wish.request_id,
        permit_id=permit_id,
        answer=Answer.GRANTED,
        contact_class=wish.contact_class,
        channel=channel,
        answered_ms=now,
        rules=(RULE,),
    )


def _cleared(key: str, asked: Asked, now: int) -> ClearanceAnswered:
    return ClearanceAnswered(
        loan_id=asked.loan_id,
        borrower_id=key,
        clearance_id=asked.clearance_id,
        purpose=asked.purpose,
        cleared=True,
        answered_ms=now,
    )


def _told(key: str, made: Made, kind: ContactClass | None, request_id: str | None, loan_id: str) -> ContactOutcome:
    return ContactOutcome(
        loan_id=loan_id,
        borrower_id=key,
        outcome_id=made.outcome_id,
        request_id=request_id,
        permit_id=made.permit_id,
        outcome=made.outcome,
        contact_class=kind,
        channel=made.channel,
        occurred_ms=made.occurred_ms,
    )


_READS: Final = (BORROWERS, OUTCOMES, REMINDERS, ESCALATIONS, CREDIT_REPORTS)
NO_GATE: Final = Processor(
    name=RATE_LIMITER,
    clock=BORROWER_CLOCK,
    reads=_READS,
    writes=(OUTREACH, LOAN_CONTACTS),
    owns=_READS,
    state=OpenDoor,
    decide=decide,
)
"""Stands in the gate's place in a simulated world."""
