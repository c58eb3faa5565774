"""The algebra of holds: intervals that may overlap, enclose each other, have no end yet, or end before they were to.

A hold is half-open: from `from_ms`, until the earlier of its own end and its lifting. For counting days a hold covers
the accounting days from the one in which it begins up to, not including, the one in which it ends, so that two holds
end to end count like one, and a hold of a few hours inside one day pauses none.
"""

from __future__ import annotations

from datetime import date, timedelta

from shared.domain.loan_dates import business_date
from shared.domain.loan_state import Hold, Loan

_ONE_DAY = timedelta(days=1)


def hold_end(loan: Loan, hold: Hold) -> int | None:
    """Return the instant at which the hold ends, lifting included; None while nobody knows (trap T-60)."""
    lifted = next((lift.lifted_ms for lift in loan.lifts if lift.hold_id == hold.hold_id), None)
    if lifted is None:
        return hold.until_ms
    return lifted if hold.until_ms is None else min(lifted, hold.until_ms)


def is_held(loan: Loan, now_ms: int) -> tuple[Hold, ...]:
    """Return the holds in force at that instant; empty means that the loan is not held."""
    return tuple(hold for hold in loan.holds if hold.from_ms <= now_ms and not _ended(loan, hold, now_ms))


def held_within(loan: Loan, from_ms: int, until_ms: int) -> tuple[Hold, ...]:
    """Return the holds known now that touch any instant of the interval [from_ms, until_ms)."""
    return tuple(hold for hold in loan.holds if hold.from_ms < until_ms and not _ended(loan, hold, from_ms))


def days_paused(loan: Loan, after: date, through: date) -> int:
    """Return how many accounting days of (after, through] lie in a hold; overlaps count once (trap T-11)."""
    paused = 0
    reached = after + _ONE_DAY
    end = through + _ONE_DAY
    for first, behind in sorted(_days_of(loan, hold, end) for hold in loan.holds):
        counted_from, counted_to = max(first, reached), min(behind, end)
        if counted_from < counted_to:
            paused += (counted_to - counted_from).days
            reached = counted_to
    return paused


def next_hold_change(loan: Loan, now_ms: int) -> int | None:
    """Return the next instant after `now_ms` at which a hold begins or ends."""
    instants = [hold.from_ms for hold in loan.holds if not _ended(loan, hold, hold.from_ms)]
    instants += [end for hold in loan.holds if (end := hold_end(loan, hold)) is not None and end > hold.from_ms]
    return min((instant for instant in instants if instant > now_ms), default=None)


def _ended(loan: Loan, hold: Hold, now_ms: int) -> bool:
    end = hold_end(loan, hold)
    return end is not None and end <= now_ms


def _days_of(loan: Loan, hold: Hold, open_end: date) -> tuple[date, date]:
    end = hold_end(loan, hold)
    first = business_date(loan, hold.from_ms)
    return first, max(first, business_date(loan, end)) if end is not None else max(first, open_end)
