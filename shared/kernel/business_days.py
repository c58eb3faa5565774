"""Days on which business is done, dates that move off the other days, and months that keep their nominal day.

Weekends are not enough: a holiday may fall on a Monday, and a Saturday may be worked instead (trap T-06). The tables
are data of the policy; this module only reads them.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Protocol

_ONE_DAY: Final = timedelta(days=1)
_SEARCH_DAYS_MAX: Final = 366
_SATURDAY_AND_SUNDAY: Final = frozenset({5, 6})


class WorkingDays(Protocol):
    """Anything that knows on which days business is done; the policy's holiday tables do."""

    @property
    def name(self) -> str:
        """Under which the policy keeps the table."""

    def is_business_day(self, day: date) -> bool:
        """Tell whether business is done on `day`."""


class NoBusinessDay(ValueError):
    """A calendar has no business day within a year: the table is wrong."""


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """Which days are worked: weekends and holidays are not, unless the date stands among `working_days`."""

    name: str
    weekend: frozenset[int] = field(default=_SATURDAY_AND_SUNDAY)
    """Weekdays without business, Monday is 0."""
    holidays: frozenset[date] = frozenset()
    working_days: frozenset[date] = frozenset()
    """Days worked in spite of weekend or holiday, e.g. a make-up Saturday."""

    def is_business_day(self, day: date) -> bool:
        """Tell whether business is done on `day`."""
        if day in self.working_days:
            return True
        return day.weekday() not in self.weekend and day not in self.holidays

    def is_holiday(self, day: date) -> bool:
        """Tell whether `day` is a public holiday of the table (a weekend alone is none)."""
        return day in self.holidays and day not in self.working_days


WEEKENDS: Final = BusinessCalendar("weekends")
"""Saturday and Sunday off, no holidays: what is assumed where no table is named."""


def following(day: date, calendar: WorkingDays) -> date:
    """Return `day`, or the next business day after it."""
    return _search(day, _ONE_DAY, calendar)


def preceding(day: date, calendar: WorkingDays) -> date:
    """Return `day`, or the last business day before it."""
    return _search(day, -_ONE_DAY, calendar)


def modified_following(day: date, calendar: WorkingDays) -> date:
    """Return `following`, but never in the next month: there it turns back to `preceding`."""
    later = following(day, calendar)
    return later if later.month == day.month else preceding(day, calendar)


def _search(day: date, step: timedelta, calendar: WorkingDays) -> date:
    for _ in range(_SEARCH_DAYS_MAX):
        if calendar.is_business_day(day):
            return day
        day += step
    raise NoBusinessDay(f"calendar {calendar.name} has no business day within {_SEARCH_DAYS_MAX} days")


def add_months(anchor: date, months: int) -> date:
    """Return `anchor` moved by whole months, on its own day or the last of a shorter month.

    A series is computed from its anchor, never from its last member: the 31st becomes 29 February and then 31 March,
    it does not drift to the 29th (trap T-07).
    """
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(anchor.day, monthrange(year, month)[1]))
