"""What goes wrong in a simulated world, and when: drawn from the seed, so that a failing run can be run again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shared.contract.arrangements import ARRANGEMENTS
from shared.contract.loans import DUE_DATES
from shared.contract.outcomes import OUTCOMES
from shared.contract.people import BORROWERS
from shared.contract.repayments import REPAYMENTS
from shared.contract.topics import LOAN_SERVICES
from shared.engine.conductor import PlannedSilence
from shared.engine.epoch import Limits
from shared.kernel.zones import DAY_MS, HOUR_MS
from shared.simulation.dice import dice
from shared.simulation.log import Publication

_INPUTS: Final = (DUE_DATES, REPAYMENTS, ARRANGEMENTS, BORROWERS, OUTCOMES)


class Fault(StrEnum):
    """Where a crash meets a transaction, or what happens to a record."""

    BEFORE_COMMIT = "crash_before_commit"
    AFTER_COMMIT = "crash_after_commit"
    LOST_STORE = "lost_store"
    DUPLICATE = "duplicate_record"
    LATE = "late_record"
    BAD_BYTES = "bad_bytes"
    SECOND_CLOCK = "second_clock"
    SERVICE_DOWN = "service_down"


@dataclass(slots=True)
class Faults:
    """The chances of each fault; all zero in a world where nothing goes wrong. `met` counts what really happened."""

    seed: int
    crash: float = 0.0
    lost_store: float = 0.0
    duplicate: float = 0.0
    late: float = 0.0
    bad_bytes_an_hour: float = 0.0
    second_clock: float = 0.0
    silences: tuple[PlannedSilence, ...] = ()
    limits: Limits = field(default_factory=Limits)
    met: dict[Fault, int] = field(default_factory=dict)

    def note(self, fault: Fault) -> None:
        """Count a fault that happened."""
        self.met[fault] = self.met.get(fault, 0) + 1

    def crash_at(self, service: str, partition: int, attempt: int) -> Fault | None:
        """Return how the process that is about to commit dies; None: it lives."""
        if not self.crash:
            return None
        roll = dice(self.seed, "crash", service, partition, attempt)
        if roll.random() >= self.crash:
            return None
        if roll.random() < self.lost_store:
            return Fault.LOST_STORE
        return roll.choice((Fault.BEFORE_COMMIT, Fault.AFTER_COMMIT))

    def delivered(self, said: Publication, number: int, at: int) -> Iterator[tuple[int, Publication]]:
        """Yield when a record that was said at `at` arrives: at once, late, or twice."""
        roll = dice(self.seed, "delivery", number)
        late = bool(self.late) and roll.random() < self.late
        if late:
            self.note(Fault.LATE)
        yield at + (roll.randint(1, 72) * HOUR_MS if late else 0), said
        if self.duplicate and roll.random() < self.duplicate:
            self.note(Fault.DUPLICATE)
            yield at + roll.randint(0, 48) * HOUR_MS, said

    def bad_bytes(self, at: int) -> Iterator[Publication]:
        """Yield garbage for any input topic."""
        roll = dice(self.seed, "garbage", at)
        if not self.bad_bytes_an_hour or roll.random() >= self.bad_bytes_an_hour:
            return
        self.note(Fault.BAD_BYTES)
        key = roll.choice((b"l00003", b"b00002", b"\xff\xfe", b"", b"nobody"))
        value = roll.choice((b"", b"{", b"not json", b'{"specversion":"1.0"}', bytes(range(256)), b'{"a":' * 40, b"[]"))
        yield Publication(roll.choice(_INPUTS), key, value, (), roll.choice((None, 0)))

    def repeats_tick(self, at: int) -> bool:
        """Whether a second clock writes this tick again."""
        return bool(self.second_clock) and dice(self.seed, "clock", at).random() < self.second_clock

    def is_down(self, service: str, at: int) -> bool:
        """Whether a service is down at a tick."""
        return any(silence.service == service and silence.from_at <= at < silence.until_at for silence in self.silences)


def drawn(seed: int, start_ms: int, days: int) -> Faults:
    """Return the faults of a seed: each kind present or not, in a strength of its own (a swarm)."""
    roll = dice(seed, "swarm")

    def perhaps(most: float) -> float:
        return roll.uniform(most / 10, most) if roll.random() < 0.7 else 0.0

    silences = tuple(
        PlannedSilence(roll.choice(LOAN_SERVICES), from_at, from_at + roll.randint(2, 30) * HOUR_MS)
        for from_at in (start_ms + roll.randrange(1, max(2, days * 24)) * HOUR_MS for _ in range(roll.randint(1, 3)))
    )
    return Faults(
        seed=seed,
        crash=perhaps(0.1),
        lost_store=perhaps(0.6),
        duplicate=perhaps(0.1),
        late=perhaps(0.05),
        bad_bytes_an_hour=perhaps(0.2),
        second_clock=perhaps(0.2),
        silences=_apart(silences),
        limits=Limits(roll.choice((3, 17, 1000)), roll.choice((1, 7, 512))),
    )


def _apart(silences: tuple[PlannedSilence, ...]) -> tuple[PlannedSilence, ...]:
    """Drop outages that overlap another by less than a day, so that each one's return is seen."""
    kept: list[PlannedSilence] = []
    for silence in sorted(silences, key=lambda silence: silence.from_at):
        if not kept or silence.from_at >= kept[-1].until_at + DAY_MS:
            kept.append(silence)
    return tuple(kept)
