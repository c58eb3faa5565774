"""The thread of the consumer when it is told to end."""

import asyncio

from shared.runtime.consumer_thread import EpochConsumerThread


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
