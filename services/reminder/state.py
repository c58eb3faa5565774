"""What the reminder keeps per loan: the loan as its facts tell it, what was asked last, and which steps are done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from shared.contract.requests import ContactClass
from shared.domain.loan_amounts import Parts
from shared.domain.loan_state import Loan

TOUCHED_MAX: Final = 64
"""Facts remembered between two ticks as causes of what the next tick does: as many as an event can name."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The outstanding request: what it said, so that it can be compared with what it would say now."""

    request_id: str
    borrower_id: str
    contact_class: ContactClass
    anchor: str
    """The instalment that the step belongs to, or the payment that came back."""
    step: str
    instalments: tuple[tuple[str, date], ...]
    """What it names: instalment ids and the due dates they had."""
    amounts: Parts
    not_after_ms: int
    caused_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """How far the steps of one instalment have gone. Steps up to `offset_days` are done."""

    instalment_id: str
    due_date: date
    """The date that the steps were counted from; an instalment that moves begins again."""
    offset_days: int
    asked: int
    """How often the last step was asked for."""
    request_id: str | None
    """The request of the last step that was withdrawn and may be asked again while the step still makes sense."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A payment that came back, and how often that was said."""

    payment_id: str
    asked: int
    request_id: str | None
    """As for a course: withdrawn, and to be said again."""


@dataclass(frozen=True, slots=True)
class ReminderState:
    """Everything the reminder knows about one loan. Tuples are sorted by id."""

    loan: Loan
    asked: Asked | None = None
    requests: int = 0
    """Requests made so far: the ordinal that keeps their ids apart."""
    courses: tuple[Course, ...] = ()
    notices: tuple[Notice, ...] = ()
    quiet_until: date | None = None
    """No message before this local day: a returned payment was announced."""
    last_overdue_on: date | None = None
    touched: tuple[str, ...] = ()
    """Ids of the facts applied since the last tick, sorted."""
    wake_at: int | None = None
