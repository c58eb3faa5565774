"""The clock's decisions, pure: which tick to write next, to which partitions, and who is left behind.

Stage 1 is open loop: a tick a second, whoever is listening. Stage 2 is closed loop: it gets tick T when every stage-1
partition has applied T, so that everything concluded from the facts before T is in Kafka. Pairs that stay behind for
longer than `patience` are named as silent and left behind; T must be fresh. In a simulation everything is lockstep.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.contract.ticks import TimeMode
from shared.contract.topics import LOAN_SERVICES, RATE_LIMITER, TOPICS

PATIENCE_MS: Final = 5_000
FRESHNESS_MS: Final = 4_000
"""Below the five seconds by which a tick may differ from the broker's append time, so that its way there fits in."""
HISTORY_TICKS_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class PlannedSilence:
    """A rehearsed outage: in a simulation, nobody waits for `service` at ticks in `from_at <= at < until_at`."""

    service: str
    from_at: int
    until_at: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """Simulated time: the first and last instant, the step between ticks, and outages that are part of the story."""

    start_at: int
    end_at: int
    step_ms: int
    silences: tuple[PlannedSilence, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom the clock conducts. Participants (simulators of lenders and gateways) count in a simulation only.

    `loan_groups` gate stage 2: add a service here only when it has caught up.
    """

    loan_partitions: int
    borrower_partitions: int
    loan_groups: tuple[str, ...] = LOAN_SERVICES
    borrower_groups: tuple[str, ...] = (RATE_LIMITER,)
    loan_participants: tuple[str, ...] = ()
    borrower_participants: tuple[str, ...] = ()
    simulation: Simulation | None = None
    patience_ms: int = PATIENCE_MS
    freshness_ms: int = FRESHNESS_MS

    @property
    def mode(self) -> TimeMode:
        """What kind of time this plan makes."""
        return TimeMode.WALL if self.simulation is None else TimeMode.SIMULATED


@dataclass(frozen=True, slots=True)
class LoanTick:
    """A stage-1 tick to write now."""

    at: int
    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BorrowerTick:
    """A stage-2 tick to write now. Barriers of `frozen` topics stay where they were in the tick before."""

    at: int
    partitions: tuple[int, ...]
    silent: tuple[str, ...] = ()
    frozen: frozenset[str] = field(default_factory=frozenset)


class Conductor:
    """What one clock knows, and what follows. Every clock continues from the larger of its own and seen ticks."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._loan_seen = dict.fromkeys(range(plan.loan_partitions), 0)
        self._borrower_seen = dict.fromkeys(range(plan.borrower_partitions), 0)
        self._progress: dict[str, dict[int, int]] = {}
        self._ticks: list[int] = []
        self._ticks_elapsed_ms: list[int] = []

    # --- what was seen

    @property
    def newest_at(self) -> int:
        """The newest stage-1 tick known, 0 for none."""
        return max(self._loan_seen.values())

    @property
    def newest_borrower_at(self) -> int:
        """The newest stage-2 tick known, 0 for none."""
        return max(self._borrower_seen.values())

    def saw_loan_tick(self, partition: int, at: int, elapsed_ms: int) -> None:
        """Take note of a stage-1 tick in the log, our own or another clock's, seen at `elapsed_ms` (monotonic)."""
        if at > self.newest_at:
            self._ticks.append(at)
            self._ticks_elapsed_ms.append(elapsed_ms)
            if len(self._ticks) > 2 * HISTORY_TICKS_MAX:
                del self._ticks[:HISTORY_TICKS_MAX], self._ticks_elapsed_ms[:HISTORY_TICKS_MAX]
        self._loan_seen[partition] = max(self._loan_seen[partition], at)

    def saw_borrower_tick(self, partition: int, at: int) -> None:
        """Take note of a stage-2 tick in the log."""
        self._borrower_seen[partition] = max(self._borrower_seen[partition], at)

    def saw_progress(self, group: str, progress: Mapping[int, int]) -> None:
        """Take note of what a group reports: the last tick applied, by partition; those without report are left out."""
        self._progress[group] = dict(progress)

    def applied(self, group: str, partition: int) -> int | None:
        """Return the last tick that a group has applied on a partition, None when it has never reported."""
        return self._progress.get(group, {}).get(partition)

    def awaited(self) -> tuple[str, ...]:
        """Return the groups whose answer to the newest tick of their clock is missing: only they have news to tell."""
        plan = self.plan
        planned = self._planned_silent(self.newest_at)
        participants = plan.simulation is not None
        loans = (*plan.loan_groups, *(plan.loan_participants if participants else ()))
        borrowers = (*plan.borrower_groups, *(plan.borrower_participants if participants else ()))
        behind = [
            g for g in loans if g not in planned and not self._reached((g,), plan.loan_partitions, self.newest_at)
        ]
        newest = self.newest_borrower_at
        behind += [g for g in borrowers if not self._reached((g,), plan.borrower_partitions, newest)]
        return tuple(behind)

    # --- stage 1

    def next_loan_tick(self, now_ms: int) -> LoanTick | None:
        """Return the stage-1 tick to write now: in true time always one, in a simulation when all have answered."""
        everywhere = tuple(range(self.plan.loan_partitions))
        simulation = self.plan.simulation
        if simulation is None:
            return LoanTick(max(now_ms, self.newest_at + 1), everywhere)
        newest = self.newest_at
        unfinished = tuple(p for p in everywhere if self._loan_seen[p] < newest)
        if unfinished:
            return LoanTick(newest, unfinished)
        following = newest + simulation.step_ms if newest else simulation.start_at
        if following > simulation.end_at or not self._all_answered(newest):
            return None
        return LoanTick(following, everywhere)

    def finished(self) -> bool:
        """Whether the simulation has come to its end and everybody has answered the last tick."""
        simulation = self.plan.simulation
        if simulation is None or not self.newest_at:
            return False
        return self.newest_at + simulation.step_ms > simulation.end_at and self._all_answered(self.newest_at)

    def _all_answered(self, at: int) -> bool:
        plan = self.plan
        silent = self._planned_silent(at)
        loans = [g for g in (*plan.loan_groups, *plan.loan_participants) if g not in silent]
        return self._reached(loans, plan.loan_partitions, at) and self._reached(
            (*plan.borrower_groups, *plan.borrower_participants), plan.borrower_partitions, at
        )

    def _reached(self, groups: Iterable[str], partitions: int, at: int) -> bool:
        """Whether all have reported `at` or later; before the first tick, whether all have reported at all."""
        applied = (self.applied(group, p) for group in groups for p in range(partitions))
        return all(done is not None and done >= at for done in applied)

    def _planned_silent(self, at: int) -> frozenset[str]:
        simulation = self.plan.simulation
        planned = () if simulation is None else simulation.silences
        return frozenset(s.service for s in planned if s.from_at <= at < s.until_at)

    # --- stage 2

    def next_borrower_tick(self, elapsed_ms: int, now_ms: int = 0) -> BorrowerTick | None:
        """Return the stage-2 tick to write at `now_ms` (0: not known), if there is one."""
        tick = self._true_tick(elapsed_ms) if self.plan.simulation is None else self._simulated_tick()
        if tick is None or not tick.partitions or not self.is_current(tick.at, now_ms):
            return None
        return tick

    def is_current(self, at: int, now_ms: int) -> bool:
        """Whether a tick may be written at `now_ms` (0: not known): in true time it tells the time, late or early.

        Late, where somebody decided on it and then slept: that no tick is newer says little, after an outage of the
        clock the newest one is as old as the outage. Early, where somebody's own time is back: to a clock that was
        started two days back, the last tick of another, long gone, would be of the future for ever.
        """
        return self.plan.simulation is not None or not now_ms or abs(now_ms - at) <= self.plan.freshness_ms

    def silent_pairs(self, elapsed_ms: int) -> tuple[str, ...]:
        """Return the `service/partition` pairs that have left a tick unanswered for longer than `patience`."""
        return tuple(
            f"{group}/{p}"
            for group in self.plan.loan_groups
            for p in range(self.plan.loan_partitions)
            if self._is_silent(group, p, elapsed_ms)
        )

    def _true_tick(self, elapsed_ms: int) -> BorrowerTick | None:
        silent = self.silent_pairs(elapsed_ms)
        behind = frozenset(silent)
        applied = [
            self.applied(group, p) or 0
            for group in self.plan.loan_groups
            for p in range(self.plan.loan_partitions)
            if f"{group}/{p}" not in behind
        ]
        at = min(applied, default=0)
        if not at or self.newest_at - at > self.plan.freshness_ms:
            return None
        return BorrowerTick(at, self._ready_for(at), silent)

    def _simulated_tick(self) -> BorrowerTick | None:
        at = self.newest_at
        plan = self.plan
        silent = self._planned_silent(at)
        waited_for = [g for g in (*plan.loan_groups, *plan.loan_participants) if g not in silent]
        if not at or not self._reached(waited_for, plan.loan_partitions, at):
            return None
        pairs = tuple(f"{g}/{p}" for g in plan.loan_groups if g in silent for p in range(plan.loan_partitions))
        frozen = frozenset(topic.name for topic in TOPICS.values() if silent.intersection(topic.writers))
        return BorrowerTick(at, self._ready_for(at), pairs, frozen)

    def _ready_for(self, at: int) -> tuple[int, ...]:
        """The partitions that lack this tick, and whose last one the gate has applied."""
        return tuple(
            p
            for p, seen in self._borrower_seen.items()
            if seen < at and all((self.applied(group, p) or 0) >= seen for group in self.plan.borrower_groups)
        )

    def _is_silent(self, group: str, partition: int, elapsed_ms: int) -> bool:
        unanswered = bisect_right(self._ticks, self.applied(group, partition) or 0)
        if unanswered == len(self._ticks):
            return False
        return elapsed_ms - self._ticks_elapsed_ms[unanswered] > self.plan.patience_ms
