"""Finds transactions that nobody will ever complete, and completes them.

A transaction hangs where a partition holds records of it and no marker, while the coordinator, who alone writes
markers, believes that nothing is left to do there. All committed reads end before it. The changelog decides what is
right: where it hangs too, the transaction is completed as the coordinator decided, and aborted where nobody ever
decided; where only outputs hang, the state is committed, and to abort them would lose them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import TopicPartition
from aiokafka.client import CoordinationType
from aiokafka.errors import LeaderNotAvailableError, for_code

from shared.contract.topics import SERVICES, TOPICS
from shared.runtime.kafka_clients import new_client
from shared.runtime.settings import Settings
from shared.runtime.transaction_log import Decision, Entry, decided, read_log
from shared.runtime.transaction_protocol import (
    describe_producers,
    describe_transactions,
    list_transactions,
    write_marker,
)

Place = tuple[str, int]
UNWRITTEN: Final = -1
TRANSACTIONAL_ID_NOT_FOUND: Final = 105
RETRIES: Final = 4
RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Producer:
    """A producer as one partition knows it; `start_offset` is that of its open transaction there, or -1."""

    place: Place
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int
    start_offset: int


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """All partitions in which one producer has a transaction open, and what its coordinator says.

    `owner` is the service and partition whose producer it is, None for a stranger (a lender's, say). `hangs` is False
    where the coordinator knows of the transaction and will end it by itself, at its time-out at the latest.
    """

    producer_id: int
    parts: tuple[Producer, ...]
    transactional_id: str | None
    owner: tuple[str, int] | None
    says: str
    hangs: bool
    decision: Decision
    changelog_hangs: bool

    @property
    def is_right(self) -> Decision:
        """What must be done: as decided; where nobody knows, what the changelog says; else the stranger is aborted."""
        if self.decision is not Decision.UNKNOWN:
            return self.decision
        return Decision.COMMIT if self.owner is not None and not self.changelog_hangs else Decision.ABORT


class TransactionDesk:
    """Asks leaders and coordinators, and writes markers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Any = new_client(settings.access)

    async def __aenter__(self) -> Self:
        await self._client.bootstrap()
        await self._client.set_topics({topic for topic, _ in _places(self._settings)})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def find(self) -> tuple[OpenTransaction, ...]:
        """Return the open transactions on all topics of the deployment, changelogs included."""
        producers = await self._producers(_places(self._settings))
        owners = self._owners(producers)
        open_ = [producer for producer in producers if producer.start_offset != UNWRITTEN]
        ids = await self._transactional_ids({producer.producer_id for producer in open_})
        found = []
        for producer_id in sorted({producer.producer_id for producer in open_}):
            parts = tuple(producer for producer in open_ if producer.producer_id == producer_id)
            found += await self._judged(parts, ids.get(producer_id), owners.get(producer_id))
        return tuple(found)

    async def mark(self, transaction: OpenTransaction, *, commit: bool) -> None:
        """Write the missing markers of a transaction; raise what a leader answers where it refuses."""
        for part in transaction.parts:
            request = write_marker(
                part.producer_id,
                part.producer_epoch,
                [part.place],
                commit=commit,
                coordinator_epoch=max(0, part.coordinator_epoch),
            )
            answer = await self._client.send(await self._leader(part.place), request)
            for _, topics, _ in answer.markers:
                _raise_first([code for _, partitions, _ in topics for _, code, _ in partitions])

    async def _judged(
        self, parts: tuple[Producer, ...], transactional_id: str | None, owner: Place | None
    ) -> list[OpenTransaction]:
        """Split the parts into those that the coordinator will end and those that hang, and say what was decided."""
        known = transactional_id or (None if owner is None else self._settings.transactional_id(*owner))
        says, current = await self._coordinator_says(known, parts[0].producer_id)
        alive = tuple(part for part in parts if part.place in current)
        hanging = tuple(part for part in parts if part.place not in current)
        entries = await read_log(self._settings.access, known) if hanging and known is not None else ()
        by_decision = _by_decision(hanging, entries)
        changelogs = {self._settings.changelog(service) for service in SERVICES}
        return [
            OpenTransaction(
                producer_id=parts[0].producer_id,
                parts=members,
                transactional_id=known,
                owner=owner,
                says=says,
                hangs=members is not alive,
                decision=decision,
                changelog_hangs=any(part.place[0] in changelogs for part in members),
            )
            for decision, members in [(Decision.UNKNOWN, alive), *by_decision.items()]
            if members
        ]

    async def _producers(self, places: Iterable[Place]) -> list[Producer]:
        by_leader: dict[int, list[Place]] = {}
        for place in places:
            by_leader.setdefault(await self._leader(place), []).append(place)
        found = []
        for leader, asked in by_leader.items():
            answer = await self._client.send(leader, describe_producers(asked))
            for topic, partitions, _ in answer.topics:
                _raise_first([code for _, code, *_ in partitions])
                found += [
                    Producer((topic, partition), producer_id, epoch, coordinator_epoch, start)
                    for partition, _, _, producers, _ in partitions
                    for producer_id, epoch, _, _, coordinator_epoch, start, _ in producers
                ]
        return found

    def _owners(self, producers: Sequence[Producer]) -> dict[int, Place]:
        """Return service and partition by producer id: who writes to a changelog is the owner of its partition."""
        services = {self._settings.changelog(service): service for service in SERVICES}
        return {p.producer_id: (services[p.place[0]], p.place[1]) for p in producers if p.place[0] in services}

    async def _transactional_ids(self, producer_ids: set[int]) -> Mapping[int, str]:
        if not producer_ids:
            return {}
        found = {}
        for broker in self._client.cluster.brokers():
            answer = await self._client.send(broker.nodeId, list_transactions(sorted(producer_ids)))
            _raise_first([answer.error_code])
            found.update({producer_id: name for name, producer_id, _, _ in answer.transactions})
        return found

    async def _coordinator_says(self, transactional_id: str | None, producer_id: int) -> tuple[str, frozenset[Place]]:
        """Return the state in words, and the partitions that the coordinator itself will complete."""
        if transactional_id is None:
            return "no coordinator knows the producer", frozenset()
        node = await self._client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)
        answer = await self._client.send(node, describe_transactions([transactional_id]))
        code, _, state, _, _, known_id, epoch, topics, _ = answer.transactions[0]
        if code == TRANSACTIONAL_ID_NOT_FOUND:
            return f"the coordinator has forgotten {transactional_id}", frozenset()
        _raise_first([code])
        if known_id != producer_id:
            return f"{transactional_id} has another producer now", frozenset()
        current = frozenset((topic, partition) for topic, partitions, _ in topics for partition in partitions)
        return f"{transactional_id} is in state {state}, epoch {epoch}", current

    async def _leader(self, place: Place) -> int:
        for _ in range(RETRIES):
            leader = self._client.cluster.leader_for_partition(TopicPartition(*place))
            if leader is not None and leader >= 0:
                return int(leader)
            await asyncio.sleep(RETRY_SECONDS)
            await self._client.force_metadata_update()
        raise LeaderNotAvailableError(f"{place[0]}/{place[1]} has no leader")


def _by_decision(hanging: tuple[Producer, ...], entries: Sequence[Entry]) -> dict[Decision, tuple[Producer, ...]]:
    """Return the parts by what was decided; where all that is known is one decision, it is that of the others too."""
    said = {part: decided(entries, part.producer_id, part.producer_epoch, part.place) for part in hanging}
    known = set(said.values()) - {Decision.UNKNOWN}
    if len(known) == 1:
        return {known.pop(): hanging}
    return {decision: tuple(part for part in hanging if said[part] is decision) for decision in Decision}


def _places(settings: Settings) -> list[Place]:
    counts = settings.topology.partitions
    found = [(settings.topic(topic), p) for topic in TOPICS for p in range(counts[topic])]
    for service in SERVICES:
        clock = next(t for t in TOPICS.values() if service in t.readers and t.writers == ("clock",))
        found += [(settings.changelog(service), p) for p in range(counts[clock.name])]
    return found


def _raise_first(codes: Iterable[int]) -> None:
    for code in codes:
        if code:
            raise for_code(code)
