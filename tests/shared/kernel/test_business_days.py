"""Business days and months that keep their nominal day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.business_days import (
    WEEKENDS,
    BusinessCalendar,
    NoBusinessDay,
    add_months,
    following,
    modified_following,
    preceding,
)

DATES = st.dates(date(1995, 1, 1), date(2090, 12, 31))
OFF = st.frozensets(st.integers(0, 40).map(lambda n: date(2024, 3, 1) + timedelta(days=n)), max_size=30)


@given(day=DATES, months=st.integers(-48, 48))
def test_months_are_those_of_another_library(day: date, months: int) -> None:
    """Moved by months, a date keeps its day or takes the last of a shorter month."""
    assert add_months(day, months) == day + relativedelta(months=months)


@given(day=DATES, months=st.integers(0, 48))
def test_a_series_never_drifts(day: date, months: int) -> None:
    """A member is never on a later day of the month than its anchor, nor on an earlier one without need."""
    moved = add_months(day, months)
    assert moved.day == day.day or (moved.day < day.day and (moved + timedelta(days=1)).day == 1)


@given(off=OFF, offset=st.integers(0, 40))
def test_moved_dates_are_the_nearest_business_days(off: frozenset[date], offset: int) -> None:
    """Nothing between a date and where it moves is a business day, and where it moves is one."""
    calendar, day = BusinessCalendar("x", holidays=off), date(2024, 3, 1) + timedelta(days=offset)
    later, earlier = following(day, calendar), preceding(day, calendar)
    assert calendar.is_business_day(later)
    assert calendar.is_business_day(earlier)
    between = [earlier + timedelta(days=n) for n in range(1, (later - earlier).days)]
    assert not any(calendar.is_business_day(one) for one in between) or earlier == later == day
    assert modified_following(day, calendar) == (later if later.month == day.month else earlier)


def test_a_make_up_day_is_worked_and_is_no_holiday() -> None:
    """A Saturday on which people work, and a holiday that is worked, are business days."""
    saturday, monday = date(2024, 5, 11), date(2024, 5, 13)
    calendar = BusinessCalendar("x", holidays=frozenset({monday}), working_days=frozenset({saturday, monday}))
    assert calendar.is_business_day(saturday)
    assert calendar.is_business_day(monday)
    assert not calendar.is_holiday(monday)


def test_a_weekend_can_lie_elsewhere_in_the_week() -> None:
    """Friday and Saturday are the weekend of some."""
    gulf = BusinessCalendar("x", weekend=frozenset({4, 5}))
    assert [gulf.is_business_day(date(2024, 3, n)) for n in (7, 8, 9, 10)] == [True, False, False, True]
    assert [WEEKENDS.is_business_day(date(2024, 3, n)) for n in (8, 9, 10)] == [True, False, False]


def test_a_calendar_without_business_days_is_an_error() -> None:
    """A table that never works is refused instead of searched for ever."""
    with pytest.raises(NoBusinessDay, match="never"):
        following(date(2024, 3, 1), BusinessCalendar("never", weekend=frozenset(range(7))))
