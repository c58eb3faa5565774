"""Edges of days and hours: how long a day is, where its windows end, how far ahead a business day is looked for."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.business_days import BusinessCalendar, NoBusinessDay, following, preceding
from shared.kernel.hours import AllowedHours, Window, allowed_intervals, is_inside
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, start_of_day
from tests.shared.kernel.test_hours import ZONES, windows

FIRST = date(2024, 3, 1)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Shanghai", date(2024, 3, 10), 24),
        ("America/New_York", date(2024, 3, 10), 23),
        ("America/New_York", date(2024, 11, 3), 25),
    ],
)
def test_a_day_has_as_many_hours_as_the_clocks_say(zone: str, day: date, hours: int) -> None:
    """Twenty-four, one less where clocks go forward, one more where they go back; and an hour is 3,600 seconds."""
    assert start_of_day(day + timedelta(days=1), zone) - start_of_day(day, zone) == hours * HOUR_MS
    assert (SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS) == (1_000, 60_000, 3_600_000, 86_400_000)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    day=st.integers(0, 365).map(lambda n: date(2024, 1, 1) + timedelta(days=n)),
    on_day=windows(),
)
def test_the_windows_of_a_day_lie_in_it(zone: str, day: date, on_day: tuple[Window, ...]) -> None:
    """Whatever the clocks do and however late a window ends, none reaches into the day before or after."""
    inside = allowed_intervals(day, day, zone, AllowedHours((on_day,) * 7))
    start, end = start_of_day(day, zone), start_of_day(day + timedelta(days=1), zone)
    assert all(start <= from_ms < until_ms <= end for from_ms, until_ms in inside)


def test_a_window_to_the_end_of_the_day_ends_at_midnight() -> None:
    """Six in the evening to 24:00 allows the last millisecond of the day and forbids the first of the next."""
    evening, midnight = AllowedHours.daily("18:00", "24:00"), start_of_day(date(2024, 3, 11), "Asia/Shanghai")
    assert is_inside(midnight - 6 * HOUR_MS, midnight, ["Asia/Shanghai"], evening)
    assert not is_inside(midnight - 1, midnight + 1, ["Asia/Shanghai"], evening)


@pytest.mark.parametrize("search", [following, preceding])
def test_a_business_day_is_looked_for_within_a_year(search) -> None:
    """A table whose only working day is 365 days away is read to it; one day more is a table that is wrong."""
    step = timedelta(days=1 if search is following else -1)
    for days, found in ((365, True), (366, False)):
        worked = FIRST + days * step
        calendar = BusinessCalendar("x", weekend=frozenset(range(7)), working_days=frozenset({worked}))
        if found:
            assert search(FIRST, calendar) == worked
        else:
            with pytest.raises(NoBusinessDay, match="366 days"):
                search(FIRST, calendar)
