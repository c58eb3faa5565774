"""Allowed hours: the windows of a rule in every zone where the person may be (T-08, T-09)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, time
from functools import lru_cache
from typing import Final

from shared.domain.packs import Hours
from shared.kernel.zones import at_local, local_date, start_of_day

_DAYS_AHEAD_MAX: Final = 40
_STEPS_MAX: Final = 200


@lru_cache(maxsize=1 << 16)
def day_number(instant_ms: int, zone_name: str) -> int:
    """Return the number of the local day that people in the zone read at that instant."""
    return local_date(instant_ms, zone_name).toordinal()


@lru_cache(maxsize=1 << 14)
def day_start(number: int, zone_name: str) -> int:
    """Return the first instant of the local day of that number."""
    return start_of_day(date.fromordinal(number), zone_name)


@lru_cache(maxsize=1 << 14)
def _window(number: int, zone_name: str, window: tuple[int, int]) -> tuple[int, int]:
    return _at(number, zone_name, window[0]), _at(number, zone_name, window[1])


def _at(number: int, zone_name: str, minute: int) -> int:
    if minute == 24 * 60:
        return day_start(number + 1, zone_name)
    return at_local(date.fromordinal(number), time(minute // 60, minute % 60), zone_name)


def _windows(rule: Hours, zone_name: str, number: int) -> Iterable[tuple[int, int]]:
    return (_window(number, zone_name, window) for window in rule.windows_on(date.fromordinal(number)))


def open_interval(rule: Hours, zone_name: str, at: int) -> tuple[int, int] | None:
    """Return the interval [from, until) around `at` in which the rule allows contact in the zone; None: it does not.

    Windows that meet at midnight are one interval, up to a day to either side.
    """
    number = day_number(at, zone_name)
    found = next(((start, end) for start, end in _windows(rule, zone_name, number) if start <= at < end), None)
    if found is None:
        return None
    start, end = found
    if start == day_start(number, zone_name):
        start = next((other for other, until in _windows(rule, zone_name, number - 1) if until == start), start)
    if end == day_start(number + 1, zone_name):
        end = next((until for other, until in _windows(rule, zone_name, number + 1) if other == end), end)
    return start, end


def next_opening(rule: Hours, zones: tuple[str, ...], at: int, least_ms: int) -> int | None:
    """Return the first instant from `at` on with `least_ms` of allowed time in all zones; None: none for weeks."""
    for _ in range(_STEPS_MAX):
        later = at
        for zone_name in zones:
            found = _next_in_zone(rule, zone_name, later, least_ms)
            if found is None:
                return None
            later = found
        if later == at:
            return at
        at = later
    return None


def _next_in_zone(rule: Hours, zone_name: str, at: int, least_ms: int) -> int | None:
    inside = open_interval(rule, zone_name, at)
    if inside is not None and inside[1] - at >= least_ms:
        return at
    first = day_number(at, zone_name)
    for number in range(first, first + _DAYS_AHEAD_MAX):
        for start, end in _windows(rule, zone_name, number):
            if start > at and end - start >= least_ms:
                return start
    return None
