"""Escalation as a value."""

from __future__ import annotations

from typing import Final

from services.escalation.core import decide
from services.escalation.state import EscalationState
from shared.contract.arrangements import ARRANGEMENTS
from shared.contract.loans import DUE_DATES
from shared.contract.outreach import LOAN_CONTACTS
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import ESCALATIONS
from shared.contract.ticks import LOAN_CLOCK
from shared.contract.topics import ESCALATION
from shared.engine.processor import Processor

_READS: Final = (DUE_DATES, REPAYMENTS, ARRANGEMENTS, LOAN_CONTACTS)

PROCESSOR: Final[Processor[EscalationState]] = Processor(
    name=ESCALATION,
    clock=LOAN_CLOCK,
    reads=_READS,
    writes=(ESCALATIONS,),
    owns=_READS,
    state=EscalationState,
    decide=decide,
)
"""Owns the dead letters of every topic that is keyed by loan."""
