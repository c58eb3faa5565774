"""The local store's directory: one process at a time, and trusted only after a clean end.

After any exit but a clean one the store may be ahead of the log (a commit whose outcome was unknown), so it is wiped
and recovered from the changelog. A file that is removed at start and written at a clean end tells which it was.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import Final

from shared.runtime.past_ends import FILE as ENDS
from shared.runtime.stop import StopReason, stop

CLEAN: Final = "clean"
LOCK: Final = "lock"
PROBE: Final = "probe"
PROBE_BYTES: Final = 64 * 1024


class LocalDisk:
    """The directory of one instance's store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock: int | None = None

    def open(self) -> bool:
        """Take the directory, wipe it unless its last user ended cleanly, and return whether it was wiped."""
        try:
            return self._open()
        except OSError as error:
            stop(StopReason.DISK_UNUSABLE, f"{self.directory}: {error.strerror}")

    def _open(self) -> bool:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.directory / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stop(StopReason.STORE_IN_USE, f"{self.directory} is used by another process")
        marker = self.directory / CLEAN
        clean = marker.exists()
        if not clean:
            self._wipe()
        marker.unlink(missing_ok=True)
        self._probe()
        return not clean

    def _probe(self) -> None:
        """Write something, and make sure that it is on the disk."""
        probe = self.directory / PROBE
        with probe.open("wb") as out:
            out.write(bytes(PROBE_BYTES))
            out.flush()
            os.fsync(out.fileno())
        probe.unlink()

    def mark_clean(self) -> None:
        """Note that this process ended cleanly: what is stored is committed."""
        (self.directory / CLEAN).touch()

    def release(self) -> None:
        """Let go of the directory; the end of the process does it too."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _wipe(self) -> None:
        for path in self.directory.iterdir():
            if path.name in {LOCK, ENDS}:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
