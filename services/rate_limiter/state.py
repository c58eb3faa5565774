"""What the gate keeps of one borrower: who and where, what was refused, what is asked, what was granted and made.

Frozen, and ordered by id everywhere, so that the order in which facts of one epoch arrive leaves no trace.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.contract.base import Channel, HoldReason
from shared.contract.outcomes import Direction, Outcome
from shared.contract.requests import ClearancePurpose, ContactClass, WithdrawalReason

SPOKEN_CHANNELS = frozenset({Channel.CALL, Channel.VISIT})
"""Channels over which an attempt may become a conversation."""


@dataclass(frozen=True, slots=True)
class Point:
    """A contact point, with the zone that it suggests."""

    id: str
    channels: tuple[Channel, ...]
    zone: str | None


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the person lives and can be reached; the highest revision."""

    revision: int
    zones: tuple[str, ...]
    jurisdictions: tuple[str, ...]
    points: tuple[Point, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The latest no of one scope: a channel (None: all) at a contact point (None: all)."""

    channel: Channel | None
    point: str | None
    wrong_number: bool
    given_ms: int
    fact_id: str


@dataclass(frozen=True, slots=True)
class Consent:
    """The latest yes of one scope."""

    channel: Channel
    point: str | None
    given_ms: int


@dataclass(frozen=True, slots=True)
class Callback:
    """A call that the person asked for: calls inside [from_ms, until_ms) are exempt where a rule says so (T-50)."""

    channel: Channel
    point: str | None
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Cease:
    """The person demanded that contact by a lender (None: by anybody) stop."""

    lender_id: str | None
    given_ms: int
    fact_id: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold on the person over [from_ms, end). Without a reason, only its lifting is known so far."""

    id: str
    revision: int
    reason: HoldReason | None
    from_ms: int
    until_ms: int | None
    lifted_ms: int | None
    fact_id: str
    is_news: bool = True

    @property
    def end_ms(self) -> int | None:
        """The first instant at which it no longer holds; None: open."""
        ends = [end for end in (self.until_ms, self.lifted_ms) if end is not None]
        return max(self.from_ms, min(ends)) if ends else None

    def touches(self, from_ms: int, until_ms: int) -> bool:
        """Return whether it holds at any instant of [from_ms, until_ms)."""
        end = self.end_ms
        return self.reason is not None and self.from_ms < until_ms and (end is None or end > from_ms)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A record about the person that could not be read: silence over [from_ms, until_ms), or until it is replayed."""

    coordinates: str
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Link:
    """A loan that the person answers for."""

    loan_id: str
    lender_id: str
    is_news: bool = True


@dataclass(frozen=True, slots=True)
class Owed:
    """An amount by component, in minor units."""

    principal_minor: int
    interest_minor: int
    penalty_minor: int
    fee_minor: int


@dataclass(frozen=True, slots=True)
class Request:
    """A wish of stage 1. `source` is the `service/partition` that asked, `asked_ms` the tick that read it.

    `awaits` names a withdrawn permit that contained it, or the wish that it `replaces`, and may have been used.
    `told_*` is the last deferral published.
    """

    id: str
    loan_id: str
    lender_id: str
    contact_class: ContactClass
    step: str
    channels: tuple[Channel, ...]
    template: str
    currency: str
    amount_due_minor: int
    owed: Owed
    consequences: tuple[str, ...]
    days_past_due: int
    not_before_ms: int
    not_after_ms: int
    source: str
    fact_id: str
    asked_ms: int
    replaces: str | None = None
    awaits: str | None = None
    told_rules: tuple[str, ...] = ()
    told_earliest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a permit fulfils: which request about which loan."""

    request_id: str
    loan_id: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A request inside a permit that no longer stands."""

    request_id: str
    reason: WithdrawalReason
    fact_id: str


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact: a permit of ours and what became of it, or a contact that others made.

    [valid_from_ms, valid_until_ms) is the permit's interval; [from_ms, until_ms) what it counts for, wider where an
    attempt was made outside. `requests` are kept while the permit may have to be taken back.
    """

    id: str
    is_permit: bool
    channel: Channel
    point: str | None
    lender_id: str | None
    contact_class: ContactClass | None
    asked: tuple[Asked, ...]
    loan_ids: tuple[str, ...]
    valid_from_ms: int
    valid_until_ms: int
    from_ms: int
    until_ms: int
    is_inbound: bool = False
    withdrawn_ms: int | None = None
    is_expired: bool = False
    is_judged: bool = False
    outcomes: tuple[Outcome, ...] = ()
    outcome_ids: tuple[str, ...] = ()
    conversations_ms: tuple[int, ...] = ()
    requests: tuple[Request, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()

    @property
    def is_used(self) -> bool:
        """Whether some outcome proves that the attempt was made; it outweighs a `not_attempted`."""
        return any(outcome is not Outcome.NOT_ATTEMPTED for outcome in self.outcomes)

    @property
    def is_returned(self) -> bool:
        """Whether the attempt was given back: nothing was made and nothing counts."""
        return bool(self.outcomes) and not self.is_used

    @property
    def may_be_conversation(self) -> bool:
        """Whether it was, or for all that is known may still be, a conversation (the safe side, T-42)."""
        if self.conversations_ms:
            return True
        if not self.is_permit or self.is_returned or self.channel not in SPOKEN_CHANNELS:
            return False
        silent = (Outcome.NO_ANSWER, Outcome.BOUNCED, Outcome.WRONG_NUMBER)
        return not any(outcome in silent for outcome in self.outcomes)

    def is_open(self, now: int) -> bool:
        """Whether the permit may still be used."""
        unused = self.is_permit and not self.outcomes and self.withdrawn_ms is None
        return unused and not self.is_expired and now < self.valid_until_ms


@dataclass(frozen=True, slots=True)
class Report:
    """An outcome that came in since the last wake and must be passed on to its loans, and judged."""

    contact_id: str
    outcome_id: str
    outcome: Outcome
    occurred_ms: int
    direction: Direction
    channel: Channel
    loan_ids: tuple[str, ...]
    fact_id: str


@dataclass(frozen=True, slots=True)
class Clearance:
    """A question of stage 1 that the next wake answers."""

    id: str
    loan_id: str
    lender_id: str
    purpose: ClearancePurpose
    notice_request_id: str | None
    fact_id: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An id that must not be answered twice, until it can no longer be asked; and the wish that it replaced."""

    id: str
    forget_ms: int
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Borrower:
    """Everything that the gate knows about one borrower. `wake_ms` repeats what the engine was asked for."""

    wake_ms: int | None = None
    profile: Profile | None = None
    refusals: tuple[Refusal, ...] = ()
    consents: tuple[Consent, ...] = ()
    callbacks: tuple[Callback, ...] = ()
    ceases: tuple[Cease, ...] = ()
    holds: tuple[Hold, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    links: tuple[Link, ...] = ()
    pending: tuple[Request, ...] = ()
    contacts: tuple[Contact, ...] = ()
    reports: tuple[Report, ...] = ()
    clearances: tuple[Clearance, ...] = ()
    answered: tuple[Answered, ...] = ()
