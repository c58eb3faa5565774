"""A whole deployment in one thread, under one seed: the real engine, conductor, codec and services on topics in memory.

One round of a tick: the loan services apply it, the gate applies it, then the lenders and gateways answer it. The same
order holds on a real broker in simulated time, so that both give the same decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Any, Final

from shared.contract.base import Event
from shared.contract.codec import Envelope, encode
from shared.contract.outcomes import OUTCOMES
from shared.contract.outreach import OUTREACH
from shared.contract.ticks import (
    BORROWER_CLOCK,
    CONTROL,
    LOAN_CLOCK,
    DeploymentStamped,
    Tick,
    TimeMode,
)
from shared.contract.topics import RATE_LIMITER, TOPICS, Keyed
from shared.engine.conductor import BorrowerTick, Conductor, LoanTick, Plan, Simulation
from shared.engine.epoch import Deployment
from shared.engine.processor import Processor
from shared.engine.topology import Topology
from shared.kernel.ids import derive_id
from shared.kernel.zones import DAY_MS, HOUR_MS
from shared.simulation.faults import Fault, Faults
from shared.simulation.gateway import Gateway
from shared.simulation.lender import Lender
from shared.simulation.log import MemoryLog, Publication
from shared.simulation.portfolio import START_MS
from shared.simulation.service import Instance

LENDERS: Final = "lenders"
GATEWAYS: Final = "gateways"
CLOCK_SOURCE: Final = "/duecourse/clock"


@dataclass(frozen=True, slots=True)
class Setting:
    """When and how large a world is."""

    days: int
    start_ms: int = START_MS
    step_ms: int = HOUR_MS
    loan_partitions: int = 4
    borrower_partitions: int = 3

    @property
    def end_ms(self) -> int:
        """The last tick."""
        return self.start_ms + self.days * DAY_MS

    def topology(self) -> Topology:
        """Return how many partitions each topic has."""
        counts = {Keyed.LOAN: self.loan_partitions, Keyed.BORROWER: self.borrower_partitions, Keyed.NONE: 1}
        return Topology({topic.name: counts[topic.keyed] for topic in TOPICS.values()})


class World:
    """A deployment and everybody around it."""

    def __init__(
        self,
        setting: Setting,
        processors: Sequence[Processor[Any]],
        deployment: Deployment,
        lender: Lender,
        gateway: Gateway,
        faults: Faults | None = None,
        *,
        markers: bool = True,
    ) -> None:
        self.setting = setting
        self.faults = faults or Faults(0)
        self.log = MemoryLog(setting.loan_partitions, setting.borrower_partitions, markers=markers)
        self._policy = next(iter(deployment.policies))
        self._lender, self._gateway = lender, gateway
        self._conductor = Conductor(self._plan())
        deployment = replace(deployment, limits=self.faults.limits)
        self._stamp()
        self.instances = [
            self.instance(processor, deployment, partition)
            for processor in processors
            for partition in range(self._partitions(processor.clock))
        ]
        self._arriving: list[tuple[int, int, Publication]] = []
        self._said = 0
        self._heard: dict[tuple[str, int], int] = {}
        self._barriers: dict[int, dict[str, int]] = {}

    def instance(self, processor: Processor[Any], deployment: Deployment, partition: int) -> Instance:
        """Return the process's share that works a partition; tests put broken ones in its place."""
        return Instance(processor, deployment, partition, self.log, self.faults)

    def run(self, on_tick: Callable[[int], None] | None = None) -> None:
        """Let time pass from the first tick to the last."""
        self._report()
        while (tick := self._conductor.next_loan_tick(0)) is not None:
            self._write_loan_tick(tick)
            self._work(LOAN_CLOCK, tick.at)
            borrower_tick = self._conductor.next_borrower_tick(0)
            if borrower_tick is None:
                raise RuntimeError(f"time stands still at {tick.at}: a service does not apply its tick")
            self._write_borrower_tick(borrower_tick)
            self._work(BORROWER_CLOCK, tick.at)
            self._answer(tick.at)
            if on_tick is not None:
                on_tick(tick.at)

    # --- the clock

    def _plan(self) -> Plan:
        setting = self.setting
        times = Simulation(setting.start_ms, setting.end_ms, setting.step_ms, self.faults.silences)
        return Plan(
            loan_partitions=setting.loan_partitions,
            borrower_partitions=setting.borrower_partitions,
            borrower_participants=(LENDERS, GATEWAYS),
            simulation=times,
        )

    def _stamp(self) -> None:
        stamp = DeploymentStamped(
            mode=TimeMode.SIMULATED,
            loan_partitions=self.setting.loan_partitions,
            borrower_partitions=self.setting.borrower_partitions,
        )
        self._say(CONTROL, 0, stamp, "stamp", self.setting.start_ms)

    def _partitions(self, clock: str) -> int:
        return self.setting.loan_partitions if clock == LOAN_CLOCK else self.setting.borrower_partitions

    def _write_loan_tick(self, tick: LoanTick) -> None:
        topics = tuple(dict.fromkeys(topic for one in self.instances for topic in self._reads(one, LOAN_CLOCK)))
        for partition in tick.partitions:
            self._tick(LOAN_CLOCK, partition, tick.at, self.log.ends(topics, partition), ())
            self._conductor.saw_loan_tick(partition, tick.at, 0)

    def _write_borrower_tick(self, tick: BorrowerTick) -> None:
        topics = tuple(dict.fromkeys(topic for one in self.instances for topic in self._reads(one, BORROWER_CLOCK)))
        for partition in tick.partitions:
            before = self._barriers.get(partition, {})
            ends = self.log.ends(topics, partition)
            ends |= {topic: before.get(topic, 0) for topic in topics if topic in tick.frozen}
            self._barriers[partition] = ends
            self._tick(BORROWER_CLOCK, partition, tick.at, ends, tick.silent)
            self._conductor.saw_borrower_tick(partition, tick.at)

    def _reads(self, instance: Instance, clock: str) -> tuple[str, ...]:
        return instance.processor.reads if instance.processor.clock == clock else ()

    def _tick(self, clock: str, partition: int, at: int, barriers: dict[str, int], silent: tuple[str, ...]) -> None:
        tick = Tick(at=at, barriers=barriers, policy=self._policy, silent=silent)
        self._say(clock, partition, tick, f"{partition}", at)
        if self.faults.repeats_tick(at):
            self.faults.note(Fault.SECOND_CLOCK)
            self._say(clock, partition, tick, f"{partition}-again", at)

    def _say(self, topic: str, partition: int, event: Event, about: str, at: int) -> None:
        event_id = derive_id("clock", topic, about, at)
        value = encode(Envelope(event_id, CLOCK_SOURCE, event.TYPE, event, time_ms=at))
        self.log.append(topic, partition, None, value, (), at)

    # --- the services

    def _work(self, clock: str, at: int) -> None:
        for instance in self.instances:
            if instance.processor.clock == clock and not self.faults.is_down(instance.processor.name, at):
                instance.work(at)
            elif instance.processor.clock == clock:
                self.faults.note(Fault.SERVICE_DOWN)
        self._report()

    def _report(self) -> None:
        reported: dict[str, dict[int, int]] = {}
        for instance in self.instances:
            reported.setdefault(instance.processor.name, {})[instance.partition] = instance.at
        for group, progress in reported.items():
            self._conductor.saw_progress(group, progress)
        answered = min(reported.get(RATE_LIMITER, {0: 0}).values())
        for participant in (LENDERS, GATEWAYS):
            everywhere = dict.fromkeys(range(self.setting.borrower_partitions), answered)
            self._conductor.saw_progress(participant, everywhere)

    # --- everybody outside

    def _answer(self, at: int) -> None:
        """Let gateways and lenders answer a tick: what they do in the step that it begins."""
        self._gateway.hear(self._new(OUTREACH))
        self._lender.hear(self._new(OUTCOMES))
        for said in (*self._gateway.answer(at), *self._lender.answer(at)):
            self._said += 1
            for arrives, record in self.faults.delivered(said, self._said, at):
                heappush(self._arriving, (arrives, self._said, record))
        for record in self.faults.bad_bytes(at):
            self._said += 1
            heappush(self._arriving, (at, self._said, record))
        while self._arriving and self._arriving[0][0] <= at:
            self.log.publish(heappop(self._arriving)[2], at)

    def _new(self, topic: str) -> list[Any]:
        found = []
        for partition in range(self.log.partitions[topic]):
            start = self._heard.get((topic, partition), 0)
            found.extend(self.log.read(topic, partition, start))
            self._heard[topic, partition] = self.log.end(topic, partition)
        return found
