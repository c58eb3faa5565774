"""The service as a value: what it reads and writes, what it keeps, how it decides."""

from __future__ import annotations

from typing import Final

from services.credit_report.core import decide
from services.credit_report.state import CreditState
from shared.contract.arrangements import ARRANGEMENTS
from shared.contract.loans import DUE_DATES
from shared.contract.outreach import LOAN_CONTACTS
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import CREDIT_REPORTS
from shared.contract.ticks import LOAN_CLOCK
from shared.contract.topics import CREDIT_REPORT
from shared.engine.processor import Processor

PROCESSOR: Final[Processor[CreditState]] = Processor(
    name=CREDIT_REPORT,
    clock=LOAN_CLOCK,
    reads=(DUE_DATES, REPAYMENTS, ARRANGEMENTS, LOAN_CONTACTS),
    writes=(CREDIT_REPORTS,),
    owns=(),
    state=CreditState,
    decide=decide,
)
