"""A deployment of the toy services on a real broker: processes to start, kill, pause and wipe, and the verdict.

The verdict is always the same: each service's outputs equal the plain fold of its recorded inputs, byte for byte.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from aiokafka import TopicPartition

from shared.contract.codec import Envelope, decode
from shared.contract.loans import DUE_DATES
from shared.contract.recorded import Recorded
from shared.contract.repayments import REPAYMENTS
from shared.contract.ticks import BORROWER_CLOCK, CONTROL, LOAN_CLOCK, TimeMode
from shared.contract.topics import DEAD_LETTERS
from shared.engine.progress import decode_progress
from shared.engine.quarantine import quarantined
from shared.engine.state import StateCodec
from shared.engine.store import PROGRESS_KEY
from shared.runtime.kafka_clients import new_consumer, new_producer
from shared.runtime.kafka_offsets import GroupProgress, LogEnds
from shared.runtime.settings import VARIABLE_PREFIX, Settings
from shared.runtime.topics import TopicAdmin
from tests.shared.engine.fold import LogRecord, fold
from tests.shared.engine.toy import GATE, HOUR_MS, LOANS, POLICY, START_MS, due, repayment

MODULES = {
    "reminder": "tests.kafka.toy_service",
    "rate_limiter": "tests.kafka.toy_service",
    "clock": "tests.kafka.toy_clock",
}
CLOCKS = {"reminder": LOAN_CLOCK, "rate_limiter": BORROWER_CLOCK}
LAST_TICK = START_MS + 10_000 * HOUR_MS


class Process:
    """One process of the house, with its log and how to start it again."""

    def __init__(self, house: House, service: str, instance: str, arguments: list[str], extra: dict[str, str]) -> None:
        self.house, self.service, self.instance, self.arguments, self.extra = house, service, instance, arguments, extra
        self.starts = 0
        self.codes: list[int] = []
        self.start()

    @property
    def log(self) -> Path:
        return self.house.directory / f"{self.service}-{self.instance}-{self.starts}.log"

    @property
    def data(self) -> Path:
        return self.house.directory / "data" / self.service / (self.instance or "any")

    def start(self, **extra: str) -> None:
        self.starts += 1
        environment = {**os.environ, **self.house.environment(self.instance), **self.extra, **extra}
        command = [sys.executable, "-m", MODULES[self.service], *self.arguments]
        with self.log.open("wb") as out:
            self.popen = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)

    def kill(self, how: int = signal.SIGKILL) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        code = self.popen.wait(40)
        self.codes.append(code)
        return code

    def restart(self, how: int = signal.SIGKILL, *, wipe: bool = False) -> int:
        code = self.kill(how)
        if wipe:
            shutil.rmtree(self.data, ignore_errors=True)
        self.start()
        return code

    async def ended(self) -> bool:
        """Whether the process has ended by itself."""
        return self.popen.poll() is not None

    async def is_paused(self) -> bool:
        """Whether the process stands still."""
        status = await asyncio.to_thread(Path(f"/proc/{self.popen.pid}/stat").read_text)
        return status.rpartition(")")[2].split()[0] == "T"

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if record.get("event") == event:
                found.append(record)
        return found


class House:
    """Topics, processes, facts and the verdict of one deployment."""

    def __init__(self, broker: str, directory: Path, name: str, **settings: Any) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        given = {
            "session_timeout_seconds": 6.0,
            "transaction_timeout_seconds": 10.0,
            "loan_partitions": 3,
            "borrower_partitions": 2,
            **settings,
        }
        self.settings = Settings(broker=broker, prefix=name, data_directory=directory / "data", **given)
        self.processes: list[Process] = []
        self.number = 0
        self.processors: dict[str, Any] = {"reminder": LOANS, "rate_limiter": GATE}
        self.random = random.Random(name)

    def environment(self, instance: str) -> dict[str, str]:
        values = {name: getattr(self.settings, name) for name in Settings.__dataclass_fields__}
        values |= {"instance": instance}
        return {VARIABLE_PREFIX + k.upper(): str(v) for k, v in values.items() if v is not None}

    async def __aenter__(self) -> Self:
        async with TopicAdmin(self.settings) as admin:
            await admin.create()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.processes:
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGCONT)
                process.popen.kill()
                process.popen.wait()

    def service(self, service: str, instance: str = "a", **extra: str) -> Process:
        self.processes.append(Process(self, service, instance, [service], extra))
        return self.processes[-1]

    def clock(self, instance: str = "clock", **plan: Any) -> Process:
        self.processes.append(Process(self, "clock", instance, [json.dumps(plan)], {}))
        return self.processes[-1]

    def simulated_clock(self, ticks: int, **plan: Any) -> Process:
        simulation = {"start_at": START_MS, "end_at": START_MS + (ticks - 1) * HOUR_MS, "step_ms": HOUR_MS}
        simulation |= plan.pop("simulation", {})
        return self.clock(simulation=simulation, **plan)

    def mend(self, *but: Process) -> None:
        """Start again what ended by itself, as a supervisor does."""
        for process in self.processes:
            if process not in but and process.popen.poll() is not None:
                process.codes.append(process.popen.returncode)
                process.start()

    async def feed(self, count: int, loans: int = 200) -> None:
        """Publish random facts, some of them garbage or misrouted."""
        producer = new_producer(self.settings.access, linger_ms=10)
        await producer.start()
        for _ in range(count):
            self.number += 1
            topic, (key, value) = self._fact(f"L{self.random.randrange(loans)}")
            partition = self.settings.topology.partition_of(topic, key)
            kind = self.random.random()
            if kind < 0.01:
                partition = (partition + 1) % self.settings.loan_partitions
            elif kind < 0.02:
                value = b"{"
            await producer.send(self.settings.topic(topic), value, key=key, partition=partition)
        await producer.stop()

    def _fact(self, loan: str) -> tuple[str, tuple[bytes, bytes]]:
        if self.random.random() < 0.6:
            return DUE_DATES, due(loan, self.number, self.random.choice((100, 70, 13)), self.random.randrange(3))
        return REPAYMENTS, repayment(loan, self.number)

    async def progress(self, service: str) -> list[int]:
        """Return the last tick applied, by partition."""
        clock = CLOCKS[service]
        partitions = self.settings.topology.partitions[clock]
        async with GroupProgress(self.settings.access) as groups:
            found = await groups.of(self.settings.group(service), self.settings.topic(clock), partitions) or {}
        return [found.get(p, 0) for p in range(partitions)]

    async def wait_for_tick(self, at: int, *services: str, seconds: float = 120.0, mending: bool = False) -> None:
        """Wait until services have applied a tick on all partitions."""
        await self.wait(lambda: self._reached(at, services or tuple(CLOCKS)), seconds, mending=mending)

    async def _reached(self, at: int, services: tuple[str, ...]) -> bool:
        return all([min(await self.progress(service)) >= at for service in services])

    async def wait(self, done: Callable[[], Any], seconds: float = 60.0, *, mending: bool = False) -> None:
        """Wait until something is so; fail loudly, with the ends of the logs, when it never is."""
        until = time.monotonic() + seconds
        while not await done():
            if time.monotonic() > until:
                raise AssertionError("waited in vain\n" + self.tails())
            if mending:
                self.mend()
            await asyncio.sleep(0.1)

    def tails(self, characters: int = 1500) -> str:
        return "\n".join(
            f"--- {p.log.name} (exit {p.popen.poll()})\n{p.log.read_text(errors='replace')[-characters:]}"
            for p in self.processes
        )

    async def newest_tick(self, topic: str = LOAN_CLOCK) -> int:
        return max(await self._newest_ticks(topic))

    async def _newest_ticks(self, topic: str) -> list[int]:
        ticks = {p: [decode(topic, r.key, r.value) for r in log] for p, log in (await self.read(topic)).items()}
        return [max((t.data.at for t in ticks[p] if isinstance(t, Envelope)), default=0) for p in sorted(ticks)]

    async def read(self, topic: str, *, physical: str | None = None) -> dict[int, list[LogRecord]]:
        """Return the committed records of a topic, by partition."""
        ends = await self.ends(topic, physical=physical, uncommitted=False)
        tps = [TopicPartition(physical or self.settings.topic(topic), p) for p in ends]
        found: dict[int, list[LogRecord]] = {p: [] for p in ends}
        consumer = new_consumer(self.settings.access, isolation_level="read_committed", auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        for tp in tps:
            while await consumer.position(tp) < ends[tp.partition]:
                for batch in (await consumer.getmany(tp, timeout_ms=200)).values():
                    found[tp.partition] += [LogRecord(r.offset, r.key, r.value, tuple(r.headers)) for r in batch]
        await consumer.stop()
        return found

    async def ends(self, topic: str, *, physical: str | None = None, uncommitted: bool) -> dict[int, int]:
        """Return where a topic ends, by partition: all that was written, or what readers of the committed see."""
        name = physical or self.settings.topic(topic)
        places = [(name, partition) for partition in range(self.settings.topology.partitions[topic])]
        async with LogEnds(self.settings.access, uncommitted=uncommitted) as logs:
            return {partition: end for (_, partition), end in (await logs.ends(places)).items()}

    async def is_visible(self, topic: str, *, physical: str | None = None) -> bool:
        """Whether no transaction is open on a topic: one that is hides what others committed behind it."""
        written = await self.ends(topic, physical=physical, uncommitted=True)
        return written == await self.ends(topic, physical=physical, uncommitted=False)

    async def recorded(self, topic: str) -> list[Recorded]:
        """Return the committed records of a topic as checkers see them."""
        log = await self.read(topic)
        return [Recorded(topic, p, r.offset, r.key, r.value, r.headers) for p in log for r in log[p]]

    async def verdict(self, *services: str) -> dict[str, int]:
        """Compare outputs and states with the fold of the recorded inputs; return how much was compared.

        The clock must be dead; first the services get the time to apply all that it has said.
        """
        counted: dict[str, int] = defaultdict(int)
        for service in services or tuple(CLOCKS):
            await self._settle(service)
            await self._judge(service, counted)
        return dict(counted)

    async def _settle(self, service: str) -> None:
        ticks = await self._newest_ticks(CLOCKS[service])
        await self.wait(lambda: self._applied(service, ticks))
        for topic in (*self.processors[service].writes, DEAD_LETTERS):
            await self.wait(lambda topic=topic: self.is_visible(topic))
        await self.wait(lambda: self.is_visible(CLOCKS[service], physical=self.settings.changelog(service)))

    async def _applied(self, service: str, ticks: list[int]) -> bool:
        return all(applied >= at for applied, at in zip(await self.progress(service), ticks, strict=True))

    async def _judge(self, service: str, counted: dict[str, int]) -> None:
        processor = self.processors[service]
        inputs = {topic: await self.read(topic) for topic in (*processor.reads, processor.clock)}
        outputs = {topic: await self.read(topic) for topic in (*processor.writes, DEAD_LETTERS)}
        control = [*(await self.recorded(CONTROL)), *(await self.recorded(DEAD_LETTERS))]
        changelog = await self.read(processor.clock, physical=self.settings.changelog(service))
        codec: Any = StateCodec(processor.state, processor.upgrades)
        for partition, records in changelog.items():
            kept = {record.key: record.value for record in records if record.key is not None}
            kept = {key: value for key, value in kept.items() if value is not None}
            progress = decode_progress(kept.pop(PROGRESS_KEY))
            logs = {topic: log[partition] for topic, log in inputs.items()}
            folded = fold(
                processor,
                self.settings.topology,
                partition,
                logs,
                policies={POLICY: None},
                born=progress.born_at_clock_offset,
                quarantined=quarantined(control, service),
            )
            real = _from_partition(outputs, service, partition)
            assert dict(folded.outputs) == real, _difference(service, partition, folded.outputs, real)
            wanted = {b"s" + k: codec.encode(s, folded.wakes.get(k)) for k, s in folded.states.items()}
            # What an older build wrote last is compared as this build reads it.
            kept = {key: codec.encode(*codec.decode(value)) for key, value in kept.items()}
            assert wanted == kept, f"{service}/{partition}: states differ"
            counts = progress.counts
            total = sum(counts[topic].total for topic in processor.reads)
            assert sum(folded.verdicts.values()) == total, f"{service}/{partition}: {folded.verdicts} but {counts}"
            counted["outputs"] += sum(map(len, real.values()))
            counted["states"] += len(kept)
            counted["facts"] += total


def _from_partition(
    outputs: dict[str, dict[int, list[LogRecord]]], service: str, partition: int
) -> dict[tuple[str, int], list[tuple[bytes, bytes]]]:
    found: dict[tuple[str, int], list[tuple[bytes, bytes]]] = defaultdict(list)
    for topic, log in outputs.items():
        for to, records in log.items():
            for record in records:
                if _source(topic, record) == (service, partition):
                    found[topic, to].append((record.key or b"", record.value or b""))
    return dict(found)


def _source(topic: str, record: LogRecord) -> tuple[str, int]:
    if topic == DEAD_LETTERS:
        return dict(record.headers)["duecourse-service"].decode(), int((record.key or b"").split(b"/")[1])
    envelope = decode(topic, record.key, record.value, record.headers)
    assert isinstance(envelope, Envelope), envelope
    service, partition = envelope.source.rsplit("/", 2)[1:]
    return service, int(partition)


def _difference(service: str, partition: int, wanted: Any, real: Any) -> str:
    for place in sorted({*wanted, *real}):
        left, right = wanted.get(place, []), real.get(place, [])
        if left != right:
            at = next(
                (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
            )
            pair = f"{left[at : at + 1]} {right[at : at + 1]}"
            return f"{service}/{partition} {place}: {len(left)} wanted, {len(right)} real, first at {at}: {pair}"
    return "equal"


def simulated(settings: Settings) -> Settings:
    """Return the same settings for simulated time."""
    return replace(settings, mode=TimeMode.SIMULATED)
