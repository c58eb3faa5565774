"""Where logs begin and end, and what groups report: small questions to the broker, outside any consumer group."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from shared.engine.progress import parse_metadata
from shared.runtime.kafka_clients import new_admin, new_consumer
from shared.runtime.kafka_security import Access
from shared.runtime.private_attributes import all_metadata, know_topics
from shared.runtime.refusals import ACCESS_DENIED

BrokerError = KafkaError
"""What the client raises when the broker does not answer, or answers no."""
LOOK_SECONDS: Final = 0.5
COORDINATOR_LOOKS: Final = 40
READ_COMMITTED = "read_committed"
READ_UNCOMMITTED = "read_uncommitted"


class GroupUnanswered(KafkaError):  # type: ignore[misc]
    """Nobody says what a group reports: its coordinator is unknown, or has not answered within the bound."""


class LogEnds:
    """Asks for the ends of logs: high watermarks (`uncommitted`), or last stable offsets."""

    def __init__(self, access: Access, *, uncommitted: bool, metadata_max_age_ms: int = 5_000) -> None:
        self._consumer: Any = new_consumer(
            access,
            isolation_level=READ_UNCOMMITTED if uncommitted else READ_COMMITTED,
            metadata_max_age_ms=metadata_max_age_ms,
            enable_auto_commit=False,
        )
        self._topics: set[str] = set()

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def ends(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the end of each (topic, partition); one request per broker."""
        asked = await self._known(partitions)
        if not asked:
            return {}
        found = await self._consumer.end_offsets(asked)
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def starts(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the start of each (topic, partition)."""
        asked = await self._known(partitions)
        if not asked:
            return {}
        found = await self._consumer.beginning_offsets(asked)
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def _known(self, partitions: Iterable[tuple[str, int]]) -> list[TopicPartition]:
        """Return the places in the client's words, after it has learned who leads their topics."""
        asked = [TopicPartition(*place) for place in partitions]
        if asked:
            self._topics.update(tp.topic for tp in asked)
            await know_topics(self._consumer, self._topics)
        return asked

    async def partition_counts(self, topics: Iterable[str]) -> dict[str, int]:
        """Return how many partitions each topic has by the newest metadata; 0 where it does not exist."""
        known = await all_metadata(self._consumer)
        return {topic: len(known.partitions_for_topic(topic) or ()) for topic in topics}


class GroupProgress:
    """Asks what groups report: the last tick applied, by partition of their clock."""

    def __init__(self, access: Access) -> None:
        self._admin: Any = new_admin(access)
        self._coordinators: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        await self._admin.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._admin.close()

    async def of(self, group: str, clock: str, partitions: int) -> Mapping[int, int] | None:
        """Return `{partition: at}` of a group; partitions without a report are left out; None: ask again later."""
        found = await self._ask(group, _places(clock, partitions))
        return None if found is None else _instants(found)

    async def insist(self, group: str, clock: str, partitions: int) -> Mapping[int, int]:
        """Return the same, asking again for 20 s at most: whoever begins anew must not take silence for a beginning.

        Raises `GroupUnanswered` when nobody has answered by then.
        """
        return _instants(await self._insist(group, _places(clock, partitions)))

    async def reports(self, group: str, clock: str, partitions: int) -> Mapping[int, tuple[int, int]] | None:
        """Return `{partition: (at, n)}` in the same way: with the number of transactions."""
        found = await self._ask(group, _places(clock, partitions))
        return None if found is None else _parsed(found)

    async def members(self, group: str) -> int:
        """Return how many members a group has; the first question about any group has to wait for its coordinator."""
        for _ in range(COORDINATOR_LOOKS):
            try:
                answers = await self._admin.describe_consumer_groups([group])
                break
            except GroupCoordinatorNotAvailableError:
                await asyncio.sleep(LOOK_SECONDS)
        else:
            answers = await self._admin.describe_consumer_groups([group])
        return sum(len(members) for answer in answers for _, _, _, _, _, members, *_ in answer.groups)

    async def members_after(self, group: str, seconds: float) -> int:
        """Return how many members a group has after a while: a process that ended is one until its session does."""
        until = monotonic() + seconds
        while (count := await self.members(group)) and monotonic() < until:  # noqa: ASYNC110 - the broker does not call
            await asyncio.sleep(LOOK_SECONDS)
        return count

    async def offset_of(self, group: str, topic: str, partition: int) -> int | None:
        """Return the next offset that a group will apply, as far as it has reported; None where it has not.

        Raises `GroupUnanswered` like `insist`.
        """
        return (await self.offsets(group, [(topic, partition)])).get((topic, partition))

    async def offsets(self, group: str, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the next offsets that a group will apply, of the places that it has reported on.

        Raises `GroupUnanswered` like `insist`.
        """
        found = await self._insist(group, [TopicPartition(*place) for place in places])
        return {(tp.topic, tp.partition): it.offset for tp, it in found.items() if it.offset >= 0}

    async def _insist(self, group: str, asked: list[TopicPartition]) -> Any:
        for _ in range(COORDINATOR_LOOKS):
            found = await self._ask(group, asked)
            if found is not None:
                return found
            await asyncio.sleep(LOOK_SECONDS)
        raise GroupUnanswered(f"the coordinator of group {group} does not answer")

    async def _ask(self, group: str, asked: list[TopicPartition]) -> Any:
        try:
            if group not in self._coordinators:
                self._coordinators[group] = await self._admin.find_coordinator(group)
            found = await self._admin.list_consumer_group_offsets(group, self._coordinators[group], asked)
        except ACCESS_DENIED:
            raise
        except (KafkaError, IndexError, KeyError):
            # The client raises whatever its parser trips over when the coordinator has moved.
            found = {}
        if all(place in found for place in asked):
            return found
        # A broker that has ceased to be the coordinator answers with nothing, and the client takes that for an answer.
        self._coordinators.pop(group, None)
        return None


def _places(topic: str, partitions: int) -> list[TopicPartition]:
    return [TopicPartition(topic, partition) for partition in range(partitions)]


def _parsed(found: Mapping[Any, Any]) -> dict[int, tuple[int, int]]:
    """Return instant and number of transactions by partition, of those that have reported."""
    parsed = {tp.partition: parse_metadata(offset.metadata or "") for tp, offset in found.items()}
    return {partition: value for partition, value in parsed.items() if value is not None}


def _instants(found: Mapping[Any, Any]) -> dict[int, int]:
    return {partition: at for partition, (at, _) in _parsed(found).items()}
