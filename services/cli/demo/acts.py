"""What goes wrong on stage, each at its simulated instant, and how an operator puts it right."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from services.cli.dead_letter_book import read_book
from services.cli.demo.progress import Screen
from services.cli.demo.script import KILLED, SILENT, Script
from services.cli.demo.troupe import Troupe, plain_environment
from shared.contract.codec import DeadReason
from shared.runtime.records import deployment_of
from shared.runtime.settings import Settings

COMMAND_SECONDS_MAX: Final = 60


class Acts:
    """The things that happen besides lenders and gateways, at each tick before it is answered."""

    def __init__(self, script: Script, settings: Settings, troupe: Troupe, screen: Screen) -> None:
        self._settings = settings
        self._troupe = troupe
        self._screen = screen
        step_ms = script.setting.step_ms
        self._due: dict[int, Callable[[int], Awaitable[None]]] = {
            script.kill_ms: self._kill,
            script.silence.from_at - step_ms: self._stop,
            script.silence.until_at - step_ms: self._resume,
            script.repair_ms: self._repair,
        }

    async def perform(self, at: int) -> None:
        """Do what is due at the tick, and show how far the days have come."""
        self._screen.reached(at)
        act = self._due.get(at)
        if act is not None:
            await act(at)

    async def _kill(self, at: int) -> None:
        self._troupe.kill(KILLED, wipe=True)
        self._screen.happened(at, f"{KILLED} killed as by a power cut, its disk wiped; it builds its state anew")

    async def _stop(self, at: int) -> None:
        self._troupe.stop(SILENT)
        self._screen.happened(at, f"{SILENT} is taken down for six hours; silence: waiting for {SILENT}")

    async def _resume(self, at: int) -> None:
        self._troupe.resume(SILENT)
        self._screen.happened(at, f"{SILENT} is back and works off what it missed, without a burst")

    async def _repair(self, at: int) -> None:
        """Put the dead letters right by the operators' own commands."""
        self._screen.happened(at, "an operator looks at the dead letters:")
        await self._command("list", "--open")
        book = await read_book(deployment_of(self._settings))
        for place, letter in book.letters.items():
            if not book.is_open(place):
                continue
            if letter.reason == DeadReason.MISROUTED_KEY:
                await self._command("replay", place)
            elif letter.reason == DeadReason.NOT_JSON:
                await self._command("discard", place, "--reason", "cut off in transfer; the lender has sent it again")

    async def _command(self, *words: str) -> None:
        where = ("--broker", self._settings.broker, "--prefix", self._settings.prefix)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "services.cli", "dead-letters", *words, *where),
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS_MAX)
        for line in output.decode(errors="replace").splitlines():
            self._screen.say(f"    {line}")
