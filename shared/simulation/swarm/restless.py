"""What else happens in lively worlds: people held, silent or called back, deaths, charges, what is cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from shared.contract.arrangements import HoldPlaced
from shared.contract.base import Channel, Component, Event, HoldReason
from shared.contract.loans import ChargeAssessed, InstalmentCancelled, InstalmentScheduled
from shared.contract.people import (
    BorrowerCeased,
    BorrowerConsented,
    BorrowerHoldLifted,
    BorrowerHoldPlaced,
    BorrowerOptedOut,
    ConsentPurpose,
)
from shared.kernel.zones import HOUR_MS
from shared.simulation.dice import dice
from shared.simulation.portfolio import LENDERS, Person
from shared.simulation.swarm.crossings import Trait

Happening = tuple[int, Event]
"""When something is said, and what."""
_CANCELLED_REVISION: Final = 2
_HOLDS: Final = (HoldReason.BEREAVEMENT, HoldReason.HARDSHIP, HoldReason.DISPUTE)


def to_person(trait: Trait, person: Person, at: int, seed: int) -> Iterator[Happening]:
    """Yield what a trait means for a person, from an instant on."""
    name = person.borrower_id
    roll = dice(seed, trait, "happens to", name)
    match trait:
        case Trait.PERSON_HOLD:
            from_ms = at + roll.choice((0, 0, 5, 26)) * HOUR_MS
            until = roll.choice((None, from_ms + roll.randint(1, 72) * HOUR_MS))
            hold = BorrowerHoldPlaced(
                borrower_id=name, hold_id=f"{name}-h", reason=roll.choice(_HOLDS), from_ms=from_ms, until_ms=until
            )
            yield at, hold
            if until is not None and roll.random() < 0.4:
                later = hold.model_copy(update={"revision": 1, "until_ms": until + roll.randint(2, 48) * HOUR_MS})
                yield at + roll.randint(1, 20) * HOUR_MS, later
            for lifted in sorted(at + roll.randint(2, 60) * HOUR_MS for _ in range(roll.choice((0, 1, 2)))):
                yield lifted, BorrowerHoldLifted(borrower_id=name, hold_id=f"{name}-h", lifted_ms=lifted)
        case Trait.CEASED:
            lender = roll.choice((None, *LENDERS))
            yield at, BorrowerCeased(borrower_id=name, cease_id=f"{name}-x", lender_id=lender, given_ms=at)
        case Trait.CALLBACK:
            expires = roll.choice((None, at + roll.randint(1, 50) * HOUR_MS))
            consent = BorrowerConsented(
                borrower_id=name,
                consent_id=f"{name}-k",
                channel=Channel.CALL,
                purpose=ConsentPurpose.CALLBACK,
                given_ms=at,
                expires_ms=expires,
            )
            yield at, consent
        case Trait.POINT_REFUSED:
            point = roll.choice(person.contact_points)
            channel = roll.choice(point.channels)
            yield (
                at,
                BorrowerOptedOut(
                    borrower_id=name,
                    opt_out_id=f"{name}-n",
                    channel=channel,
                    contact_point_id=point.contact_point_id,
                    given_ms=at,
                ),
            )
            # A yes to the channel does not reach the point that was refused by name; sometimes the next one does.
            back = at + roll.randint(1, 20) * HOUR_MS
            for named, given in ((None, back), (point.contact_point_id, back + roll.randint(30, 60) * HOUR_MS)):
                yield (
                    given,
                    BorrowerConsented(
                        borrower_id=name,
                        consent_id=f"{name}-y-{named}",
                        channel=channel,
                        contact_point_id=named,
                        given_ms=given,
                    ),
                )
        case _:
            pass


def to_loan(trait: Trait, loan_id: str, at: int, day: date, amount_minor: int) -> Iterator[Happening]:
    """Yield what a trait means for a loan, at an instant that is `day` where its accounts are kept."""
    match trait:
        case Trait.CANCELLED:
            yield at, InstalmentCancelled(loan_id=loan_id, instalment_id=f"{loan_id}-i", revision=_CANCELLED_REVISION)
        case Trait.CHARGED:
            charge = ChargeAssessed(
                loan_id=loan_id,
                charge_id=f"{loan_id}-late",
                instalment_id=f"{loan_id}-i",
                component=Component.PENALTY,
                amount_minor=max(1, amount_minor // 50),
                assessed_on=day,
            )
            yield at, charge
        case Trait.DECEASED:
            yield at, HoldPlaced(loan_id=loan_id, hold_id=f"{loan_id}-d", reason=HoldReason.DECEASED, from_ms=at)
        case _:
            pass


def more_instalments(loan_id: str, first: InstalmentScheduled, seed: int) -> Iterator[InstalmentScheduled]:
    """Yield what else falls due soon after a first instalment, so that messages about one loan come close together."""
    roll = dice(seed, "instalments", loan_id)
    due = first.due_date
    for number in range(roll.randint(1, 3)):
        due += timedelta(days=roll.randint(1, 3))
        name = f"{first.instalment_id}{number + 1}"
        yield first.model_copy(update={"instalment_id": name, "due_date": due})


def snapped(at: int, rounds: tuple[int, ...], seed: int, about: str) -> int:
    """Return an instant, or one just after the round that is nearest to it, so that facts fall between near rounds."""
    roll = dice(seed, "falls between", about)
    if roll.random() < 0.5:
        return at
    return min(rounds, key=lambda instant: (abs(instant - at), instant)) + roll.randint(1, 180) * 1000
