"""Rights on a broker with an authorizer, given and taken by the admin protocol; aiokafka has no words for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from shared.runtime.rights import Kind, Operation, Right
from shared.runtime.transaction_protocol import InOneVersion

AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
TEXT = String("utf-8")
KINDS = {Kind.TOPIC: 2, Kind.GROUP: 3, Kind.TRANSACTIONAL_ID: 5}
OPERATIONS = {Operation.READ: 3, Operation.WRITE: 4, Operation.DESCRIBE: 8, Operation.DESCRIBE_CONFIGS: 10}
TOPIC, LITERAL, PREFIXED, ALL, DENY, ALLOW = KINDS[Kind.TOPIC], 3, 4, 2, 2, 3
ANY_HOST = "*"


class _Created(Response):
    API_KEY = 30
    API_VERSION = 1
    SCHEMA = Schema(("throttle_time_ms", Int32), ("results", Array(("error_code", Int16), ("message", TEXT))))


class _CreateAcls(RequestStruct):
    API_KEY = 30
    API_VERSION = 1
    RESPONSE_TYPE = _Created
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", TEXT),
                ("pattern_type", Int8),
                ("principal", TEXT),
                ("host", TEXT),
                ("operation", Int8),
                ("permission", Int8),
            ),
        )
    )


async def ask(broker: str, request: Any, group: str | None = None) -> Any:
    """Send one request to the group's coordinator, or to any broker."""
    client = AIOKafkaClient(bootstrap_servers=broker)
    await client.bootstrap()
    try:
        node = next(iter(client.cluster.brokers())).nodeId
        if group is not None:
            node = await client.coordinator_lookup(0, group)
        return await client.send(node, InOneVersion(request))
    finally:
        await client.close()


async def grant(broker: str, user: str, rights: Iterable[Right]) -> None:
    """Let a user do these things."""
    await _create(broker, [
        (KINDS[right.kind], right.name, PREFIXED if right.prefixed else LITERAL, f"User:{user}", ANY_HOST,
         OPERATIONS[right.operation], ALLOW)
        for right in rights
    ])  # fmt: skip


async def deny(broker: str, topic: str, operation: Operation) -> None:
    """Let nobody do something with a topic that everybody may do everything else with."""
    rules = [(ALL, ALLOW), (OPERATIONS[operation], DENY)]
    await _create(broker, [(TOPIC, topic, LITERAL, "User:ANONYMOUS", ANY_HOST, *rule) for rule in rules])


async def _create(broker: str, creations: list[tuple[Any, ...]]) -> None:
    answer = await ask(broker, _CreateAcls(creations))
    assert [code for code, _ in answer.results] == [0] * len(creations)
