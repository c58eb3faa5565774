"""The real services as processes of their own, as `duecourse run` starts them, and what they use of the machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from shared.contract.topics import CLOCK, TOPICS
from shared.runtime.kafka_offsets import GroupProgress
from shared.runtime.local_kafka import LocalKafka
from shared.runtime.local_kafka.network import free_port
from shared.runtime.local_kafka.process import dying_with_starter
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin

WAIT_SECONDS_MAX: Final = 300.0
STOP_SECONDS_MAX: Final = 30.0
POLL_SECONDS: Final = 0.02
TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")


def load() -> str:
    """Return how busy the machine is: numbers without it say little."""
    return "load {:.1f} {:.1f} {:.1f}".format(*os.getloadavg())


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Yield the address of a real Kafka that lives as long as the block."""
    kafka = LocalKafka(folder / "kafka", die_with_starter=True)
    try:
        yield kafka.start()
    finally:
        kafka.stop()


@dataclass(slots=True)
class Member:
    """One process: its command, its disk, where it tells of its health."""

    name: str
    command: list[str]
    disk: Path
    log: Path
    health: str
    process: subprocess.Popen[bytes]

    @property
    def is_ready(self) -> bool:
        """Whether it says that it makes progress."""
        try:
            with urlopen(f"http://{self.health}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (URLError, TimeoutError, ConnectionError):
            return False

    @property
    def cpu_seconds(self) -> float:
        """Processor time used since its start."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICKS_PER_SECOND

    def memory_mib(self, which: str = "VmRSS") -> float:
        """Return its resident memory now, or its peak (`VmHWM`)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(which):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"{self.name} has no {which}")


class House:
    """A deployment's processes. `close` leaves none of them behind."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self._folder = folder
        self._members: dict[str, Member] = {}
        folder.mkdir(parents=True, exist_ok=True)

    async def create_topics(self) -> None:
        """Make all topics of the deployment."""
        async with TopicAdmin(self.settings) as admin:
            await admin.create()

    def start(self, service: str, *options: str, number: int = 1) -> Member:
        """Start a service (or the clock) by the command line; `number` tells instances of one service apart."""
        settings = self.settings
        health = f"127.0.0.1:{free_port()}"
        name = f"{service}-{number}"
        disk = self._folder / name
        where = ["--broker", settings.broker, "--prefix", settings.prefix, "--health", health]
        own = [] if service == CLOCK else ["--instance", name, "--data", str(disk)]
        command = [sys.executable, "-m", "services.cli", "run", service, *where, *own, *options]
        log = self._folder / f"{name}.log"
        self._members[name] = Member(service, command, disk, log, health, _spawn(command, log))
        return self._members[name]

    def restart(self, member: Member, how: signal.Signals, *, wipe: bool) -> float:
        """End a process, wipe its disk if asked to, start it again; return when (monotonic) the signal was sent."""
        sent = monotonic()
        member.process.send_signal(how)
        member.process.wait(STOP_SECONDS_MAX)
        if wipe:
            shutil.rmtree(member.disk)
        self.start_again(member)
        return sent

    def start_again(self, member: Member) -> None:
        """Start a process that has ended, on the disk that it left behind."""
        member.process = _spawn(member.command, member.log)

    async def ready(self, *members: Member) -> None:
        """Wait until all of them are ready; fail with the log of one that ends."""
        until = monotonic() + WAIT_SECONDS_MAX
        for member in members:
            while not await asyncio.to_thread(lambda member=member: member.is_ready):
                self._must_go_on(member, until)
                await asyncio.sleep(POLL_SECONDS)

    async def applied(self, service: str, at: int, but: Member | None = None) -> None:
        """Wait until a service reports that it has applied a tick of `at` or later on all partitions.

        All its instances must stay alive meanwhile, `but` the one that was killed.
        """
        clock = next(t for t in TOPICS.values() if service in t.readers and t.writers == (CLOCK,)).name
        partitions = self.settings.topology.partitions[clock]
        until = monotonic() + WAIT_SECONDS_MAX
        async with GroupProgress(self.settings.access) as groups:
            while True:
                found = await groups.of(self.settings.group(service), self.settings.topic(clock), partitions) or {}
                if all(found.get(p, 0) >= at for p in range(partitions)):
                    return
                for member in self._members.values():
                    if member.name == service and member is not but:
                        self._must_go_on(member, until)
                await asyncio.sleep(POLL_SECONDS)

    def close(self) -> None:
        """End all processes."""
        for member in self._members.values():
            if member.process.poll() is None:
                member.process.terminate()
        for member in self._members.values():
            try:
                member.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()

    @staticmethod
    def _must_go_on(member: Member, until: float) -> None:
        ended = member.process.poll()
        if ended is None and monotonic() < until:
            return
        why = "waited for in vain" if ended is None else f"ended with exit code {ended}"
        raise RuntimeError(f"{member.name} {why}:\n{member.log.read_text(errors='replace')[-2000:]}")


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            dying_with_starter(command), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
