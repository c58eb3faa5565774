"""How a partition's producer ends where the broker has nothing to say."""

from __future__ import annotations

import subprocess
import sys

from shared.runtime.stop import StopReason

PROGRAM = """
import asyncio
from aiokafka.client import AIOKafkaClient
from shared.contract.ticks import TimeMode
from shared.runtime.crash_points import CrashPoints
from shared.runtime.partition_producer import PartitionProducer
from shared.runtime.settings import Settings

async def bootstrapped_without_brokers(client):
    assert client.get_random_node() is None

async def fence():
    settings = Settings(broker="127.0.0.1:1", mode=TimeMode.WALL)
    await PartitionProducer(settings, "reminder", 0, CrashPoints({})).fence([])

AIOKafkaClient.bootstrap = bootstrapped_without_brokers
asyncio.run(fence())
"""


def test_a_client_that_knows_no_broker_is_a_named_stop():
    """A broker that was asked while it came up names no brokers; the client asserts that there is one."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == StopReason.FENCE_FAILED.code, ended.stderr
    assert "AssertionError" in ended.stdout
