"""A deployment of the real services as an operator starts them, in simulated time, with everything they say."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Self

from aiokafka import AIOKafkaProducer

from shared.contract.ticks import TimeMode
from shared.contract.topics import CLOCK, SERVICES
from shared.runtime.settings import VARIABLE_PREFIX, Settings
from shared.runtime.topics import TopicAdmin
from tests.kafka.canaries import Planted

WAIT_SECONDS = 240.0
GRACE_SECONDS = 60.0


@dataclass
class RealHouse:
    """Topics of its own on a broker, processes, and what they wrote and answered. `extra` are further variables."""

    broker: str
    prefix: str
    folder: Path
    extra: dict[str, str] = field(default_factory=dict)
    mode: TimeMode = TimeMode.SIMULATED
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(
            broker=self.broker, prefix=self.prefix, mode=self.mode, loan_partitions=2, borrower_partitions=2
        )

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        async with TopicAdmin(self.settings) as admin:
            await admin.create()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()

    @property
    def environment(self) -> dict[str, str]:
        """What every process of this deployment is told."""
        own = {
            "broker": self.broker, "prefix": self.prefix, "mode": self.mode.value, "loan_partitions": "2",
            "borrower_partitions": "2", "data_directory": str(self.folder / "data"), "health_address": "127.0.0.1:0",
        }  # fmt: skip
        told = {VARIABLE_PREFIX + name.upper(): value for name, value in own.items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", VARIABLE_PREFIX))}
        return {**kept, **told, **self.extra}

    def start(self, name: str, *command: str) -> None:
        """Start a process: a service by its name, or any module and its arguments."""
        arguments = command or ("services.cli", "run", name)
        with (self.folder / f"{name}.log").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *arguments], env=self.environment, stdout=out, stderr=subprocess.STDOUT
            )

    def start_all(self, begin: str, end: str) -> None:
        """Start the four services, and a clock that goes from one instant to another."""
        for service in SERVICES:
            self.start(service)
        self.start(CLOCK, "services.cli", "run", CLOCK, "--from", begin, "--until", end, "--poll-ms", "5")

    async def ended(self, name: str) -> int:
        """Wait until a process has ended by itself; return its exit code."""
        return await asyncio.to_thread(self.processes[name].wait, WAIT_SECONDS)

    async def said(self, name: str, event: str) -> dict[str, Any]:
        """Wait for the first line of that event, and return it."""
        until = monotonic() + WAIT_SECONDS
        while monotonic() < until:
            for line in self.lines(name):
                if line.get("event") == event:
                    return line
            await asyncio.sleep(0.1)
        raise AssertionError(f"{name} never said {event!r}:\n{self.log(name)[-2000:]}")

    async def stop(self) -> dict[str, int]:
        """End all processes as an operator does; return their exit codes."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return {n: await asyncio.to_thread(p.wait, GRACE_SECONDS) for n, p in self.processes.items()}

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def logs(self) -> dict[str, str]:
        """Everything that any process wrote, by file."""
        return {path.name: path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log"))}

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of a process's log that are JSON objects."""
        found = []
        for line in self.log(name).splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
        return [line for line in found if isinstance(line, dict)]

    async def answers(self, name: str) -> dict[str, str]:
        """Ask a process everything that its health listener knows."""
        port = (await self.said(name, "listening"))["port"]
        return {f"{name}{path}": await _get(port, path) for path in ("/livez", "/readyz", "/startupz", "/metrics")}

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Run a command of ours against this deployment; return its exit code and all it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli", *arguments, env=self.environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode(errors="replace")

    async def publish(self, records: Iterable[Planted]) -> None:
        """Publish records where the deployment's partitioner puts their keys."""
        producer = AIOKafkaProducer(bootstrap_servers=self.broker, linger_ms=5)
        await producer.start()
        topology = self.settings.topology
        for record in records:
            partition = topology.partition_of(record.topic, record.key or b"")
            name = self.settings.topic(record.topic)
            await producer.send(name, record.value, record.key, partition, headers=list(record.headers))
        await producer.stop()


async def _get(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    return text
