"""Lenders that must be heard, on a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.contract.repayments import REPAYMENTS
from shared.contract.ticks import TimeMode
from shared.runtime.records import deployment_of, read_records
from shared.simulation.log import Publication
from tests.drills.voice import Voice
from tests.kafka.house import House

pytestmark = pytest.mark.kafka

ORDINARY, TINY = "1048588", "60"


@asynccontextmanager
async def configured(house: House):
    """Give a way to say how large a batch of repayments may be on the broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=house.settings.broker)
    await admin.start()

    async def largest(size: str) -> None:
        wanted = ConfigResource(ConfigResourceType.TOPIC, house.settings.topic(REPAYMENTS), {"max.message.bytes": size})
        await admin.alter_configs([wanted])

    try:
        yield largest
    finally:
        await admin.close()


def records(*values: bytes) -> Sequence[Publication]:
    """Return records of one key, and so of one partition."""
    return [Publication(REPAYMENTS, b"loan", value) for value in values]


async def test_what_a_broken_producer_has_lost_is_said_again(kafka: str, tmp_path: Path) -> None:
    """After a lost batch the broker refuses a producer's every later one; a voice is heard all the same, in order."""
    async with House(kafka, tmp_path, "voice", mode=TimeMode.WALL) as house, configured(house) as largest:
        deployment = deployment_of(house.settings)
        async with Voice(deployment) as voice:
            await voice.say(records(b"first"))
            await largest(TINY)
            saying = asyncio.create_task(voice.say(records(b"second", b"third")))
            await asyncio.sleep(1)
            assert not saying.done()
            await largest(ORDINARY)
            await asyncio.wait_for(saying, 60)
            await asyncio.wait_for(voice.say(records(b"fourth")), 60)
        async with aclosing(read_records(deployment, [REPAYMENTS])) as read:
            assert [it.value async for it in read] == [b"first", b"second", b"third", b"fourth"]
