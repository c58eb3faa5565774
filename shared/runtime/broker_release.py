"""Which release of Kafka each broker runs: no answer of a broker says so, but the features that it supports tell."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final

from aiokafka.protocol.api import RequestStruct, Response, ResponseHeader_v0
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from shared.runtime.kafka_clients import new_client
from shared.runtime.kafka_security import Access
from shared.runtime.transaction_protocol import NO_TAGS, InOneVersion

METADATA_VERSION: Final = "metadata.version"
_TEXT: Final = CompactString("utf-8")
_TAGS: Final = ("tags", TaggedFields)
_SUPPORTED_TAG: Final = 0
_SUPPORTED: Final = CompactArray(("name", _TEXT), ("lowest", Int16), ("highest", Int16), _TAGS)
_HIGHEST_LEVELS: Final = {
    "3.3": 7, "3.4": 8, "3.5": 11, "3.6": 14, "3.7": 19, "3.8": 20, "3.9": 21, "4.0": 25, "4.1": 27, "4.2": 29,
    "4.3": 30,
}  # fmt: skip
"""The highest metadata.version of each release: Kafka's MetadataVersion.java."""
NEWER: Final = "newer than 4.3"


class ApiVersionsAnswer(Response):  # type: ignore[misc]
    """What a broker speaks, and among the tags of the whole answer the features that it supports."""

    API_KEY = 18
    API_VERSION = 3
    SCHEMA = Schema(
        ("error_code", Int16),
        ("apis", CompactArray(("api_key", Int16), ("lowest", Int16), ("highest", Int16), _TAGS)),
        ("throttle_time_ms", Int32),
        _TAGS,
    )


class _ApiVersions3(RequestStruct):  # type: ignore[misc]
    API_KEY = 18
    API_VERSION = 3
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = ApiVersionsAnswer
    SCHEMA = Schema(("client_name", _TEXT), ("client_version", _TEXT), _TAGS)

    def parse_response_header(self, read_buffer: Any) -> Any:
        """The one answer whose header is never flexible: who asks does not know yet what the broker speaks."""
        return ResponseHeader_v0.decode(read_buffer)


async def releases(access: Access, build: str) -> dict[int, str]:
    """Return the release of each broker, by its number; raise `KafkaError` where one does not answer."""
    client: Any = new_client(access)
    await client.bootstrap()
    try:
        request = InOneVersion(_ApiVersions3("duecourse", build, NO_TAGS))
        nodes = sorted(node.nodeId for node in client.cluster.brokers())
        return {node: release_of(supported((await client.send(node, request)).tags)) for node in nodes}
    finally:
        await client.close()


def supported(tags: Mapping[int, bytes]) -> dict[str, int]:
    """Return the highest level of each feature that a broker supports."""
    found: Any = _SUPPORTED.decode(BytesIO(tags.get(_SUPPORTED_TAG, b"\x01")))
    return {name: highest for name, _, highest, _ in found}


def release_of(features: Mapping[str, int]) -> str:
    """Return the release, e.g. `4.2`, whose brokers support these features at most; patch releases do not differ."""
    level = features.get(METADATA_VERSION, 0)
    index = bisect_left(list(_HIGHEST_LEVELS.values()), level)
    return [*_HIGHEST_LEVELS, NEWER][index] if level else "older than 3.3"
