"""Who is in a consumer group under which name: a static member that is displaced is told only that nobody knows it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.types import Array, Boolean, Bytes, Int16, Int32, Schema, String

from shared.runtime.kafka_clients import new_client
from shared.runtime.kafka_security import Access
from shared.runtime.log_redaction import name_of
from shared.runtime.refusals import ACCESS_DENIED
from shared.runtime.settings import Settings
from shared.runtime.stop import StopReason, stop
from shared.runtime.transaction_protocol import InOneVersion

ASK_SECONDS: Final = 5.0
NO_RIGHTS: Final = False
"""Whether to tell also what we may do with the group: not asked."""
NO_GENERATION: Final = -1
NOBODY: Final = "nobody"
_TEXT: Final = String("utf-8")


class DescribeGroupsAnswer(Response):  # type: ignore[misc]
    """The members of groups: member id, static name, client, host, subscription, assignment."""

    API_KEY = 15
    API_VERSION = 4
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            Array(
                ("error_code", Int16),
                ("group_id", _TEXT),
                ("state", _TEXT),
                ("protocol_type", _TEXT),
                ("protocol", _TEXT),
                (
                    "members",
                    Array(
                        ("member_id", _TEXT),
                        ("group_instance_id", _TEXT),
                        ("client_id", _TEXT),
                        ("client_host", _TEXT),
                        ("metadata", Bytes),
                        ("assignment", Bytes),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
    )


class _DescribeGroups4(RequestStruct):  # type: ignore[misc]
    API_KEY = 15
    API_VERSION = 4
    RESPONSE_TYPE = DescribeGroupsAnswer
    SCHEMA = Schema(("groups", Array(_TEXT)), ("include_authorized_operations", Boolean))


async def holders(access: Access, group: str) -> dict[str, str]:
    """Return the member id that holds each static name in a group; raise `KafkaError` when the broker cannot tell."""
    client: Any = new_client(access)
    await client.bootstrap()
    try:
        coordinator = await client.coordinator_lookup(CoordinationType.GROUP, group)
        answer = await client.send(coordinator, InOneVersion(_DescribeGroups4([group], NO_RIGHTS)))
    finally:
        await client.close()
    _, _, _, _, _, members, _ = answer.groups[0]
    return {name: member for member, name, *_ in members if name}


async def require_group(settings: Settings, service: str) -> None:
    """Stop where the broker does not let this process into its service's group: its client would ask for ever.

    The question is the heartbeat of a member that there is not: it needs the right of members, and changes nothing.
    """
    group = settings.group(service)
    try:
        code = await asyncio.wait_for(_nobodys_heartbeat(settings.access, group), ASK_SECONDS)
    except ACCESS_DENIED as error:
        stop(StopReason.ACCESS_DENIED, f"group {group}: {name_of(error)}")
    except (KafkaError, TimeoutError):
        return  # joining needs the same broker, and finds out
    if for_code(code) in ACCESS_DENIED:
        stop(StopReason.ACCESS_DENIED, f"group {group} may not be read")


async def _nobodys_heartbeat(access: Access, group: str) -> int:
    client: Any = new_client(access)
    await client.bootstrap()
    try:
        coordinator = await client.coordinator_lookup(CoordinationType.GROUP, group)
        answer = await client.send(coordinator, HeartbeatRequest(group, NO_GENERATION, NOBODY))
    finally:
        await client.close()
    return int(answer.error_code)


async def require_own_name(settings: Settings, service: str, former: str) -> None:
    """End the process when somebody else has joined under its name since it was the member `former`.

    To join again would displace the other in turn, and so on for ever, without a word and without progress. A member
    that nobody has displaced lost its session: then no one holds the name, and it may join again.
    """
    group = settings.group(service)
    try:
        found = await asyncio.wait_for(holders(settings.access, group), ASK_SECONDS)
    except (KafkaError, TimeoutError):
        return  # joining again needs the same broker, and finds out
    holder = found.get(settings.instance)
    if holder not in {None, former}:
        stop(StopReason.FENCED, f"another process has joined {group} as {settings.instance}")
