"""How many months are held back from the bureau."""

from __future__ import annotations

from collections.abc import Iterator

from services.credit_report.state import CreditState
from shared.domain.policy import Policy
from shared.engine.census import Counted


def count(state: CreditState, _now: int, _policy: Policy) -> Iterator[Counted]:
    """Count one loan's months that were held and not told since."""
    held = sum(month.held_for is not None and month.told is None for month in state.months)
    if held:
        yield Counted("report_months_held", amount=held)
