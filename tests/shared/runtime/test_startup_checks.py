"""What a process does whose broker falls silent between its first question and its start."""

from __future__ import annotations

import subprocess
import sys

from shared.runtime.local_kafka.network import LOOPBACK, free_port
from shared.runtime.stop import StopReason

SERVICE = """
import asyncio
from services.reminder.processor import PROCESSOR
from shared.contract.ticks import TimeMode
from shared.runtime.settings import Settings
from shared.runtime.startup_checks import require_topics
asyncio.run(require_topics(Settings(broker={broker!r}, mode=TimeMode.WALL), PROCESSOR))
"""


def test_a_start_without_an_answer_is_a_named_stop():
    """A service does not end with a traceback and exit code 1 where the broker is just coming up, or going away."""
    broker = f"{LOOPBACK}:{free_port()}"
    ended = subprocess.run(
        [sys.executable, "-c", SERVICE.format(broker=broker)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == StopReason.FENCE_FAILED.code, ended.stderr
    assert "KafkaConnectionError" in ended.stdout + ended.stderr
