"""How a service ends whose worker was brought down."""

from __future__ import annotations

import asyncio
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
MISTAKE = 1


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
