"""The system under test: the five services as an operator runs them, everybody outside, and a supervisor.

What strikes get hold of: `members` by name, `pick`, `add` and `remove` instances, `until` something is so, `progress`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from signal import SIGTERM
from time import monotonic
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK, TimeMode
from shared.contract.topics import CLOCK, RATE_LIMITER, SERVICES
from shared.kernel.zones import DAY_MS, HOUR_MS, format_instant
from shared.runtime.kafka_offsets import BrokerError, GroupProgress
from shared.runtime.settings import VARIABLE_PREFIX, Settings
from shared.runtime.stop import StopReason
from shared.runtime.system_clock import now_ms
from shared.runtime.topics import TopicAdmin, specs
from shared.simulation.portfolio import START_MS
from shared.simulation.scenario import build_scenario
from shared.simulation.world import Setting
from tests.chaos.ground import Ground
from tests.chaos.member import Member, command_of
from tests.chaos.outside import OUTSIDE, InTrueTime, Outside, Simulated

PARTITIONS = 3
"""As many as there are instances in a storm: whoever has none does nothing."""
LOANS = 60
DAYS = 400
DAYS_GONE = 18
"""How far into the story simulated time begins: its past arrives late, and the first reports are a day away."""
SESSION_SECONDS = 6.0
PAUSE_SECONDS = 12.0
"""How long a clock stands still that does so for long, where nothing else is asked for."""
TRANSACTION_SECONDS = 10.0
LOOK_SECONDS, LOOK_AT_PROGRESS_SECONDS = 0.05, 0.25
START_SECONDS = 120.0
AGAIN_AFTER_SECONDS = 8.0
"""Before whoever says that somebody must look first is tried again: else five of them in a row fill a small machine."""
QUIET_SECONDS, QUIET_FLOW_SECONDS = 0.5, 120.0
SMALL_SEGMENTS = {
    "segment.ms": "1000",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "100",
    "max.compaction.lag.ms": "1000",
}
CRASHES = frozenset({StopReason.DOUBT.code, StopReason.FENCED.code, StopReason.FENCE_FAILED.code})
"""How a process may end by itself at any fault; a supervisor starts it again."""
FINAL = frozenset(r.code for r in StopReason) - CRASHES - {StopReason.CORE_CRASHED.code}
"""Exit codes that say: do not start again, somebody must look first."""


class Broken(AssertionError):
    """Something that must never happen; the text says what, and the ends of the logs follow."""


class System:
    """One deployment with topics of its own.

    `codes` are further exit codes that the present strikes allow, `struck` names the processes that they strike;
    `pause_seconds` is how long a clock stands still that does so for long.
    """

    def __init__(self, ground: Ground, folder: Path, prefix: str, mode: TimeMode, seed: int) -> None:
        self.ground, self.folder, self.mode, self.seed = ground, folder, mode, seed
        folder.mkdir(parents=True, exist_ok=True)
        given: dict[str, Any] = {
            "session_timeout_seconds": SESSION_SECONDS,
            "transaction_timeout_seconds": TRANSACTION_SECONDS,
            "loan_partitions": PARTITIONS,
            "borrower_partitions": PARTITIONS,
            "facts_and_wakes_max": Random(seed).choice((7, 50, 1000)),
            "ticks_max": Random(seed + 1).choice((4, 16, 512)),
            **ground.settings,
        }
        self.settings = Settings(broker=ground.bootstrap, prefix=prefix, mode=mode, **given)
        self.members: dict[str, Member] = {}
        self.codes: frozenset[int] = frozenset()
        self.pause_seconds = PAUSE_SECONDS
        self.struck: set[str] = set()
        self.problems: list[str] = []
        self.modules: dict[str, list[str]] = {CLOCK: ["-m", "tests.chaos.stepped", str(folder / "step")]}
        """Another program in place of a service's: a clock whose time can be stepped, in tests a broken build."""
        self._interval_ms = Random(seed + 2).choice(ground.intervals_ms)
        self._groups = GroupProgress(self.observed.access)
        self._tasks: list[asyncio.Task[None]] = []
        self._outside: Outside | None = None

    @property
    def observed(self) -> Settings:
        """The settings with the address at which the harness itself finds the broker."""
        return replace(self.settings, broker=self.ground.address)

    async def __aenter__(self) -> Self:
        async with TopicAdmin(self.observed) as admin:
            await admin.create()
        await self._compact_often()
        await self._groups.__aenter__()
        for name in (*SERVICES, CLOCK):
            self.make(name, name).start()
        self._tasks.append(asyncio.create_task(self._supervise(), name="supervisor"))
        self._outside = self._people()
        self._tasks.append(asyncio.create_task(self._outside.run(), name=OUTSIDE))
        return self

    async def __aexit__(self, *_: object) -> None:
        for member in self.members.values():
            member.wanted = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for member in self.members.values():
            if member.popen is not None:
                with suppress(ProcessLookupError):
                    member.popen.kill()
                await asyncio.to_thread(member.popen.wait)
        with suppress(BrokerError):
            await self._groups.__aexit__(None, None, None)

    async def _compact_often(self) -> None:
        """Give the changelogs small segments, so that they are compacted while the round is played."""
        changelogs = {self.settings.changelog(service) for service in SERVICES}
        wanted = {spec.name: {**spec.config, **SMALL_SEGMENTS} for spec in specs(self.settings)}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.ground.address)
        await admin.start()
        try:
            topic = ConfigResourceType.TOPIC
            await admin.alter_configs([ConfigResource(topic, name, wanted[name]) for name in changelogs])
        finally:
            await admin.close()

    # --- processes

    @property
    def services(self) -> list[Member]:
        """The four services' first instances."""
        return [self.members[name] for name in SERVICES]

    @property
    def clock(self) -> Member:
        """The clock."""
        return self.members[CLOCK]

    def pick(self, dice: Random) -> Member:
        """Return one service's first instance, by chance, that no other present strike has picked."""
        name = dice.choice([service for service in SERVICES if service not in self.struck])
        self.struck.add(name)
        return self.members[name]

    def make(self, service: str, name: str) -> Member:
        """Return a process that is not started yet, under the supervisor's eye."""
        if service == CLOCK:
            command = command_of(CLOCK, *self._clock_options())
        else:
            disk = self.folder / "disks" / name
            command = command_of(service, "--instance", name, "--data", str(disk))
        if service in self.modules:
            command[1:3] = self.modules[service]
        member = Member(name, [*self.ground.wrap(name), *command], self._environment(), self.folder)
        self.members[name] = member
        return member

    async def add(self, service: str, name: str, **once: str) -> Member:
        """Start one more instance of a service, and return when it has partitions, if it is a service's."""
        member = self.make(service, name)
        member.start(**once)
        await self.until(lambda: at_work(member), START_SECONDS, f"{name} gets partitions")
        return member

    async def remove(self, member: Member, how: int = SIGTERM) -> int:
        """End an instance for good, and return its exit code."""
        code = await self.down(member, how)
        del self.members[member.name]
        return code

    async def down(self, member: Member, how: int) -> int:
        """End a process and leave it down; `member.start()` brings it back."""
        member.wanted = False
        code = await member.end(how)
        await self.until(lambda: member.popen is None, 10, f"{member.name} is buried")
        return code

    def _environment(self) -> dict[str, str]:
        values = {name: getattr(self.settings, name) for name in Settings.__dataclass_fields__}
        values = {k: v for k, v in values.items() if k not in {"instance", "data_directory", "build"} and v is not None}
        return {**os.environ, **{VARIABLE_PREFIX + k.upper(): str(v) for k, v in values.items()}}

    def _clock_options(self) -> list[str]:
        if self.mode is TimeMode.WALL:
            return ["--interval-ms", str(self._interval_ms)]
        setting = self._setting
        days = ["--from", format_instant(setting.start_ms), "--until", format_instant(setting.end_ms)]
        return [*days, "--gateways", OUTSIDE, "--poll-ms", "50"]

    @property
    def _setting(self) -> Setting:
        start_ms = START_MS + DAYS_GONE * DAY_MS
        return Setting(DAYS, start_ms, loan_partitions=PARTITIONS, borrower_partitions=PARTITIONS)

    def _people(self) -> Outside:
        if self.mode is TimeMode.WALL:
            return InTrueTime(self.observed, self.seed)
        return Simulated(self.observed, build_scenario(self.seed, LOANS, self._setting))

    async def _supervise(self) -> None:
        """Start again what ended, unless its exit code says that somebody must look first."""
        while True:
            for member in list(self.members.values()):
                self._look_at(member)
            for task in self._tasks:
                if task.done() and not task.cancelled() and task.exception() is not None:
                    self.problems.append(f"{task.get_name()} of the harness ended: {task.exception()!r}")
                    return
            await asyncio.sleep(LOOK_SECONDS)

    def _look_at(self, member: Member) -> None:
        code = member.buried()
        if code is not None:
            if not self._is_documented(member, code):
                self.problems.append(f"{member.name} ended with exit code {code}\n{member.tail()}")
            later = AGAIN_AFTER_SECONDS if code in self.codes else 0.0
            member.start_at = None if code in FINAL - self.codes else monotonic() + later
        if member.wanted and member.start_at is not None and monotonic() >= member.start_at:
            member.start()

    def _is_documented(self, member: Member, code: int) -> bool:
        told = set() if member.asked is None else {0, -member.asked}
        armed = {-9} if member.armed else set()
        return code in CRASHES | self.codes | told | armed

    # --- waiting

    async def until(self, done: Callable[[], bool | Awaitable[bool]], seconds: float, what: str) -> None:
        """Wait until something is so; `Broken` when it never is, or when a process ends as it must not."""
        end = monotonic() + seconds
        while True:
            found, pause = done(), LOOK_SECONDS
            if not isinstance(found, bool):
                found, pause = await found, LOOK_AT_PROGRESS_SECONDS
            if found:
                return
            if self.problems:
                raise Broken("\n".join(self.problems))
            if monotonic() > end:
                raise Broken(f"not within {seconds:.0f} s: {what}\n{self.tails()}")
            await asyncio.sleep(pause)

    async def progress(self, service: str) -> list[int]:
        """Return the last tick that a service reports, by partition; 0 where nothing is known or nobody answers."""
        clock = BORROWER_CLOCK if service in {RATE_LIMITER, OUTSIDE} else LOAN_CLOCK
        try:
            found = await self._groups.of(self.settings.group(service), self.settings.topic(clock), PARTITIONS)
        except BrokerError:
            found = None
        return [(found or {}).get(p, 0) for p in range(PARTITIONS)]

    async def newest(self, services: Iterable[str] = SERVICES) -> int:
        """Return the newest tick that anybody has applied."""
        return max([max(await self.progress(service)) for service in services])

    async def reached(self, at: int, services: Iterable[str] = SERVICES) -> bool:
        """Whether services have applied a tick on all partitions."""
        return all([min(await self.progress(service)) >= at for service in services])

    async def flow(self, seconds: float, services: Iterable[str] = SERVICES) -> None:
        """Wait until everybody has applied a tick that was not written yet, and so all facts that lie there now."""
        chosen, end = tuple(services), monotonic() + seconds
        target = now_ms() if self.mode is TimeMode.WALL else await self._newest_told(seconds) + 2 * HOUR_MS
        left = max(0.0, end - monotonic())
        try:
            await self.until(lambda: self.reached(target, chosen), left, f"all of {', '.join(chosen)} at {target}")
        except Broken as broken:
            asked = (*SERVICES, *((OUTSIDE,) if self.mode is TimeMode.SIMULATED else ()))
            told = {name: await self.progress(name) for name in asked}
            raise Broken(f"{str(broken).replace(chr(10), f'; reported are {told}' + chr(10), 1)}") from broken

    async def _newest_told(self, seconds: float) -> int:
        """Return the newest tick that anybody reports, as soon as anybody does: a broker may still be coming up."""
        told = 0

        async def somebody_tells() -> bool:
            nonlocal told
            told = await self.newest()
            return told > 0

        await self.until(somebody_tells, seconds, "somebody reports a tick")
        return told

    async def all_run(self) -> None:
        """Wait until every process that is wanted is there: a supervisor may still be about to start one."""
        wanted = [member for member in self.members.values() if member.wanted]
        await self.until(lambda: all(member.runs for member in wanted), START_SECONDS, "all processes run")

    def tails(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(member.tail() for member in self.members.values())

    # --- the end

    async def close(self) -> list[str]:
        """Let everything flow once more, end all processes as an operator does, and return what went wrong."""
        assert self._outside is not None
        self._outside.quiet = True
        await asyncio.sleep(QUIET_SECONDS)
        await self.flow(QUIET_FLOW_SECONDS)
        for member in self.members.values():
            member.wanted = False
        for name in (CLOCK, *SERVICES):
            code = await self.members[name].end()
            if code != 0:
                self.problems.append(f"{name}, told to end, ended with {code}\n{self.members[name].tail()}")
        self.problems += [f"{m.name} outstayed its grace" for m in self.members.values() if m.overstayed]
        return self.problems


def at_work(member: Member) -> bool:
    """Whether a process has partitions, or is a clock that writes."""
    return bool(member.said("at work" if member.service == CLOCK else "partitions at work"))
