"""Packs: what is allowed, by jurisdiction. The model, and the one place where every rule of the gate says what it is.

A pack holds rules of four kinds: hours, caps, cool-downs, and the pause of a channel. Several packs may apply to a
person; all their rules are in force together, so that the strictest wins and all that block can be named (T-54).
Beside them stand `STANDING_RULES`, which no policy can switch off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from shared.contract.base import Channel
from shared.contract.outcomes import Outcome
from shared.contract.outreach import Severity
from shared.contract.requests import ContactClass
from shared.kernel.business_days import BusinessCalendar
from shared.kernel.hours import AllowedHours

EVERYBODY: Final = "*"
"""The jurisdiction of a pack that applies to every person."""
DIGITAL: Final = (Channel.PUSH, Channel.IN_APP, Channel.SMS, Channel.EMAIL)
DAY_TYPES: Final = ("weekday", "saturday", "sunday", "holiday")


class Unit(StrEnum):
    """What a cap counts: tries, or tries that became a conversation (or may have, while nobody has said)."""

    ATTEMPT = "attempt"
    CONVERSATION = "conversation"


class Per(StrEnum):
    """For whom or what a cap counts."""

    PERSON = "person"
    LENDER = "lender"
    LOAN = "loan"
    CONTACT_POINT = "contact_point"


class Period(StrEnum):
    """Over which days a cap counts, in local days; the day of the contact is day 1."""

    CALENDAR_DAY = "calendar_day"
    ROLLING_LOCAL_DAYS = "rolling_local_days"


@dataclass(frozen=True, slots=True)
class RuleText:
    """What a rule says, why, and how strict it is: all that an answer needs to name it."""

    id: str
    severity: Severity
    text: str
    citation: str


@dataclass(frozen=True, slots=True)
class Hours:
    """Allowed local hours of some channels; holidays, where they have hours of their own, are those of `calendar`."""

    rule: RuleText
    channels: tuple[Channel, ...]
    allowed: AllowedHours
    calendar: BusinessCalendar
    effective_from: date | None
    effective_until: date | None


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `limit` units per `per` in every window of `days` local days.

    Counts contacts over `channels` and blocks those over `blocks`. Contacts of `exempt_classes` are not blocked, and
    their attempts not counted; those that ended in an outcome of `not_counted` are given back; with `callback_exempt`,
    calls that the person asked for are neither counted nor blocked (T-50). A cool-down is a cap of one conversation:
    after it the days up to `days` (the day of the conversation is day 1) are blocked, whoever began it.
    """

    rule: RuleText
    unit: Unit
    per: Per
    channels: tuple[Channel, ...]
    blocks: tuple[Channel, ...]
    window: Period
    days: int
    limit: int
    exempt_classes: tuple[ContactClass, ...]
    not_counted: tuple[Outcome, ...]
    callback_exempt: bool
    effective_from: date | None
    effective_until: date | None


@dataclass(frozen=True, slots=True)
class VectorContact:
    """A contact of a test vector, at a local time of its zone."""

    local: str
    channel: Channel
    point: str
    loan: str
    lender: str
    contact_class: ContactClass
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Vector:
    """A worked example that comes with a rule: after `history`, is `ask` allowed, and if not, from when on?"""

    rule_id: str
    zone: str
    history: tuple[VectorContact, ...]
    ask: VectorContact
    blocked: bool
    until: str | None


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of one jurisdiction (`EVERYBODY`, `CN`, `US`, `US-MA`)."""

    id: str
    title: str
    jurisdictions: tuple[str, ...]
    hours: tuple[Hours, ...]
    caps: tuple[Cap, ...]
    vectors: tuple[Vector, ...]

    def rule_texts(self) -> tuple[RuleText, ...]:
        """Return the texts of its rules, hours first."""
        return (*(hours.rule for hours in self.hours), *(cap.rule for cap in self.caps))


@dataclass(frozen=True, slots=True)
class ChannelTerms:
    """How a channel is used: the length of a permit, the spread after an opening, and its capacity.

    `grants_per_tick` bounds the permits of one tick in one partition; None: no bound.
    """

    valid_ms: int
    spread_ms: int
    grants_per_tick: int | None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules that apply to one person."""

    hours: tuple[Hours, ...]
    caps: tuple[Cap, ...]


@dataclass(frozen=True, slots=True)
class Packs:
    """All packs of a policy and the terms of the channels."""

    packs: tuple[Pack, ...]
    channels: Mapping[Channel, ChannelTerms]

    @property
    def longest_window_days(self) -> int:
        """The longest window of any cap: contacts older than that decide nothing."""
        return max((cap.days for pack in self.packs for cap in pack.caps), default=1)

    def rules_for(self, jurisdictions: Iterable[str]) -> RuleSet:
        """Return the rules for a person of these jurisdictions; a pack of `US` applies in `US-MA` too."""
        codes = {EVERYBODY, *jurisdictions, *(code.partition("-")[0] for code in jurisdictions)}
        chosen = [pack for pack in self.packs if codes.intersection(pack.jurisdictions)]
        return RuleSet(
            tuple(rule for pack in chosen for rule in pack.hours), tuple(rule for pack in chosen for rule in pack.caps)
        )

    def rule_texts(self) -> dict[str, RuleText]:
        """Return every rule by id, packs' and standing ones: what `explain` shows beside an id."""
        own = (text for pack in self.packs for text in pack.rule_texts())
        return {text.id: text for text in (*STANDING_RULES.values(), *own)}


class Standing(StrEnum):
    """Ids of the rules that hold under every policy."""

    PROFILE_UNKNOWN = "profile_unknown"
    ZONE_UNKNOWN = "zone_unknown"
    NO_CONTACT_POINT = "no_contact_point"
    OPT_OUT = "opt_out"
    WRONG_NUMBER = "wrong_number"
    CEASE = "cease"
    PERSON_HOLD = "person_hold"
    FACT_IN_DOUBT = "fact_in_doubt"
    USEFUL_UNTIL = "useful_until"
    PERMIT_OPEN = "permit_open"
    PERMIT_INTERVAL = "permit_interval"
    PERMIT_WITHDRAWN = "permit_withdrawn"
    ALREADY_SAID = "already_said"
    UPSTREAM_BEHIND = "upstream_behind"
    OUTREACH_STOPPED = "outreach_stopped"
    SHADOW = "shadow"
    CHANNEL_CAPACITY = "channel_capacity"
    SPREAD = "spread"
    PENDING_BOUND = "pending_bound"
    NOTICE_BOUNCED = "notice_bounced"
    NOTICE_NOT_SENT = "notice_not_sent"


def _standing(rule: Standing, severity: Severity, text: str, citation: str) -> tuple[Standing, RuleText]:
    return rule, RuleText(rule.value, severity, text, citation)


_LAW, _INTERNAL, _PRESUMPTION = Severity.LAW, Severity.INTERNAL, Severity.PRESUMPTION
STANDING_RULES: Final[Mapping[Standing, RuleText]] = dict(
    (
        _standing(
            Standing.PROFILE_UNKNOWN, _INTERNAL, "Nobody is contacted of whom no profile is known.", "design; T-09"
        ),
        _standing(
            Standing.ZONE_UNKNOWN,
            _PRESUMPTION,
            "Where no time zone is known, no hour is known to be allowed.",
            "12 CFR 1006.6(b)(1) and commentary; T-09",
        ),
        _standing(
            Standing.NO_CONTACT_POINT,
            _INTERNAL,
            "The person has no contact point for any channel that was asked for.",
            "gateway guide",
        ),
        _standing(
            Standing.OPT_OUT,
            _LAW,
            "The person refused this channel or contact point; notices included, until the person consents again.",
            "12 CFR 1006.14(h), 1006.6(e); T-46, T-48",
        ),
        _standing(
            Standing.WRONG_NUMBER,
            _LAW,
            "Somebody else answers at this contact point.",
            "12 CFR 1006.6(d); T-31",
        ),
        _standing(
            Standing.CEASE,
            _LAW,
            "The person demanded that contact stop; statutory notices alone go on.",
            "12 CFR 1006.6(c); T-47",
        ),
        _standing(
            Standing.PERSON_HOLD,
            _INTERNAL,
            "The person must be left alone while a hold is active.",
            "T-32 to T-38",
        ),
        _standing(
            Standing.FACT_IN_DOUBT,
            _INTERNAL,
            "A record about the person could not be read and may be a refusal: wait 72 h or for its replay.",
            "design section 4",
        ),
        _standing(
            Standing.USEFUL_UNTIL,
            _INTERNAL,
            "The contact would come too late to be of use.",
            "T-39",
        ),
        _standing(
            Standing.PERMIT_OPEN,
            _INTERNAL,
            "A permit for this wish was withdrawn and may have been used: wait for its outcome or its end.",
            "T-43",
        ),
        _standing(
            Standing.PERMIT_INTERVAL,
            _INTERNAL,
            "The attempt was made outside its permit's interval.",
            "gateway guide",
        ),
        _standing(
            Standing.PERMIT_WITHDRAWN,
            _INTERNAL,
            "The attempt was made after its permit had been withdrawn.",
            "gateway guide",
        ),
        _standing(
            Standing.ALREADY_SAID,
            _INTERNAL,
            "The wish that this one replaces has already become a contact; another amount is no new reason.",
            "docs/decisions/0009-one-wish-per-loan.md; T-13",
        ),
        _standing(
            Standing.UPSTREAM_BEHIND,
            _INTERNAL,
            "The service that asked is behind and may not know yet that the reason is gone.",
            "design section 3; promise P5",
        ),
        _standing(Standing.OUTREACH_STOPPED, _INTERNAL, "An operator stopped outreach.", "operations guide"),
        _standing(
            Standing.SHADOW,
            _INTERNAL,
            "Shadow mode: everything is decided and nothing granted.",
            "operations guide",
        ),
        _standing(
            Standing.CHANNEL_CAPACITY,
            _INTERNAL,
            "The channel's permits of this tick are used up.",
            "packs.toml, grants_per_tick",
        ),
        _standing(
            Standing.SPREAD,
            _INTERNAL,
            "What waited for the hours to open is spread over their first minutes.",
            "packs.toml, spread_minutes; T-39",
        ),
        _standing(
            Standing.PENDING_BOUND,
            _INTERNAL,
            "More requests wait for this person than the gate keeps.",
            "design section 4",
        ),
        _standing(
            Standing.NOTICE_BOUNCED,
            _LAW,
            "The notice before the adverse act did not reach the person.",
            "12 CFR 1006.30(a); T-61",
        ),
        _standing(
            Standing.NOTICE_NOT_SENT,
            _LAW,
            "No attempt is known of the notice before the adverse act.",
            "Credit Reporting Industry Regulation (CN), article 15; T-61",
        ),
    )
)
"""Rules that hold under every policy, by id."""
