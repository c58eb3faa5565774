"""What people and lenders do in lively worlds right after a permit was granted: while it is open, its reason goes.

Whoever is about to be contacted refuses, moves, is held or pays just then, so that the next round finds a permit that
may not be used any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from random import Random
from typing import Final

from shared.contract.arrangements import HoldPlaced, PromiseMade
from shared.contract.base import Event, HoldReason
from shared.contract.codec import Envelope
from shared.contract.outreach import PermitGranted
from shared.contract.people import BorrowerCeased, BorrowerHoldPlaced, BorrowerOptedOut, BorrowerProfile
from shared.contract.recorded import Recorded
from shared.contract.repayments import RepaymentReceived
from shared.kernel.ids import derive_id
from shared.kernel.zones import DAY_MS, local_date
from shared.simulation.desk import publication
from shared.simulation.dice import dice
from shared.simulation.log import Publication
from shared.simulation.portfolio import PLACES, Person, Portfolio

REACTS: Final = 0.4
"""The share of permits to which somebody reacts."""
_FIRST_REVISION: Final = 100
_SOURCE: Final = "/lenders/reacting"


class Reactions:
    """Whoever reacts to permits, of one seed."""

    def __init__(self, seed: int, portfolio: Portfolio) -> None:
        self._seed = seed
        self._portfolio = portfolio
        self._moves = 0

    def to(self, records: Iterable[Recorded], now: int) -> list[tuple[int, Publication]]:
        """Return what is said, and when, after the gate's records of a round were read."""
        said = []
        for record in records:
            read = record.decode()
            if isinstance(read, Envelope) and isinstance(read.data, PermitGranted):
                permit = read.data
                roll = dice(self._seed, "reacts", permit.permit_id)
                person = self._portfolio.by_person.get(permit.borrower_id)
                if person is not None and roll.random() < REACTS:
                    at = now + roll.randint(1, 60) * 1000
                    event = self._reaction(roll, permit, person, at)
                    said.append((at, publication(event, derive_id("reaction", permit.permit_id), _SOURCE, at)))
        return said

    def _reaction(self, roll: Random, permit: PermitGranted, person: Person, at: int) -> Event:
        name, of_person = permit.permit_id[:8], permit.borrower_id
        loan = roll.choice(permit.loans)
        match roll.randrange(7):
            case 0:
                point = roll.choice((None, permit.contact_point_id))
                return BorrowerOptedOut(
                    borrower_id=of_person,
                    opt_out_id=f"{name}-o",
                    channel=permit.channel,
                    contact_point_id=point,
                    given_ms=at,
                )
            case 1:
                until = at + roll.randint(1, 3) * DAY_MS
                return BorrowerHoldPlaced(
                    borrower_id=of_person,
                    hold_id=f"{name}-h",
                    reason=HoldReason.HARDSHIP,
                    from_ms=at,
                    until_ms=until,
                )
            case 2:
                return BorrowerCeased(borrower_id=of_person, cease_id=f"{name}-x", lender_id=None, given_ms=at)
            case 3:
                return self._move(roll, person)
            case 4:
                reason = HoldReason.PAYMENT_IN_FLIGHT
                return HoldPlaced(
                    loan_id=loan.loan_id, hold_id=f"{name}-l", reason=reason, from_ms=at, until_ms=at + DAY_MS
                )
            case 5:
                return _promise(loan.loan_id, f"{name}-t", loan.amount_due_minor, loan.currency, self._day(person, at))
            case _:
                return RepaymentReceived(
                    loan_id=loan.loan_id,
                    payment_id=f"{name}-p",
                    amount_minor=max(1, loan.amount_due_minor // roll.choice((1, 1, 2, 3))),
                    currency=loan.currency,
                    value_date=self._day(person, at),
                )

    def _day(self, person: Person, at: int) -> date:
        return local_date(at, person.place.zone)

    def _move(self, roll: Random, person: Person) -> BorrowerProfile:
        self._moves += 1
        return BorrowerProfile(
            borrower_id=person.borrower_id,
            revision=_FIRST_REVISION + self._moves,
            zones=(roll.choice([place.zone for place in PLACES if place is not person.place]),),
            jurisdictions=(person.place.jurisdiction,),
            contact_points=person.contact_points,
        )


def _promise(loan_id: str, promise_id: str, amount_minor: int, currency: str, today: date) -> PromiseMade:
    return PromiseMade(
        loan_id=loan_id,
        promise_id=promise_id,
        amount_minor=amount_minor,
        currency=currency,
        promised_on=today,
        due_on=today,
        tolerance_days=1,
    )
