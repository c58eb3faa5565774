"""The code table of one bureau regime: PBOC, second generation, monthly repayment state.

Source: reference tables of the trade (`N`, `1` to `7` in steps of thirty days, `*`, `#`, `M`, `D`, `C`, `B`). Other
regimes cut the same days elsewhere (trap T-04: "31-60" here is "30-59" in Metro 2), so each has its own edges, and
nothing is shared but the days past due.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.contract.loans import ClosedReason
from shared.domain.delinquency import PBOC_EDGES, bucket

REGIME: Final = "pboc"
NORMAL: Final = "N"
NOTHING_DUE: Final = "*"
UNKNOWN: Final = "#"
PAID_LATE_IN_MONTH: Final = "M"
GUARANTOR_PAID: Final = "D"
SETTLED: Final = "C"
BAD_DEBT: Final = "B"

_SEVERITY: Final = {code: rank for rank, code in enumerate(("1", "2", "3", "4", "5", "6", "7", BAD_DEBT), start=1)}


@dataclass(frozen=True, slots=True)
class MonthState:
    """How a loan stood at the end of a month's cut-off day, by value date."""

    days_past_due: int = 0
    excused: bool = False
    """Late, but inside grace: no penalty and no adverse report (trap T-12)."""
    anything_due: bool = True
    """An instalment fell due in the month."""
    paid_late: bool = False
    """An instalment of the month was paid after its day and before the cut-off."""
    guarantor_paid: bool = False
    """A guarantor's money arrived in the month (trap T-22)."""
    closed: ClosedReason | None = None


def encode(state: MonthState, *, says_paid_late: bool = False, says_guarantor_paid: bool = True) -> str:
    """Return the code of a month."""
    if state.closed is ClosedReason.WRITTEN_OFF:
        return BAD_DEBT
    if state.closed is not None:
        return SETTLED
    if state.days_past_due > 0 and not state.excused:
        return bucket(state.days_past_due, PBOC_EDGES)
    if says_guarantor_paid and state.guarantor_paid:
        return GUARANTOR_PAID
    if says_paid_late and state.paid_late:
        return PAID_LATE_IN_MONTH
    return NORMAL if state.anything_due or state.days_past_due > 0 else NOTHING_DUE


def severity(code: str) -> int:
    """Return how adverse a code is: 0 for every code that is not, then rising."""
    return _SEVERITY.get(code, 0)


def is_adverse(code: str) -> bool:
    """Return whether the code says that somebody did not pay: such a month passes notice, waiting and clearance."""
    return severity(code) > 0
