"""What escalation keeps per loan: the loan, where its case stands, what was tried there, and what is outstanding."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.contract.base import Rung
from shared.contract.loans import Role
from shared.contract.requests import ClearancePurpose
from shared.domain.loan_amounts import Parts
from shared.domain.loan_state import Loan

TOUCHED_MAX: Final = 64
"""Facts remembered between two ticks as causes of what the next tick does: as many as an event can name."""
ATTEMPTS_MAX: Final = 200
"""Attempts kept, the newest: far more than any ladder asks for."""
PERSON_HOLDS_MAX: Final = 128
"""Holds on persons kept: the newest word of each."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to reach somebody about the loan; several outcomes of one permit are one attempt."""

    attempt_id: str
    """The permit, or the outcome where there was none."""
    human: bool
    """A call by a person, asked for by the ladder; otherwise a message about arrears."""
    occurred_ms: int
    made: bool
    """Somebody was tried, and the medium did not fail."""
    failed: bool
    """It bounced, or reached a stranger: silence after it says nothing."""


@dataclass(frozen=True, slots=True)
class PersonHold:
    """The newest word about a hold on a person who answers for the loan."""

    borrower_id: str
    hold_id: str
    from_ms: int
    until_ms: int | None
    forwarded_ms: int
    fact_id: str


@dataclass(frozen=True, slots=True)
class Link:
    """A person of whom the gate knows that he or she answers for the loan."""

    borrower_id: str
    role: Role


@dataclass(frozen=True, slots=True)
class Call:
    """The outstanding request for a call."""

    request_id: str
    borrower_id: str
    rung: Rung
    instalments: tuple[tuple[str, date], ...]
    amounts: Parts
    not_after_ms: int
    answered: bool
    """The gate has refused it, or it was tried: nothing is outstanding any more."""
    caused_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clearance:
    """What was asked of the gate before an adverse act, and its answer."""

    clearance_id: str
    purpose: ClearancePurpose
    rung: Rung
    asked_ms: int
    cleared: bool | None = None
    fact_id: str = ""
    until_ms: int | None = None
    """When the rules that spoke against it say they would no longer."""


@dataclass(frozen=True, slots=True)
class EscalationState:
    """Everything escalation knows about one loan. Tuples are sorted by id."""

    loan: Loan
    rung: Rung = Rung.NONE
    rung_since_ms: int = 0
    calm_since_ms: int = 0
    """When the loan was last seen to have been left alone: days before it do not count as days dwelt."""
    is_left_alone: bool = False
    placed: bool = False
    """Whether the rung of a boarded loan was taken over."""
    links: tuple[Link, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    person_holds: tuple[PersonHold, ...] = ()
    call: Call | None = None
    call_withdrawn: Call | None = None
    """A call that was taken back and may be asked for anew until its time has passed."""
    calls_on_rung: int = 0
    call_revisions: int = 0
    """How often the last call was asked for anew."""
    last_call_on: date | None = None
    clearance: Clearance | None = None
    requests: int = 0
    """Requests and clearances made so far: the ordinal that keeps their ids apart."""
    reported: tuple[str, ...] = ()
    """Facts of which it was reported that they wait in vain for their partner."""
    touched: tuple[str, ...] = ()
    """Ids of the facts applied since the last tick, sorted."""
    wake_at: int | None = None
