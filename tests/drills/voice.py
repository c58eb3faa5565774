"""Whoever publishes and must be heard, whatever becomes of the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiokafka.errors import KafkaError

from shared.runtime.records import BrokerProblem, Deployment, Publisher, publisher
from shared.simulation.log import Publication

CONFIRMED_SECONDS_MAX = 20.0
CLOSED_SECONDS_MAX = 5.0
RETRY_SECONDS = 0.5


class Voice:
    """Says records until all replicas have them.

    An idempotent producer that has lost one batch may lose every later one: the broker misses a number in the sequence
    for ever. So what nobody confirms is said again by a new producer, the same bytes; the ids in them tell readers.
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._opened = AsyncExitStack()
        self._sender: Publisher | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._give_up()

    async def say(self, said: Sequence[Publication]) -> None:
        """Return once Kafka has every record, in the order of each partition."""
        while not await self._is_heard(said):
            await self._give_up()
            await asyncio.sleep(RETRY_SECONDS)

    async def _is_heard(self, said: Sequence[Publication]) -> bool:
        try:
            async with asyncio.timeout(CONFIRMED_SECONDS_MAX):
                if self._sender is None:
                    self._sender = await self._opened.enter_async_context(publisher(self._deployment))
                sent = [await self._sender.send(it.topic, it.key, it.value, it.headers) for it in said]
                became = await asyncio.gather(*sent, return_exceptions=True)
        except (KafkaError, BrokerProblem, TimeoutError):
            return False
        return not any(isinstance(it, BaseException) for it in became)

    async def _give_up(self) -> None:
        """Close the producer; one that does not end by itself is left alone, as a supervisor would kill its process."""
        former, self._opened, self._sender = self._opened, AsyncExitStack(), None
        closing = asyncio.create_task(former.aclose())
        await asyncio.wait([closing], timeout=CLOSED_SECONDS_MAX)
        if closing.done():
            closing.exception()
