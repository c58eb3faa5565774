"""Local time by a second hand."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from random import Random

from dateutil import tz

from shared.kernel.zones import DAY_MS, to_instant, zone
from shared.simulation.checkers.local_time import LocalMoment, day_number, local_moment

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = files("tzdata").joinpath("zones").read_text().split()


def _by_library(instant_ms: int, name: str) -> LocalMoment:
    local = (EPOCH + timedelta(milliseconds=instant_ms)).astimezone(zone(name)).replace(tzinfo=None)
    return LocalMoment(*divmod((local - EPOCH.replace(tzinfo=None)) // timedelta(milliseconds=1), DAY_MS))


def test_every_zone_agrees_with_the_library() -> None:
    """All zones of the pinned data give the same local time as `zoneinfo`, from 1970 to 2100."""
    dice = Random(3)
    assert len(ZONES) > 400
    for name in ZONES:
        for instant in (dice.randrange(4_102_444_800_000) for _ in range(20)):
            assert local_moment(instant, name) == _by_library(instant, name), (name, instant)


def test_the_hours_around_clock_changes_agree_with_dateutil() -> None:
    """Each quarter of an hour of the days on which clocks change in 2024 agrees with a third implementation."""
    for name, month, day in (("America/New_York", 3, 10), ("America/New_York", 11, 3), ("Europe/London", 3, 31)):
        start = to_instant(datetime(2024, month, day, tzinfo=UTC))
        for instant in range(start, start + DAY_MS, 15 * 60_000):
            local = (EPOCH + timedelta(milliseconds=instant)).astimezone(tz.gettz(name))
            moment = local_moment(instant, name)
            assert moment.day == day_number(local.year, local.month, local.day)
            assert moment.ms == (local.hour * 60 + local.minute) * 60_000


def test_leap_days_are_numbered() -> None:
    """29 February exists in 2024 and 2000, and not in 2023 and 2100."""
    lengths = [day_number(year, 3, 1) - day_number(year, 2, 28) for year in (2023, 2024, 2000, 2100)]
    assert lengths == [1, 2, 2, 1]
