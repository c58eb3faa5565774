"""When somebody may be disturbed: local windows per day of the week and on holidays, in one zone or in several at once.

Windows are half-open. Where it is unclear in which zone a person lives, only what is allowed in all of them is
allowed, and without any zone nothing is (trap T-09). Around a clock change the stricter reading holds (trap T-08): a
window opens when its local time comes for the last time, and closes when its local time comes for the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from shared.kernel.business_days import WEEKENDS, BusinessCalendar
from shared.kernel.zones import at_local, local_date, start_of_day, to_instant, zone

MINUTES_PER_DAY: Final = 24 * 60
SEARCH_DAYS: Final = 14
"""How far ahead an allowed instant is looked for unless told otherwise."""
_ONE_DAY: Final = timedelta(days=1)
Interval = tuple[int, int]
"""Epoch milliseconds, start inclusive, end exclusive."""


@dataclass(frozen=True, slots=True)
class Window:
    """Local minutes of a day, `start_minute` inclusive, `end_minute` exclusive; 1440 is the end of the day."""

    start_minute: int
    end_minute: int

    def __post_init__(self) -> None:
        """Refuse what is no part of a day; a night is two windows."""
        if not 0 <= self.start_minute < self.end_minute <= MINUTES_PER_DAY:
            raise ValueError(f"no window of a day: {self.start_minute} to {self.end_minute}")

    @classmethod
    def of(cls, start: str, end: str) -> Window:
        """Return the window between two local times `HH:MM`; the end may be `24:00`."""
        return cls(_minute(start), _minute(end))


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    if not (len(hours) == len(minutes) == 2 and text.replace(":", "").isdigit() and int(minutes) < 60):
        raise ValueError(f"not a time of day HH:MM: {text!r}")
    return int(hours) * 60 + int(minutes)


Windows = tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class AllowedHours:
    """The windows of each weekday, Monday first, and of public holidays (None: like any other day)."""

    by_weekday: tuple[Windows, Windows, Windows, Windows, Windows, Windows, Windows]
    on_holiday: Windows | None = None

    @classmethod
    def daily(cls, start: str, end: str) -> AllowedHours:
        """Return the same window for every day."""
        windows = (Window.of(start, end),)
        return cls((windows,) * 7)

    @classmethod
    def weekly(
        cls, weekday: Windows, saturday: Windows, sunday: Windows, on_holiday: Windows | None = None
    ) -> AllowedHours:
        """Return one set of windows for Monday to Friday and one each for Saturday, Sunday and holidays."""
        return cls((weekday,) * 5 + (saturday, sunday), on_holiday)

    def on(self, day: date, calendar: BusinessCalendar) -> Windows:
        """Return the windows of a local day. A make-up Saturday keeps its weekday's windows: rest is not taken away."""
        if self.on_holiday is not None and calendar.is_holiday(day):
            return self.on_holiday
        return self.by_weekday[day.weekday()]


def allowed_intervals(
    first: date, last: date, zone_name: str, hours: AllowedHours, calendar: BusinessCalendar = WEEKENDS
) -> tuple[Interval, ...]:
    """Return the allowed instants of the local days `first` to `last` in one zone; adjoining windows are one."""
    found: list[Interval] = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        for start_ms, end_ms in _of_day(day, zone_name, hours.on(day, calendar)):
            if found and found[-1][1] >= start_ms:
                found[-1] = (found[-1][0], max(found[-1][1], end_ms))
            else:
                found.append((start_ms, end_ms))
    return tuple(found)


@lru_cache(maxsize=65_536)
def _of_day(day: date, zone_name: str, windows: Windows) -> tuple[Interval, ...]:
    ordered = sorted(windows, key=lambda window: (window.start_minute, window.end_minute))
    spans = [(_opens(day, window, zone_name), _closes(day, window, zone_name)) for window in ordered]
    return tuple((start_ms, end_ms) for start_ms, end_ms in spans if start_ms < end_ms)


def _opens(day: date, window: Window, zone_name: str) -> int:
    """The last instant at which local clocks show the start: when an hour repeats, the second time."""
    if window.start_minute == 0:
        return start_of_day(day, zone_name)
    wall = time(*divmod(window.start_minute, 60))
    first = at_local(day, wall, zone_name)
    local = datetime.combine(day, wall, zone(zone_name)).replace(fold=1)
    again = to_instant(local.astimezone(UTC))
    shown = local.astimezone(UTC).astimezone(zone(zone_name)).replace(tzinfo=None, fold=0)
    return max(first, again) if shown == datetime.combine(day, wall) else first


def _closes(day: date, window: Window, zone_name: str) -> int:
    if window.end_minute == MINUTES_PER_DAY:
        return start_of_day(day + _ONE_DAY, zone_name)
    return at_local(day, time(*divmod(window.end_minute, 60)), zone_name)


def common_intervals(
    from_ms: int, until_ms: int, zone_names: Sequence[str], hours: AllowedHours, calendar: BusinessCalendar = WEEKENDS
) -> tuple[Interval, ...]:
    """Return the instants of [from_ms, until_ms) that are allowed in every zone; none without a zone."""
    if not zone_names or until_ms <= from_ms:
        return ()
    common: tuple[Interval, ...] = ((from_ms, until_ms),)
    for name in zone_names:
        first, last = local_date(from_ms, name) - _ONE_DAY, local_date(until_ms - 1, name) + _ONE_DAY
        common = _intersection(common, allowed_intervals(first, last, name, hours, calendar))
    return common


def _intersection(one: Sequence[Interval], other: Sequence[Interval]) -> tuple[Interval, ...]:
    found = []
    at_one = at_other = 0
    while at_one < len(one) and at_other < len(other):
        start_ms = max(one[at_one][0], other[at_other][0])
        end_ms = min(one[at_one][1], other[at_other][1])
        if start_ms < end_ms:
            found.append((start_ms, end_ms))
        if one[at_one][1] <= other[at_other][1]:
            at_one += 1
        else:
            at_other += 1
    return tuple(found)


def is_inside(
    from_ms: int, until_ms: int, zone_names: Sequence[str], hours: AllowedHours, calendar: BusinessCalendar = WEEKENDS
) -> bool:
    """Tell whether the whole interval [from_ms, until_ms) is allowed in every zone; never without a zone."""
    return common_intervals(from_ms, until_ms, zone_names, hours, calendar) == ((from_ms, until_ms),)


def next_allowed(
    now_ms: int,
    duration_ms: int,
    zone_names: Sequence[str],
    hours: AllowedHours,
    calendar: BusinessCalendar = WEEKENDS,
    *,
    search_days: int = SEARCH_DAYS,
) -> int | None:
    """Return the first instant, `now_ms` or later, from which `duration_ms` lie inside in every zone.

    None where there is none within `search_days`: no zone is known, the zones' windows never meet for so long.
    """
    until_ms = now_ms + search_days * 86_400_000 + duration_ms
    for start_ms, end_ms in common_intervals(now_ms, until_ms, zone_names, hours, calendar):
        if end_ms - start_ms >= duration_ms:
            return start_ms
    return None


def start_of_rolling_days(now_ms: int, days: int, zone_name: str) -> int:
    """Return the first instant of a window of `days` local days that ends with today, today being day one.

    Local days, not multiples of 24 hours: in the week of a clock change seven of them are 167 or 169 hours (T-08).
    """
    return start_of_day(local_date(now_ms, zone_name) - timedelta(days=days - 1), zone_name)


def end_of_rolling_days(at_ms: int, days: int, zone_name: str) -> int:
    """Return the first instant at which something of `at_ms` has left every window of `days` local days."""
    return start_of_day(local_date(at_ms, zone_name) + timedelta(days=days), zone_name)
