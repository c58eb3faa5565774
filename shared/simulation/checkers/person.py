"""What was known about a person at a tick of the gate, gathered again from the topics with plain loops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from shared.contract.base import Channel, Event
from shared.contract.outcomes import Direction, Outcome, OutreachOutcome
from shared.contract.outreach import PermitGranted
from shared.contract.people import (
    BorrowerCeased,
    BorrowerConsented,
    BorrowerHoldLifted,
    BorrowerHoldPlaced,
    BorrowerOptedOut,
    BorrowerProfile,
    ConsentPurpose,
)
from shared.contract.requests import ContactClass
from shared.domain.packs import EVERYBODY, Cap, Hours, Packs
from shared.kernel.zones import DAY_MS
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.ledger import buried_coordinates
from shared.simulation.checkers.local_time import local_moment

PERSON_FACTS: Final = (
    BorrowerProfile,
    BorrowerConsented,
    BorrowerOptedOut,
    BorrowerCeased,
    BorrowerHoldPlaced,
    BorrowerHoldLifted,
    OutreachOutcome,
)
CALLBACK_MAX_MS: Final = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class Contact:
    """A permit, or a contact that others made: when it was or may be made, and what became of it."""

    permit: PermitGranted | None
    granted_at: int
    from_ms: int
    until_ms: int
    channel: Channel
    point: str | None
    lender_id: str | None
    loan_ids: tuple[str, ...]
    contact_class: ContactClass | None
    outcomes: tuple[OutreachOutcome, ...]
    inbound: bool = False

    def is_given_back(self) -> bool:
        """Whether nothing was attempted after all."""
        told = {outcome.outcome for outcome in self.outcomes}
        return told == {Outcome.NOT_ATTEMPTED}

    def instants(self) -> tuple[int, int]:
        """Return the first and last instant at which it may have been made; the attempt's own where that is told."""
        made = [outcome.occurred_ms for outcome in self.outcomes if outcome.outcome is Outcome.ATTEMPTED]
        last = self.until_ms - 1
        return (min(made[0], self.from_ms), max(made[0], last)) if made else (self.from_ms, last)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything known about one person at one tick."""

    at: int
    facts: tuple[Event, ...]

    @property
    def profile(self) -> BorrowerProfile | None:
        """The newest profile."""
        profiles = [fact for fact in self.facts if isinstance(fact, BorrowerProfile)]
        return max(profiles, key=lambda profile: profile.revision, default=None)

    def zones(self) -> tuple[str, ...]:
        """Every zone where the person may be: those of the profile and of all contact points."""
        profile = self.profile
        if profile is None:
            return ()
        points = [point.zone for point in profile.contact_points if point.zone is not None]
        return tuple(sorted({*profile.zones, *points}))

    def is_refused(self, channel: Channel, point: str) -> bool:
        """Whether the person closed the channel or the point and has not consented to it since."""
        return any(not self._has_consented(channel, point, given) for given in self._refusals(channel, point))

    def _refusals(self, channel: Channel, point: str) -> Iterator[int]:
        for fact in self.facts:
            if isinstance(fact, BorrowerOptedOut):
                if fact.channel in {None, channel} and fact.contact_point_id in {None, point}:
                    yield fact.given_ms
            elif isinstance(fact, OutreachOutcome) and fact.contact_point_id in {None, point}:
                stopped = fact.outcome is Outcome.STOP and fact.channel is channel
                if stopped or (fact.outcome is Outcome.WRONG_NUMBER and fact.contact_point_id is not None):
                    yield fact.occurred_ms

    def _has_consented(self, channel: Channel, point: str, since: int) -> bool:
        return any(
            isinstance(fact, BorrowerConsented)
            and fact.channel is channel
            and fact.contact_point_id in {None, point}
            and fact.given_ms >= since
            for fact in self.facts
        )

    def has_ceased(self, lender_id: str) -> bool:
        """Whether the person demanded that this lender, or everybody, make no contact."""
        return any(isinstance(fact, BorrowerCeased) and fact.lender_id in {None, lender_id} for fact in self.facts)

    def is_held(self, from_ms: int, until_ms: int) -> bool:
        """Whether a hold on the person touches the interval."""
        placed = [fact for fact in self.facts if isinstance(fact, BorrowerHoldPlaced)]
        for hold in placed:
            if any(other.hold_id == hold.hold_id and other.revision > hold.revision for other in placed):
                continue
            lifts = [
                fact.lifted_ms
                for fact in self.facts
                if isinstance(fact, BorrowerHoldLifted) and fact.hold_id == hold.hold_id
            ]
            ends = [end for end in (hold.until_ms, max(lifts, default=None)) if end is not None]
            if hold.from_ms < until_ms and (not ends or min(ends) > from_ms):
                return True
        return False

    def asked_to_be_called(self, channel: Channel, at: int) -> bool:
        """Whether a contact at an instant is one that the person asked for (T-50)."""
        return any(
            isinstance(fact, BorrowerConsented)
            and fact.purpose is ConsentPurpose.CALLBACK
            and fact.channel is channel
            and fact.given_ms <= at < min(fact.given_ms + CALLBACK_MAX_MS, fact.expires_ms or at + 1)
            for fact in self.facts
        )


class Society:
    """All persons' facts, permits and contacts, with the ticks at which the gate applied or decided them."""

    def __init__(self, chronicle: Chronicle) -> None:
        buried = buried_coordinates(chronicle)
        self._facts: dict[str, list[tuple[int, Event]]] = defaultdict(list)
        for entry in chronicle.of_each(*PERSON_FACTS):
            at = chronicle.known_at(entry.record)
            alive = entry.record.coordinates not in buried and chronicle.is_home(entry.record)
            if at is not None and alive:
                self._facts[str(entry.record.key, "utf-8")].append((at, entry.data))  # type: ignore[arg-type]
        for facts in self._facts.values():
            facts.sort(key=lambda fact: fact[0])
        self.permits: dict[str, list[Entry[PermitGranted]]] = defaultdict(list)
        for entry in chronicle.of(PermitGranted):
            self.permits[entry.data.borrower_id].append(entry)

    def known(self, borrower_id: str, at: int) -> Knowledge:
        """Return what was known of a person at a tick of the gate."""
        return Knowledge(at, tuple(fact for when, fact in self._facts.get(borrower_id, ()) if when <= at))

    def contacts(self, knowledge: Knowledge, borrower_id: str) -> list[Contact]:
        """Return every contact that counted at that tick: permits granted until then, and contacts of others."""
        outcomes = _unique(fact for fact in knowledge.facts if isinstance(fact, OutreachOutcome))
        permits = [entry for entry in self.permits.get(borrower_id, ()) if entry.at <= knowledge.at]
        own = {entry.data.permit_id for entry in permits}
        found = [_permitted(entry, outcomes) for entry in permits]
        others: dict[tuple[Any, ...], list[OutreachOutcome]] = defaultdict(list)
        for outcome in outcomes:
            if outcome.permit_id not in own and outcome.outcome is not Outcome.NOT_ATTEMPTED:
                about = (outcome.channel, outcome.occurred_ms, outcome.contact_point_id, outcome.lender_id)
                others[(*about, outcome.direction)].append(outcome)
        return found + [_foreign(told) for told in others.values()]


def _unique(outcomes: Iterator[Event]) -> list[OutreachOutcome]:
    return list({fact.outcome_id: fact for fact in outcomes if isinstance(fact, OutreachOutcome)}.values())


def _permitted(entry: Entry[PermitGranted], outcomes: list[OutreachOutcome]) -> Contact:
    permit = entry.data
    return Contact(
        permit,
        entry.at,
        permit.valid_from_ms,
        permit.valid_until_ms,
        permit.channel,
        permit.contact_point_id,
        permit.lender_id,
        tuple(loan.loan_id for loan in permit.loans),
        permit.contact_class,
        tuple(outcome for outcome in outcomes if outcome.permit_id == permit.permit_id),
    )


def _foreign(told: list[OutreachOutcome]) -> Contact:
    first = told[0]
    loan_ids = tuple(sorted({loan_id for outcome in told for loan_id in outcome.loan_ids}))
    return Contact(
        None,
        first.occurred_ms,
        first.occurred_ms,
        first.occurred_ms + 1,
        first.channel,
        first.contact_point_id,
        first.lender_id,
        loan_ids,
        None,
        tuple(told),
        inbound=first.direction is Direction.INBOUND,
    )


def rules_for(packs: Packs, profile: BorrowerProfile | None) -> tuple[list[Hours], list[Cap]]:
    """Return the hours and caps that apply to a person, chosen here again."""
    codes = {EVERYBODY}
    for code in () if profile is None else profile.jurisdictions:
        codes |= {code, code.split("-")[0]}
    hours = [rule for pack in packs.packs if codes & set(pack.jurisdictions) for rule in pack.hours]
    caps = [rule for pack in packs.packs if codes & set(pack.jurisdictions) for rule in pack.caps]
    return hours, caps


def in_force(rule: Hours | Cap, day: date) -> bool:
    """Whether a rule is effective on a local day."""
    begun = rule.effective_from is None or rule.effective_from <= day
    return begun and (rule.effective_until is None or day < rule.effective_until)


def days_between(from_ms: int, last_ms: int, zone: str) -> range:
    """Return the numbers of the local days that an interval touches, both ends included."""
    return range(local_moment(from_ms, zone).day, local_moment(last_ms, zone).day + 1)


def date_of(day: int) -> date:
    """Return the date of a day number since 1970-01-01."""
    return date.fromordinal(day + date(1970, 1, 1).toordinal())
