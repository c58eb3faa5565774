"""Who of a service gets which partitions, when the broker has said all about them, or not yet."""

from __future__ import annotations

import subprocess
import sys

from shared.runtime.stop import StopReason

PROGRAM = """
import sys
from pathlib import Path
from aiokafka.cluster import ClusterMetadata
from services.reminder.app import create_app
from shared.contract.ticks import TimeMode
from shared.runtime.settings import Settings

disk, known = sys.argv[1:]
app = create_app(Settings(broker="127.0.0.1:1", mode=TimeMode.WALL, data_directory=Path(disk), loan_partitions=2), {})
topics = [app.shell.settings.topic(topic) for topic in app.shell.inputs]
cluster = ClusterMetadata()
for topic in topics[: int(known)]:
    cluster._partitions[topic] = {number: None for number in range(2)}
assignor = app.assignor
assigned = assignor.assign(cluster, {"only": assignor.metadata(set(topics))})
print(sorted(assigned["only"].partitions()))
"""


def assign(disk: str, known: int) -> subprocess.CompletedProcess[str]:
    """Let a process of the reminder assign its partitions, knowing those of so many of its topics."""
    command = [sys.executable, "-c", PROGRAM, disk, str(known)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_nobody_is_left_without_partitions_for_want_of_metadata(tmp_path):
    """Whoever leads the group and does not know all topics stops, to be started again, and assigns nothing."""
    ended = assign(str(tmp_path), 3)
    assert ended.returncode == StopReason.DOUBT.code, ended.stderr
    assert "which partitions there are of" in ended.stdout + ended.stderr


def test_whoever_knows_all_topics_assigns_all_partitions(tmp_path):
    """With every topic known, each of its partitions goes to somebody."""
    ended = assign(str(tmp_path), 4)
    assert ended.returncode == 0, ended.stderr
    last = ended.stdout.splitlines()[-1]
    assert [last.count(f"partition={number})") for number in range(3)] == [4, 4, 0]
