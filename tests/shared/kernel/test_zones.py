"""Instants and local days, against another implementation of time zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from dateutil import tz
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.zones import (
    UnknownZone,
    at_local,
    business_date,
    format_instant,
    local_date,
    parse_instant,
    start_of_day,
    to_instant,
    to_local,
    zone,
)

ZONES = st.sampled_from(
    ["Asia/Shanghai", "America/New_York", "America/Phoenix", "Europe/London", "Asia/Kolkata", "Asia/Kuwait",
     "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "UTC"]
)  # fmt: skip
INSTANTS = st.integers(1_000_000_000_000, 1_900_000_000_000)
DAYS = st.dates(date(2012, 1, 1), date(2029, 12, 31))


@given(instant_ms=INSTANTS, name=ZONES)
def test_local_time_is_that_of_another_library(instant_ms: int, name: str) -> None:
    """Clocks show what dateutil says they show."""
    other = datetime.fromtimestamp(instant_ms // 1000, tz=UTC).astimezone(tz.gettz(name))
    assert to_local(instant_ms // 1000 * 1000, name).replace(tzinfo=None) == other.replace(tzinfo=None)


@given(day=DAYS, name=ZONES)
def test_days_adjoin_without_gap_or_overlap(day: date, name: str) -> None:
    """Before its start an earlier day runs; at its start that day does or, where it was skipped, a later one."""
    start = start_of_day(day, name)
    assert local_date(start - 1, name) < day <= local_date(start, name)
    assert start <= start_of_day(day + timedelta(days=1), name)


@given(day=DAYS, minute=st.integers(0, 1439), name=ZONES)
def test_a_local_time_is_reached_at_its_instant_and_not_before(day: date, minute: int, name: str) -> None:
    """At the instant clocks show the time or, where it is skipped, have passed it; just before they had not."""
    wanted = datetime.combine(day, time(*divmod(minute, 60)))
    at = at_local(day, time(*divmod(minute, 60)), name)
    assert to_local(at, name).replace(tzinfo=None) >= wanted
    assert to_local(at - 1, name).replace(tzinfo=None) < wanted


@given(instant_ms=INSTANTS, name=ZONES, minute=st.integers(0, 1439))
def test_accounting_days_are_local_days_moved_by_the_cutoff(instant_ms: int, name: str, minute: int) -> None:
    """From the cut-off on the next accounting day has begun; a cut-off at midnight moves nothing."""
    cutoff = time(*divmod(minute, 60))
    shown = to_local(instant_ms, name)
    late = minute > 0 and shown.time() >= cutoff
    assert business_date(instant_ms, name, cutoff) == shown.date() + timedelta(days=late)


@given(instant_ms=INSTANTS)
def test_instants_are_written_and_read_without_loss(instant_ms: int) -> None:
    """RFC 3339 in UTC, to the millisecond."""
    text = format_instant(instant_ms)
    assert parse_instant(text) == instant_ms
    assert text.endswith("Z")


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../../etc/passwd", "Asia/../Asia/Shanghai", "Asia", "/UTC", "Asia/"]
)
def test_names_that_are_no_zones_are_refused(name: str) -> None:
    """A name is looked up in the pinned data only, and never leaves it."""
    with pytest.raises(UnknownZone):
        zone(name)


def test_a_moment_without_an_offset_is_no_instant() -> None:
    """What could mean several instants is refused."""
    with pytest.raises(ValueError, match="no offset"):
        parse_instant("2024-03-10T02:30:00")


def test_instants_round_down() -> None:
    """Microseconds never push an instant into the next millisecond, before 1970 neither."""
    assert to_instant(datetime(1970, 1, 1, 0, 0, 0, 1999, tzinfo=UTC)) == 1
    assert to_instant(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
