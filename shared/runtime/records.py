"""Records of a deployment's topics, read and written by commands and reports: plain clients, no service, no group.

Reading is `read_committed` and ends where the topics ended when it began, or follows them. Writing is idempotent,
waits for all replicas, and puts each key where the deployment's partitioner puts it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, NodeNotReadyError

from shared.contract.codec import Headers, Rejected
from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL, DeploymentStamped
from shared.contract.topics import logical_name, physical_name
from shared.kernel.partitioning import Partitioner, partition_of
from shared.runtime.kafka_clients import new_admin, new_consumer, new_producer
from shared.runtime.kafka_security import Access, Security
from shared.runtime.refusals import ACCESS_DENIED
from shared.runtime.settings import Settings
from shared.runtime.stop import StopReason

_FETCH_MS: Final = 200
_REQUEST_TIMEOUT_MS: Final = 10_000
_STALLED_SECONDS_MAX: Final = 30.0


class BrokerProblem(Exception):
    """The broker, or what lies on it, is not as a command needs it: one sentence, and what to do about it."""

    def __init__(self, problem: str, advice: str, reason: StopReason | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice
        self.reason = reason
        """Why a process stops over it; None where it may pass by itself."""


class NoAnswer(BrokerProblem):
    """No broker could be reached; whether one refuses us, `why_refused` finds out."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where a topic set lies: the broker's address (`host:port`, several with commas) and the topics' prefix.

    `security` says how one is let in there; `deployment_of` takes it from a process's settings.
    """

    broker: str
    prefix: str = ""
    security: Security = field(default_factory=Security)

    @property
    def access(self) -> Access:
        """What clients need to know of the broker."""
        return Access(self.broker, self.security)

    def topic(self, name: str) -> str:
        """Return the name on the broker of a logical topic."""
        return physical_name(self.prefix, name)

    def missing(self, name: str) -> BrokerProblem:
        """Return what to say when a topic is not there."""
        return BrokerProblem(
            f"There is no topic {self.topic(name)} at {self.broker}.",
            "Make a deployment's topics with `duecourse topics create`, or name its prefix with --prefix.",
        )


def deployment_of(settings: Settings) -> Deployment:
    """Return where the topic set of these settings lies."""
    return Deployment(settings.broker, settings.prefix, settings.security)


@contextmanager
def told_plainly(broker: str) -> Iterator[None]:
    """Turn the client's errors into a `BrokerProblem`."""
    try:
        yield
    except KafkaError as error:
        if isinstance(error, (KafkaConnectionError, NodeNotReadyError, KafkaTimeoutError)):
            raise NoAnswer(
                f"No Kafka answers at {broker}.",
                "Start one with `duecourse kafka start`, or name yours with --broker host:port.",
            ) from error
        raise BrokerProblem(
            f"Kafka at {broker} refused: {type(error).__name__}.",
            "Its log and your access rights say more.",
            StopReason.ACCESS_DENIED if isinstance(error, ACCESS_DENIED) else None,
        ) from error


async def _start(client: Any, broker: str) -> None:
    try:
        await client.start()
    except (OSError, ValueError) as error:
        raise BrokerProblem(f"{broker} is not the address of a Kafka broker.", "It reads host:port.") from error


async def partition_counts(deployment: Deployment, topics: Sequence[str]) -> dict[str, int]:
    """Return how many partitions each logical topic has; raise `BrokerProblem` where one is missing."""
    admin = new_admin(deployment.access, request_timeout_ms=_REQUEST_TIMEOUT_MS)
    with told_plainly(deployment.broker):
        try:
            await _start(admin, deployment.broker)
            described = await admin.describe_topics([deployment.topic(name) for name in topics])
        finally:
            await admin.close()
    found = {topic["topic"]: len(topic["partitions"]) for topic in described if not topic["error_code"]}
    for name in topics:
        if deployment.topic(name) not in found:
            raise deployment.missing(name)
    return {name: found[deployment.topic(name)] for name in topics}


class _Patience:
    """Gives up on topics that have an end which is not reached."""

    def __init__(self) -> None:
        self._since = monotonic()

    def require(self, places: Iterable[TopicPartition], *, moves: bool) -> None:
        """Raise `BrokerProblem` where nothing has moved for long."""
        if moves:
            self._since = monotonic()
        elif monotonic() - self._since > _STALLED_SECONDS_MAX:
            raise BrokerProblem(
                f"{next(iter(places)).topic} cannot be read to its end.", "Are all brokers of the cluster up?"
            )


class Reader:
    """Reads some topics of a deployment, all partitions."""

    def __init__(self, deployment: Deployment, consumer: Any) -> None:
        self._deployment = deployment
        self._consumer = consumer
        self._partitions: list[TopicPartition] = []

    async def assign(self, counts: Mapping[str, int]) -> None:
        """Take all partitions of the logical topics, from their beginning."""
        places = [(self._deployment.topic(name), count) for name, count in counts.items()]
        self._partitions = [TopicPartition(physical, number) for physical, count in places for number in range(count)]
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning(*self._partitions)

    async def to_end(self) -> None:
        """Go on from where the topics end now."""
        for place, end in (await self._consumer.end_offsets(self._partitions)).items():
            self._consumer.seek(place, end)

    async def from_instant(self, instant_ms: int) -> None:
        """Go on from the first records appended at `instant_ms` or later."""
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._partitions, instant_ms))
        ends = await self._consumer.end_offsets(self._partitions)
        for place in self._partitions:
            self._consumer.seek(place, found[place].offset if found[place] is not None else ends[place])

    async def until_end(self) -> AsyncGenerator[Recorded, None]:
        """Yield every record up to where the topics end now, as they come; open transactions are the end."""
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(self._partitions)
        waiting, patience = await self._before(ends), _Patience()
        while waiting:
            batches = await self._fetch(*waiting)
            for place, records in batches.items():
                for record in records:
                    if record.offset < ends[place]:
                        yield self._recorded(record)
            left = await self._before({place: ends[place] for place in waiting})
            patience.require(waiting, moves=bool(batches) or left != waiting)
            waiting = left

    async def until_still(self) -> AsyncGenerator[Recorded, None]:
        """Yield every record up to a moment, for each partition one of its own, at which nothing newer lay there.

        For compacted topics that grow: what is compacted away before it is read has a newer value, and that may lie
        behind the end that was found when the reading began.
        """
        moving, patience = await self._before(await self._consumer.end_offsets(self._partitions)), _Patience()
        while moving:
            batches = await self._fetch(*moving)
            for records in batches.values():
                for record in records:
                    yield self._recorded(record)
            left = await self._before(await self._consumer.end_offsets(list(moving)))
            patience.require(moving, moves=bool(batches) or left != moving)
            moving = left

    async def _before(self, ends: Mapping[TopicPartition, int]) -> set[TopicPartition]:
        """Return the partitions that are not read to these ends."""
        return {place for place, end in ends.items() if await self._consumer.position(place) < end}

    async def follow(self) -> AsyncGenerator[Recorded, None]:
        """Yield records for ever, as they come."""
        while True:
            for records in (await self._fetch()).values():
                for record in records:
                    yield self._recorded(record)

    async def _fetch(self, *places: TopicPartition) -> Mapping[TopicPartition, Sequence[Any]]:
        found: Mapping[TopicPartition, Sequence[Any]] = await self._consumer.getmany(*places, timeout_ms=_FETCH_MS)
        return found

    def _recorded(self, record: Any) -> Recorded:
        return Recorded(
            topic=logical_name(self._deployment.prefix, record.topic),
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            headers=tuple(record.headers),
            appended_ms=record.timestamp,
        )


@asynccontextmanager
async def reader(deployment: Deployment, topics: Sequence[str]) -> AsyncIterator[Reader]:
    """Give a reader of the logical topics, at their beginning; raise `BrokerProblem` where one is missing."""
    counts = await partition_counts(deployment, topics)
    consumer = new_consumer(
        deployment.access,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    with told_plainly(deployment.broker):
        try:
            await _start(consumer, deployment.broker)
            reading = Reader(deployment, consumer)
            await reading.assign(counts)
            yield reading
        finally:
            await consumer.stop()


async def read_records(deployment: Deployment, topics: Sequence[str]) -> AsyncGenerator[Recorded, None]:
    """Yield every committed record of the logical topics up to their present end, interleaved as they come."""
    async with reader(deployment, topics) as reading:
        async for record in reading.until_end():
            yield record


async def read_compacted(deployment: Deployment, topics: Sequence[str]) -> AsyncGenerator[Recorded, None]:
    """Yield what compacted topics hold, no key left out that had a value when it was read; see `until_still`."""
    async with reader(deployment, topics) as reading:
        async for record in reading.until_still():
            yield record


async def stamp(deployment: Deployment) -> DeploymentStamped | None:
    """Return what was said about the topic set when it was made: kind of time, partitioner, partition counts."""
    async with aclosing(read_records(deployment, [CONTROL])) as records:
        async for record in records:
            decoded = record.decode()
            if not isinstance(decoded, Rejected) and isinstance(decoded.data, DeploymentStamped):
                return decoded.data
    return None


class Publisher:
    """Writes records of a deployment's topics, each key to its partition."""

    def __init__(self, deployment: Deployment, producer: Any, partitioner: Partitioner) -> None:
        self._deployment = deployment
        self._producer = producer
        self._partitioner = partitioner
        self._counts: dict[str, int] = {}

    async def partition_of(self, topic: str, key: bytes) -> int:
        """Return the partition of the logical topic where records with this key lie."""
        if topic not in self._counts:
            self._counts.update(await partition_counts(self._deployment, [topic]))
        return partition_of(key, self._counts[topic], self._partitioner)

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> asyncio.Future[Any]:
        """Hand over one record; the future tells when all replicas have it, and where. No key: any partition."""
        partition = None if key is None else await self.partition_of(topic, key)
        sent: asyncio.Future[Any] = await self._producer.send(
            self._deployment.topic(topic), value=value, key=key, partition=partition, headers=list(headers)
        )
        return sent


@asynccontextmanager
async def publisher(deployment: Deployment, partitioner: Partitioner | None = None) -> AsyncIterator[Publisher]:
    """Give a publisher that partitions as the deployment's stamp says (murmur2 where there is none)."""
    if partitioner is None:
        said = await stamp(deployment)
        partitioner = Partitioner(said.partitioner) if said else Partitioner.MURMUR2
    producer = new_producer(
        deployment.access,
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    with told_plainly(deployment.broker):
        try:
            await _start(producer, deployment.broker)
            yield Publisher(deployment, producer, partitioner)
        finally:
            await producer.stop()
