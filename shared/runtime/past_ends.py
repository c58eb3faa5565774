"""How the processes of one instance ended, noted on its disk: a counter in memory would die with what it counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Final

from shared.runtime.local_kafka.files import write_whole
from shared.runtime.stop import StopReason, stop

FILE: Final = "ends.json"
_RUNNING: Final = "running"


class PastEnds:
    """The note. `opened` is called at start, `note` at the end; a start that finds neither was preceded by a kill."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / FILE

    def opened(self, killed: str) -> Counter[str]:
        """Return how often the instance ended, by reason; a former process that said nothing counts as `killed`.

        Stops the process where the disk has no room for so little: the store would have none either.
        """
        found = self._read()
        if found.pop(_RUNNING, 0):
            found[killed] += 1
        try:
            self._write(found + Counter({_RUNNING: 1}))
        except OSError as error:
            stop(StopReason.DISK_UNUSABLE, f"{self._path.parent}: {error.strerror}")
        return found

    def note(self, reason: str) -> None:
        """Note how this process ends."""
        found = self._read()
        if found.pop(_RUNNING, 0):
            found[reason] += 1
            self._write(found)

    def _read(self) -> Counter[str]:
        try:
            read = json.loads(self._path.read_text())
            return Counter({str(reason): int(count) for reason, count in read.items()})
        except (OSError, ValueError, AttributeError, TypeError):
            return Counter()

    def _write(self, found: Counter[str]) -> None:
        write_whole(self._path, json.dumps(found, sort_keys=True) + "\n")
