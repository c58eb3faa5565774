"""A broker that is away for long: the ticks that it missed are told by nobody when it is back."""

import asyncio
from contextlib import suppress

import pytest

from shared.contract.codec import Envelope, decode
from shared.contract.recorded import Recorded
from shared.contract.ticks import LOAN_CLOCK, Tick, TimeMode
from shared.runtime.clock_log import TickWriter
from shared.runtime.kafka_offsets import BrokerError
from shared.runtime.local_kafka import LocalKafka
from shared.runtime.records import Deployment, read_records
from tests.kafka.house import House
from tests.shared.engine.toy import HOUR_MS, POLICY, START_MS

pytestmark = pytest.mark.kafka


def tick(number):
    """Return one tick for partition 0."""
    return [(0, Tick(at=START_MS + number * HOUR_MS, barriers={}, policy=POLICY))]


def told_by(record: Recorded) -> int:
    """Return the instant that a recorded tick tells."""
    found = decode(record.topic, record.key, record.value, record.headers)
    assert isinstance(found, Envelope)
    return (found.data.at - START_MS) // HOUR_MS


async def test_a_tick_that_the_broker_did_not_take_in_time_is_given_up(tmp_path):
    """While the broker is away the writer says so; when it is back, only what is written then lies in the topic."""
    broker = LocalKafka(tmp_path / "broker", die_with_starter=True)
    address = await asyncio.to_thread(broker.start)
    try:
        async with House(address, tmp_path / "house", "late", mode=TimeMode.SIMULATED) as house:
            writer = TickWriter(house.settings)
            await writer.start()
            await writer.write(LOAN_CLOCK, tick(0))
            await asyncio.to_thread(broker.kill)
            with pytest.raises(BrokerError):
                await asyncio.wait_for(writer.write(LOAN_CLOCK, tick(1)), 30)
            await asyncio.to_thread(broker.start)
            await asyncio.wait_for(write_at_last(writer, tick(2)), 60)
            await writer.stop()
            place = Deployment(address, house.settings.prefix)
            told = [told_by(record) async for record in read_records(place, [LOAN_CLOCK])]
            assert 1 not in told
            assert told[0] == 0
            assert told[-1] == 2
    finally:
        await asyncio.to_thread(broker.stop)


async def write_at_last(writer, ticks):
    """Write until the broker takes it."""
    while True:
        with suppress(BrokerError):
            return await writer.write(LOAN_CLOCK, ticks)
        await asyncio.sleep(0.2)
