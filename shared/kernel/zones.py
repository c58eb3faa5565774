"""Instants (epoch milliseconds, UTC) and what they are called where somebody lives.

Zones come from the pinned `tzdata` package only: the operating system's copy would make two machines disagree (P8).
Local intervals are half-open, and a local time that a clock change skips is moved to the first instant after the gap
(trap T-08), so that every local day has exactly one start and one end.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT_MAX: Final = 8192
"""Answers kept by each function below: thousands of loans ask about the same instants, days and zones in one tick."""


class UnknownZone(ValueError):
    """The name is not a zone of the pinned time-zone data."""


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the zone of that IANA name from the pinned data; raise `UnknownZone` otherwise."""
    parts = name.split("/")
    if not all(part and part.replace("_", "").replace("-", "").replace("+", "").isalnum() for part in parts):
        raise UnknownZone(name)
    path = files("tzdata").joinpath("zoneinfo", *parts)
    if not path.is_file():
        raise UnknownZone(name)
    with path.open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)


def to_instant(moment: datetime) -> int:
    """Return the epoch milliseconds of an aware moment, rounded down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=_KEPT_MAX)
def to_local(instant_ms: int, zone_name: str) -> datetime:
    """Return the aware local moment of an instant."""
    return (_EPOCH + timedelta(milliseconds=instant_ms)).astimezone(zone(zone_name))


def local_date(instant_ms: int, zone_name: str) -> date:
    """Return the calendar date that people in the zone read at that instant."""
    return to_local(instant_ms, zone_name).date()


@lru_cache(maxsize=_KEPT_MAX)
def at_local(day: date, clock_time: time, zone_name: str) -> int:
    """Return the instant at which the zone's clocks first show `clock_time` on `day`, or pass it when it is skipped."""
    tz = zone(zone_name)
    wall = datetime.combine(day, clock_time)
    moment = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    if moment.astimezone(tz).replace(tzinfo=None) == wall:
        return to_instant(moment)
    return _end_of_gap(wall, tz)


def _end_of_gap(wall: datetime, tz: ZoneInfo) -> int:
    """Bisect to the first instant of the gap's far side; offsets of `fold` 1 and 0 lie on either side of it."""
    low = to_instant(wall.replace(tzinfo=tz, fold=1).astimezone(UTC))
    high = to_instant(wall.replace(tzinfo=tz, fold=0).astimezone(UTC))
    low, high = min(low, high), max(low, high)
    before = _offset(low, tz)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(middle, tz) == before else (low, middle)
    return high


def _offset(instant_ms: int, tz: ZoneInfo) -> timedelta | None:
    return (_EPOCH + timedelta(milliseconds=instant_ms)).astimezone(tz).utcoffset()


def start_of_day(day: date, zone_name: str) -> int:
    """Return the first instant of the local day (not midnight where a clock change skips midnight)."""
    return at_local(day, time(0), zone_name)


def business_date(instant_ms: int, zone_name: str, cutoff: time) -> date:
    """Return the accounting day of an instant: from `cutoff` local time on, the next one has begun (trap T-05).

    A cut-off of 00:00 means that the accounting day is the calendar day.
    """
    local = to_local(instant_ms, zone_name)
    after = cutoff != time(0) and local.replace(tzinfo=None).time() >= cutoff
    return local.date() + timedelta(days=1) if after else local.date()


@lru_cache(maxsize=_KEPT_MAX)
def format_instant(instant_ms: int) -> str:
    """Return RFC 3339 in UTC with milliseconds, e.g. `2024-02-10T00:00:00.000Z`."""
    moment = _EPOCH + timedelta(milliseconds=instant_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_instant(text: str) -> int:
    """Return the epoch milliseconds of an RFC 3339 moment with an offset; raise ValueError otherwise."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no offset in {text!r}")
    return to_instant(moment)
