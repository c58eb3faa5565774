"""One seed's world, from its first tick to its last: put together, disturbed, healed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.contract.codec import Envelope, encode
from shared.contract.loans import DUE_DATES
from shared.contract.outreach import OUTREACH
from shared.contract.people import BORROWERS
from shared.contract.recorded import Recorded
from shared.contract.ticks import BORROWER_CLOCK, CONTROL, LOAN_CLOCK, DeploymentStamped, Switch, TimeMode
from shared.contract.topics import SERVICES, TOPICS
from shared.domain.policy import Policy
from shared.engine.conductor import PATIENCE_MS, Plan
from shared.engine.epoch import Deployment
from shared.engine.processor import Processor
from shared.engine.progress import decode_progress
from shared.engine.store import PROGRESS_KEY
from shared.engine.topology import Topology
from shared.kernel.ids import derive_id
from shared.kernel.zones import DAY_MS, HOUR_MS
from shared.simulation.dice import dice
from shared.simulation.gateway import Gateway
from shared.simulation.swarm.absences import Absentees
from shared.simulation.swarm.broker import TransactionalLog
from shared.simulation.swarm.clockwork import SOURCE, ClockMachine, TickRules
from shared.simulation.swarm.crossings import Beat, ClockFault, Crossings, Reader, RecordFault
from shared.simulation.swarm.delivery import Delivery
from shared.simulation.swarm.draw import Draw
from shared.simulation.swarm.fleet import Fleet, Hire
from shared.simulation.swarm.process import Process
from shared.simulation.swarm.reactions import Reactions
from shared.simulation.swarm.workload import Workload

HEALING_ROUNDS_MAX: Final = 8
TRIES: Final = 3
"""So often a round lets seconds pass until the gate has its tick: who is silent is known after the patience."""
_WORST: Final = (Reader.UNBORN, Reader.BEHIND, Reader.LIVE)


@dataclass(frozen=True, slots=True)
class System:
    """The build under test; tests put broken parts in."""

    processors: tuple[Processor[Any], ...]
    policy: Policy
    rules: TickRules
    hire: Hire = Process
    log: type[TransactionalLog] = TransactionalLog
    clock: type[ClockMachine] = ClockMachine


class Trial:
    """A deployment and everybody around it. `disturbed` says whether processes die; all else happens anyway."""

    def __init__(self, draw: Draw, system: System, *, disturbed: bool = True) -> None:
        self.draw = draw
        self.system = system
        self.crossings = Crossings.none()
        self.log = system.log(draw.loan_partitions, draw.borrower_partitions)
        self.log.now_ms = draw.start_ms
        deployment = replace(deployment_of(self.log, system.policy), limits=draw.limits)
        self.fleet = Fleet(
            draw, system.processors, deployment, self.log, self.crossings, system.hire, disturbed=disturbed
        )
        self.absentees = Absentees(draw, self.fleet, self.log, self.crossings)
        workload = Workload(draw)
        for trait in workload.shown:
            self.crossings.note(trait, draw.season)
        self._gateway = Gateway(draw.seed, workload.portfolio, step_ms=1)
        self._reactions = Reactions(draw.seed, workload.portfolio)
        self._heard: dict[int, int] = {}
        self._delivery = Delivery(draw, self.log, self._arrived)
        self._delivery.post_all(workload.said)
        self._plan = Plan(draw.loan_partitions, draw.borrower_partitions)
        self._roll = dice(draw.seed, "clocks")
        self._beats = dict.fromkeys(Beat, 0)
        self._clock_strikes = dict(draw.clock_strikes)
        self._paused: list[tuple[int, Iterator[Beat]]] = []
        self._clock_back_in = 0
        self._skewed_until = 0
        self._switches: tuple[Switch, ...] = ()
        self._stamp()
        self._clock: ClockMachine | None = self._new_clock()

    def run(self) -> None:
        """Let time pass to the last round, then heal everything, and let time pass until all have caught up."""
        for number, at in enumerate(self.draw.rounds):
            self._round(number, at)
        self._clock_strikes.clear()
        self.fleet.end_faults()
        self._heal()
        self.absentees.are_back(self.lagging())

    def _heal(self) -> None:
        """Let hours pass until every changelog names the newest tick; what nobody can read makes everybody say so."""
        for number in range(HEALING_ROUNDS_MAX):
            for topic in (DUE_DATES, BORROWERS):
                for partition in range(self.log.partitions[topic]):
                    self.log.append(topic, partition, None, b"the end", (), self.log.now_ms)
            self._round(len(self.draw.rounds) + HEALING_ROUNDS_MAX + number, self.log.now_ms + HOUR_MS)
            if number and not self.lagging():
                return

    def lagging(self) -> list[str]:
        """Return the pairs whose changelog does not name the newest tick of their clock, or all where time stands."""
        found = []
        for seat in self.fleet.seats:
            clock = seat.post.processor.clock
            kept = None if seat.process is None else seat.process.store.get(PROGRESS_KEY)
            newest = self.log.ticked.get((clock, seat.post.partition), 0)
            stands_still = newest < self.log.now_ms - HOUR_MS
            if kept is None or stands_still or decode_progress(kept).at < newest:
                found.append(seat.post.producer)
        return found

    def _newest(self, clock: str) -> int:
        """Return the newest tick that lies on every partition of a clock topic."""
        return min(self.log.ticked.get((clock, partition), 0) for partition in range(self.log.partitions[clock]))

    # --- a round

    def _round(self, number: int, at: int) -> None:
        self.log.now_ms = max(at, self.log.now_ms + 1)
        if self.draw.lively:
            self._act(self.log.now_ms - 1)
        self._delivery.arrive(self.log.now_ms, self.log.now_ms)
        self.fleet.begin_round(number)
        self._switches = self.draw.switches(number)
        self._tend_clocks(number)
        for _ in range(TRIES):
            self._tick()
            if self._newest(BORROWER_CLOCK) == self._newest(LOAN_CLOCK):
                break
            self.log.now_ms += PATIENCE_MS + 1_000
        self.absentees.note_round(number)
        self._answer()

    def _tick(self) -> None:
        if self._clock is not None:
            self._conduct(self._clock.write_loans())
        self.fleet.work(LOAN_CLOCK)
        looking = self._clock
        if looking is not None:
            self._conduct(looking.look())
            self.absentees.note_silent(looking.silent)
        self.fleet.work(BORROWER_CLOCK)

    def _answer(self) -> None:
        """Let the gateways act, and report it."""
        now = self.log.now_ms
        for partition in range(self.draw.borrower_partitions):
            heard = list(self.log.read(OUTREACH, partition, self._heard.get(partition, 0)))
            self._gateway.hear(heard)
            self._heard[partition] = self.log.stable(OUTREACH, partition)
            for at, publication in self._reactions.to(heard, now) if self.draw.lively else ():
                self._delivery.post(at, publication)
        self._act(now)
        self._delivery.arrive(now, now)

    def _act(self, at: int) -> None:
        """Let gateways do what they had to do by an instant, knowing what they were told so far."""
        for publication in self._gateway.answer(at):
            self._delivery.post(self.log.now_ms, publication)

    def _arrived(self, record: Recorded, fault: RecordFault | None) -> None:
        self.absentees.note_fact(record)
        if fault is None:
            return
        readers = [service for service in TOPICS[record.topic].readers if service in SERVICES]
        states = {self.fleet.state_of(service, record.partition) for service in readers}
        self.crossings.note(fault, next(state for state in _WORST if state in states))
        self.fleet.faulty.setdefault((record.topic, record.partition), []).append((record.offset, fault))

    # --- the clocks

    def _stamp(self) -> None:
        stamp = DeploymentStamped(
            mode=TimeMode.WALL,
            loan_partitions=self.draw.loan_partitions,
            borrower_partitions=self.draw.borrower_partitions,
        )
        at = self.draw.start_ms
        value = encode(Envelope(derive_id("stamp", at), SOURCE, stamp.TYPE, stamp, time_ms=at))
        self.log.append(CONTROL, 0, None, value, (), at)

    def _new_clock(self) -> ClockMachine:
        system = self.system
        clock = system.clock(self._plan, system.rules, system.policy.hash, self.log, self.fleet.reports)
        clock.switches = self._switches
        return clock

    def _tend_clocks(self, number: int) -> None:
        """Set clocks right whose time it is, start one where none goes, and let paused ones wake up."""
        if self._clock is None and self._clock_back_in <= number:
            self._clock = self._new_clock()
        if self._clock is not None:
            self._clock.switches = self._switches
            self._clock.skew_ms = 0 if self._skewed_until <= number else self._clock.skew_ms
        awake = [beats for wakes, beats in self._paused if wakes <= number]
        self._paused = [(wakes, beats) for wakes, beats in self._paused if wakes > number]
        for beats in awake:
            for _ in beats:
                self.log.now_ms += 1

    def _conduct(self, beats: Iterator[Beat]) -> None:
        """Let a clock go on beat by beat, and meet what the seed has in store for it."""
        for beat in beats:
            self._beats[beat] += 1
            fault = self._clock_strikes.pop((beat, self._beats[beat]), None)
            if fault is not None:
                self.crossings.note(fault, beat)
                if self._strike(fault, beats):
                    return

    def _strike(self, fault: ClockFault, beats: Iterator[Beat]) -> bool:
        """Do what was drawn; True when this clock goes no further."""
        number = self.fleet.number
        match fault:
            case ClockFault.RESTARTED:
                self._clock = self._new_clock()
            case ClockFault.STOPPED:
                self._clock = None
                self._clock_back_in = number + self._roll.randint(1, 4)
            case ClockFault.FAILED_OVER:
                self._paused.append((number + self._roll.randint(1, 3), beats))
                self._clock = self._new_clock()
            case ClockFault.TWO_CLOCKS:
                self.log.now_ms += 3
                self._second_opinion()
                return False
            case ClockFault.JUMPED:
                assert self._clock is not None
                self._clock.skew_ms = self._roll.choice((-2 * DAY_MS, -HOUR_MS, 6_000, HOUR_MS, 2 * DAY_MS))
                self._skewed_until = number + self._roll.randint(1, 3)
                return False
        return True

    def _second_opinion(self) -> None:
        """Let another clock, started beside this one, do a whole round of its own."""
        other = self._new_clock()
        for beats in (other.write_loans(), other.look()):
            for _ in beats:
                self.log.now_ms += 1
            self.fleet.work(LOAN_CLOCK)
        self.fleet.work(BORROWER_CLOCK)


def deployment_of(log: TransactionalLog, policy: Policy) -> Deployment:
    """Return the deployment that a log belongs to."""
    return Deployment(Topology(dict(log.partitions)), {policy.hash: policy})
