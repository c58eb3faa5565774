"""May this person be contacted over this channel at this instant, and if not, by which rules and until when.

Every rule is asked, so that the answer can name all that block (T-54). Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.rate_limiter.caps import Asking, concerns, full, is_in_force
from services.rate_limiter.hours import day_number, next_opening, open_around
from services.rate_limiter.state import Borrower, Contact, Profile, Request
from shared.contract.base import Channel
from shared.contract.outreach import Severity
from shared.contract.requests import ContactClass
from shared.contract.ticks import OutreachMode, Tick
from shared.domain.packs import STANDING_RULES, Cap, Hours, Packs, RuleText, Standing
from shared.kernel.ids import derive_id
from shared.kernel.zones import DAY_MS, MINUTE_MS, SECOND_MS

LEAST_VALID_MS: Final = 5 * MINUTE_MS
"""A permit that could be used for less is not worth granting: it waits for the next opening."""
FINAL: Final = frozenset({Standing.OPT_OUT, Standing.WRONG_NUMBER, Standing.CEASE})
"""The person's own no: where nothing else is left, the request is refused instead of deferred."""
TICK_RULES: Final = frozenset(
    {Standing.UPSTREAM_BEHIND, Standing.OUTREACH_STOPPED, Standing.SHADOW, Standing.CHANNEL_CAPACITY}
)
"""What rides on the tick or on its load: only a later tick can tell that it is over."""
_LOOKS_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Block:
    """A rule that forbids the contact at an instant. `until_ms` is when it alone would not; None: nobody knows."""

    rule_id: str
    severity: Severity
    until_ms: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether it is the person's own no."""
        return self.rule_id in FINAL


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say to one contact from `from_ms` on. Without blocks it may be made before `until_ms`."""

    channel: Channel
    point: str | None
    from_ms: int
    until_ms: int
    blocks: tuple[Block, ...]

    @property
    def is_free(self) -> bool:
        """Whether nothing forbids it."""
        return not self.blocks

    @property
    def is_final(self) -> bool:
        """Whether the person's own word forbids it."""
        return any(entry.is_final for entry in self.blocks)


def block(rule: RuleText | Standing, until_ms: int | None = None) -> Block:
    """Return that the rule blocks."""
    text = STANDING_RULES[rule] if isinstance(rule, Standing) else rule
    return Block(text.id, text.severity, until_ms)


class Judge:
    """The rules of one person at one tick. `spent` is what other people's permits took of each channel's capacity."""

    def __init__(
        self, borrower_id: str, state: Borrower, packs: Packs, tick: Tick, spent: Mapping[Channel, int]
    ) -> None:
        self._borrower_id = borrower_id
        self._state = state
        self._packs = packs
        self._tick = tick
        self._spent = spent
        self._silent = frozenset(tick.silent)
        self._rules = packs.rules_for(state.profile.jurisdictions if state.profile is not None else ())
        self._openings: dict[tuple[str, tuple[str, ...], int], tuple[tuple[int, int] | None, int | None]] = {}

    @property
    def caps(self) -> tuple[Cap, ...]:
        """The caps of all packs that apply."""
        return self._rules.caps

    @property
    def hours(self) -> tuple[Hours, ...]:
        """The hours of all packs that apply."""
        return self._rules.hours

    @property
    def zones(self) -> tuple[str, ...]:
        """Every zone where the person may be: those of the profile and of any contact point.

        A number from elsewhere makes the place unclear for a letter too (12 CFR 1006.6(b)(1), commentary; T-09).
        """
        profile = self._state.profile
        if profile is None:
            return ()
        return tuple(sorted({*profile.zones, *(point.zone for point in profile.points if point.zone is not None)}))

    def candidates(self, request: Request) -> list[tuple[Channel, str | None]]:
        """Return the channels and contact points that the request may use, in its order of preference."""
        profile = self._state.profile
        if profile is None:
            return [(request.channels[0], None)]
        found: list[tuple[Channel, str | None]] = [
            (channel, point.id) for channel in request.channels for point in profile.points if channel in point.channels
        ]
        return found or [(request.channels[0], None)]

    def ruling(self, request: Request, channel: Channel, point: str | None, contacts: list[Contact], at: int) -> Ruling:
        """Return what all rules say to a contact for the request at `at`."""
        until = min(at + self._packs.channels[channel].valid_ms, request.not_after_ms)
        zones = self.zones
        held, until = self._holds(at, until)
        hours, until = self._hours(channel, zones, request, at, until)
        loans = (request.loan_id,)
        asking = Asking(channel, point, request.lender_id, loans, request.contact_class, at, max(until, at + 1))
        blocks = [
            *self._refusals(channel, point, request.lender_id, request.contact_class, at),
            *held,
            *self._profile(self._state.profile, point, zones),
            *hours,
            *self._tick_blocks(request, channel),
            *([block(Standing.USEFUL_UNTIL)] if request.not_after_ms - at < LEAST_VALID_MS else []),
            *self._awaited(request, contacts, at),
            *self._caps(asking, zones, contacts),
        ]
        return Ruling(channel, point, at, until, _sorted(blocks))

    def objections(self, contact: Contact, contacts: list[Contact], at: int) -> tuple[Block, ...]:
        """Return the rules by which an open permit could not be granted any more (T-53)."""
        channel, point, zones = contact.channel, contact.point, self.zones
        end = contact.valid_until_ms
        blocks = self._refusals(channel, point, contact.lender_id, contact.contact_class, at)
        blocks.extend(self._profile(self._state.profile, point, zones))
        blocks.extend(self._switched(channel, contact.lender_id))
        blocks.extend(block(rule) for rule, _, _ in self.pauses(at, end))
        blocks.extend(block(rule.rule) for rule in self._closed_before(channel, zones, at, end))
        blocks.extend(self._caps(_asking(contact, at), zones, [other for other in contacts if other.id != contact.id]))
        return _sorted(blocks)

    def earliest(self, request: Request, ruling: Ruling, contacts: list[Contact]) -> int | None:
        """Return the first instant at which nothing would block the contact, as far as time alone can tell."""
        at = ruling.from_ms
        for _ in range(_LOOKS_MAX):
            if ruling.is_free:
                return at
            untils = [it.until_ms for it in ruling.blocks]
            known = [until for until in untils if until is not None]
            if len(known) < len(untils) or max(known) <= at:
                return None
            at = max(known)
            if at >= request.not_after_ms:
                return at
            ruling = self.ruling(request, ruling.channel, ruling.point, contacts, at)
        return None

    def _profile(self, profile: Profile | None, point: str | None, zones: tuple[str, ...]) -> list[Block]:
        if profile is None:
            return [block(Standing.PROFILE_UNKNOWN)]
        blocks = []
        if all(it.id != point for it in profile.points):
            blocks.append(block(Standing.NO_CONTACT_POINT))
        if not zones:
            blocks.append(block(Standing.ZONE_UNKNOWN))
        return blocks

    def _refusals(
        self, channel: Channel, point: str | None, lender_id: str | None, contact_class: ContactClass | None, at: int
    ) -> list[Block]:
        blocks = [block(rule) for rule in self.refused(channel, point, at)]
        if contact_class is not ContactClass.STATUTORY_NOTICE and self.is_ceased(lender_id):
            blocks.append(block(Standing.CEASE))
        return blocks

    def pauses(self, from_ms: int, until_ms: int) -> list[tuple[Standing, int, int | None]]:
        """Return holds and doubts that touch the interval, each with its start and end."""
        holds = [
            (Standing.PERSON_HOLD, hold.from_ms, hold.end_ms)
            for hold in self._state.holds
            if hold.touches(from_ms, until_ms)
        ]
        doubts = [
            (Standing.FACT_IN_DOUBT, doubt.from_ms, doubt.until_ms)
            for doubt in self._state.doubts
            if doubt.from_ms < until_ms and from_ms < doubt.until_ms
        ]
        return [*holds, *doubts]

    def _holds(self, at: int, until: int) -> tuple[list[Block], int]:
        """Return what holds and doubts forbid at once, and where the next known one cuts the interval."""
        blocking: dict[Standing, list[int | None]] = {}
        for rule, from_ms, end_ms in self.pauses(at, max(until, at + LEAST_VALID_MS)):
            if from_ms < at + LEAST_VALID_MS:
                blocking.setdefault(rule, []).append(end_ms)
            else:
                until = min(until, from_ms)
        return [block(rule, _latest(ends)) for rule, ends in blocking.items()], until

    def refused(self, channel: Channel, point: str | None, at: int | None = None) -> list[Standing]:
        """Return by which word of the person the channel is closed at the point; a later yes opens what it names.

        Words count from the moment they are known; with `at` in the past, only those given before.
        """
        found = set()
        for refusal in self._state.refusals:
            if refusal.channel not in (None, channel) or refusal.point not in (None, point):
                continue
            if at is not None and at < self._tick.at and refusal.given_ms > at:
                continue
            # A yes to the channel as a whole does not reach a point that was refused by name.
            scopes = (None, point) if refusal.point is None else (point,)
            yes = [it.given_ms for it in self._state.consents if it.channel is channel and it.point in scopes]
            if refusal.given_ms >= max(yes, default=-1):
                found.add(Standing.WRONG_NUMBER if refusal.wrong_number else Standing.OPT_OUT)
        return sorted(found)

    def is_ceased(self, lender_id: str | None, at: int | None = None) -> bool:
        """Return whether the person demanded that this lender stop; with `at`, before that instant."""
        return any(
            (cease.lender_id is None or lender_id in (None, cease.lender_id)) and (at is None or cease.given_ms <= at)
            for cease in self._state.ceases
        )

    def _hours(
        self, channel: Channel, zones: tuple[str, ...], request: Request, at: int, until: int
    ) -> tuple[list[Block], int]:
        """Return what the hours forbid, and where they cut the interval."""
        blocks, opened, closes = [], 0, at + DAY_MS
        for rule in self._hours_for(channel, zones, at):
            around, opening = self._opening(rule, zones, at)
            if around is None:
                blocks.append(block(rule.rule, opening))
            else:
                opened, closes = max(opened, around[0]), min(closes, around[1])
        if zones and not blocks:
            blocks = self._spread(channel, zones[0], request, at, (opened, closes))
        return blocks, min(until, closes)

    def _opening(self, rule: Hours, zones: tuple[str, ...], at: int) -> tuple[tuple[int, int] | None, int | None]:
        """Return the allowed interval around `at` if it lasts long enough, else None and the next such instant.

        The wishes of one person ask the same again and again: answers are kept for this tick.
        """
        key = (rule.rule.id, zones, at)
        if key not in self._openings:
            around = open_around(rule, zones, at)
            lasts = around is not None and around[1] - at >= LEAST_VALID_MS
            self._openings[key] = (around, None) if lasts else (None, next_opening(rule, zones, at, LEAST_VALID_MS))
        return self._openings[key]

    def _hours_for(self, channel: Channel, zones: tuple[str, ...], at: int) -> list[Hours]:
        return [rule for rule in self.hours if zones and channel in rule.channels and is_in_force(rule, zones, at)]

    def _closed_before(self, channel: Channel, zones: tuple[str, ...], at: int, end: int) -> list[Hours]:
        around = [(rule, open_around(rule, zones, at)) for rule in self._hours_for(channel, zones, at)]
        return [rule for rule, found in around if found is None or found[1] < end]

    def _spread(
        self, channel: Channel, zone_name: str, request: Request, at: int, interval: tuple[int, int]
    ) -> list[Block]:
        """Hold back what waited for the opening, by a share of the spread that is the person's own on that day."""
        opened, closes = interval
        spread = min(self._packs.channels[channel].spread_ms, closes - opened - LEAST_VALID_MS)
        if spread <= 0 or max(request.asked_ms, request.not_before_ms) >= opened:
            return []
        share = int(derive_id("spread", self._borrower_id, day_number(opened, zone_name))[:8], 16)
        target = opened + share % spread // SECOND_MS * SECOND_MS
        return [block(Standing.SPREAD, target)] if at < target else []

    def _tick_blocks(self, request: Request, channel: Channel) -> list[Block]:
        blocks = self._switched(channel, request.lender_id)
        if request.source in self._silent:
            blocks.append(block(Standing.UPSTREAM_BEHIND))
        most = self._packs.channels[channel].grants_per_tick
        if most is not None and self._spent.get(channel, 0) >= most:
            blocks.append(block(Standing.CHANNEL_CAPACITY))
        return blocks

    def _switched(self, channel: Channel, lender_id: str | None) -> list[Block]:
        return [block(rule) for rule in self.switched(channel, lender_id)]

    def switched(self, channel: Channel | None, lender_id: str | None) -> list[Standing]:
        """Return what operators have switched off for the channel (None: beyond channels) and lender."""
        modes = {
            switch.mode
            for switch in self._tick.switches
            if switch.channel in (None, channel) and switch.lender_id in (None, lender_id)
        }
        names = {OutreachMode.STOPPED: Standing.OUTREACH_STOPPED, OutreachMode.SHADOW: Standing.SHADOW}
        return [rule for mode, rule in names.items() if mode in modes]

    def _awaited(self, request: Request, contacts: list[Contact], at: int) -> list[Block]:
        if request.awaits is None:
            return []
        permit = next((it for it in contacts if it.id == request.awaits), None)
        if permit is None or permit.is_returned or at >= permit.valid_until_ms:
            return []
        return [block(Standing.PERMIT_OPEN, permit.valid_until_ms)]

    def _caps(self, asking: Asking, zones: tuple[str, ...], contacts: list[Contact]) -> list[Block]:
        blocks = []
        for cap in self.caps:
            if is_in_force(cap, zones, asking.from_ms) and concerns(cap, asking, self._state.callbacks):
                found = full(cap, asking, zones, contacts, self._state.callbacks)
                if found is not None:
                    blocks.append(block(cap.rule, found.until_ms))
        return blocks

    def checked(self, permit: Contact) -> tuple[str, ...]:
        """Return the ids of all rules that were asked before the permit."""
        zones, at = self.zones, permit.valid_from_ms
        asking = _asking(permit, at)
        hours = [rule.rule.id for rule in self._hours_for(permit.channel, zones, at)]
        caps = [
            cap.rule.id
            for cap in self.caps
            if is_in_force(cap, zones, at) and concerns(cap, asking, self._state.callbacks)
        ]
        return tuple(sorted({*_ALWAYS_CHECKED, *hours, *caps}))


def _asking(permit: Contact, at: int) -> Asking:
    return Asking(
        permit.channel,
        permit.point,
        permit.lender_id,
        permit.loan_ids,
        permit.contact_class,
        at,
        permit.valid_until_ms,
    )


_ALWAYS_CHECKED: Final = tuple(
    rule.value
    for rule in (
        Standing.PROFILE_UNKNOWN,
        Standing.ZONE_UNKNOWN,
        Standing.NO_CONTACT_POINT,
        Standing.OPT_OUT,
        Standing.WRONG_NUMBER,
        Standing.CEASE,
        Standing.PERSON_HOLD,
        Standing.FACT_IN_DOUBT,
        Standing.USEFUL_UNTIL,
        Standing.PERMIT_OPEN,
        Standing.SPREAD,
        *sorted(TICK_RULES),
    )
)


def _latest(ends: list[int | None]) -> int | None:
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def _sorted(blocks: Iterable[Block]) -> tuple[Block, ...]:
    return tuple(sorted(blocks, key=lambda it: it.rule_id))
