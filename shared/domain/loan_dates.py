"""The loan's own days: the accounting zone with its cut-off, and due dates as the product's convention moves them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from shared.contract.loans import DueDateConvention
from shared.domain.loan_state import Loan, Terms
from shared.kernel import business_days, zones
from shared.kernel.business_days import WEEKENDS, WorkingDays

Calendars = Mapping[str, WorkingDays]
"""The policy's holiday tables by name."""
NO_CALENDARS: Final[Calendars] = MappingProxyType({})
_MIDNIGHT: Final = time(0)
_ONE_DAY: Final = timedelta(days=1)
_DAY_COUNT_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def _cutoff(text: str) -> time:
    return time.fromisoformat(text)


def business_date(loan: Loan, now_ms: int) -> date:
    """Return the accounting day of an instant (trap T-05); the day in UTC while the terms are unknown."""
    terms = loan.terms
    if terms is None:
        return (_DAY_COUNT_EPOCH + timedelta(milliseconds=now_ms)).date()
    return zones.business_date(now_ms, terms.accounting_zone, _cutoff(terms.cutoff))


def start_of_business_date(loan: Loan, day: date) -> int:
    """Return the first instant of the accounting day `day`, epoch milliseconds."""
    terms = loan.terms
    if terms is None:
        return _start(day, "UTC", "00:00")
    return _start(day, terms.accounting_zone, terms.cutoff)


@lru_cache(maxsize=65_536)
def _start(day: date, zone: str, cutoff: str) -> int:
    closes = _cutoff(cutoff)
    return zones.start_of_day(day, zone) if closes == _MIDNIGHT else zones.at_local(day - _ONE_DAY, closes, zone)


def calendar_of(terms: Terms, calendars: Calendars) -> WorkingDays:
    """Return the loan's holiday table; Saturdays and Sundays alone where it names none, or one that is not there.

    Terms name a table in lower-case letters, as all words of theirs; the policy may name it like the country.
    """
    name = terms.business_calendar or ""
    return calendars.get(name) or calendars.get(name.upper(), WEEKENDS)


def moved_due_date(nominal: date, terms: Terms, calendars: Calendars) -> date:
    """Return the date on which an instalment really falls due (trap T-06); every clock counts from it."""
    match terms.due_date_convention:
        case DueDateConvention.NONE:
            return nominal
        case DueDateConvention.FOLLOWING:
            return business_days.following(nominal, calendar_of(terms, calendars))
        case DueDateConvention.MODIFIED_FOLLOWING:
            return business_days.modified_following(nominal, calendar_of(terms, calendars))
        case DueDateConvention.PRECEDING:
            return business_days.preceding(nominal, calendar_of(terms, calendars))
