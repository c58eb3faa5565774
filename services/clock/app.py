"""The clock as a process: it asks the broker, lets the conductor decide, writes ticks."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Final

import structlog

from services.clock.core import BORROWER_INPUTS, FEEDBACK, LOAN_INPUTS, borrower_ticks, loan_ticks
from services.clock.pacing import Pacing, Stage
from shared.contract.ticks import BORROWER_CLOCK, CONTROL, LOAN_CLOCK, PROBE_AT, Tick
from shared.contract.topics import CLOCK
from shared.engine.conductor import BorrowerTick, Conductor, LoanTick, Plan
from shared.engine.true_time import TrueTime
from shared.runtime.clock_log import ClockTail, TickWriter
from shared.runtime.clock_metrics import ClockMetrics
from shared.runtime.control import ControlReader
from shared.runtime.health import HealthListener
from shared.runtime.kafka_offsets import BrokerError, GroupProgress, LogEnds
from shared.runtime.log_lines import configure, count_lines_with, tell_the_uncaught
from shared.runtime.log_redaction import name_of
from shared.runtime.refusals import ACCESS_DENIED
from shared.runtime.settings import Settings
from shared.runtime.startup_checks import reason_of, stop_where_refused
from shared.runtime.stop import StopReason, stop
from shared.runtime.system_clock import elapsed_ms, now_ms
from shared.runtime.topics import TopicAdmin

COUNT_CHECK_MS: Final = 1_000
RETRY_SECONDS: Final = 0.5
SAY_EVERY_MS: Final = 5_000
STILL_SECONDS: Final = 15.0
ALIVE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSettings:
    """How a clock goes: whom it conducts, its interval in true time, the policy until an operator names one."""

    plan: Plan
    policy: str
    interval_ms: int = 1_000
    poll_seconds: float = 0.02


class ClockApp:
    """One clock. `run` ends only in a simulation, when its last tick was answered."""

    def __init__(self, settings: Settings, clock: ClockSettings) -> None:
        self.settings = settings
        self.clock = clock
        self.conductor = Conductor(clock.plan)
        self._pacing = Pacing(clock.poll_seconds)
        self.metrics = ClockMetrics(settings.build)
        self.registry = self.metrics.board.registry
        self.beat_ms = elapsed_ms()
        self.disagreement: str | None = "not started"
        self._log: Any = structlog.get_logger("clock")
        self._time = TrueTime()
        self._former: dict[int, Mapping[str, int]] = {}
        self._checked_ms = -COUNT_CHECK_MS
        self._said_ms = -SAY_EVERY_MS
        self._asked_at = monotonic()
        self._asking: asyncio.Task[None] | None = None

    def not_ready(self) -> str | None:
        """Return why no ticks are written, None when they are: in true time, lately."""
        if self.disagreement is not None or self.clock.plan.simulation is not None:
            return self.disagreement
        written_at = self.metrics.written_at
        if written_at is None:
            return "no tick was written yet"
        silent = monotonic() - written_at
        return f"the last tick was written {silent:.0f} s ago" if silent > STILL_SECONDS else None

    def not_alive(self) -> str | None:
        """Return why the process should be killed, None when its event loop goes round."""
        silent = (elapsed_ms() - self.beat_ms) / 1000
        return f"the event loop has stood still for {silent:.0f} s" if silent > ALIVE_SECONDS else None

    async def _beat(self) -> None:
        while True:
            self.beat_ms = elapsed_ms()
            self.metrics.ready(self.not_ready())
            await asyncio.sleep(1)

    def _connect(self) -> None:
        access = self.settings.access
        self._written = LogEnds(access, uncommitted=True)
        self._stable = LogEnds(access, uncommitted=False)
        self._groups = GroupProgress(access)
        self._control = ControlReader(self.settings)
        self._tail = ClockTail(self.settings, (LOAN_CLOCK, BORROWER_CLOCK), self._saw, prompt=False)
        self._writer = TickWriter(self.settings)

    async def run(self) -> None:
        """Write ticks until the process ends, or the simulation does."""
        self._connect()
        beat = asyncio.create_task(self._beat(), name="beat")
        async with AsyncExitStack() as stack:
            await self._start(stack)
            tail = asyncio.create_task(self._tail.run(), name="tail")
            try:
                if self.clock.plan.simulation is None:
                    await _all(self._every_interval(), self._stage_2(), tail)
                else:
                    await self._lockstep()
            finally:
                tail.cancel()
                beat.cancel()

    async def _start(self, stack: AsyncExitStack) -> None:
        names = [self.settings.topic(t) for t in (LOAN_CLOCK, BORROWER_CLOCK, CONTROL, *LOAN_INPUTS, *BORROWER_INPUTS)]
        async with TopicAdmin(self.settings) as admin:
            faults = await admin.check(names)
        if faults:
            stop(reason_of(faults), "; ".join(map(str, faults)))
        for opened in (self._written, self._stable, self._groups):
            await stack.enter_async_context(opened)
        for part in (self._control, self._tail, self._writer):
            await part.start()
            stack.push_async_callback(part.stop)
        self._log.info("at work", mode=self.clock.plan.mode.value, newest=self.conductor.newest_at)
        self.disagreement = None

    def _saw(self, topic: str, partition: int, tick: Tick) -> None:
        if topic == LOAN_CLOCK:
            self.conductor.saw_loan_tick(partition, tick.at, elapsed_ms())
            return
        self.conductor.saw_borrower_tick(partition, tick.at)
        self._former[partition] = tick.barriers

    # --- true time

    async def _every_interval(self) -> None:
        await self._probe()
        following = elapsed_ms()
        while True:
            following = max(following + self.clock.interval_ms, elapsed_ms() - self.clock.interval_ms)
            await asyncio.sleep(max(0, following - elapsed_ms()) / 1000)
            now = now_ms()
            self._look_at_time(now)
            if self.disagreement is None:
                await self._repeat(partial(self._write_loan_tick, now))

    async def _probe(self) -> None:
        """Learn the broker's time before the first tick, by a tick that never advances and so is ignored by all."""
        probe = Tick(at=PROBE_AT, barriers={}, policy=self._policy)
        asked = elapsed_ms()
        appended = await self._writer.write(LOAN_CLOCK, [(0, probe)])
        self._time.saw_append(appended, asked, elapsed_ms())

    def _look_at_time(self, now: int) -> None:
        """Judge one reading of the time of day; a tick tells this one and no other."""
        self.disagreement = self._time.disagreement(now, elapsed_ms())
        self.metrics.disagrees(disagrees=self.disagreement is not None)
        if self.disagreement is not None and elapsed_ms() - self._said_ms >= SAY_EVERY_MS:
            self._said_ms = elapsed_ms()
            self._log.error("clock_disagrees", why=self.disagreement)

    async def _write_loan_tick(self, now: int) -> None:
        due = self.conductor.next_loan_tick(now)
        if due is not None:
            await self._write_loan(due)

    async def _stage_2(self) -> None:
        while True:
            await self._repeat(self._look_at_stage_2)
            await asyncio.sleep(self.clock.poll_seconds)

    async def _look_at_stage_2(self) -> None:
        await self._ask_groups()
        silent = self.conductor.silent_pairs(elapsed_ms())
        self.metrics.look(self.conductor, silent, self._control.control.switches)
        due = self.conductor.next_borrower_tick(elapsed_ms(), now_ms())
        if due is not None and self.disagreement is None:
            await self._write_borrower(due)

    # --- simulated time

    async def _lockstep(self) -> None:
        while not self.conductor.finished():
            await self._repeat(self._step)
        self._log.info("simulation finished", at=self.conductor.newest_at)

    async def _step(self) -> None:
        await self._ask_groups()
        loan = self.conductor.next_loan_tick(0)
        borrower = self.conductor.next_borrower_tick(0)
        if loan is not None:
            self._pacing.answered(elapsed_ms())
            await self._write_loan(loan)
            self._pacing.asked(Stage.LOAN, elapsed_ms())
        elif borrower is not None:
            self._pacing.answered(elapsed_ms())
            await self._write_borrower(borrower)
            self._pacing.asked(Stage.BORROWER, elapsed_ms())
        else:
            await asyncio.sleep(self._pacing.pause_seconds(elapsed_ms()))

    # --- both

    async def _repeat(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do something that needs the broker; when it does not answer, say so and let the caller try again."""
        try:
            await action()
        except ACCESS_DENIED as error:
            stop(StopReason.ACCESS_DENIED, name_of(error))
        except BrokerError as error:
            self._log.warning("the broker does not answer", error=type(error).__name__)
            self.metrics.unanswered()
            self._find_out(error)
            await asyncio.sleep(RETRY_SECONDS)

    def _find_out(self, error: Exception) -> None:
        """Ask beside the work why nothing can be written for so long; the answer may be a stop."""
        since = max(self.metrics.written_at or 0.0, self._asked_at)
        if monotonic() - since > self.settings.refused_seconds and (self._asking is None or self._asking.done()):
            self._asked_at = monotonic()
            self._asking = asyncio.create_task(stop_where_refused(self.settings, error), name="knock")

    async def _ask_groups(self) -> None:
        """Ask the groups that owe an answer, and only them: questions cost the broker more than answers cost us."""
        plan = self.clock.plan
        borrowers = (*plan.borrower_groups, *plan.borrower_participants)
        asked = [
            (g, BORROWER_CLOCK, plan.borrower_partitions) if g in borrowers else (g, LOAN_CLOCK, plan.loan_partitions)
            for g in self.conductor.awaited()
        ]
        answers = await asyncio.gather(
            *(self._groups.of(self.settings.group(g), self.settings.topic(clock), n) for g, clock, n in asked)
        )
        for (group, _, _), progress in zip(asked, answers, strict=True):
            if progress is not None:
                self.conductor.saw_progress(group, progress)

    def _has_answered(self, group: str, clock: str, partitions: int) -> bool:
        """Whether a group in lockstep has nothing new to report: it has applied the newest tick of its stage."""
        newest = self.conductor.newest_at if clock == LOAN_CLOCK else self.conductor.newest_borrower_at
        return all((self.conductor.applied(group, p) or -1) >= max(newest, 1) for p in range(partitions))

    @property
    def _policy(self) -> str:
        return self._control.control.policy or self.clock.policy

    async def _write_loan(self, due: LoanTick) -> None:
        await self._check_counts()
        control = await self._control.poll()
        barriers = await self._barriers(LOAN_INPUTS, due.partitions)
        ticks = loan_ticks(due, barriers, self._policy, control.switches)
        await self._write(LOAN_CLOCK, ticks, "loan")

    async def _write_borrower(self, due: BorrowerTick) -> None:
        barriers = await self._barriers(BORROWER_INPUTS, due.partitions)
        control = self._control.control
        ticks = borrower_ticks(due, barriers, self._former, self._policy, control.switches)
        await self._write(BORROWER_CLOCK, ticks, "borrower")

    async def _write(self, topic: str, ticks: list[tuple[int, Tick]], stage: str) -> None:
        """Write ticks, unless this process has slept since it decided on them: their time has passed."""
        ticks = [(partition, tick) for partition, tick in ticks if self.conductor.is_current(tick.at, now_ms())]
        if not ticks:
            return
        asked = elapsed_ms()
        appended = await self._writer.write(topic, ticks)
        self._time.saw_append(appended, asked, elapsed_ms())
        for partition, tick in ticks:
            self._saw(topic, partition, tick)
        self.metrics.wrote(stage, max(tick.at for _, tick in ticks), len(ticks))

    async def _barriers(self, topics: tuple[str, ...], partitions: tuple[int, ...]) -> dict[int, dict[str, int]]:
        """Return the high watermarks, and for what comes back from stage 2 in true time the last stable offsets."""
        feedback = FEEDBACK if self.clock.plan.simulation is None else frozenset()
        written = [(self.settings.topic(t), p) for t in topics if t not in feedback for p in partitions]
        stable = [(self.settings.topic(t), p) for t in topics if t in feedback for p in partitions]
        ends = {**await self._written.ends(written), **await self._stable.ends(stable)}
        return {p: {t: ends[self.settings.topic(t), p] for t in topics} for p in partitions}

    async def _check_counts(self) -> None:
        """Stop time when somebody has changed the number of partitions of any input."""
        if elapsed_ms() - self._checked_ms < COUNT_CHECK_MS:
            return
        self._checked_ms = elapsed_ms()
        wanted = self.settings.topology.partitions
        names = {self.settings.topic(t): t for t in (*LOAN_INPUTS, *BORROWER_INPUTS, LOAN_CLOCK, BORROWER_CLOCK)}
        counts = await self._written.partition_counts(names)
        wrong = {name: n for name, n in counts.items() if n not in {0, wanted[names[name]]}}
        if wrong:
            stop(StopReason.PARTITIONS_CHANGED, f"partition counts are now {wrong}")


async def _all(*coroutines: Coroutine[Any, Any, None] | asyncio.Task[None]) -> None:
    """Run until one ends: none may, and an error in one ends them all."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


def create_clock(settings: Settings, clock: ClockSettings) -> ClockApp:
    """Return the clock; nothing happens before `run_clock`."""
    configure(json=settings.log_json, level=settings.log_level, service=CLOCK)
    app = ClockApp(settings, clock)
    count_lines_with(app.metrics.board.count_line, app.metrics.board.count_cut_line)
    return app


def run_clock(app: ClockApp) -> None:
    """Run the clock until it is told to end, or its simulation is over."""
    tell_the_uncaught()
    health = None
    if app.settings.health_address:
        health = HealthListener(app.settings.health_address, app.registry, live=app.not_alive, ready=app.not_ready)
        health.start()
        structlog.get_logger("health").info("listening", port=health.port)
    try:
        asyncio.run(_until_told(app))
    finally:
        if health is not None:
            health.stop()


async def _until_told(app: ClockApp) -> None:
    """Run until SIGTERM or SIGINT, which end a clock at once: what it has written is written."""
    running = asyncio.ensure_future(app.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        structlog.get_logger("clock").info("told to end")
    except BrokerError as error:
        await stop_where_refused(app.settings, error)
        raise
