"""The thread of the consumer: how long its fetches are held, and when it is told to end."""

import asyncio
from collections import defaultdict
from types import SimpleNamespace

from aiokafka.protocol.offset import OffsetResetStrategy
from faust.types import TP

from shared.runtime.consumer_thread import HELD_BETWEEN_SEEKS_MS, HELD_MS, EpochConsumerThread


class WaitsForABroker:
    """A consumer with a request under way to a broker that is gone: to stop it is to be cancelled with it."""

    async def stop(self):
        """End as aiokafka's does, which awaits what it has cancelled."""
        request = asyncio.ensure_future(asyncio.sleep(60))
        await asyncio.sleep(0)
        request.cancel()
        await request


def test_a_request_under_way_does_not_take_the_thread_with_it():
    """The thread goes on to say that it has ended; otherwise the process outstays its grace by half a minute."""
    thread = EpochConsumerThread.__new__(EpochConsumerThread)
    thread._method_queue, thread._consumer = None, WaitsForABroker()

    async def ended():
        await thread.on_thread_stop()
        return True

    assert asyncio.run(ended())


class Fetches:
    """A consumer that has started: what it fetches can be held, and it can be sought."""

    def __init__(self):
        self._fetch_max_wait_ms = 1500
        self._fetcher = SimpleNamespace(_fetch_max_wait_ms=1500, _default_reset_strategy=OffsetResetStrategy.EARLIEST)

    def seek(self, tp, offset):
        """Take any place."""


async def test_fetches_are_held_for_long_only_while_nothing_is_to_be_sought():
    """A seek takes effect after the fetch that is under way, so between an assignment and its seek these are short."""
    thread = EpochConsumerThread.__new__(EpochConsumerThread)
    thread._consumer, thread.seeks = Fetches(), defaultdict(int)
    fetcher = thread._consumer._fetcher
    held = []
    for _ in range(2):
        thread.expect_new_places()
        held.append(fetcher._fetch_max_wait_ms)
        await thread._seek_to({TP("facts", 0): 7})
        held.append(fetcher._fetch_max_wait_ms)
    assert held == [HELD_BETWEEN_SEEKS_MS, HELD_MS] * 2
    assert HELD_BETWEEN_SEEKS_MS < HELD_MS
