"""The demo as a person runs it: whole, killed at, interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.kafka

SERVICES = ("reminder", "escalation", "credit_report", "rate_limiter", "clock")
SECONDS_MAX = 600


def _demo(folder: Path, *, days: int = 8, loans: int = 40) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "services.cli", "demo", "--days", str(days), "--loans", str(loans)]
    with (folder.with_suffix(".out")).open("wb") as out:
        return subprocess.Popen([*command, "--directory", str(folder)], stdout=out, stderr=subprocess.STDOUT)


def _deterministic_part(folder: Path) -> str:
    return (folder / "report.txt").read_text().split("# of this run alone")[0]


def _children_of(folder: Path) -> list[int]:
    """Every living process whose command line names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if os.fsencode(str(folder)) in line and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def _pids(folder: Path) -> dict[str, int]:
    path = folder / "processes" / "pids.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _wait_for_day(folder: Path, day: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while day not in folder.with_suffix(".out").read_text(errors="replace"):
        assert time.monotonic() < deadline, "the demo did not get there"
        time.sleep(0.2)


def test_kills_do_not_change_the_report(tmp_path: Path) -> None:
    """Every process killed by SIGKILL and by SIGTERM on the way, with its disk or without: the same bytes."""
    calm, battered = tmp_path / "calm", tmp_path / "battered"
    process = _demo(calm)
    assert process.wait(SECONDS_MAX) in (0, 1), calm.with_suffix(".out").read_text()
    process = _demo(battered)
    for number, service in enumerate(SERVICES):
        _wait_for_day(battered, f"2024-02-{11 + number}")
        for how in (signal.SIGKILL, signal.SIGTERM):
            pid = _pids(battered)[service]
            os.kill(pid, how)
            deadline = time.monotonic() + SECONDS_MAX
            while _pids(battered)[service] == pid:
                assert time.monotonic() < deadline, f"{service} was not started again"
                time.sleep(0.1)
    assert process.wait(SECONDS_MAX) in (0, 1), battered.with_suffix(".out").read_text()
    assert _deterministic_part(battered) == _deterministic_part(calm)
    assert "same bytes as the fold: yes" in _deterministic_part(calm)
    assert "BROKEN" not in _deterministic_part(calm)


def test_an_interrupted_demo_leaves_nothing_behind_and_can_be_run_again(tmp_path: Path) -> None:
    """Ctrl-C in the middle ends every process; the next demo in the same folder runs to its end."""
    folder = tmp_path / "again"
    process = _demo(folder, days=60, loans=5)
    _wait_for_day(folder, "2024-02-11")
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS_MAX) == 130
    assert _children_of(folder) == []
    assert _demo(folder, days=1, loans=5).wait(SECONDS_MAX) in (0, 1)
    assert (folder / "report.txt").exists()
    assert _children_of(folder) == []


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """Two at once never share a folder; the second is told in one sentence, exit code 2."""
    folder = tmp_path / "busy"
    first = _demo(folder, days=3, loans=5)
    _wait_for_day(folder, "2024-02-10")
    first.send_signal(signal.SIGSTOP)  # so that it is there for as long as the second one needs
    second = subprocess.run(
        [sys.executable, "-m", "services.cli", "demo", "--days", "1", "--directory", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    first.send_signal(signal.SIGCONT)
    first.send_signal(signal.SIGINT)
    first.wait(SECONDS_MAX)
    assert second.returncode == 2
    assert "Another demo runs in" in second.stderr
    assert "Traceback" not in second.stderr
