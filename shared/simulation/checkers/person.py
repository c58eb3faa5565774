"""What was known about a person at a tick of the gate, gathered again from the topics with plain loops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from shared.contract.base import Channel, Event
from shared.contract.outcomes import OUTCOMES, Direction, Outcome, OutreachOutcome
from shared.contract.outreach import PermitExpired, PermitGranted, PermitWithdrawn
from shared.contract.people import (
    BORROWERS,
    BorrowerCeased,
    BorrowerConsented,
    BorrowerHoldLifted,
    BorrowerHoldPlaced,
    BorrowerOptedOut,
    BorrowerProfile,
    ConsentPurpose,
)
from shared.contract.requests import ContactClass
from shared.contract.topics import DEAD_LETTERS
from shared.domain.packs import EVERYBODY, Cap, Hours, Packs
from shared.kernel.zones import DAY_MS
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.ledger import DOUBT_MS, buried_coordinates
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
        refusals = self._refusals(channel, point)
        return any(not self._has_consented(channel, named, point, given) for named, given in refusals)

    def _refusals(self, channel: Channel, point: str) -> Iterator[tuple[str | None, int]]:
        """Yield, of each refusal, the point that it names (None: none) and when it was given."""
        for fact in self.facts:
            if isinstance(fact, BorrowerOptedOut):
                if fact.channel in {None, channel} and fact.contact_point_id in {None, point}:
                    yield fact.contact_point_id, fact.given_ms
            elif isinstance(fact, OutreachOutcome) and fact.contact_point_id in {None, point}:
                stopped = fact.outcome is Outcome.STOP and fact.channel is channel
                wrong = fact.outcome is Outcome.WRONG_NUMBER
                if stopped or (wrong and (fact.contact_point_id is not None or fact.channel is channel)):
                    yield fact.contact_point_id, fact.occurred_ms

    def _has_consented(self, channel: Channel, named: str | None, point: str, since: int) -> bool:
        """Whether a later yes reaches so far: to a point that was refused by name only one that names it."""
        return any(
            isinstance(fact, BorrowerConsented)
            and fact.channel is channel
            and (fact.contact_point_id == point or (named is None and fact.contact_point_id is None))
            and fact.given_ms > since
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
        self.permits: dict[str, list[Entry[PermitGranted]]] = defaultdict(list)
        points: dict[str, str] = {}
        for granted in chronicle.of(PermitGranted):
            self.permits[granted.data.borrower_id].append(granted)
            points[granted.data.permit_id] = granted.data.contact_point_id
        buried = buried_coordinates(chronicle)
        self._facts: dict[str, list[tuple[int, Event]]] = defaultdict(list)
        self._partitions: dict[str, int] = {}
        self._replayed: dict[str, int] = {}
        for entry in chronicle.of_each(*PERSON_FACTS):
            at = chronicle.known_at(entry.record)
            alive = entry.record.coordinates not in buried and chronicle.is_home(entry.record)
            if at is not None and alive:
                fact = _at_its_point(entry.data, points)
                name = str(entry.record.key, "utf-8")  # type: ignore[arg-type]
                self._facts[name].append((at, fact))
                self._partitions[name] = entry.record.partition
                if entry.replaces is not None:
                    self._replayed[entry.replaces] = min(at, self._replayed.get(entry.replaces, at))
        for facts in self._facts.values():
            facts.sort(key=lambda fact: fact[0])
        self._doubts = _doubts(chronicle)

    def known(self, borrower_id: str, at: int) -> Knowledge:
        """Return what was known of a person at a tick of the gate."""
        return Knowledge(at, tuple(fact for when, fact in self._facts.get(borrower_id, ()) if when <= at))

    def people(self) -> Iterator[str]:
        """Yield the ids of all persons of whom anything was told, in order."""
        yield from sorted(self._facts)

    def told(self, borrower_id: str) -> list[int]:
        """Return the ticks at which outcomes of contacts with a person became known."""
        facts = self._facts.get(borrower_id, ())
        return sorted({when for when, fact in facts if isinstance(fact, OutreachOutcome)})

    def partition_of(self, borrower_id: str) -> int:
        """Return the partition on which the facts about a person lie."""
        return self._partitions[borrower_id]

    def news(self, borrower_id: str, after: int, before: int) -> list[int]:
        """Return the ticks between two instants, both excluded, at which something about a person became known."""
        return sorted({when for when, _ in self._facts.get(borrower_id, ()) if after < when < before})

    def in_doubt(self, borrower_id: str, at: int) -> bool:
        """Whether a record about the person that nobody could read came within the last 72 hours (decision 11)."""
        return any(
            since <= at < min(since + DOUBT_MS, self._replayed.get(place, at + 1))
            for place, since in self._doubts.get(borrower_id, {}).items()
        )

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


def _at_its_point(fact: Event, points: Mapping[str, str]) -> Event:
    """Return an outcome that names no contact point with that of its permit; every other fact as it is."""
    if not isinstance(fact, OutreachOutcome) or fact.contact_point_id is not None:
        return fact
    point = points.get(fact.permit_id or "")
    return fact if point is None else fact.model_copy(update={"contact_point_id": point})


def _doubts(chronicle: Chronicle) -> dict[str, dict[str, int]]:
    """Return, by person, the dead letters that may hide a refusal, a hold or a STOP, with the tick that buried each."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for topic, records in chronicle.topics():
        for record in records if topic == DEAD_LETTERS else ():
            headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
            place = (record.key or b"").decode(errors="replace")
            told = place.startswith((f"{BORROWERS}/", f"{OUTCOMES}/"))
            if told and headers.get("duecourse-reason") != "misrouted_key" and "duecourse-key" in headers:
                found[headers["duecourse-key"]][place] = int(headers["duecourse-at"])
    return found


def permit_ends(chronicle: Chronicle) -> dict[str, int]:
    """Return the tick at which each permit was withdrawn, expired, or known to be used."""
    ends: dict[str, int] = {}
    for entry in chronicle.of_each(PermitWithdrawn, PermitExpired):
        permit_id = str(getattr(entry.data, "permit_id", ""))
        ends[permit_id] = min(ends.get(permit_id, entry.at), entry.at)
    for told in chronicle.of(OutreachOutcome):
        known = chronicle.known_at(told.record)
        if told.data.permit_id is not None and known is not None:
            ends[told.data.permit_id] = min(ends.get(told.data.permit_id, known), known)
    return ends


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
