"""Twelve people whose weeks are followed by name: who they are and what happens to them.

How each story must end is said in `endings.py`, as a question to the recorded topics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Final

from shared.contract.base import Amounts, Channel, Event
from shared.contract.loans import InstalmentChanged, Obligor, Role
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.people import ContactPoint
from shared.contract.repayments import RepaymentReceived, RepaymentReversed, ReversalReason
from shared.kernel.zones import MINUTE_MS, at_local
from shared.simulation import endings
from shared.simulation.endings import Ending
from shared.simulation.lender import Scripted
from shared.simulation.portfolio import LENDERS, PLACES, TERM, Account, Due, Manner, Paying, Person, Place, terms_of

SHANGHAI, NEW_YORK, PHOENIX, LONDON, KOLKATA = PLACES
PHONE: Final = (Channel.SMS, Channel.CALL)


@dataclass(frozen=True, slots=True)
class Character:
    """One of the twelve: `title` is what a person reads, `ending` what must hold when the run is over."""

    title: str
    person: Person
    accounts: tuple[Account, ...]
    script: tuple[Scripted, ...]
    ending: Ending

    @property
    def borrower_id(self) -> str:
        """The person's id."""
        return self.person.borrower_id


def characters() -> tuple[Character, ...]:
    """Return the twelve, in the order in which they are told."""
    return tuple(tell() for tell in _STORIES)


def _person(
    name: str,
    place: Place,
    *,
    zones: tuple[str, ...] = (),
    points: Sequence[tuple[str, tuple[Channel, ...], str | None]] = (("phone", PHONE, None),),
    manner: Manner = Manner.ORDINARY,
) -> Person:
    contact_points = tuple(
        ContactPoint(contact_point_id=f"{name}-{point}", channels=channels, zone=zone)
        for point, channels, zone in points
    )
    return Person(name, place, zones or (place.zone,), contact_points, manner, scripted=True)


def _loan(person: Person, number: int, due: date, amount_minor: int, paying: Paying = Paying.SCRIPTED) -> Account:
    loan_id = f"{person.borrower_id}-l{number}"
    obligors = (Obligor(borrower_id=person.borrower_id, role=Role.BORROWER),)
    terms = terms_of(obligors, LENDERS[0], person.place.currencies[0], TERM, person.place)
    schedule = (Due(f"{loan_id}-i1", due, Amounts(principal_minor=amount_minor)),)
    return Account(loan_id, terms, schedule, paying)


def _at(account: Account, day: date, clock: str) -> int:
    return at_local(day, time.fromisoformat(clock), account.terms.accounting_zone)


def _pays(
    account: Account, number: int, amount_minor: int, day: date, clock: str = "15:20", value_date: date | None = None
) -> Scripted:
    event = RepaymentReceived(
        loan_id=account.loan_id,
        payment_id=f"{account.loan_id}-p{number}",
        amount_minor=amount_minor,
        currency=account.terms.currency,
        value_date=value_date or day,
    )
    return Scripted(_at(account, day, clock), event)


def _forgets() -> Character:
    person = _person("s01-forgets", SHANGHAI)
    loan = _loan(person, 1, date(2024, 2, 20), 800_00, Paying.REMINDED)
    return Character("forgets, and pays after one reminder", person, (loan,), (), endings.forgets)


def _pays_in_time() -> Character:
    """London's books ask at 10:00, five in the morning in New York: there the hours open only after the payment."""
    person = _person("s02-in-time", LONDON, zones=(NEW_YORK.zone,))
    loan = _loan(person, 1, date(2024, 2, 20), 120_000)
    script = (_pays(loan, 1, 120_000, date(2024, 2, 17), "11:30"),)
    return Character("pays between request and tick, and is never contacted", person, (loan,), script, endings.in_time)


def _in_parts() -> Character:
    person = _person("s03-in-parts", SHANGHAI)
    loan = _loan(person, 1, date(2024, 2, 15), 1_000_00)
    script = (_pays(loan, 1, 300_00, date(2024, 2, 25)), _pays(loan, 2, 300_00, date(2024, 3, 25)))
    return Character("pays 300 a month: the amount falls, the age stays", person, (loan,), script, endings.in_parts)


def _four_loans() -> Character:
    """Four loans fall due on one day; the fourth's amount changes after that day's message."""
    person = _person("s04-four-loans", SHANGHAI)
    due = date(2024, 2, 22)
    loans = tuple(_loan(person, number, due, number * 250_00) for number in (1, 2, 3, 4))
    changed = InstalmentChanged(
        loan_id=loans[3].loan_id,
        instalment_id=loans[3].schedule[0].instalment_id,
        revision=1,
        due_date=due,
        amounts=Amounts(principal_minor=900_00),
    )
    amounts = (250_00, 500_00, 750_00, 900_00)
    paid = tuple(_pays(loan, 1, amount, due, "18:10") for loan, amount in zip(loans, amounts, strict=True))
    script = (Scripted(_at(loans[3], due, "11:30"), changed), *paid)
    return Character("four loans: nine wishes become two contacts", person, loans, script, endings.four_loans)


def _says_stop() -> Character:
    points = (("phone", PHONE, None), ("mail", (Channel.EMAIL,), None))
    person = _person("s05-says-stop", SHANGHAI, points=points, manner=Manner.SAYS_STOP)
    loan = _loan(person, 1, date(2024, 2, 19), 600_00)
    script = (_pays(loan, 1, 600_00, date(2024, 3, 1)),)
    return Character("says STOP to SMS", person, (loan,), script, endings.says_stop)


def _two_zones() -> Character:
    """An address in London, a number of Phoenix: four hours of the day are allowed in both."""
    points = (("phone", PHONE, PHOENIX.zone),)
    person = _person("s06-two-zones", LONDON, points=points)
    loan = _loan(person, 1, date(2024, 2, 20), 90_000)
    script = (_pays(loan, 1, 90_000, date(2024, 2, 26)),)
    return Character("conflicting zones of address and number", person, (loan,), script, endings.two_zones)


def _clock_change() -> Character:
    """New York's clocks go forward on 10 March 2024: nine in the morning is 14:00 UTC before and 13:00 UTC after."""
    person = _person("s07-clock-change", LONDON, zones=(NEW_YORK.zone,))
    loan = _loan(person, 1, date(2024, 3, 10), 70_000)
    script = (_pays(loan, 1, 70_000, date(2024, 3, 14)),)
    return Character("a clock change", person, (loan,), script, endings.clock_change)


def _pays_after_notice() -> Character:
    points = (("phone", PHONE, None), ("home", (Channel.LETTER,), None), ("mail", (Channel.EMAIL,), None))
    person = _person("s08-after-notice", SHANGHAI, points=points)
    loan = _loan(person, 1, date(2024, 2, 13), 700_00)
    script = (_pays(loan, 1, 700_00, date(2024, 2, 28)),)
    title = "bureau notice, then payment: no adverse report"
    return Character(title, person, (loan,), script, endings.after_notice)


def _earlier_value_date() -> Character:
    points = (("phone", PHONE, None), ("home", (Channel.LETTER,), None), ("mail", (Channel.EMAIL,), None))
    person = _person("s09-value-date", SHANGHAI, points=points)
    loan = _loan(person, 1, date(2024, 2, 13), 650_00)
    script = (_pays(loan, 1, 650_00, date(2024, 3, 14), value_date=date(2024, 2, 27)),)
    title = "a payment with an earlier value date corrects a filed month"
    return Character(title, person, (loan,), script, endings.value_date)


def _bounced() -> Character:
    person = _person("s10-bounced", NEW_YORK)
    loan = _loan(person, 1, date(2024, 2, 20), 300_00)
    reversed_ = RepaymentReversed(
        loan_id=loan.loan_id,
        payment_id=f"{loan.loan_id}-p1",
        reversed_on=date(2024, 2, 23),
        reason=ReversalReason.RETURNED,
    )
    script = (
        _pays(loan, 1, 300_00, date(2024, 2, 19)),
        Scripted(_at(loan, date(2024, 2, 23), "08:15"), reversed_),
        _pays(loan, 2, 300_00, date(2024, 3, 2)),
    )
    return Character("a payment that bounces", person, (loan,), script, endings.bounced)


def _agency() -> Character:
    """An agency calls four times in one morning without asking anybody, and says so at noon."""
    person = _person("s11-agency", KOLKATA)
    loan = _loan(person, 1, date(2024, 2, 14), 40_000)
    day = date(2024, 2, 26)
    calls: list[Event] = [
        OutreachOutcome(
            borrower_id=person.borrower_id,
            outcome_id=f"{person.borrower_id}-call-{number}",
            outcome=Outcome.CONVERSATION if number == 4 else Outcome.NO_ANSWER,
            occurred_ms=_at(loan, day, "09:10") + number * 20 * MINUTE_MS,
            channel=Channel.CALL,
            contact_point_id=f"{person.borrower_id}-phone",
            loan_ids=(loan.loan_id,),
        )
        for number in (1, 2, 3, 4)
    ]
    script = (
        *(Scripted(_at(loan, day, "12:00"), call) for call in calls),
        _pays(loan, 1, 40_000, date(2024, 3, 20)),
    )
    return Character("an agency that calls unasked", person, (loan,), script, endings.agency)


def _misses_everything() -> Character:
    points = (("phone", PHONE, None), ("home", (Channel.LETTER,), None), ("mail", (Channel.EMAIL,), None))
    person = _person("s12-misses-all", SHANGHAI, points=points, manner=Manner.NEVER_ANSWERS)
    loan = _loan(person, 1, date(2024, 2, 12), 5_000_00)
    title = "misses everything, and climbs rung by rung to a person's review"
    return Character(title, person, (loan,), (), endings.misses_everything)


_STORIES: Final[tuple[Callable[[], Character], ...]] = (
    _forgets,
    _pays_in_time,
    _in_parts,
    _four_loans,
    _says_stop,
    _two_zones,
    _clock_change,
    _pays_after_notice,
    _earlier_value_date,
    _bounced,
    _agency,
    _misses_everything,
)
