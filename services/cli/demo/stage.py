"""One performance: a broker, the topics, the five services as processes, the simulators, and the recording."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from services.cli.demo.actors import SIMULATORS, play
from services.cli.demo.acts import Acts
from services.cli.demo.progress import Screen
from services.cli.demo.script import PARTITIONS, Script
from services.cli.demo.troupe import Troupe
from shared.contract.recorded import Recorded
from shared.contract.ticks import TimeMode
from shared.contract.topics import CLOCK, SERVICES
from shared.kernel.zones import format_instant
from shared.runtime.local_kafka import LocalKafka
from shared.runtime.log_directory import write_log
from shared.runtime.records import deployment_of, read_records
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin
from shared.simulation.log import RECORDED

PREFIX: Final = "demo"
CLOCK_POLL_MS: Final = 3
MEND_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Performed:
    """What a performance leaves: everything on its topics, and how the run went (which differs from run to run)."""

    records: list[Recorded]
    seconds: float
    own_exits: dict[str, int]


class Stage:
    """The folder of a performance: broker, disks, logs and recording lie under it."""

    def __init__(self, folder: Path, script: Script, screen: Screen) -> None:
        self._folder = folder
        self._script = script
        self._screen = screen
        self._troupe = Troupe(folder / "processes")

    def perform(self) -> Performed:
        """Let the days pass, record the topics, and leave no process behind, however it ends."""
        broker = LocalKafka(self._folder / "kafka", die_with_starter=True)
        self._screen.say("starting a real Kafka on loopback ...")
        try:
            settings = self._settings(broker.start())
            return asyncio.run(self._perform(settings))
        finally:
            self._troupe.close()
            broker.stop()
            shutil.rmtree(self._folder / "kafka", ignore_errors=True)
            shutil.rmtree(self._folder / "disks", ignore_errors=True)

    def _settings(self, broker: str) -> Settings:
        return Settings(
            broker=broker,
            prefix=PREFIX,
            mode=TimeMode.SIMULATED,
            loan_partitions=PARTITIONS,
            borrower_partitions=PARTITIONS,
        )

    async def _perform(self, settings: Settings) -> Performed:
        async with TopicAdmin(settings) as admin:
            await admin.create()
        self._start_services(settings)
        script, acts = self._script, Acts(self._script, settings, self._troupe, self._screen)
        self._screen.say(f"{script.loans:,} loans and the twelve people's, {script.days} days, one tick an hour")
        started = monotonic()
        with self._screen.running():
            await self._while_mending(play(settings, script.scenario, acts))
        seconds = monotonic() - started
        await self._everybody_done()
        return Performed(await self._record(settings), seconds, self._troupe.own_exits)

    def _start_services(self, settings: Settings) -> None:
        where = ("--broker", settings.broker, "--prefix", settings.prefix)
        disks = self._folder / "disks"
        for service in SERVICES:
            own = ("--instance", f"{service}-1", "--data", str(disks / service), "--log-level", "info")
            self._troupe.start(service, ("run", service, *where, *own), disks / service)
        setting, silence = self._script.setting, self._script.silence
        interval = f"{silence.service},{format_instant(silence.from_at)},{format_instant(silence.until_at)}"
        days = ("--from", format_instant(setting.start_ms), "--until", format_instant(setting.end_ms))
        pace = ("--poll-ms", str(CLOCK_POLL_MS), "--gateways", SIMULATORS, "--silence", interval)
        self._troupe.start(CLOCK, ("run", CLOCK, *where, *days, *pace), disks / CLOCK, may_finish=True)

    async def _while_mending(self, playing: Coroutine[Any, Any, None]) -> None:
        """Play to the end, and start again whoever ends meanwhile: time waits for everybody."""
        task = asyncio.create_task(playing)
        try:
            while not task.done():
                self._troupe.mend()
                await asyncio.wait([task], timeout=MEND_SECONDS)
            task.result()
        finally:
            task.cancel()

    async def _everybody_done(self) -> None:
        """The clock ends by itself when the last tick was answered by all."""
        await asyncio.to_thread(self._troupe.wait_for, CLOCK)

    async def _record(self, settings: Settings) -> list[Recorded]:
        self._screen.say("recording the topics ...")
        deployment = deployment_of(settings)
        records = [record async for record in read_records(deployment, RECORDED)]
        write_log(self._folder / "log", records)
        return records
