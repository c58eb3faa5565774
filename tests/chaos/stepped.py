"""`duecourse`, on a machine whose time of day can be stepped: `python -m tests.chaos.stepped FILE run clock ...`.

The file holds by how many milliseconds the time of day is wrong; no file: not at all. The monotonic clock stays true,
as on a machine whose time of day somebody sets.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

MILLISECOND_NS = 1_000_000


def step_by(file: Path) -> None:
    """Let this process see the time of day as the file says."""
    true_time_ns = time.time_ns

    def stepped_time_ns() -> int:
        try:
            return true_time_ns() + int(file.read_text() or 0) * MILLISECOND_NS
        except FileNotFoundError:
            return true_time_ns()

    time.time_ns = stepped_time_ns


if __name__ == "__main__":
    step_by(Path(sys.argv.pop(1)))
    from services.cli import main

    main()
