"""Lenders that must be heard, on a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from shared.contract.repayments import REPAYMENTS
from shared.contract.ticks import TimeMode
from shared.runtime.records import deployment_of, read_records
from shared.simulation.log import Publication
from tests.drills.voice import Voice
from tests.kafka.house import House
from tests.kafka.message_sizes import PROBE, refuse_everything, take_everything

pytestmark = pytest.mark.kafka

KEY = b"loan"


def records(*values: bytes) -> Sequence[Publication]:
    """Return records of one key, and so of one partition."""
    return [Publication(REPAYMENTS, KEY, value) for value in values]


async def test_what_a_broken_producer_has_lost_is_said_again(kafka: str, tmp_path: Path) -> None:
    """After a lost batch the broker refuses a producer's every later one; a voice is heard all the same, in order."""
    async with House(kafka, tmp_path, "voice", mode=TimeMode.WALL) as house:
        deployment = deployment_of(house.settings)
        async with Voice(deployment) as voice:
            await voice.say(records(b"first"))
            await refuse_everything(house.settings, REPAYMENTS, KEY)
            saying = asyncio.create_task(voice.say(records(b"second", b"third")))
            await asyncio.sleep(1)
            assert not saying.done()
            await take_everything(house.settings, REPAYMENTS)
            await asyncio.wait_for(saying, 60)
            await asyncio.wait_for(voice.say(records(b"fourth")), 60)
        async with aclosing(read_records(deployment, [REPAYMENTS])) as read:
            heard = [it.value async for it in read if it.value != PROBE]
        assert heard == [b"first", b"second", b"third", b"fourth"]
