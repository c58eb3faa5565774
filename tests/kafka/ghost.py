"""A producer whose transactions hang, as those of a broker that lost its markers: decided, or never decided.

What hangs is written after its coordinator has done with it, past the broker's check that a transaction knows the
partition, which `unguarded` switches off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import ConcurrentTransactions, GroupCoordinatorNotAvailableError, for_code
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest

from shared.runtime.kafka_clients import new_consumer
from shared.runtime.kafka_security import Access
from tests.kafka.raw_batches import batch, record, send_raw

Place = tuple[str, int]
GUARD = "transaction.partition.verification.enable"


@asynccontextmanager
async def unguarded(broker: str) -> AsyncIterator[None]:
    """Let the broker take records of transactions that do not know the partition."""
    await _alter(broker, "false")
    try:
        yield
    finally:
        await _alter(broker, "true")


async def _alter(broker: str, value: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, "1", configs={GUARD: value})])
    finally:
        await admin.close()


class Ghost:
    """A transactional producer by hand: each step by itself, and records whenever one likes."""

    def __init__(self, broker: str, transactional_id: str) -> None:
        self._broker = broker
        self._id = transactional_id
        self._client: Any = AIOKafkaClient(bootstrap_servers=broker)
        self._sequences: dict[Place, int] = {}
        self.producer = (-1, -1)

    async def __aenter__(self) -> Self:
        await self._client.bootstrap()
        answer = await self._ask(InitProducerIdRequest(self._id, 60_000))
        self.producer = (answer.producer_id, answer.producer_epoch)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def _ask(self, request: Any) -> Any:
        while True:
            try:
                node = await self._client.coordinator_lookup(CoordinationType.TRANSACTION, self._id)
            except GroupCoordinatorNotAvailableError:  # nobody has had a transaction here before
                await asyncio.sleep(0.05)
                continue
            answer = await self._client.send(node, request)
            codes = [code for _, parts in getattr(answer, "errors", ()) for _, code in parts]
            code = next((code for code in [getattr(answer, "error_code", 0), *codes] if code), 0)
            if not code:
                return answer
            if not (for_code(code).retriable or for_code(code) is ConcurrentTransactions):
                raise for_code(code)
            await asyncio.sleep(0.05)

    async def join(self, places: Iterable[Place]) -> None:
        """Tell the coordinator that the transaction has these partitions."""
        topics: dict[str, list[int]] = {}
        for topic, partition in places:
            topics.setdefault(topic, []).append(partition)
        await self._ask(AddPartitionsToTxnRequest(self._id, *self.producer, list(topics.items())))

    async def end(self, *, commit: bool) -> None:
        """Let the coordinator decide, and return when its markers are written: not before, for they would end all."""
        for _ in ("it decides, and promises to write them", "it says yes again only once it has done so"):
            await self._ask(EndTxnRequest(self._id, *self.producer, commit))

    async def write(self, place: Place, records: Sequence[Any]) -> None:
        """Write records into a partition, as part of whatever transaction is open there."""
        packed = [
            record(i, r.key, r.value, [(name.encode(), value) for name, value in r.headers])
            for i, r in enumerate(records)
        ]
        first = self._sequences.get(place, 0)
        self._sequences[place] = first + len(packed)
        data = batch(packed, transaction_of=self.producer, sequence=first)
        await send_raw(self._broker, *place, data, self._id)


async def aborted(broker: str, places: Iterable[Place]) -> Mapping[Place, Sequence[Any]]:
    """Return the records of these partitions that no committed read returns."""
    asked = list(places)
    written = await read_all(broker, asked, "read_uncommitted")
    visible = await read_all(broker, asked, "read_committed")
    hidden = {place: [r for o, r in written[place].items() if o not in visible[place]] for place in asked}
    return {place: records for place, records in hidden.items() if records}


async def read_all(broker: str, places: Sequence[Place], isolation: str) -> dict[Place, dict[int, Any]]:
    """Return the records of these partitions by offset."""
    consumer: Any = new_consumer(Access(broker), isolation_level=isolation, enable_auto_commit=False)
    await consumer.start()
    tps = [TopicPartition(*place) for place in places]
    consumer.assign(tps)
    await consumer.seek_to_beginning(*tps)
    found: dict[Place, dict[int, Any]] = {place: {} for place in places}
    for tp, end in (await consumer.end_offsets(tps)).items():
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(tp, timeout_ms=200)).values():
                found[tp.topic, tp.partition] |= {r.offset: r for r in records}
    await consumer.stop()
    return found
