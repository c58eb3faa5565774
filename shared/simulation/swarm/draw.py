"""What a seed chooses: the season, the size of the world, its people's traits, and which faults meet whom where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from random import Random
from typing import Final, TypeVar

from shared.contract.base import Channel
from shared.contract.ticks import OutreachMode, Switch
from shared.contract.topics import LOAN_SERVICES, RATE_LIMITER, SERVICES
from shared.engine.epoch import Limits
from shared.kernel.zones import DAY_MS, MINUTE_MS, at_local, local_date, to_instant
from shared.simulation.dice import dice
from shared.simulation.portfolio import LENDERS, PLACES
from shared.simulation.swarm.crossings import (
    IMPOSSIBLE,
    LIVELY_TRAITS,
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
_QUIET_TRAITS: Final = tuple(trait for trait in Trait if trait not in LIVELY_TRAITS)
LIVELY_DIGITS: Final = frozenset({3, 8})
"""Worlds whose seed ends so are lively. None of those that were found before there were any is: they keep theirs."""
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
    lively: bool = False
    """Whether it is looked at around the opening and closing of hours, minutes apart, and facts fall in between."""
    switch: tuple[int, int, Switch] | None = None
    """What operators have switched off, in the rounds `first <= round < until`."""

    @property
    def start_ms(self) -> int:
        """When the world begins."""
        return to_instant(datetime.combine(self.first_day, time(0), tzinfo=UTC))

    def switches(self, number: int) -> tuple[Switch, ...]:
        """What operators have switched off in a round."""
        if self.switch is None:
            return ()
        first, until, switch = self.switch
        return (switch,) if first <= number < until else ()


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
    chosen = Draw(
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
        traits=_some(roll, _QUIET_TRAITS, 4),
        strikes=_strikes(roll),
        clock_strikes=_clock_strikes(roll),
        chances={fault: roll.uniform(0.05, 0.5) for fault in sorted(_some(roll, RecordFault, 2))},
        absences=_absences(roll, len(rounds)),
        prompt=roll.random() < 0.4,
    )
    return _enlivened(chosen, dice(seed, "lively")) if seed % 10 in LIVELY_DIGITS else chosen


def _enlivened(chosen: Draw, roll: Random) -> Draw:
    """Return a world where more happens, and closer together; all else in it is as it was chosen."""
    traits = _some(roll, LIVELY_TRAITS, 4) | _some(roll, _QUIET_TRAITS, 3)
    rounds = sorted({near for at in chosen.rounds for near in _near_an_edge(roll, at, chosen.start_ms)})
    switch = None
    if Trait.SWITCHED in traits:
        first = roll.randrange(len(rounds))
        scope = Switch(
            mode=roll.choice((OutreachMode.STOPPED, OutreachMode.SHADOW)),
            channel=roll.choice((None, None, None, Channel.SMS)),
            lender_id=roll.choice((None, None, None, None, *LENDERS)),
        )
        switch = first, roll.randint(first + 1, len(rounds)), scope
    return replace(
        chosen,
        lively=True,
        traits=chosen.traits | traits,
        rounds=tuple(rounds),
        switch=switch,
        loans=chosen.loans + roll.randint(1, 3),
    )


def _near_an_edge(roll: Random, at: int, start_ms: int) -> list[int]:
    """Return a round, most often moved into the hours of some place or to their edge, and some minutes after it."""
    zone, chance = roll.choice(PLACES).zone, roll.random()
    if chance < 0.85:
        hour, minutes = 10, roll.randint(0, 540)
        if chance < 0.4:
            hour, minutes = (9, roll.randint(-5, 70)) if chance < 0.15 else (20, -roll.randint(1, 40))
        local = at_local(local_date(at, zone), time(hour), zone)
        at = max(start_ms, local + minutes * MINUTE_MS + roll.randrange(MINUTE_MS))
    found = [at]
    for _ in range(roll.choice((0, 1, 1, 2))):
        found.append(found[-1] + roll.randint(1, 9) * MINUTE_MS)
    return found


def _some(roll: Random, kinds: Iterable[F], most: int) -> frozenset[F]:
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
