"""A clock on a machine of its own: the real conductor and the real doubt about the time, stopping at each beat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shared.contract.codec import Envelope, Rejected, encode
from shared.contract.outreach import LOAN_CONTACTS
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK, PROBE_AT, Switch, Tick
from shared.engine.conductor import BorrowerTick, Conductor, LoanTick, Plan
from shared.engine.true_time import TrueTime
from shared.kernel.ids import derive_id
from shared.simulation.swarm.broker import TransactionalLog
from shared.simulation.swarm.crossings import Beat

SOURCE: Final = "/duecourse/clock"
FEEDBACK: Final = frozenset({LOAN_CONTACTS})

Barriers = Mapping[int, Mapping[str, int]]
Reports = Callable[[], Iterator[tuple[str, dict[int, int]]]]


@dataclass(frozen=True, slots=True)
class TickRules:
    """What a tick says, as the clock service decides it."""

    loan: Callable[[LoanTick, Barriers, str, tuple[Switch, ...]], list[tuple[int, Tick]]]
    borrower: Callable[[BorrowerTick, Barriers, Barriers, str, tuple[Switch, ...]], list[tuple[int, Tick]]]
    loan_inputs: tuple[str, ...]
    borrower_inputs: tuple[str, ...]


class ClockMachine:
    """One clock process, in true time.

    `skew_ms` is how far its machine's wall clock is off, `switches` what operators have said.
    """

    def __init__(self, plan: Plan, rules: TickRules, policy: str, log: TransactionalLog, reports: Reports) -> None:
        self.skew_ms = 0
        self.switches: tuple[Switch, ...] = ()
        self._log = log
        self._rules = rules
        self._policy = policy
        self._reports = reports
        self._conductor = Conductor(plan)
        self._time = TrueTime()
        self._tailed: dict[tuple[str, int], int] = {}
        self._former: dict[int, Mapping[str, int]] = {}
        self._believes = True
        self.silent: tuple[str, ...] = ()
        """Who was named in the last stage-2 tick."""
        self._began_ms = log.now_ms
        self._tail()
        self._append(LOAN_CLOCK, 0, Tick(at=PROBE_AT, barriers={}, policy=policy))

    @property
    def _wall_ms(self) -> int:
        return self._log.now_ms + self.skew_ms

    @property
    def _elapsed_ms(self) -> int:
        """The monotonic clock: nobody can set it."""
        return self._log.now_ms - self._began_ms

    def write_loans(self) -> Iterator[Beat]:
        """Write a stage-1 tick, unless the time cannot be believed."""
        yield Beat.BEFORE_LOANS
        self._tail()
        self._believes = self._time.disagreement(self._wall_ms, self._elapsed_ms) is None
        due = self._conductor.next_loan_tick(self._wall_ms) if self._believes else None
        if due is None:
            return
        barriers = {p: self._barriers(self._rules.loan_inputs, p) for p in due.partitions}
        for number, (partition, tick) in enumerate(self._rules.loan(due, barriers, self._policy, self.switches)):
            if number:
                yield Beat.AMID_LOANS
            self._write(LOAN_CLOCK, partition, tick)
        yield Beat.AFTER_LOANS

    def look(self) -> Iterator[Beat]:
        """Write a stage-2 tick, if it is time for one."""
        self._tail()
        for group, progress in self._reports():
            self._conductor.saw_progress(group, progress)
        due = self._conductor.next_borrower_tick(self._elapsed_ms, self._wall_ms)
        if due is None or not self._believes:
            return
        yield Beat.BEFORE_BORROWERS
        self.silent = due.silent
        barriers = {p: self._barriers(self._rules.borrower_inputs, p) for p in due.partitions}
        ticks = self._rules.borrower(due, barriers, self._former, self._policy, self.switches)
        for number, (partition, tick) in enumerate(ticks):
            if number:
                yield Beat.AMID_BORROWERS
            self._write(BORROWER_CLOCK, partition, tick)
        yield Beat.AFTER_BORROWERS

    def _barriers(self, topics: tuple[str, ...], partition: int) -> dict[str, int]:
        log = self._log
        return {t: log.stable(t, partition) if t in FEEDBACK else log.end(t, partition) for t in topics}

    def _write(self, topic: str, partition: int, tick: Tick) -> None:
        """Write a tick, unless this process has slept since it decided on it."""
        if self._conductor.is_current(tick.at, self._wall_ms):
            self._append(topic, partition, tick)
            self._log.ticked[topic, partition] = max(tick.at, self._log.ticked.get((topic, partition), 0))
            self._saw(topic, partition, tick)

    def _append(self, topic: str, partition: int, tick: Tick) -> None:
        log = self._log
        event_id = derive_id("clock", topic, str(partition), tick.at)
        value = encode(Envelope(event_id, SOURCE, tick.TYPE, tick, time_ms=tick.at))
        log.append(topic, partition, None, value, (), log.now_ms)
        self._time.saw_append(log.now_ms, self._elapsed_ms, self._elapsed_ms)

    def _tail(self) -> None:
        """Read what every clock wrote: this one goes on from the newest tick of all."""
        for topic in (LOAN_CLOCK, BORROWER_CLOCK):
            for partition in range(self._log.partitions[topic]):
                place = (topic, partition)
                for record in self._log.read(topic, partition, self._tailed.get(place, 0)):
                    decoded = record.decode()
                    tick = None if isinstance(decoded, Rejected) else decoded.data
                    if isinstance(tick, Tick) and tick.at > PROBE_AT:
                        self._saw(topic, partition, tick)
                self._tailed[place] = self._log.end(topic, partition)

    def _saw(self, topic: str, partition: int, tick: Tick) -> None:
        if topic == LOAN_CLOCK:
            self._conductor.saw_loan_tick(partition, tick.at, self._elapsed_ms)
            return
        self._conductor.saw_borrower_tick(partition, tick.at)
        self._former[partition] = tick.barriers
