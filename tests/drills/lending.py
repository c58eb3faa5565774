"""Faults that lenders bring, who do nothing wrong: too many loans at once, and loans that are late already."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import TypeAlias

from shared.contract.base import Amounts, Channel, Event
from shared.contract.loans import (
    BoardedInstalment,
    InstalmentScheduled,
    LoanBoarded,
    LoanOpened,
    LoanTerms,
    Obligor,
    Role,
)
from shared.contract.people import BorrowerProfile, ContactPoint
from shared.domain.policy import default_directory
from shared.kernel.ids import derive_id
from shared.kernel.zones import local_date, to_local
from shared.runtime.system_clock import now_ms
from shared.simulation.desk import publication
from shared.simulation.log import Publication
from tests.drills.scene import Act, Scene
from tests.drills.traffic import PLACES
from tests.drills.voice import Voice

HURRIED = "hurried"
"""A product whose bureau waits for a late month so briefly that its notice is urgent when it is asked for."""
HURRIED_TABLE = f"""
[products.{HURRIED}]
decide_within_days = 4
"""
UNREACHABLE = tuple(f"unreachable-{number}" for number in range(1, 6))
SURGE, SURGES_PER_SECOND = 1_500, 75
WORKS_FROM, WORKS_UNTIL = time(10, 5), time(19, 15)
"""When a step of the day has fallen due, and a permit still fits into it."""
OWED = Amounts(principal_minor=250_000)
LATE = timedelta(days=20)
Place: TypeAlias = tuple[str, str, str]
"""Zone, jurisdiction and currency."""


def house_policy(folder: Path) -> Path:
    """Write the default policy with one product more; return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in default_directory().iterdir():
        if file.name.endswith(".toml"):
            more = HURRIED_TABLE if file.name == "reporting.toml" else ""
            folder.joinpath(file.name).write_text(file.read_text() + more)
    return folder


def where_it_is_day(now: int) -> Place:
    """Return zone, jurisdiction and currency of a place where people may be reached, now and for a while."""
    return next(place for place in PLACES if WORKS_FROM <= to_local(now, place[0]).time() <= WORKS_UNTIL)


def late_loans(now: int, place: Place) -> list[Event]:
    """Return loans that were late at the end of a month that nobody has reported, of people without contact points."""
    zone, jurisdiction, currency = place
    as_of = (local_date(now, zone).replace(day=1) - timedelta(days=1)).replace(day=1)
    events: list[Event] = []
    for person in UNREACHABLE:
        terms = _terms(person, zone, jurisdiction, currency).model_copy(update={"product": HURRIED})
        late = BoardedInstalment(instalment_id=f"{person}-i", due_date=as_of - LATE, unpaid=OWED)
        boarded = LoanBoarded(loan_id=f"l-{person}", terms=terms, as_of=as_of, instalments=(late,))
        events += [_profile(person, zone, jurisdiction, ()), boarded]
    return events


def contact_points(place: Place) -> list[Event]:
    """Return what tells how these people are reached."""
    zone, jurisdiction, _ = place
    return [_profile(person, zone, jurisdiction, (_point(person, zone),), revision=2) for person in UNREACHABLE]


def due_today(now: int, place: Place, people: int) -> list[Event]:
    """Return loans of so many people who owe something today, one after the other."""
    today = local_date(now, place[0])
    return [event for number in range(people) for event in _due(f"surge-{number}", place, today)]


async def board_unreachable(scene: Scene) -> None:
    """Board loans that come late; credit_report asks for their notices at once."""
    scene.left["place"] = where_it_is_day(now_ms())
    await _publish(scene, late_loans(now_ms(), scene.left["place"]))


async def give_contact_points(scene: Scene) -> None:
    """Tell how these people are reached."""
    await _publish(scene, contact_points(scene.left.pop("place")))


async def surge(scene: Scene) -> None:
    """Let a great many people owe something today, where it is day."""
    now = now_ms()
    events = due_today(now, where_it_is_day(now), SURGE)
    share = len(events) // SURGE * SURGES_PER_SECOND
    async with Voice(scene.deployment) as voice:
        for first in range(0, len(events), share):
            await voice.say([said(event) for event in events[first : first + share]])
            await asyncio.sleep(1)


def _due(person: str, place: Place, today: date) -> Iterator[Event]:
    zone, jurisdiction, currency = place
    yield _profile(person, zone, jurisdiction, (_point(person, zone),))
    yield LoanOpened(loan_id=f"l-{person}", terms=_terms(person, zone, jurisdiction, currency))
    yield InstalmentScheduled(loan_id=f"l-{person}", instalment_id=f"{person}-i", due_date=today, amounts=OWED)


def _terms(person: str, zone: str, jurisdiction: str, currency: str) -> LoanTerms:
    return LoanTerms(
        lender_id="acme", obligors=(Obligor(borrower_id=person, role=Role.BORROWER),), currency=currency,
        product="term", accounting_zone=zone, jurisdiction=jurisdiction,
    )  # fmt: skip


def _point(person: str, zone: str) -> ContactPoint:
    return ContactPoint(contact_point_id=f"{person}-p", channels=(Channel.SMS,), zone=zone)


def _profile(
    person: str, zone: str, jurisdiction: str, points: tuple[ContactPoint, ...], revision: int = 1
) -> BorrowerProfile:
    return BorrowerProfile(
        borrower_id=person, revision=revision, zones=(zone,), jurisdictions=(jurisdiction,), contact_points=points
    )


async def _publish(scene: Scene, events: Sequence[Event]) -> None:
    async with Voice(scene.deployment) as voice:
        await voice.say([said(event) for event in events])


def said(event: Event) -> Publication:
    return publication(event, derive_id("drill-lending", event.TYPE, repr(event)), "/lenders/drill", now_ms())


LENDING: dict[str, Act] = {
    "late loans of unreachable people": board_unreachable,
    "contact points are given": give_contact_points,
    "due dates on one day": surge,
}
