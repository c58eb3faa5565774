"""Local time by a second hand: the pinned zone files read and understood here, apart from `zoneinfo` and the kernel.

A checker that asked the same code as the service could not see that code's mistakes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from struct import unpack_from
from typing import Final

_DAY_S: Final = 86_400
_RULE: Final = re.compile(r"(?:J(\d+)|M(\d+)\.(\d+)\.(\d+)|(\d+))(?:/([+-]?\d+(?::\d+){0,2}))?")
_NAME: Final = r"(?:<[^>]+>|[A-Za-z]+)"
_OFFSET: Final = r"[+-]?\d+(?::\d+){0,2}"
_TZ: Final = re.compile(rf"{_NAME}({_OFFSET})(?:{_NAME}({_OFFSET})?(?:,([^,]+),([^,]+))?)?$")


@dataclass(frozen=True, slots=True)
class Zone:
    """Offsets in seconds east of Greenwich: one after each transition, and what follows the last of them."""

    transitions_s: tuple[int, ...]
    offsets_s: tuple[int, ...]
    first_offset_s: int
    footer: str

    def offset_s(self, instant_s: int) -> int:
        """Return the offset at an instant."""
        index = bisect_right(self.transitions_s, instant_s)
        if index == len(self.transitions_s) and self.footer:
            return _footer_offset_s(self.footer, instant_s)
        return self.offsets_s[index - 1] if index else self.first_offset_s


@lru_cache(maxsize=512)
def read_zone(name: str) -> Zone:
    """Read a zone file (RFC 9636): the second block, of 64-bit transitions, and the footer."""
    data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    at = _block_end(data, 0, 4)
    isutc, isstd, leaps, times, types, chars = unpack_from(">6l", data, at + 20)
    start = at + 44
    transitions = unpack_from(f">{times}q", data, start)
    indices = unpack_from(f">{times}B", data, start + 8 * times)
    first = start + 9 * times
    offsets = [unpack_from(">l", data, first + 6 * kind)[0] for kind in range(types)]
    footer_at = first + 6 * types + chars + leaps * 12 + isstd + isutc
    footer = data[footer_at:].strip(b"\n").decode()
    return Zone(transitions, tuple(offsets[index] for index in indices), offsets[0], footer)


def _block_end(data: bytes, at: int, width: int) -> int:
    isutc, isstd, leaps, times, types, chars = unpack_from(">6l", data, at + 20)
    return int(at + 44 + times * (width + 1) + types * 6 + chars + leaps * (width + 4) + isstd + isutc)


@dataclass(frozen=True, slots=True)
class LocalMoment:
    """What people read on calendar and clock: day number since 1970-01-01, and milliseconds since their midnight."""

    day: int
    ms: int


def local_moment(instant_ms: int, zone_name: str) -> LocalMoment:
    """Return the local moment of an instant."""
    shifted = instant_ms + 1000 * read_zone(zone_name).offset_s(instant_ms // 1000)
    return LocalMoment(*divmod(shifted, _DAY_S * 1000))


def _seconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    parts = [int(part) for part in text.lstrip("+-").split(":")]
    return sign * sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))


@lru_cache(maxsize=4096)
def _changes(footer: str, year: int) -> tuple[int, int, int, int] | None:
    """Return the instants at which summer time begins and ends in a year, and both offsets; None: no summer time."""
    matched = _TZ.match(footer)
    if matched is None:
        raise ValueError(f"not a time-zone footer: {footer!r}")
    standard, summer, begins, ends = matched.groups()
    standard_s = -_seconds(standard)
    if begins is None:
        return None
    summer_s = standard_s + 3600 if summer is None else -_seconds(summer)
    return _rule_s(begins, year) - standard_s, _rule_s(ends, year) - summer_s, standard_s, summer_s


def _footer_offset_s(footer: str, instant_s: int) -> int:
    matched = _TZ.match(footer)
    if matched is None:
        raise ValueError(f"not a time-zone footer: {footer!r}")
    standard_s = -_seconds(matched.group(1))
    changes = _changes(footer, _year_of_day((instant_s + standard_s) // _DAY_S))
    if changes is None:
        return standard_s
    begins, ends, standard_s, summer_s = changes
    if begins < ends:
        return summer_s if begins <= instant_s < ends else standard_s
    return standard_s if ends <= instant_s < begins else summer_s


def _rule_s(rule: str, year: int) -> int:
    """Return local seconds since 1970 of a rule in a year."""
    matched = _RULE.match(rule)
    if matched is None:
        raise ValueError(f"not a time-zone rule: {rule!r}")
    julian, month, week, weekday, zero_based, clock = matched.groups()
    if month is not None:
        day = _nth_weekday(year, int(month), int(week), int(weekday))
    elif julian is not None:
        number = int(julian)
        day = _day_number(year, 1, 1) + number - 1 + (1 if _is_leap(year) and number >= 60 else 0)
    else:
        day = _day_number(year, 1, 1) + int(zero_based)
    return day * _DAY_S + (7200 if clock is None else _seconds(clock))


def _nth_weekday(year: int, month: int, week: int, weekday: int) -> int:
    """Return the day number of the n-th weekday (0 Sunday) of a month, 5 meaning the last."""
    first = _day_number(year, month, 1)
    # Day 0 of 1970 was a Thursday, weekday 4.
    day = first + (weekday - (first + 4)) % 7 + 7 * (week - 1)
    following = _day_number(year + month // 12, month % 12 + 1, 1)
    return day if day < following else day - 7


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _day_number(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01 of a date of the Gregorian calendar, counted in years that begin in March."""
    shifted = year - (month <= 2)
    days = 365 * shifted + shifted // 4 - shifted // 100 + shifted // 400
    return days + (153 * ((month - 3) % 12) + 2) // 5 + day - 1 - 719_468


def _year_of_day(day: int) -> int:
    year = 1970 + day // 366
    while _day_number(year + 1, 1, 1) <= day:
        year += 1
    while _day_number(year, 1, 1) > day:
        year -= 1
    return year


def day_number(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01 of a date."""
    return _day_number(year, month, day)
