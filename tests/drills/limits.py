"""A limit on the processor time of a process, as a container has one: everything in it goes on, and slowly.

By a control group, of either version of Linux's interface; that needs root. A stopped process would not do: it answers
nobody, so that those who scrape it take it for dead.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

GROUPS = Path("/sys/fs/cgroup")
PREFIX = "duecourse-"
PERIOD_US = 100_000


class NoControlGroups(RuntimeError):
    """This machine lets nobody limit a process; the text says why."""


class ProcessorLimit:
    """Holds processes below a share of one core until the block ends."""

    def __init__(self, name: str, share: float) -> None:
        first = (GROUPS / "cpu/cpu.cfs_quota_us").exists()
        self._root = GROUPS / "cpu" if first else GROUPS
        self._folder = self._root / f"{PREFIX}{os.getpid()}-{name}"
        quota = str(round(share * PERIOD_US))
        self._limits = {"cpu.cfs_period_us": str(PERIOD_US), "cpu.cfs_quota_us": quota}
        if not first:
            self._limits = {"cpu.max": f"{quota} {PERIOD_US}"}

    def __enter__(self) -> Self:
        try:
            if "cpu.max" in self._limits:
                (self._root / "cgroup.subtree_control").write_text("+cpu")
            self._sweep()
            self._folder.mkdir()
            for name, value in self._limits.items():
                (self._folder / name).write_text(value)
        except OSError as error:
            raise NoControlGroups(f"no control group can be made in {self._root}: {error}") from error
        return self

    def _sweep(self) -> None:
        """Take away the groups of those who were killed before they could: nobody is in them any more."""
        for folder in self._root.glob(f"{PREFIX}*"):
            owner = folder.name.removeprefix(PREFIX).partition("-")[0]
            if not Path("/proc", owner).exists():
                with suppress(OSError):  # somebody is in it still
                    folder.rmdir()

    def hold(self, process: int) -> None:
        """Put a process under the limit; to say it again of one that is there changes nothing."""
        (self._folder / "cgroup.procs").write_text(str(process))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._folder / "cgroup.procs").read_text().split():
            with suppress(OSError):  # it has just ended
                (self._root / "cgroup.procs").write_text(process)
        self._folder.rmdir()
