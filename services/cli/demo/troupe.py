"""The demo's processes: started, killed on cue, started again when they end by themselves, never left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.runtime.local_kafka.files import write_whole
from shared.runtime.local_kafka.process import dying_with_starter
from shared.runtime.settings import OF_SECURITY, VARIABLE_PREFIX

PIDS_FILE: Final = "pids.json"
"""Beside the logs, for whoever wants to kill one: the number of each process, kept up to date."""
STOP_SECONDS: Final = 20.0
END_SECONDS_MAX: Final = 60.0
RESTARTS_MAX: Final = 30
"""Of one process that nobody killed: more means that it cannot work, and the demo says so."""


class CannotGoOn(RuntimeError):
    """A process of the demo ends again and again; the text names it and its log."""


@dataclass(slots=True)
class Member:
    """One process: its command without the part that is the same for all, its disk, and how often it was started."""

    name: str
    arguments: tuple[str, ...]
    disk: Path
    may_finish: bool
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = False
    starts: int = 0
    own_exits: list[int] = field(default_factory=list)

    @property
    def runs(self) -> bool:
        """Whether it is alive."""
        return self.process is not None and self.process.poll() is None


class Troupe:
    """All processes of one demo. `close` ends every one of them, however the demo ended."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._members: dict[str, Member] = {}
        logs.mkdir(parents=True, exist_ok=True)

    @property
    def own_exits(self) -> dict[str, int]:
        """How often each process ended by itself, by name, where it did."""
        return {name: len(m.own_exits) for name, m in sorted(self._members.items()) if m.own_exits}

    @property
    def pids(self) -> dict[str, int]:
        """The number of each process."""
        return {name: m.process.pid for name, m in sorted(self._members.items()) if m.process is not None}

    def member(self, name: str) -> Member:
        """Return the process of that name with its history."""
        return self._members[name]

    def runs(self, name: str) -> bool:
        """Whether the process is alive."""
        return self._members[name].runs

    def wait_for(self, name: str) -> None:
        """Wait until the process has ended by itself, within bounds."""
        process = self._members[name].process
        if process is not None:
            process.wait(END_SECONDS_MAX)

    def start(self, name: str, arguments: tuple[str, ...], disk: Path, *, may_finish: bool = False) -> None:
        """Start `duecourse` with these arguments as the process of that name; some may come to an end of their own."""
        member = Member(name, arguments, disk, may_finish)
        self._members[name] = member
        self._spawn(member)

    def kill(self, name: str, *, wipe: bool) -> None:
        """Kill it as a power cut would, wipe its disk if asked to, and start it again."""
        member = self._members[name]
        self._end(member, signal.SIGKILL)
        if wipe:
            shutil.rmtree(member.disk, ignore_errors=True)
        self._spawn(member)

    def stop(self, name: str) -> None:
        """Ask it to end, and leave it so."""
        self._members[name].wanted = False
        self._end(self._members[name], signal.SIGTERM)

    def resume(self, name: str) -> None:
        """Start again what was stopped."""
        self._spawn(self._members[name])

    def mend(self) -> None:
        """Start again what ended by itself; raise `CannotGoOn` when that does not help."""
        for member in self._members.values():
            if not member.wanted or member.runs or member.process is None:
                continue
            if member.may_finish and member.process.returncode == 0:
                continue
            member.own_exits.append(member.process.returncode)
            if len(member.own_exits) > RESTARTS_MAX:
                codes = ", ".join(map(str, member.own_exits[-3:]))
                raise CannotGoOn(f"{member.name} keeps ending (exit codes {codes}); its log is {self.log_of(member)}")
            self._spawn(member)

    def close(self) -> None:
        """End all processes, gently first."""
        alive = [member for member in self._members.values() if member.runs]
        for member in alive:
            member.wanted = False
            assert member.process is not None
            member.process.send_signal(signal.SIGTERM)
        for member in alive:
            self._end(member, signal.SIGTERM)

    def log_of(self, member: Member) -> Path:
        """Return the file that holds what the process said."""
        return self._logs / f"{member.name}.log"

    def _spawn(self, member: Member) -> None:
        command = dying_with_starter([sys.executable, "-m", "services.cli", *member.arguments])
        member.wanted = True
        member.starts += 1
        with self.log_of(member).open("ab") as log:
            member.process = subprocess.Popen(
                command,
                env=plain_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        write_whole(self._logs / PIDS_FILE, json.dumps(self.pids, indent=2) + "\n")

    @staticmethod
    def _end(member: Member, how: signal.Signals) -> None:
        process = member.process
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def plain_environment() -> dict[str, str]:
    """Return our variables but for what is said of another broker's security: the demo's own is plain, on loopback."""
    about = tuple(VARIABLE_PREFIX + kind for kind in OF_SECURITY)
    return {name: text for name, text in os.environ.items() if not name.startswith(about)}
