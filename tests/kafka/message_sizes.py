"""How large a batch a topic takes: told to the broker, which puts it in force a moment after it has said yes."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError, NotLeaderForPartitionError

from shared.runtime.settings import Settings
from tests.kafka.raw_batches import batch, record, send_raw

ORDINARY, NONE = "1048588", "60"
"""In bytes: as it is by default, and less than any batch has."""
PROBE = b"is this taken?"
"""The value of records that were taken before the broker began to refuse."""


async def refuse_everything(settings: Settings, topic: str, key: bytes) -> None:
    """Let a topic take nothing more, and return when that is so where the key belongs."""
    await _configure(settings, topic, NONE)
    place = settings.topic(topic), settings.topology.partition_of(topic, key)
    while True:
        try:
            await send_raw(settings.broker, *place, batch([record(0, key, PROBE)]))
        except MessageSizeTooLargeError:
            return
        except NotLeaderForPartitionError:
            await asyncio.sleep(0.05)  # the topic was made just now


async def take_everything(settings: Settings, topic: str) -> None:
    """Let a topic take records again, soon."""
    await _configure(settings, topic, ORDINARY)


async def _configure(settings: Settings, topic: str, size: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.broker)
    await admin.start()
    try:
        wanted = ConfigResource(ConfigResourceType.TOPIC, settings.topic(topic), {"max.message.bytes": size})
        await admin.alter_configs([wanted])
    finally:
        await admin.close()
