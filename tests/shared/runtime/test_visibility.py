"""What watches beside the partitions while the broker does not answer."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from shared.runtime.visibility import once_answered


def test_a_watch_outlives_a_silent_broker():
    """Whatever the client says of a broker that is away, the watch looks again until it is answered."""
    silences = [KafkaTimeoutError(), KafkaConnectionError()]
    looks: list[int] = []

    async def look() -> None:
        looks.append(len(looks))
        if silences:
            raise silences.pop()

    asyncio.run(once_answered(look, pause_seconds=0))
    assert looks == [0, 1, 2]


def test_a_mistake_of_ours_is_not_taken_for_silence():
    """Only the broker is waited for: anything else ends the watch, and the process with it."""

    async def look() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(once_answered(look, pause_seconds=0))
