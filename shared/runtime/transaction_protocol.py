"""Requests about transactions that aiokafka does not know: what a partition, a coordinator and a broker say of them.

Schemas are those of Kafka's own protocol guide, in the lowest version that a broker of our age speaks. All are
"flexible": compact strings and arrays, and a (here always empty) set of tagged fields behind every structure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

_TEXT: Final = CompactString("utf-8")
_TAGS: Final = ("tags", TaggedFields)
NO_TAGS: Final[dict[int, bytes]] = {}
"""What follows every structure of these requests."""


class DescribeProducersAnswer(Response):  # type: ignore[misc]
    """Who has written to partitions, and where a transaction of theirs is open (-1: nowhere)."""

    API_KEY = 61
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("error_message", _TEXT),
                        (
                            "producers",
                            CompactArray(
                                ("producer_id", Int64),
                                ("producer_epoch", Int32),
                                ("last_sequence", Int32),
                                ("last_timestamp_ms", Int64),
                                ("coordinator_epoch", Int32),
                                ("transaction_start_offset", Int64),
                                _TAGS,
                            ),
                        ),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _DescribeProducers0(RequestStruct):  # type: ignore[misc]
    API_KEY = 61
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = DescribeProducersAnswer
    SCHEMA = Schema(("topics", CompactArray(("topic", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)), _TAGS)


class DescribeTransactionsAnswer(Response):  # type: ignore[misc]
    """What a coordinator knows of transactional ids: state, producer, and the partitions of what is open or decided."""

    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "transactions",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", _TEXT),
                ("state", _TEXT),
                ("timeout_ms", Int32),
                ("start_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                ("topics", CompactArray(("topic", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _DescribeTransactions0(RequestStruct):  # type: ignore[misc]
    API_KEY = 65
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = DescribeTransactionsAnswer
    SCHEMA = Schema(("transactional_ids", CompactArray(_TEXT)), _TAGS)


class ListTransactionsAnswer(Response):  # type: ignore[misc]
    """The transactional ids that a broker coordinates."""

    API_KEY = 66
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_states", CompactArray(_TEXT)),
        ("transactions", CompactArray(("transactional_id", _TEXT), ("producer_id", Int64), ("state", _TEXT), _TAGS)),
        _TAGS,
    )


class _ListTransactions0(RequestStruct):  # type: ignore[misc]
    API_KEY = 66
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = ListTransactionsAnswer
    SCHEMA = Schema(("states", CompactArray(_TEXT)), ("producer_ids", CompactArray(Int64)), _TAGS)


class WriteMarkersAnswer(Response):  # type: ignore[misc]
    """What became of each marker."""

    API_KEY = 27
    API_VERSION = 1
    SCHEMA = Schema(
        (
            "markers",
            CompactArray(
                ("producer_id", Int64),
                (
                    "topics",
                    CompactArray(
                        ("topic", _TEXT),
                        ("partitions", CompactArray(("partition", Int32), ("error_code", Int16), _TAGS)),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _WriteMarkers1(RequestStruct):  # type: ignore[misc]
    API_KEY = 27
    API_VERSION = 1
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = WriteMarkersAnswer
    SCHEMA = Schema(
        (
            "markers",
            CompactArray(
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                ("commit", Boolean),
                ("topics", CompactArray(("topic", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)),
                ("coordinator_epoch", Int32),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class InOneVersion:
    """A request that is sent in one version, or not at all: as aiokafka's client wants to be handed requests."""

    def __init__(self, struct: Any) -> None:
        self._struct = struct

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> Any:
        """Return the structure; raise `IncompatibleBrokerVersion` where the broker does not speak its version."""
        lowest, highest = versions.get(self._struct.API_KEY, (0, -1))
        if not lowest <= self._struct.API_VERSION <= highest:
            name = type(self._struct).__name__.strip("_0123456789")
            raise IncompatibleBrokerVersion(f"the broker does not speak {name} v{self._struct.API_VERSION}")
        return self._struct


Places: TypeAlias = Iterable[tuple[str, int]]


def describe_producers(places: Places) -> InOneVersion:
    """Ask the leader of these partitions, by topic and number."""
    return InOneVersion(_DescribeProducers0(_by_topic(places), NO_TAGS))


def describe_transactions(transactional_ids: Iterable[str]) -> InOneVersion:
    """Ask the coordinator of these transactional ids."""
    return InOneVersion(_DescribeTransactions0(list(transactional_ids), NO_TAGS))


def list_transactions(producer_ids: Iterable[int]) -> InOneVersion:
    """Ask a broker for those of these producers that it coordinates."""
    return InOneVersion(_ListTransactions0([], list(producer_ids), NO_TAGS))


def write_marker(
    producer_id: int, producer_epoch: int, places: Places, *, commit: bool, coordinator_epoch: int
) -> InOneVersion:
    """Tell the leader of these partitions what was decided; needs the right CLUSTER_ACTION on the cluster."""
    marker = (producer_id, producer_epoch, commit, _by_topic(places), coordinator_epoch, NO_TAGS)
    return InOneVersion(_WriteMarkers1([marker], NO_TAGS))


def _by_topic(places: Places) -> list[tuple[str, list[int], dict[int, bytes]]]:
    found: dict[str, list[int]] = {}
    for topic, partition in places:
        found.setdefault(topic, []).append(partition)
    return [(topic, partitions, NO_TAGS) for topic, partitions in found.items()]


LOG_KEY: Final = Schema(("version", Int16), ("transactional_id", String("utf-8")))
"""The key of a record of the coordinator's own log."""
LOG_VALUES: Final = {
    0: Schema(
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("timeout_ms", Int32),
        ("status", Int8),
        ("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))),
        ("updated_ms", Int64),
        ("started_ms", Int64),
    ),
    1: Schema(
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("timeout_ms", Int32),
        ("status", Int8),
        ("topics", CompactArray(("topic", _TEXT), ("partitions", CompactArray(Int32)), _TAGS)),
        ("updated_ms", Int64),
        ("started_ms", Int64),
        _TAGS,
    ),
}
"""The values of the coordinator's own log, by the version in their first two bytes."""
