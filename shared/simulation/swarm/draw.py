"""What a seed chooses: the season, the size of the world, its people's traits, and which faults meet whom where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from random import Random
from typing import Final, TypeVar

from shared.contract.topics import LOAN_SERVICES, RATE_LIMITER, SERVICES
from shared.engine.epoch import Limits
from shared.kernel.zones import DAY_MS, to_instant
from shared.simulation.dice import dice
from shared.simulation.swarm.crossings import (
    IMPOSSIBLE,
    Absence,
    Beat,
    ClockFault,
    ProcessFault,
    RecordFault,
    Season,
    Step,
    Trait,
)

F = TypeVar("F", bound=StrEnum)

SEASONS: Final[Mapping[Season, tuple[date, ...]]] = {
    Season.ORDINARY: (date(2025, 6, 11), date(2024, 9, 17)),
    Season.LEAP_DAY: (date(2024, 2, 29),),
    Season.MONTH_END: (date(2025, 4, 30), date(2025, 2, 28), date(2024, 8, 31)),
    Season.YEAR_END: (date(2024, 12, 31),),
    Season.CLOCKS_FORWARD: (date(2025, 3, 9), date(2025, 3, 30)),
    Season.CLOCKS_BACK: (date(2024, 11, 3), date(2024, 10, 27)),
}
"""The days that a world lasts through; clocks change first in New York, then, on the later date, in London."""
_PASSAGES_MAX: Final[Mapping[Step, int]] = {
    Step.FENCED: 9,
    Step.RECOVERING: 12,
    Step.RECOVERED: 9,
    Step.PLACED: 9,
    Step.BEGUN: 25,
    Step.SENDING: 25,
    Step.SENT: 25,
    Step.COMMITTED: 25,
}
"""Up to which passage of a step a fault is drawn; steps that are not named are passed often."""
_OFTEN: Final = 50
_BEATS_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Away:
    """Somebody is away in the rounds `first <= round < until`; `partition` is None for the whole service."""

    absence: Absence
    service: str
    partition: int | None
    first: int
    until: int

    def covers(self, service: str, partition: int, number: int) -> bool:
        """Whether that pair is away in a round."""
        mine = service == self.service and self.partition in {None, partition}
        return mine and self.first <= number < self.until


@dataclass(frozen=True, slots=True)
class Draw:
    """One seed's choice. Whatever is not chosen does not happen, so that rare things meet undisturbed."""

    seed: int
    season: Season
    first_day: date
    days: int
    rounds: tuple[int, ...]
    """The instants at which the world is looked at."""
    loan_partitions: int
    borrower_partitions: int
    limits: Limits
    people: int
    loans: int
    traits: frozenset[Trait]
    strikes: Mapping[tuple[Step, int], ProcessFault]
    """Which fault meets the n-th passage of a step."""
    clock_strikes: Mapping[tuple[Beat, int], ClockFault]
    chances: Mapping[RecordFault, float]
    absences: tuple[Away, ...]
    prompt: bool
    """Whether who dies is back at once: then nothing of it may be seen from outside."""

    @property
    def start_ms(self) -> int:
        """When the world begins."""
        return to_instant(datetime.combine(self.first_day, time(0), tzinfo=UTC))


def draw(seed: int) -> Draw:
    """Return what a seed chooses."""
    roll = dice(seed, "swarm")
    season = roll.choice(tuple(Season))
    long = roll.random() < 0.1
    days = roll.randint(32, 40) if long else roll.randint(2, 6)
    before = roll.randint(14, 20) if long else roll.randint(1, min(3, days - 1))
    first_day = roll.choice(SEASONS[season]) - timedelta(days=before)
    start = to_instant(datetime.combine(first_day, time(0), tzinfo=UTC))
    rounds = _rounds(roll, start, days, roll.randint(18, 26) if long else roll.randint(5, 10))
    return Draw(
        seed=seed,
        season=season,
        first_day=first_day,
        days=days,
        rounds=rounds,
        loan_partitions=roll.choice((1, 1, 2)),
        borrower_partitions=roll.choice((1, 1, 1, 2)),
        limits=Limits(roll.choice((1, 3, 1000)), roll.choice((1, 2, 512))),
        people=roll.choice((1, 1, 2, 3)),
        loans=roll.choice((1, 1, 2, 3)),
        traits=_some(roll, Trait, 4),
        strikes=_strikes(roll),
        clock_strikes=_clock_strikes(roll),
        chances={fault: roll.uniform(0.05, 0.5) for fault in sorted(_some(roll, RecordFault, 2))},
        absences=_absences(roll, len(rounds)),
        prompt=roll.random() < 0.4,
    )


def _some(roll: Random, kinds: type[F], most: int) -> frozenset[F]:
    return frozenset(roll.sample(tuple(kinds), roll.randint(0, most)))


def _rounds(roll: Random, start: int, days: int, count: int) -> tuple[int, ...]:
    step = days * DAY_MS // count
    return tuple(start + number * step + roll.randrange(step) for number in range(count))


def _strikes(roll: Random) -> dict[tuple[Step, int], ProcessFault]:
    found: dict[tuple[Step, int], ProcessFault] = {}
    for _ in range(roll.choice((0, 1, 2, 4, 6))):
        step, fault = roll.choice(tuple(Step)), roll.choice(tuple(ProcessFault))
        if (fault, step) not in IMPOSSIBLE:
            found[step, roll.randint(1, _PASSAGES_MAX.get(step, _OFTEN))] = fault
    return found


def _clock_strikes(roll: Random) -> dict[tuple[Beat, int], ClockFault]:
    count = roll.choice((0, 0, 1, 2))
    return {
        (roll.choice(tuple(Beat)), roll.randint(1, _BEATS_MAX)): roll.choice(tuple(ClockFault)) for _ in range(count)
    }


def _absences(roll: Random, rounds: int) -> tuple[Away, ...]:
    found = []
    for absence in sorted(_some(roll, Absence, 2)) if roll.random() < 0.5 else ():
        first = 0 if absence is Absence.BORN_LATE else roll.randrange(1, max(2, rounds - 1))
        until = first + roll.randint(1, max(1, rounds - first))
        services: Iterable[str] = LOAN_SERVICES
        if absence is Absence.GATE_DOWN:
            services = (RATE_LIMITER,)
        elif absence is Absence.BORN_LATE:
            services = SERVICES
        partition = 0 if absence is Absence.SILENT_PAIR else None
        found.append(Away(absence, roll.choice(tuple(services)), partition, first, until))
    return tuple(found)
