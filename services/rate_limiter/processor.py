"""The gate as a value: what it reads in which order, what it writes, and how it decides."""

from __future__ import annotations

from typing import Final

from services.rate_limiter.core import decide
from services.rate_limiter.state import Borrower
from shared.contract.outcomes import OUTCOMES
from shared.contract.outreach import LOAN_CONTACTS, OUTREACH
from shared.contract.people import BORROWERS
from shared.contract.requests import CREDIT_REPORTS, ESCALATIONS, REMINDERS
from shared.contract.ticks import BORROWER_CLOCK
from shared.contract.topics import RATE_LIMITER
from shared.engine.processor import Processor
from shared.engine.state import Upgrade

_READS: Final = (BORROWERS, OUTCOMES, REMINDERS, ESCALATIONS, CREDIT_REPORTS)
_UPGRADES: Final = (Upgrade(Borrower, lambda former: former),)
"""Format 2 remembers what an answered wish replaced; what format 1 holds reads as nothing replaced."""

PROCESSOR: Final = Processor(
    name=RATE_LIMITER,
    clock=BORROWER_CLOCK,
    reads=_READS,
    writes=(OUTREACH, LOAN_CONTACTS),
    owns=_READS,
    state=Borrower,
    decide=decide,
    upgrades=_UPGRADES,
)
