"""What Prometheus remembers from before the drills."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

QUIET_HOURS = 7
LAST_SEEN_SECONDS = 900
"""The history ends here before now, so that no window of a rule sees it beside the present."""
STEP_SECONDS = 60
PERMITS_PER_STEP = 1


def remember_quiet_hours(folder: Path, now_seconds: int) -> None:
    """Give Prometheus, which keeps its series in `folder`, hours in which a permit was granted every minute."""
    began, ended = now_seconds - QUIET_HOURS * 3600, now_seconds - LAST_SEEN_SECONDS
    lines = ["# TYPE duecourse_permits counter"]
    for number, instant in enumerate(range(began, ended, STEP_SECONDS)):
        labels = 'service="rate_limiter",contact_class="overdue",job="duecourse",instance="before"'
        lines.append(f"duecourse_permits_total{{{labels}}} {number * PERMITS_PER_STEP} {instant}")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as out:
        out.write("\n".join([*lines, "# EOF", ""]))
        out.flush()
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", out.name, str(folder)]
        subprocess.run(command, check=True)
