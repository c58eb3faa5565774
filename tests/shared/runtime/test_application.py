"""How a service ends whose worker was brought down."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest

from shared.runtime.application import PromptWorker
from shared.runtime.stop import StopReason

PROGRAM = """
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from mode.worker import exiting
from shared.runtime.application import doubt_the_silent

try:
    with exiting():
        raise {error}
except SystemExit as end:
    doubt_the_silent(end)
    raise
"""
STARTING = """
import asyncio, os, sys
from pathlib import Path
from prometheus_client import generate_latest
from services.reminder.app import create_app
from shared.contract.ticks import TimeMode
from shared.runtime.settings import Settings

broker, disk = sys.argv[1:]
app = create_app(Settings(broker=broker, mode=TimeMode.WALL, data_directory=Path(disk)), {})

async def main():
    starting = asyncio.ensure_future(app.on_first_start())
    await asyncio.wait([starting], timeout=3)
    assert not starting.done()
    print(generate_latest(app.shell.metrics.registry).decode(), flush=True)
    os._exit(0)

asyncio.run(main())
"""
"""A broker that answers nothing keeps it in its first check."""
MISTAKE = 1
TOLD_SECONDS_MAX = 120.0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("KafkaConnectionError", StopReason.DOUBT.code),
        ("TopicAuthorizationFailedError", StopReason.ACCESS_DENIED.code),
        ("ZeroDivisionError", MISTAKE),
    ],
)
def test_a_silent_broker_is_told_from_a_mistake_of_ours(error, code):
    """Whatever part of the worker the broker left without an answer, the end has a name; a mistake has none."""
    command = [sys.executable, "-c", PROGRAM.format(error=error)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr
    assert ("the broker did not answer" in ended.stdout) == (code != MISTAKE)


async def test_what_was_cancelled_at_the_end_has_ended_before_the_loop_is_closed():
    """A task that has something to put away is given the time for it, and nobody rests when there is none."""
    put_away = []

    async def part():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            put_away.append("everything")

    task = asyncio.create_task(part())
    await asyncio.sleep(0)
    task.cancel()
    worker = PromptWorker.__new__(PromptWorker)
    await worker._sentinel_task()
    assert put_away == ["everything"]
    await worker._sentinel_task()
    assert task.cancelled()


def test_a_process_that_is_not_at_work_yet_says_so(tmp_path):
    """From its start on, through checks and recovery, a service tells that it is not ready: it is not absent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = f"127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-c", STARTING, broker, str(tmp_path)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TOLD_SECONDS_MAX)
    assert 'duecourse_ready{service="reminder"} 0.0' in ended.stdout, ended.stderr
    assert "duecourse_disk_free_bytes{" in ended.stdout
