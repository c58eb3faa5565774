"""The reminder as a value."""

from __future__ import annotations

from typing import Final

from services.reminder.core import decide
from services.reminder.state import ReminderState
from shared.contract.arrangements import ARRANGEMENTS
from shared.contract.loans import DUE_DATES
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import REMINDERS
from shared.contract.ticks import LOAN_CLOCK
from shared.contract.topics import REMINDER
from shared.engine.processor import Processor

PROCESSOR: Final[Processor[ReminderState]] = Processor(
    name=REMINDER,
    clock=LOAN_CLOCK,
    reads=(DUE_DATES, REPAYMENTS, ARRANGEMENTS),
    writes=(REMINDERS,),
    owns=(),
    state=ReminderState,
    decide=decide,
)
"""Owns no dead letters: those of the loan topics are written by escalation."""
