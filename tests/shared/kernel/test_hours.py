"""Allowed hours against the clock on the wall, read by another implementation of time zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil import tz
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.kernel.business_days import BusinessCalendar
from shared.kernel.hours import (
    AllowedHours,
    Window,
    allowed_intervals,
    common_intervals,
    end_of_rolling_days,
    is_inside,
    next_allowed,
    start_of_rolling_days,
)
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant, start_of_day

ZONES = ["America/New_York", "America/Phoenix", "Asia/Kolkata", "Asia/Shanghai", "Europe/London", "Australia/Lord_Howe",
         "America/Santiago", "Africa/Casablanca"]  # fmt: skip
DAILY = AllowedHours.daily("09:00", "20:00")


def wall(instant_ms: int, zone: str) -> datetime:
    """What a clock on the wall shows, by dateutil."""
    return datetime.fromtimestamp(instant_ms // 1000, tz=UTC).astimezone(tz.gettz(zone))


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, ...]:
    edges = sorted(
        draw(st.lists(st.integers(0, 96), min_size=2, max_size=4, unique=True).filter(lambda e: len(e) % 2 == 0))
    )
    return tuple(Window(edges[at] * 15, edges[at + 1] * 15) for at in range(0, len(edges), 2))


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    day=st.integers(0, 365).map(lambda n: date(2024, 1, 1) + timedelta(days=n)),
    on_day=windows(),
)
def test_what_is_inside_is_inside_on_the_wall(zone: str, day: date, on_day: tuple[Window, ...]) -> None:
    """Never is an instant allowed that the wall forbids; on days of 24 hours none is forbidden that it allows."""
    hours = AllowedHours((on_day,) * 7)
    inside = allowed_intervals(day, day, zone, hours)
    start, end = start_of_day(day, zone), start_of_day(day + timedelta(days=1), zone)
    for at in range(start, end, 15 * MINUTE_MS):
        shown = wall(at, zone)
        minute = shown.hour * 60 + shown.minute
        by_wall = any(window.start_minute <= minute < window.end_minute for window in on_day)
        by_us = any(from_ms <= at < until_ms for from_ms, until_ms in inside)
        assert by_wall or not by_us
        assert by_us == by_wall or end - start != DAY_MS


@settings(max_examples=60, deadline=None)
@given(
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=3),
    hour=st.integers(0, 24 * 300),
    minutes=st.integers(1, 600),
)
def test_the_next_allowed_instant_is_allowed_and_the_first(zones: list[str], hour: int, minutes: int) -> None:
    """What is found lies inside in every zone, and no quarter of an hour before it does."""
    now, lasts = parse_instant("2024-01-01T00:00:00Z") + hour * HOUR_MS, minutes * MINUTE_MS
    found = next_allowed(now, lasts, zones, DAILY)
    if found is None:
        assert not any(is_inside(at, at + lasts, zones, DAILY) for at in range(now, now + 2 * DAY_MS, 15 * MINUTE_MS))
        return
    assert is_inside(found, found + lasts, zones, DAILY)
    assert not any(is_inside(at, at + lasts, zones, DAILY) for at in range(now, found, 15 * MINUTE_MS))


def test_windows_are_half_open() -> None:
    """09:00 to 20:00 allows 09:00:00.000 and forbids 20:00:00.000."""
    opens, closes = parse_instant("2024-06-03T09:00:00+08:00"), parse_instant("2024-06-03T20:00:00+08:00")
    zone = ["Asia/Shanghai"]
    assert is_inside(opens, closes, zone, DAILY)
    assert not is_inside(opens - 1, opens + 1, zone, DAILY)
    assert not is_inside(closes - 1, closes + 1, zone, DAILY)
    assert not is_inside(opens, opens, zone, DAILY)


def test_what_fits_exactly_fits() -> None:
    """Eleven hours fit into a window of eleven hours, and a millisecond more does not."""
    opens = parse_instant("2024-06-03T09:00:00+08:00")
    assert next_allowed(opens - 1, 11 * HOUR_MS, ["Asia/Shanghai"], DAILY) == opens
    assert next_allowed(opens, 11 * HOUR_MS + 1, ["Asia/Shanghai"], DAILY) is None


def test_windows_that_meet_at_midnight_are_one() -> None:
    """An interval may cross midnight where both days allow it."""
    at = parse_instant("2024-06-03T23:30:00+08:00")
    always = AllowedHours.daily("00:00", "24:00")
    assert is_inside(at, at + HOUR_MS, ["Asia/Shanghai"], always)
    assert len(allowed_intervals(date(2024, 6, 1), date(2024, 6, 7), "Asia/Shanghai", always)) == 1


def test_days_of_the_week_and_holidays_have_their_own_windows() -> None:
    """A Saturday, a Sunday and a public holiday follow their own hours; a worked holiday follows its weekday's."""
    long, short = (Window.of("08:00", "21:00"),), (Window.of("10:00", "18:00"),)
    hours = AllowedHours.weekly(long, short, (), on_holiday=())
    table = BusinessCalendar(
        "x", holidays=frozenset({date(2024, 6, 10), date(2024, 6, 12)}), working_days=frozenset({date(2024, 6, 12)})
    )
    found = {
        number: [
            (until_ms - from_ms) // HOUR_MS for from_ms, until_ms in allowed_intervals(day, day, "UTC", hours, table)
        ]
        for number, day in ((n, date(2024, 6, n)) for n in range(7, 13))
    }
    assert found == {7: [13], 8: [8], 9: [], 10: [], 11: [13], 12: [13]}


def test_no_zone_and_no_common_hour_mean_never() -> None:
    """Nobody is disturbed on a guess, and zones on opposite sides of the world may share no hour."""
    now = parse_instant("2024-06-03T00:00:00Z")
    assert common_intervals(now, now + DAY_MS, [], DAILY) == ()
    assert common_intervals(now, now, ["UTC"], DAILY) == ()
    assert next_allowed(now, 3 * HOUR_MS, ["America/New_York", "Asia/Shanghai"], DAILY) is None


@pytest.mark.parametrize(("start", "end"), [(60, 60), (61, 60), (-1, 5), (0, 1441)])
def test_what_is_no_part_of_a_day_is_no_window(start: int, end: int) -> None:
    """A window that is empty, backwards or beyond the day is a mistake of the policy."""
    with pytest.raises(ValueError, match="no window"):
        Window(start, end)


@pytest.mark.parametrize("text", ["9:00", "09:60", "0900", "09:00:00", "ab:cd", "", "-1:00"])
def test_times_are_written_in_full(text: str) -> None:
    """HH:MM and nothing else."""
    with pytest.raises(ValueError, match="not a time of day"):
        Window.of(text, "24:00")


def test_a_gap_shortens_a_window_and_may_swallow_it() -> None:
    """In the hour that is skipped nobody can be reached."""
    day = date(2024, 3, 10)
    over = allowed_intervals(day, day, "America/New_York", AllowedHours.daily("02:00", "03:30"))
    assert over == ((parse_instant("2024-03-10T03:00:00-04:00"), parse_instant("2024-03-10T03:30:00-04:00")),)
    assert allowed_intervals(day, day, "America/New_York", AllowedHours.daily("02:00", "03:00")) == ()


def test_rolling_days_are_local_days() -> None:
    """A window of days ends tonight; what happened today leaves it when as many days have passed."""
    zone = "America/New_York"
    now = parse_instant("2024-03-12T15:00:00-04:00")
    assert start_of_rolling_days(now, 1, zone) == parse_instant("2024-03-12T00:00:00-04:00")
    assert start_of_rolling_days(now, 7, zone) == parse_instant("2024-03-06T00:00:00-05:00")
    assert end_of_rolling_days(now, 7, zone) == parse_instant("2024-03-19T00:00:00-04:00")
