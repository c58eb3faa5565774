"""Facts in doubt: while a repayment or an arrangement about a loan cannot be read, the loan is left alone.

A dead letter may be the payment for which we are about to chase somebody. So it puts its loan under doubt for 72
hours, unless an operator replays it (the replayed record names it) or discards it before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.contract.arrangements import ARRANGEMENTS
from shared.contract.repayments import REPAYMENTS
from shared.domain.loan_state import DOUBTS_MAX, Doubt, Loan
from shared.kernel.zones import HOUR_MS

DOUBT_MS: Final = 72 * HOUR_MS
"""How long a loan stays in doubt at most (design, section 4)."""
_DOUBTFUL_TOPICS: Final = frozenset({REPAYMENTS, ARRANGEMENTS})


def doubt(
    loan: Loan | None, loan_id: str, topic: str, coordinates: str, now_ms: int, *, quarantined: bool = False
) -> Loan | None:
    """Return the loan under doubt because of the dead letter at `coordinates` (topic/partition/offset).

    Only repayments and arrangements put a loan in doubt: nothing else can be a reason to leave somebody alone. But a
    fact that was quarantined is true and unknown here alone, so that it does on any topic: it may be a cancellation.
    The same dead letter seen again, or one that was lifted already, changes nothing.
    """
    if topic not in _DOUBTFUL_TOPICS and not quarantined:
        return loan
    before = loan if loan is not None else Loan(loan_id)
    if before.gravestone or any(item.coordinates == coordinates for item in before.doubts):
        return before
    return _with_doubt(before, Doubt(coordinates, now_ms, lifted=False))


def lift_doubt(loan: Loan, coordinates: str, now_ms: int) -> Loan:
    """Return the loan without the doubt that the dead letter at `coordinates` caused, or may yet cause."""
    held = next((item for item in loan.doubts if item.coordinates == coordinates), None)
    if held is None:
        return _with_doubt(loan, Doubt(coordinates, now_ms, lifted=True))
    if held.lifted:
        return loan
    doubts = tuple(replace(item, lifted=True) if item is held else item for item in loan.doubts)
    return replace(loan, doubts=doubts)


def in_doubt(loan: Loan, now_ms: int) -> tuple[Doubt, ...]:
    """Return the doubts under which the loan stands at that instant."""
    return tuple(item for item in loan.doubts if not item.lifted and item.known_ms <= now_ms < doubt_end(item))


def doubt_end(item: Doubt) -> int:
    """Return the instant at which a doubt ends by itself."""
    return item.known_ms + DOUBT_MS


def _with_doubt(loan: Loan, new: Doubt) -> Loan:
    newest = sorted((*loan.doubts, new), key=lambda item: (item.known_ms, item.coordinates))[-DOUBTS_MAX:]
    return replace(loan, doubts=tuple(sorted(newest, key=lambda item: item.coordinates)))
