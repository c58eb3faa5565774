"""Which step of an instalment's course fits now: due or earlier, not yet done, and still useful (traps T-10, T-39)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from services.reminder.state import Course
from shared.contract.requests import ContactClass, WithdrawalReason
from shared.domain.delinquency import InstalmentRow
from shared.domain.loan_state import Terms
from shared.domain.strategy import ReminderCourse, ReminderStep
from shared.kernel.zones import at_local, start_of_day


class ReminderSkip(StrEnum):
    """Why a due step led to nothing. Closed: metrics and `explain` know every value."""

    PAID = "paid"
    WITHIN_TOLERANCE = "within_tolerance"
    HELD = "held"
    PROMISED = "promised"
    FACT_IN_DOUBT = "fact_in_doubt"
    LOAN_CLOSED = "loan_closed"
    BEFORE_BOARDING = "before_boarding"
    COLLAPSED = "collapsed"
    TOO_LATE = "too_late"
    SAID_WITH_ANOTHER = "said_with_another"
    OVERDUE_SPEAKS_FIRST = "overdue_speaks_first"
    ASKED_LATELY = "asked_lately"
    AFTER_RETURNED_PAYMENT = "after_returned_payment"
    REVISED_TOO_OFTEN = "revised_too_often"


SKIP_OF_BLOCK = {
    WithdrawalReason.HOLD: ReminderSkip.HELD,
    WithdrawalReason.PROMISE: ReminderSkip.PROMISED,
    WithdrawalReason.FACT_IN_DOUBT: ReminderSkip.FACT_IN_DOUBT,
    WithdrawalReason.LOAN_CLOSED: ReminderSkip.LOAN_CLOSED,
}
"""How a reason to leave the loan alone is called when it silences a step."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A step that is due for an instalment, with what the course remembers of it."""

    row: InstalmentRow
    step: ReminderStep
    course: Course | None
    """Set when the step was asked before, withdrawn, and may be asked again."""
    not_after_ms: int

    @property
    def subject(self) -> str:
        """How explanations call it: instalment and step."""
        return f"{self.row.instalment_id}/{self.step.name}"

    @property
    def replaces(self) -> str | None:
        """The withdrawn request that asking now would say anew."""
        return self.course.request_id if self.course is not None else None

    @property
    def caused_by(self) -> tuple[str, ...]:
        """Causes beyond the instalments themselves: none, a due date is cause enough."""
        return ()

    @property
    def is_overdue(self) -> bool:
        """Whether the step speaks of arrears."""
        return self.step.contact_class is ContactClass.OVERDUE


@dataclass(frozen=True, slots=True)
class Found:
    """What a course says now: a step that fits, steps that lead to nothing, and how far it has gone with them."""

    fit: Fit | None = None
    passed: tuple[tuple[ReminderSkip, ReminderStep], ...] = ()

    @property
    def newest(self) -> ReminderStep | None:
        """The newest step that is due, whether it fits or not."""
        if self.fit is not None:
            return self.fit.step
        return self.passed[-1][1] if self.passed else None


def find_step(
    row: InstalmentRow,
    done: Course | None,
    treatment: ReminderCourse,
    terms: Terms,
    now: int,
    boarded_as_of: date | None,
) -> Found:
    """Return the newest due step of the instalment that is not done; older ones collapse into it."""
    course = done if done is not None and done.due_date == row.due_date else None
    reached = [step for step in treatment.steps if step_at(row.due_date, step, treatment, terms) <= now]
    waiting = [step for step in reached if course is None or step.offset_days > course.offset_days]
    again = course is not None and course.request_id is not None and not waiting
    if again and course is not None:
        waiting = [step for step in reached if step.offset_days == course.offset_days]
    if not waiting:
        return Found()
    *missed, step = waiting
    passed = [(_why_passed(row, older, boarded_as_of), older) for older in missed]
    not_after = start_of_day(_day_of(row.due_date, step) + timedelta(days=step.useful_days), terms.accounting_zone)
    if _is_boarded(row, step, boarded_as_of):
        return Found(None, (*passed, (ReminderSkip.BEFORE_BOARDING, step)))
    if now >= not_after:
        return Found(None, (*passed, (ReminderSkip.TOO_LATE, step)))
    return Found(Fit(row, step, course if again else None, not_after), tuple(passed))


def step_at(due_date: date, step: ReminderStep, treatment: ReminderCourse, terms: Terms) -> int:
    """Return the instant at which a step falls due: its local day, at the strategy's time of day."""
    return at_local(_day_of(due_date, step), treatment.time_of_day, terms.accounting_zone)


def next_step_at(due_date: date, treatment: ReminderCourse, terms: Terms, now: int) -> int | None:
    """Return the instant of an instalment's next step after `now`."""
    instants = (step_at(due_date, step, treatment, terms) for step in treatment.steps)
    return next((instant for instant in instants if instant > now), None)


def dues_in_reach(today: date, treatment: ReminderCourse) -> tuple[date, date]:
    """Return the earliest and the latest due date about which a step could be due today."""
    first, last = treatment.steps[0], treatment.steps[-1]
    earliest = today - timedelta(days=last.offset_days + last.useful_days)
    return earliest, today - timedelta(days=first.offset_days)


def _day_of(due_date: date, step: ReminderStep) -> date:
    return due_date + timedelta(days=step.offset_days)


def _is_boarded(row: InstalmentRow, step: ReminderStep, boarded_as_of: date | None) -> bool:
    return boarded_as_of is not None and _day_of(row.due_date, step) <= boarded_as_of


def _why_passed(row: InstalmentRow, step: ReminderStep, boarded_as_of: date | None) -> ReminderSkip:
    return ReminderSkip.BEFORE_BOARDING if _is_boarded(row, step, boarded_as_of) else ReminderSkip.COLLAPSED
