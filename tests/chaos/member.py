"""One process of the system under test: `duecourse run SERVICE`, with its disk, its log and how it ended each time."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGTERM
from time import monotonic
from typing import Any

from shared.runtime.local_kafka.process import dying_with_starter

CRASH_AT, PAUSE_AT = "DUECOURSE_CRASH_AT", "DUECOURSE_PAUSE_AT"
GRACE_SECONDS = 30.0
"""What the compose file gives a process between SIGTERM and SIGKILL."""


class Member:
    """A process with a supervisor: while it is `wanted`, whatever ended is started again.

    `environment` is for every start, `once` for the next start alone.
    """

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
        self.name, self.environment = name, dict(environment)
        self.service = command[command.index("run") + 1]
        self.disk = folder / "disks" / name / self.service / name
        self.once: dict[str, str] = {}
        self.wanted = False
        self.starts = 0
        self.ends: list[tuple[float, int]] = []
        """Instant (monotonic) and exit code of every end."""
        self.asked: int | None = None
        self.start_at: float | None = None
        """When a supervisor starts it again (monotonic), if it is still wanted then."""
        self.armed = False
        """Whether this process was started with a crash point at which it kills itself."""
        self.overstayed = 0
        self.popen: subprocess.Popen[bytes] | None = None
        self._command, self._folder = command, folder

    @property
    def log(self) -> Path:
        """What the newest process said."""
        return self._folder / f"{self.name}.{self.starts}.log"

    @property
    def runs(self) -> bool:
        """Whether it is alive, paused or not."""
        return self.popen is not None and self.popen.poll() is None

    @property
    def is_paused(self) -> bool:
        """Whether it stands still by SIGSTOP."""
        return self.runs and self.state() == "T"

    def state(self) -> str:
        """Return the kernel's letter for the state of the process."""
        assert self.popen is not None
        try:
            text = Path(f"/proc/{self.popen.pid}/stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return "X"
        return text.rpartition(")")[2].split()[0]

    def start(self, **once: str) -> None:
        """Start it, this time with further variables."""
        assert not self.runs, f"{self.name} runs already"
        self.wanted, self.starts, self.asked, self.start_at = True, self.starts + 1, None, None
        environment = {**self.environment, **self.once, **once}
        self.once, self.armed = {}, CRASH_AT in environment
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                dying_with_starter([*self._command]),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self.popen is not None and self.popen.poll() is None:
            self.asked = number if number not in {SIGSTOP, SIGCONT} else self.asked
            self.popen.send_signal(number)

    async def end(self, how: int = SIGTERM) -> int:
        """End it, wait, return its exit code; whoever outstays the grace period is killed, and that is taken down.

        A supervisor starts it again at once, unless it is no longer `wanted`.
        """
        popen = self.popen
        assert popen is not None
        self.signal(how)
        try:
            return await asyncio.to_thread(popen.wait, GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.overstayed += 1
            popen.kill()
            return await asyncio.to_thread(popen.wait)

    def buried(self) -> int | None:
        """Take down how it ended, once per process; None while it lives or when it is taken down already."""
        if self.popen is None or self.popen.poll() is None:
            return None
        code, self.popen = self.popen.returncode, None
        self.ends.append((monotonic(), code))
        return code

    def wipe(self) -> None:
        """Lose its disk."""
        shutil.rmtree(self.disk, ignore_errors=True)

    def said(self, event: str, *, ever: bool = False) -> list[dict[str, Any]]:
        """Return the log lines of an event, of the newest process or of all that ever were."""
        logs = sorted(self._folder.glob(f"{self.name}.*.log")) if ever else [self.log]
        found = []
        for log in logs:
            text = log.read_text(errors="replace") if log.exists() else ""
            for line in text[: text.rfind("\n") + 1].splitlines():  # the last one may be half written
                if event in line and line.startswith("{"):
                    record = json.loads(line)
                    found += [record] if record.get("event") == event else []
        return found

    def tail(self, characters: int = 1500) -> str:
        """Return the end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"--- {self.log.name} (runs: {self.runs}, ends: {[code for _, code in self.ends]})\n{text[-characters:]}"


def command_of(service: str, *arguments: str) -> list[str]:
    """Return the command line of a process as an operator types it."""
    return [sys.executable, "-m", "services.cli", "run", service, *arguments]
