"""Local days by number, and the allowed hours around an instant in every zone where the person may be (T-08, T-09)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

from shared.domain.packs import Hours
from shared.kernel.hours import common_intervals, next_allowed
from shared.kernel.zones import DAY_MS, local_date, start_of_day


@lru_cache(maxsize=1 << 16)
def day_number(instant_ms: int, zone_name: str) -> int:
    """Return the number of the local day that people in the zone read at that instant."""
    return local_date(instant_ms, zone_name).toordinal()


@lru_cache(maxsize=1 << 14)
def day_start(number: int, zone_name: str) -> int:
    """Return the first instant of the local day of that number."""
    return start_of_day(date.fromordinal(number), zone_name)


def open_around(rule: Hours, zones: Sequence[str], at: int) -> tuple[int, int] | None:
    """Return the interval [from, until) around `at` that the rule allows in all zones; None: it does not allow `at`.

    Windows that meet at midnight are one; it is looked for up to a day back and two days ahead.
    """
    found = common_intervals(at - DAY_MS, at + 2 * DAY_MS, zones, rule.allowed, rule.calendar)
    return next(((start, end) for start, end in found if start <= at < end), None)


def next_opening(rule: Hours, zones: Sequence[str], at: int, least_ms: int) -> int | None:
    """Return the first instant from `at` on with `least_ms` of allowed time in all zones; None: none for weeks."""
    return next_allowed(at, least_ms, zones, rule.allowed, rule.calendar)
