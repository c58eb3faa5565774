"""One process of ours, told apart from a stranger who was later given the same number."""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class OwnedProcess:
    """A process by its number and the instant at which the system says it began (its own units, only ever compared)."""

    pid: int
    began: str

    @staticmethod
    def of(pid: int) -> "OwnedProcess | None":
        """Describe a living process; None where there is none."""
        began = _began(pid)
        return None if began is None else OwnedProcess(pid, began)

    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        return _began(self.pid) == self.began

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to this very process; False, and nothing sent, when it is gone."""
        if not self.is_alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for its end; False when it still runs after the time given."""
        deadline = time.monotonic() + timeout_seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True


def dying_with_starter(command: list[str], how: signal.Signals = signal.SIGTERM) -> list[str]:
    """Extend a command so that the system ends it when its starter dies, however that happens, where the system can."""
    setpriv = shutil.which("setpriv")
    return command if setpriv is None else [setpriv, "--pdeathsig", how.name.removeprefix("SIG"), "--", *command]


def _began(pid: int) -> str | None:
    """Return when a living process began; None for no process and for a dead one that nobody has collected."""
    if not Path("/proc/self/stat").exists():
        return _began_by_ps(pid)
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # After the name in brackets, which may hold anything: the state is the first word, the start time the twentieth.
    words = text.rpartition(")")[2].split()
    return None if words[0] in "ZX" else words[19]


def _began_by_ps(pid: int) -> str | None:
    """Ask ps instead, on systems without /proc."""
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607 - a standard tool, found where the person's path says
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    state, _, began = answer.stdout.strip().partition(" ")
    return None if not began or state.startswith("Z") else began.strip()
