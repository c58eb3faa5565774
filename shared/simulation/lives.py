"""What happens to people: they move, refuse, demand silence, are bereaved, and are called by agencies unasked."""

from __future__ import annotations

from functools import partial

from shared.contract.base import Channel, HoldReason
from shared.contract.outcomes import Direction, Outcome, OutreachOutcome
from shared.contract.people import (
    BorrowerCeased,
    BorrowerConsented,
    BorrowerHoldPlaced,
    BorrowerOptedOut,
    BorrowerProfile,
    ConsentPurpose,
)
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS
from shared.simulation.desk import Desk
from shared.simulation.dice import dice
from shared.simulation.portfolio import LENDERS, PLACES, Person

ARRIVAL_MS = 4 * HOUR_MS
"""People and loans arrive over the first hours, not in one instant."""


class Lives:
    """Plans what happens to each person, and says it when it does."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def plan(self, person: Person) -> None:
        """Put a person's life on the agenda."""
        roll = dice(self._desk.seed, "life", person.borrower_id)
        arrives = self._desk.start_ms + roll.randrange(ARRIVAL_MS)
        if person.scripted:
            self._desk.at(self._desk.start_ms, partial(self._profile, person, person.zones, 0))
            return
        if roll.random() < 0.01:
            arrives += 6 * DAY_MS
        self._desk.at(arrives, partial(self._profile, person, person.zones, 0))
        for chance, plan in (
            (0.03, self._opts_out),
            (0.01, self._ceases),
            (0.015, self._is_held),
            (0.02, self._moves),
            (0.01, self._asks_to_be_called),
            (0.02, self._is_called_by_others),
        ):
            if roll.random() < chance:
                when = self._desk.start_ms + roll.randint(2, 55) * DAY_MS + roll.randrange(DAY_MS)
                self._desk.at(when, partial(plan, person))

    def _profile(self, person: Person, zones: tuple[str, ...], revision: int, now: int) -> None:
        profile = BorrowerProfile(
            borrower_id=person.borrower_id,
            revision=revision,
            zones=zones,
            jurisdictions=(person.place.jurisdiction,),
            contact_points=person.contact_points,
        )
        self._desk.say(profile, now)

    def _opts_out(self, person: Person, now: int) -> None:
        name = person.borrower_id
        self._desk.say(
            BorrowerOptedOut(borrower_id=name, opt_out_id=f"{name}-o1", channel=Channel.SMS, given_ms=now), now
        )
        roll = dice(self._desk.seed, "consents", name)
        if roll.random() < 0.3:
            self._desk.at(now + roll.randint(5, 15) * DAY_MS, partial(self._consents, person, Channel.SMS, None))

    def _consents(self, person: Person, channel: Channel, purpose: ConsentPurpose | None, now: int) -> None:
        consent = BorrowerConsented(
            borrower_id=person.borrower_id,
            consent_id=f"{person.borrower_id}-c-{channel}",
            channel=channel,
            purpose=purpose,
            given_ms=now,
            expires_ms=None if purpose is None else now + 5 * DAY_MS,
        )
        self._desk.say(consent, now)

    def _asks_to_be_called(self, person: Person, now: int) -> None:
        self._consents(person, Channel.CALL, ConsentPurpose.CALLBACK, now)

    def _ceases(self, person: Person, now: int) -> None:
        roll = dice(self._desk.seed, "ceases", person.borrower_id)
        lender = roll.choice((None, *LENDERS))
        name = person.borrower_id
        self._desk.say(BorrowerCeased(borrower_id=name, cease_id=f"{name}-x1", lender_id=lender, given_ms=now), now)

    def _is_held(self, person: Person, now: int) -> None:
        roll = dice(self._desk.seed, "held", person.borrower_id)
        hold = BorrowerHoldPlaced(
            borrower_id=person.borrower_id,
            hold_id=f"{person.borrower_id}-h1",
            reason=roll.choice((HoldReason.BEREAVEMENT, HoldReason.HARDSHIP, HoldReason.DISASTER)),
            from_ms=now,
            until_ms=now + roll.randint(7, 25) * DAY_MS,
        )
        self._desk.say(hold, now)

    def _moves(self, person: Person, now: int) -> None:
        roll = dice(self._desk.seed, "moves", person.borrower_id)
        others = [place.zone for place in PLACES if place is not person.place]
        self._profile(person, (roll.choice(others),), 1, now)

    def _is_called_by_others(self, person: Person, now: int) -> None:
        """An agency calls unasked, up to three times, and tells us so the same evening or two days later."""
        roll = dice(self._desk.seed, "agency", person.borrower_id)
        late = roll.choice((2 * HOUR_MS, 2 * DAY_MS))
        for number in range(roll.randint(1, 3)):
            call = OutreachOutcome(
                borrower_id=person.borrower_id,
                outcome_id=f"{person.borrower_id}-agency-{number}",
                outcome=roll.choice((Outcome.ATTEMPTED, Outcome.NO_ANSWER, Outcome.CONVERSATION)),
                occurred_ms=now + number * 40 * MINUTE_MS,
                channel=Channel.CALL,
                contact_point_id=person.contact_points[0].contact_point_id,
                direction=Direction.OUTBOUND,
            )
            self._desk.at(now + number * HOUR_MS + late, partial(self._desk.say, call))
