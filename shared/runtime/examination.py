"""Looks at a whole deployment from outside: each finding is well, or says what to do."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from aiokafka.errors import KafkaError

from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK, Tick, TimeMode
from shared.contract.topics import LOAN_SERVICES, RATE_LIMITER, SERVICES, TOPICS
from shared.runtime.broker_release import releases
from shared.runtime.clock_log import ClockTail
from shared.runtime.kafka_clients import new_admin
from shared.runtime.kafka_offsets import GroupProgress, GroupUnanswered, LogEnds
from shared.runtime.settings import Settings
from shared.runtime.system_clock import now_ms
from shared.runtime.topics import TopicAdmin, specs

FACTS_PER_SECOND: Final = 3_000
"""What one instance applies on one core at least, where nothing else was measured."""
LOOK_SECONDS: Final = 3.0
RETRIES: Final = 4
HANGING_SECONDS: Final = 15.0
TICK_OLD_MS: Final = 10_000
BEHIND_MS: Final = 5_000
DISK_FREE_MIN: Final = 0.1
RELEASES_TRIED: Final = ("4.1", "4.2")
"""Whose brokers kept the markers of decided transactions when they were killed; all tests run on 4.2.1."""
RELEASE_THAT_LOSES: Final = "4.3"
COORDINATOR_SILENT: Final = "look whether all brokers are up, then ask again: one of them keeps what the group reported"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and, where it is not well, what to do."""

    what: str
    found: str
    advice: str = ""

    @property
    def is_well(self) -> bool:
        """Whether nothing has to be done."""
        return not self.advice


class Examination:
    """Everything that can be asked of broker, topics, clock, groups and this machine."""

    def __init__(
        self,
        settings: Settings,
        policies: Sequence[str],
        import_records: int = 0,
        records_per_second: float = FACTS_PER_SECOND,
    ) -> None:
        self._settings = settings
        self._policies = policies
        self._import = import_records
        self._per_second = records_per_second
        self._newest: dict[tuple[str, int], Tick] = {}

    async def findings(self) -> AsyncIterator[Finding]:
        """Yield one finding after the other."""
        yield await self._brokers()
        yield broker_version(await releases(self._settings.access, version("duecourse")))
        async for finding in self._topics():
            yield finding
        await self._read_clocks()
        for clock, stage in ((LOAN_CLOCK, "stage 1"), (BORROWER_CLOCK, "stage 2")):
            yield self._clock(clock, stage)
        yield self._policy()
        yield await _patiently(self._transactions)
        for service in SERVICES:
            yield await self._service(service)
        yield await _patiently(self._lag)
        if self._import:
            yield self._silence()
        yield self._disk()
        yield _versions()

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[Any]:
        admin = new_admin(self._settings.access)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def _brokers(self) -> Finding:
        async with self._admin() as admin:
            cluster = await admin.describe_cluster()
        brokers = len(cluster["brokers"])
        if self._settings.replication_factor > brokers:
            advice = f"start {self._settings.replication_factor - brokers} more, or lower the replication factor"
            return Finding("broker", f"{brokers} answer", advice)
        return Finding("broker", f"{brokers} answer at {self._settings.broker}")

    async def _topics(self) -> AsyncIterator[Finding]:
        async with TopicAdmin(self._settings) as admin:
            faults = await admin.check()
        for fault in faults:
            yield Finding("topic", str(fault), fault.remedy)
        names = [spec.name for spec in specs(self._settings)]
        if not faults:
            yield Finding("topics", f"all {len(names)} as they must be: partitions, replication, retention, stamp")
        async with self._admin() as admin:
            described = await admin.describe_topics(names)
        lacking = [
            f"{topic['topic']}/{partition['partition']}"
            for topic in described
            for partition in topic.get("partitions", ())
            if len(partition["isr"]) < len(partition["replicas"]) or partition["leader"] < 0
        ]
        if lacking:
            yield Finding(
                "replication", f"{len(lacking)} partitions lack replicas: {lacking[0]} ...", "look at the brokers"
            )
        else:
            yield Finding("replication", "every replica is in sync")

    async def _read_clocks(self) -> None:
        def saw(topic: str, partition: int, tick: Tick) -> None:
            known = self._newest.get((topic, partition))
            if known is None or tick.at > known.at:
                self._newest[topic, partition] = tick

        tail = ClockTail(self._settings, (LOAN_CLOCK, BORROWER_CLOCK), saw)
        await tail.start()
        # A consumer that is stopped before its first turn raises out of the client.
        await asyncio.sleep(0)
        await tail.stop()

    def _clock(self, clock: str, stage: str) -> Finding:
        ticks = [tick.at for (topic, _), tick in self._newest.items() if topic == clock]
        if not ticks:
            return Finding("clock", f"{stage}: no tick yet", "start one: `duecourse run clock`")
        if self._settings.mode is TimeMode.SIMULATED:
            return Finding("clock", f"{stage}: simulated time, newest tick {max(ticks)}")
        age_ms = now_ms() - min(ticks)
        if age_ms < -BEHIND_MS:
            found = f"{stage}: the newest tick lies {-age_ms / 1000:.0f} s ahead of this machine's time"
            return Finding("clock", found, "put this machine's time right, or the clock's")
        if age_ms > TICK_OLD_MS:
            what = "start a clock" if clock == LOAN_CLOCK else "a service is behind or the rate limiter stands still"
            return Finding("clock", f"{stage}: the newest tick is {age_ms / 1000:.0f} s old", what)
        return Finding("clock", f"{stage}: the newest tick is {age_ms / 1000:.1f} s old")

    def _policy(self) -> Finding:
        named = sorted({tick.policy for tick in self._newest.values()})
        unknown = [policy for policy in named if policy not in self._policies]
        if unknown:
            return Finding(
                "policy", f"ticks name {', '.join(unknown)}, which was not given", "give it with --policy FOLDER"
            )
        return Finding("policy", f"ticks name {', '.join(named) or 'none yet'}")

    async def _transactions(self) -> Finding:
        settings = self._settings
        async with (
            LogEnds(settings.access, uncommitted=True) as written,
            LogEnds(settings.access, uncommitted=False) as visible,
        ):
            counts = await written.partition_counts([spec.name for spec in specs(settings)])
            places = [(name, partition) for name, count in counts.items() for partition in range(count)]
            ends, before = await written.ends(places), await visible.ends(places)
            hidden = [place for place in places if before[place] < ends[place]]
            if hidden:
                await asyncio.sleep(HANGING_SECONDS)
            after = await visible.ends(hidden)
        hanging = [f"{topic}/{p}" for topic, p in hidden if after[topic, p] == before[topic, p]]
        if hanging:
            advice = "`duecourse transactions find` names the producer, and what was decided"
            return Finding("transactions", f"hidden for {HANGING_SECONDS:.0f} s and more: {', '.join(hanging)}", advice)
        return Finding("transactions", "none hangs")

    async def _progress(self, service: str, clock: str) -> Mapping[int, int]:
        count = self._settings.topology.partitions[clock]
        async with GroupProgress(self._settings.access) as groups:
            return await groups.insist(self._settings.group(service), self._settings.topic(clock), count)

    async def _service(self, service: str) -> Finding:
        clock = BORROWER_CLOCK if service == RATE_LIMITER else LOAN_CLOCK
        try:
            progress = await self._progress(service, clock)
        except GroupUnanswered as error:
            return Finding(service, f"how far it is, nobody says: {error}", COORDINATOR_SILENT)
        newest = {p: tick.at for (topic, p), tick in self._newest.items() if topic == clock}
        start = f"start it: `duecourse run {service}`; if it ends or waits, its last log lines and `/readyz` say why"
        silent = [p for p, at in sorted(newest.items()) if at - progress.get(p, 0) > BEHIND_MS]
        missing = [p for p in sorted(newest) if p not in progress]
        if missing:
            return Finding(service, f"never reported on partitions {missing}", start)
        if silent:
            return Finding(service, f"silent on partitions {silent}: behind by more than 5 s", start)
        return Finding(service, f"has applied the newest ticks on {len(progress)} partitions")

    async def _lag(self) -> Finding:
        try:
            return await self._measured_lag()
        except GroupUnanswered as error:
            return Finding("lag", f"how much waits, nobody says: {error}", COORDINATOR_SILENT)

    async def _measured_lag(self) -> Finding:
        """Measure how fast facts are applied while any wait, and say how long the silence of what waits will last."""
        before = {service: await self._waiting(service) for service in SERVICES}
        slowest = max(before, key=lambda service: before[service])
        waiting, rate = before[slowest], self._per_second
        if before[slowest] > FACTS_PER_SECOND:
            await asyncio.sleep(LOOK_SECONDS)
            rate = max(1.0, (before[slowest] - await self._waiting(slowest)) / LOOK_SECONDS)
        seconds = waiting / rate
        found = f"{waiting:,} records wait before {slowest}: about {seconds:.0f} s at {rate:,.0f} a second"
        if seconds > BEHIND_MS / 1000:
            return Finding(
                "lag", f"{found}; the gate is silent for them", "wait, add instances, or throttle the import"
            )
        return Finding("lag", found)

    def _silence(self) -> Finding:
        """Say for how long an import would keep the pairs of service and partition silent that must apply it."""
        partitions = self._settings.loan_partitions
        alone = self._import / self._per_second
        spread = alone / partitions
        found = (
            f"{self._import:,} records more: the pairs of {', '.join(LOAN_SERVICES)} would be silent for "
            f"about {alone:.0f} s with one instance each, {spread:.0f} s with {partitions}, "
            f"at {self._per_second:,.0f} a second and instance"
        )
        if alone > BEHIND_MS / 1000:
            return Finding("import", found, "import while nobody may be called, in portions, or with more instances")
        return Finding("import", found)

    async def _waiting(self, service: str) -> int:
        reads = [topic.name for topic in TOPICS.values() if service in topic.readers and topic.writers != ("clock",)]
        counts = self._settings.topology.partitions
        places = [(self._settings.topic(topic), p) for topic in reads for p in range(counts[topic])]
        access = self._settings.access
        async with GroupProgress(access) as groups, LogEnds(access, uncommitted=False) as logs:
            applied = await groups.offsets(self._settings.group(service), places)
            ends = await logs.ends(places)
        return sum(max(0, end - applied.get(place, 0)) for place, end in ends.items())

    def _disk(self) -> Finding:
        folder = self._settings.data_directory
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        usage = shutil.disk_usage(existing)
        share = usage.free / usage.total
        found = f"{share:.0%} free at {existing}"
        return Finding("disk", found, "make room" if share < DISK_FREE_MIN else "")


async def _patiently(look: Callable[[], Awaitable[Finding]]) -> Finding:
    """Look again where leaders have just moved, or topics were just made: brokers agree within a second or two."""
    for _ in range(RETRIES):
        try:
            return await look()
        except KafkaError as error:
            if not error.retriable:
                raise
            await asyncio.sleep(1)
    return await look()


def broker_version(found: Mapping[int, str]) -> Finding:
    """Judge the releases of brokers, by their numbers."""
    kinds = sorted(set(found.values()))
    named = [f"{kind} on {', '.join(str(node) for node in sorted(found) if found[node] == kind)}" for kind in kinds]
    if RELEASE_THAT_LOSES in kinds:
        advice = "4.3.0 drops the markers of decided transactions where a partition has no leader: run the newest 4.2"
    elif not set(kinds) <= set(RELEASES_TRIED):
        advice = f"run {' or '.join(RELEASES_TRIED)}: what others do when they are killed was not tried"
    else:
        advice = "finish the brokers' upgrade" if len(kinds) > 1 else ""
    return Finding("broker version", f"Kafka {'; '.join(named)}", advice)


def _versions() -> Finding:
    named = ", ".join(f"{name} {version(name)}" for name in ("duecourse", "faust-streaming", "aiokafka", "rocksdict"))
    return Finding("versions", f"Python {sys.version.split()[0]}; {named}")
