"""Who lives where and owes what: two lenders' loans and the people who answer for them, drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from random import Random
from typing import Final

from shared.contract.base import Amounts, Channel, Rung
from shared.contract.loans import BoardedInstalment, FiledMonth, LoanBoarded, LoanTerms, Obligor, Role
from shared.contract.people import ContactPoint
from shared.kernel.zones import to_instant
from shared.simulation.dice import dice

START_MS: Final = to_instant(datetime(2024, 2, 10, tzinfo=UTC))
"""The demo begins here: a leap day, clock changes in New York and London, and two ends of months follow."""
FIRST_DAY: Final = date(2024, 2, 10)
LENDERS: Final = ("aurora-bank", "meridian-credit")
TERM: Final = "term"
REVOLVING: Final = "revolving"


class Paying(StrEnum):
    """How a loan is paid."""

    ON_TIME = "on_time"
    LATE = "late"
    AFTER_REMINDER = "after_reminder"
    IN_PARTS = "in_parts"
    STOPS = "stops"
    SCRIPTED = "scripted"
    """As a script says."""
    REMINDED = "reminded"
    """As a script says, but what is overdue is paid soon after somebody was reminded of it."""


class Manner(StrEnum):
    """How a person answers when somebody makes contact."""

    ORDINARY = "ordinary"
    SAYS_STOP = "says_stop"
    NEVER_ANSWERS = "never_answers"


@dataclass(frozen=True, slots=True)
class Place:
    """Where people live: zone, jurisdiction, currencies lent there, and its share of the people."""

    name: str
    zone: str
    jurisdiction: str
    currencies: tuple[str, ...]
    weight: int


PLACES: Final = (
    Place("shanghai", "Asia/Shanghai", "CN", ("CNY",), 36),
    Place("new-york", "America/New_York", "US-NY", ("USD",), 24),
    Place("phoenix", "America/Phoenix", "US-AZ", ("USD",), 12),
    Place("london", "Europe/London", "GB", ("KWD", "JPY"), 14),
    Place("kolkata", "Asia/Kolkata", "IN", ("JPY", "USD"), 14),
)
_INSTALMENT_MINOR: Final = {
    "CNY": (300_00, 4_000_00),
    "USD": (50_00, 900_00),
    "JPY": (5_000, 90_000),
    "KWD": (15_000, 280_000),
}


@dataclass(frozen=True, slots=True)
class Person:
    """A borrower as the lender knows one."""

    borrower_id: str
    place: Place
    zones: tuple[str, ...]
    contact_points: tuple[ContactPoint, ...]
    manner: Manner = Manner.ORDINARY
    scripted: bool = False
    """Nothing happens to this person by chance: a script tells the story."""


@dataclass(frozen=True, slots=True)
class Due:
    """One instalment as it is scheduled."""

    instalment_id: str
    due_date: date
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Account:
    """A loan: its terms, its schedule, and how it will be paid."""

    loan_id: str
    terms: LoanTerms
    schedule: tuple[Due, ...]
    paying: Paying
    boarded: LoanBoarded | None = None

    @property
    def is_scripted(self) -> bool:
        """Whether a script, not chance, says what happens to it."""
        return self.paying in {Paying.SCRIPTED, Paying.REMINDED}

    @property
    def borrower_id(self) -> str:
        """The person who is asked first."""
        return self.terms.obligors[0].borrower_id


@dataclass(frozen=True, slots=True)
class Portfolio:
    """All people and all loans."""

    people: tuple[Person, ...]
    accounts: tuple[Account, ...]
    by_person: dict[str, Person] = field(default_factory=dict)

    @classmethod
    def of(cls, people: Sequence[Person], accounts: Sequence[Account]) -> Portfolio:
        """Return the portfolio with its index."""
        return cls(tuple(people), tuple(accounts), {person.borrower_id: person for person in people})


def build_portfolio(seed: int, loans: int, days: int) -> Portfolio:
    """Return `loans` loans of about four fifths as many people; instalments fall due through `days` and beyond."""
    people = [_person(seed, number) for number in range(max(1, loans * 4 // 5))]
    accounts = [_account(seed, number, people, days) for number in range(loans)]
    return Portfolio.of(people, accounts)


def _person(seed: int, number: int) -> Person:
    roll = dice(seed, "person", number)
    place = roll.choices(PLACES, [place.weight for place in PLACES])[0]
    name = f"b{number:05d}"
    zones: tuple[str, ...] = (place.zone,)
    if roll.random() < 0.03:
        zones = (place.zone, roll.choice([other.zone for other in PLACES if other is not place]))
    manner = roll.choices((Manner.ORDINARY, Manner.SAYS_STOP, Manner.NEVER_ANSWERS), (90, 3, 7))[0]
    return Person(name, place, zones, contact_points(name, roll, place.zone), manner)


def contact_points(name: str, roll: Random, zone: str) -> tuple[ContactPoint, ...]:
    """Return the ways to a person: always a phone, often more."""
    points = [ContactPoint(contact_point_id=f"{name}-phone", channels=(Channel.SMS, Channel.CALL), zone=zone)]
    if roll.random() < 0.6:
        points.append(ContactPoint(contact_point_id=f"{name}-mail", channels=(Channel.EMAIL,)))
    if roll.random() < 0.5:
        points.append(ContactPoint(contact_point_id=f"{name}-app", channels=(Channel.PUSH, Channel.IN_APP)))
    if roll.random() < 0.7:
        points.append(ContactPoint(contact_point_id=f"{name}-home", channels=(Channel.LETTER,)))
    return tuple(points)


def _account(seed: int, number: int, people: Sequence[Person], days: int) -> Account:
    roll = dice(seed, "loan", number)
    person = people[number] if number < len(people) else people[roll.randrange(len(people))]
    loan_id = f"l{number:05d}"
    terms = _terms(roll, person, people)
    paying = roll.choices(
        (Paying.ON_TIME, Paying.LATE, Paying.AFTER_REMINDER, Paying.IN_PARTS, Paying.STOPS), (70, 7, 8, 8, 7)
    )[0]
    schedule = schedule_of(loan_id, roll.randint(1, 31), amounts_of(roll, terms.currency), days)
    boarded = _boarded(roll, loan_id, terms) if roll.random() < 0.05 else None
    return Account(loan_id, terms, schedule, paying, boarded)


def _terms(roll: Random, person: Person, people: Sequence[Person]) -> LoanTerms:
    obligors = [Obligor(borrower_id=person.borrower_id, role=Role.BORROWER)]
    other = people[roll.randrange(len(people))]
    if roll.random() < 0.08 and other is not person:
        role = Role.GUARANTOR if roll.random() < 0.25 else Role.CO_BORROWER
        obligors.append(Obligor(borrower_id=other.borrower_id, role=role))
    return terms_of(
        tuple(obligors),
        roll.choice(LENDERS),
        roll.choice(person.place.currencies),
        roll.choice((TERM, TERM, REVOLVING)),
        person.place,
        cutoff=roll.choice(("00:00", "00:00", "22:00")),
    )


def terms_of(
    obligors: tuple[Obligor, ...], lender_id: str, currency: str, product: str, place: Place, *, cutoff: str = "00:00"
) -> LoanTerms:
    """Return the terms of a loan at a place."""
    return LoanTerms(
        lender_id=lender_id,
        obligors=obligors,
        currency=currency,
        product=product,
        accounting_zone=place.zone,
        cutoff=cutoff,
        jurisdiction=place.jurisdiction,
        grace_days=3 if product == TERM else 0,
        tolerance_minor=_INSTALMENT_MINOR[currency][0] // 100,
    )


def amounts_of(roll: Random, currency: str) -> Amounts:
    """Return an instalment's amounts by component."""
    low, high = _INSTALMENT_MINOR[currency]
    total = roll.randint(low, high)
    interest, fee = total * 13 // 100, total * 2 // 100
    return Amounts(principal_minor=total - interest - fee, interest_minor=interest, fee_minor=fee)


def schedule_of(loan_id: str, due_day: int, amounts: Amounts, days: int) -> tuple[Due, ...]:
    """Return monthly instalments on a nominal day, kept in short months and never drifting (trap T-07)."""
    until = FIRST_DAY + timedelta(days=days + 20)
    months = [date(2024 + n // 12, 1 + n % 12, 1) for n in range(1, 40)]
    days_due = [min(month + timedelta(days=due_day - 1), end - timedelta(days=1)) for month, end in pairwise(months)]
    return tuple(
        Due(f"{loan_id}-i{day:%y%m}", day, amounts) for day in days_due if FIRST_DAY + timedelta(days=2) <= day <= until
    )


def _boarded(roll: Random, loan_id: str, terms: LoanTerms) -> LoanBoarded:
    """Return a live loan moved in the day before the start, half of them a month overdue."""
    overdue = roll.random() < 0.5
    unpaid = amounts_of(roll, terms.currency)
    due = FIRST_DAY - timedelta(days=roll.randint(5, 25))
    return LoanBoarded(
        loan_id=loan_id,
        terms=terms,
        as_of=FIRST_DAY - timedelta(days=1),
        instalments=(
            (BoardedInstalment(instalment_id=f"{loan_id}-i{due:%y%m}b", due_date=due, unpaid=unpaid),)
            if overdue
            else ()
        ),
        current_rung=Rung.MESSAGE if overdue else Rung.NONE,
        months_filed=(FiledMonth(month="2023-12", code="N"), FiledMonth(month="2024-01", code="N")),
    )
