"""What credit_report keeps per loan: the loan as its facts tell it, the months told, and those at the gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.contract.base import HoldReason
from shared.domain.loan_amounts import Parts
from shared.domain.loan_state import Loan

ANCHORS_MAX: Final = 256
"""Moved due dates kept per loan; those of the latest months stay."""
TOUCHED_MAX: Final = 32
"""Facts remembered between two ticks as causes of what the next tick does."""
PERSON_HOLDS_MAX: Final = 64
"""Holds on persons kept per loan; those that last longest stay."""
NOTICES_MAX: Final = 16
"""Notices kept per waiting month, those asked again because an amount fell included; the newest stay."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A request to tell somebody of the coming report, and what became of it."""

    request_id: str
    borrower_id: str
    instalments: tuple[tuple[str, date], ...]
    amounts: Parts
    """What it names: when this becomes wrong before it was made, it is withdrawn and asked for again."""
    permit_id: str | None = None
    sent_ms: int | None = None
    """The attempt itself; the earliest, should several be reported."""
    refused: bool = False
    not_made: bool = False
    """The permit was given back, or ran out without a word."""
    bounced: bool = False
    withdrawn: bool = False

    @property
    def is_valid(self) -> bool:
        """Whether the person was told."""
        return self.sent_ms is not None and not self.bounced

    @property
    def is_open(self) -> bool:
        """Whether it may still be made by our own wish."""
        return self.sent_ms is None and not (self.refused or self.not_made or self.bounced or self.withdrawn)

    @property
    def has_failed(self) -> bool:
        """Whether it was tried in vain."""
        return not self.is_valid and (self.refused or self.not_made or self.bounced)


@dataclass(frozen=True, slots=True)
class Clearance:
    """A question to the gate, and its answer (None: not yet)."""

    clearance_id: str
    asked_ms: int
    answered_ms: int | None = None
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """The way of one adverse month through the gate: notice, waiting time, clearance."""

    month: str
    began_ms: int
    notices: tuple[Notice, ...] = ()
    clearance: Clearance | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """That an adverse report passed the gate."""

    notice_id: str
    permit_id: str | None
    clearance_id: str


@dataclass(frozen=True, slots=True)
class Month:
    """A month whose cut-off has passed."""

    month: str
    told: str | None = None
    """The code that the bureau has; None before the first report and after a withdrawal."""
    judged: str | None = None
    """The code by the books when the month was last decided; it differs from `told` where the gate was shut."""
    version: int = 0
    withdrawn: bool = False
    held_for: str | None = None
    """The reason said last for holding it."""
    proof: Proof | None = None
    """Behind an adverse code; it stays the proof when the code becomes milder."""
    notice_void: bool = False
    """The notice behind an adverse code bounced after all."""


@dataclass(frozen=True, slots=True)
class PersonHold:
    """A hold on a person who answers for the loan, as the gate forwarded it last."""

    borrower_id: str
    hold_id: str
    reason: HoldReason
    from_ms: int
    until_ms: int | None
    forwarded_ms: int
    fact_id: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """The due date that an instalment had for months already judged: a new schedule does not clean them (T-59)."""

    instalment_id: str
    through: date
    """The last cut-off day that the date holds for."""
    due_date: date


@dataclass(frozen=True, slots=True)
class CreditState:
    """Everything that credit_report knows about one loan. Tuples are sorted by id or month."""

    loan: Loan
    since_ms: int | None = None
    """When the loan's terms became known: cut-offs before that are not ours."""
    next_month: str | None = None
    """The first month whose cut-off has not been dealt with."""
    last_cutoff: date | None = None
    """The cut-off day of the month before it, once there is one."""
    months: tuple[Month, ...] = ()
    cases: tuple[Case, ...] = ()
    person_holds: tuple[PersonHold, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    asked: int = 0
    """Requests made so far: the ordinal that keeps their ids apart."""
    touched: tuple[str, ...] = ()
    """Ids of the facts applied since the last tick, sorted."""
    review_from: date | None = None
    """Cut-off days from here on may look different since the last tick; None: none does."""
    quiet: bool = False
    """No month waits and none is near: a fact about a month that is not over yet needs no look before `wake_at`."""
    wake_at: int | None = None
