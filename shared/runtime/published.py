"""What a service has said already, by source partition: whoever computes it anew must not say it again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from shared.contract.codec import Rejected
from shared.contract.recorded import Recorded
from shared.contract.topics import DEAD_LETTERS
from shared.engine.dead_letters import PREFIX
from shared.engine.processor import Processor
from shared.engine.quarantine import SERVICE_HEADER
from shared.engine.transaction import Output
from shared.runtime.records import Deployment, read_records

Said = tuple[str, str]
"""Logical topic, and the event's id; of a dead letter its coordinates."""


@dataclass(slots=True)
class Published:
    """What one partition of a service has said, and the instants (epoch milliseconds) of its oldest and newest word.

    Dead letters do not count for the oldest: facts are buried at ticks that wake nobody, too.
    """

    said: set[Said] = field(default_factory=set)
    newest_at: int = 0
    oldest_at: int | None = None


def identity(topic: str, output: Output) -> Said:
    """Return under what an output is known."""
    return topic, output.id or output.key.decode()


async def read_published(where: Deployment, processor: Processor[Any]) -> dict[int, Published]:
    """Read all outputs of a service, dead letters included, by the partition that they came from."""
    found: dict[int, Published] = defaultdict(Published)
    topics: Sequence[str] = (*processor.writes, DEAD_LETTERS)
    async with aclosing(read_records(where, topics)) as records:
        async for record in records:
            said = _letter(record, processor.name) if record.topic == DEAD_LETTERS else _event(record, processor.name)
            if said is not None:
                partition, name, at = said
                found[partition].said.add((record.topic, name))
                found[partition].newest_at = max(found[partition].newest_at, at)
                if record.topic != DEAD_LETTERS:
                    found[partition].oldest_at = min(found[partition].oldest_at or at, at)
    return found


def _event(record: Recorded, service: str) -> tuple[int, str, int] | None:
    decoded = record.decode()
    if isinstance(decoded, Rejected):
        return None
    *_, by, partition = decoded.source.rsplit("/", 2)
    return (int(partition), decoded.id, decoded.time_ms or 0) if by == service and partition.isdigit() else None


def _letter(record: Recorded, service: str) -> tuple[int, str, int] | None:
    headers = dict(record.headers)
    if headers.get(SERVICE_HEADER) != service.encode() or record.key is None:
        return None
    name = record.key.decode()
    return int(name.split("/")[1]), name, int(headers.get(PREFIX + "at") or 0)
