"""What a coordinator decided about a transactional id, from its own log: it outlives the fence of a restarted service.

`DescribeTransactions` tells the present state only, and a service that starts anew replaces it. The log behind it, the
internal topic `__transaction_state`, keeps the former records until it is compacted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from io import BytesIO
from typing import Any, Final

from aiokafka import TopicPartition

from shared.runtime.kafka_clients import new_consumer
from shared.runtime.kafka_security import Access
from shared.runtime.private_attributes import all_metadata
from shared.runtime.transaction_protocol import LOG_KEY, LOG_VALUES

LOG: Final = "__transaction_state"
FETCH_MS: Final = 200
_VERSION_BYTES: Final = 2


class State(IntEnum):
    """The states of a transactional id, by their numbers in the log."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7


class Decision(Enum):
    """What became of a transaction, as far as anybody knows."""

    COMMIT = "commit"
    ABORT = "abort"
    UNKNOWN = "unknown"


_DECIDED: Final = {
    State.PREPARE_COMMIT: Decision.COMMIT,
    State.PREPARE_ABORT: Decision.ABORT,
    State.PREPARE_EPOCH_FENCE: Decision.ABORT,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the coordinator's log: the state of a transactional id, and the partitions that it is about."""

    producer_id: int
    producer_epoch: int
    state: State
    places: frozenset[tuple[str, int]]


def decided(entries: Iterable[Entry], producer_id: int, producer_epoch: int, place: tuple[str, int]) -> Decision:
    """Return what was decided last of the producer's transaction in a partition (topic and number).

    A partition is named by every record of its transaction but the last; an abort by time-out raises the epoch.
    """
    found = Decision.UNKNOWN
    for entry in entries:
        if entry.producer_id == producer_id and entry.producer_epoch >= producer_epoch and place in entry.places:
            found = _DECIDED.get(entry.state, Decision.UNKNOWN)
    return found


def log_partition_of(transactional_id: str, partitions: int) -> int:
    """Return the partition of the log where a transactional id lies: Java's hash of its text."""
    units = transactional_id.encode("utf-16-be")
    number = 0
    for i in range(0, len(units), 2):
        number = (31 * number + int.from_bytes(units[i : i + 2], "big")) & 0xFFFFFFFF
    return (number & 0x7FFFFFFF) % partitions


def read_entry(key: bytes | None, value: bytes | None) -> tuple[str, Entry] | None:
    """Return the transactional id and what a record of the log says; None for what is deleted or not understood."""
    if key is None or value is None:
        return None
    version, transactional_id = LOG_KEY.decode(BytesIO(key))
    schema = LOG_VALUES.get(int.from_bytes(value[:_VERSION_BYTES], "big"))
    if version != 0 or schema is None:
        return None
    producer_id, epoch, _, state, topics, *_ = schema.decode(BytesIO(value[_VERSION_BYTES:]))
    places = frozenset((topic, partition) for topic, partitions, *_ in topics or () for partition in partitions)
    return str(transactional_id), Entry(producer_id, epoch, State(state), places)


async def read_log(access: Access, transactional_id: str) -> tuple[Entry, ...]:
    """Return what the coordinator's log holds about a transactional id, in order; needs the right to read the log."""
    consumer: Any = new_consumer(access, enable_auto_commit=False)
    await consumer.start()
    try:
        count = len((await all_metadata(consumer)).partitions_for_topic(LOG) or ())
        if not count:
            return ()
        tp = TopicPartition(LOG, log_partition_of(transactional_id, count))
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        found = []
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(tp, timeout_ms=FETCH_MS)).values():
                read = [read_entry(record.key, record.value) for record in records]
                found += [entry[1] for entry in read if entry is not None and entry[0] == transactional_id]
        return tuple(found)
    finally:
        await consumer.stop()
