"""Everything private to Faust and aiokafka that the shell touches, in one place and under a contract test.

`ACCESSED` are attributes read or set on their objects (by the functions below), `OVERRIDDEN` methods and attributes
that our subclasses replace or use. Both libraries are pinned exactly; a new version must pass the contract test first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

import aiokafka.consumer.fetcher as aiokafka_fetcher
import aiokafka.producer.sender as aiokafka_sender
from aiokafka.protocol.offset import OffsetResetStrategy
from faust.types import TP

ACCESSED: Final = {
    "aiokafka.AIOKafkaConsumer": (
        "_isolation_level",
        "_coordinator",
        "_subscription",
        "_client",
        "_fetcher",
        "_fetch_max_wait_ms",
    ),
    "aiokafka.consumer.subscription_state.TopicPartitionState": ("_position",),
    "aiokafka.consumer.fetcher": ("MemoryRecords",),
    "aiokafka.consumer.fetcher.Fetcher": ("_default_reset_strategy", "_fetch_max_wait_ms"),
    "aiokafka.producer.sender": ("BACKOFF_OVERRIDE",),
    "faust.App": ("_fetcher",),
    "faust.transport.consumer.Consumer": (
        "_active_partitions",
        "_buffered_partitions",
        "_on_partitions_revoked",
        "_paused_partitions",
        "_thread",
    ),
    "faust.stores.rocksdb.Store": ("_db_for_partition", "offset_key"),
    "mode.Service": ("_stopped",),
}
OVERRIDDEN: Final = {
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread": (
        "__post_init__",
        "_create_worker_consumer",
        "_ensure_consumer",
        "_seek_wait",
        "_fetch_records",
    ),
    "faust.transport.drivers.aiokafka.Consumer": (
        "_new_consumer_thread",
        "_drain_messages",
        "_get_active_partitions",
        "_getmany",
        "consumer_stopped_errors",
        "force_commit",
        "wait_empty",
        "perform_seek",
    ),
    "faust.tables.recovery.Recovery": (
        "_build_highwaters",
        "_build_offsets",
        "_seek_offsets",
        "_is_changelog_tp",
        "_set_recovery_ended",
        "_wait",
        "active_remaining",
        "need_recovery",
        "on_recovery_completed",
        "signal_recovery_end",
    ),
    "faust.tables.manager.TableManager": ("_recovery", "_update_channels", "on_start", "recovery"),
    "mode.worker.Worker": ("_sentinel_task",),
}


def read_committed(consumer: Any) -> None:
    """Make an aiokafka consumer read committed records only; Faust gives no setting for it."""
    consumer._isolation_level = "read_committed"


async def committed_offsets(consumer: Any, partitions: Iterable[Any]) -> Any:
    """Return the group's committed offsets with their metadata, which the public method leaves out."""
    return await consumer._coordinator.fetch_committed_offsets(list(partitions))


def member_of(consumer: Any) -> str:
    """Return the name that the broker gave a member of a group; empty once it says that it knows no such member."""
    member: str = consumer._coordinator.member_id
    return member


def positions(consumer: Any, partitions: Iterable[TP]) -> dict[TP, int]:
    """Return the next offset to be read of those partitions that are assigned and placed."""
    subscription = consumer._subscription.subscription
    assignment = subscription.assignment if subscription is not None else None
    if assignment is None or not assignment.active:
        return {}
    found = {tp: assignment.state_value(tp)._position for tp in partitions if tp in assignment.tps}
    return {tp: position for tp, position in found.items() if position is not None}


async def all_metadata(consumer: Any) -> Any:
    """Return fresh metadata of all topics."""
    return await consumer._client.fetch_all_metadata()


async def know_topics(consumer: Any, topics: Collection[str]) -> None:
    """Ask for the metadata of topics in one question.

    Left to itself aiokafka stumbles over one unknown topic after the other, and rests a tenth of a second each time.
    """
    await consumer._client.set_topics(topics)


def hold_fetches(consumer: Any, milliseconds: int) -> None:
    """Set for how long the broker may keep a fetch that finds nothing; Faust lets it be a second and a half.

    Meanwhile nothing else is fetched from that broker: a seek takes effect after the fetch that is under way.
    """
    consumer._fetch_max_wait_ms = milliseconds
    if consumer._fetcher is not None:
        consumer._fetcher._fetch_max_wait_ms = milliseconds


def lose_no_place(consumer: Any, *, strictly: bool) -> None:
    """Make a consumer raise when its place is no longer in the log, instead of going on somewhere else.

    Not strictly: while partitions are assigned that have no place yet, which it would raise about in the same way.
    """
    fetcher = consumer._fetcher
    fetcher._default_reset_strategy = OffsetResetStrategy.NONE if strictly else OffsetResetStrategy.EARLIEST


def buffered_partitions(consumer: Any) -> set[TP]:
    """Return the partitions that Faust's consumer has paused because somebody's buffer is full."""
    buffered: set[TP] = consumer._buffered_partitions
    return buffered


async def start_fetcher(app: Any) -> None:
    """Make sure that Faust's fetcher runs."""
    await app._fetcher.maybe_start()


def is_stopped(service: Any) -> bool:
    """Return whether a service of Faust's was told to stop."""
    stopped: bool = service._stopped.is_set()
    return stopped


def database_of(table: Any, partition: int) -> Any:
    """Return the RocksDB of one partition of a Faust table, opening it if need be."""
    return table.data._db_for_partition(partition)


def offset_key_of(table: Any) -> bytes:
    """Return the local key under which Faust looks for the changelog offset that a store reflects."""
    key: bytes = table.data.offset_key
    return key


def shorten_concurrent_backoff(seconds: float) -> None:
    """Set aiokafka's pause after CONCURRENT_TRANSACTIONS, a constant of 20 ms that every transaction would pay."""
    aiokafka_sender.BACKOFF_OVERRIDE = seconds


def parse_fetched_with(records: type[Any]) -> None:
    """Set the class by which aiokafka's consumers parse what they have fetched; it has `MemoryRecords`' methods."""
    aiokafka_fetcher.MemoryRecords = records
