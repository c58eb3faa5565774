"""One transactional producer per owned partition: to start it is to fence whoever owned the partition before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka.errors import KafkaError

from shared.engine.transaction import Headers, Transaction
from shared.runtime.crash_points import CrashPoint, CrashPoints
from shared.runtime.kafka_clients import new_producer
from shared.runtime.log_redaction import name_of
from shared.runtime.refusals import raise_most_telling, reason_of_error
from shared.runtime.settings import Settings
from shared.runtime.stop import StopReason, stop

BATCH_BYTES_MAX: Final = 1024 * 1024
REQUEST_TIMEOUT_MS: Final = 10_000
STOP_TIMEOUT_SECONDS: Final = 5.0


class PartitionProducer:
    """Commits the transactions of one partition. Any doubt about an outcome ends the process: see `commit`."""

    def __init__(self, settings: Settings, service: str, partition: int, crash_points: CrashPoints) -> None:
        self._settings = settings
        self._partition = partition
        self._changelog = settings.changelog(service)
        self._crash_points = crash_points
        self._producer: Any = new_producer(
            settings.access,
            transactional_id=settings.transactional_id(service, partition),
            transaction_timeout_ms=int(settings.transaction_timeout_seconds * 1000),
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=4 * BATCH_BYTES_MAX,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=settings.retry_backoff_ms,
        )

    async def fence(self, topics: Iterable[str]) -> None:
        """Become the only writer of the partition: its former owner's open transaction is completed or aborted."""
        try:
            await asyncio.wait_for(self._producer.start(), self._settings.deadline_seconds)
            for topic in topics:
                await self._producer.partitions_for(topic)
        except (KafkaError, TimeoutError, AssertionError) as error:
            # The client asserts that it knows a broker; one that is coming up, or waking up, may have named none.
            reason = reason_of_error(error, StopReason.FENCE_FAILED)
            stop(reason, f"partition {self._partition}: {name_of(error)}")
        self._crash_points.pass_by(CrashPoint.AFTER_FENCE)

    async def commit(self, transaction: Transaction, marked: Mapping[str, Headers] | None = None) -> int:
        """Commit outputs, state and progress in one step; return the offset of the last changelog record.

        `marked` are further headers of outputs, by event id: for measuring, never for deciding.

        Every send is awaited before the commit, because aiokafka's commit does not look at failed batches.
        """
        producer, more = self._producer, marked or {}
        await producer.begin_transaction()
        self._crash_points.pass_by(CrashPoint.AFTER_BEGIN)
        sent = []
        for (topic, partition), outputs in transaction.outputs.items():
            records = [(o.key, o.value, [*o.headers, *more.get(o.id, ())]) for o in outputs]
            sent += await self._send(self._settings.topic(topic), partition, records)
        changes = await self._send(self._changelog, self._partition, _changelog_records(transaction.changes.records))
        raise_most_telling(await asyncio.gather(*(future for future, _ in sent + changes), return_exceptions=True))
        self._crash_points.pass_by(CrashPoint.BEFORE_COMMIT)
        await producer.commit_transaction()
        self._crash_points.pass_by(CrashPoint.AFTER_COMMIT)
        future, count = changes[-1]
        last: int = future.result().offset + count - 1
        return last

    async def close(self) -> None:
        """Let go of the connections."""
        try:
            await asyncio.wait_for(self._producer.stop(), STOP_TIMEOUT_SECONDS)
        except (KafkaError, TimeoutError):
            return

    async def _send(
        self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes | None, list[tuple[str, bytes]]]]
    ) -> list[tuple[Any, int]]:
        """Hand the records over in batches; return each batch's future and its number of records."""
        producer = self._producer
        sent = []
        batch, count = producer.create_batch(), 0
        for key, value, headers in records:
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                sent.append((await producer.send_batch(batch, topic, partition=partition), count))
                batch, count = producer.create_batch(), 0
                if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                    raise ValueError(f"a record for {topic} is larger than {BATCH_BYTES_MAX} bytes")
            count += 1
        sent.append((await producer.send_batch(batch, topic, partition=partition), count))
        return sent


_NO_HEADERS: Final[list[tuple[str, bytes]]] = []


def _changelog_records(
    records: Mapping[bytes, bytes | None],
) -> list[tuple[bytes, bytes | None, list[tuple[str, bytes]]]]:
    return [(key, value, _NO_HEADERS) for key, value in records.items()]
