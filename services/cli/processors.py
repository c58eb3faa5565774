"""The four services as values, for commands that run or recompute them without a broker."""

from __future__ import annotations

from typing import Any, Final

from services.credit_report.processor import PROCESSOR as CREDIT_REPORT
from services.escalation.processor import PROCESSOR as ESCALATION
from services.rate_limiter.processor import PROCESSOR as RATE_LIMITER
from services.reminder.processor import PROCESSOR as REMINDER
from shared.engine.processor import Processor

PROCESSORS: Final[tuple[Processor[Any], ...]] = (REMINDER, ESCALATION, CREDIT_REPORT, RATE_LIMITER)
