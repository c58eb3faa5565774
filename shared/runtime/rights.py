"""What each process must be allowed on the broker, and no more: derived from the table of topics.

Kafka lets whoever may read or write a thing describe it as well. Topic configurations are looked at before a start, so
they may be described. Nobody needs a right on the cluster, nor to make topics: the deploy step does that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.contract.ticks import CONTROL
from shared.contract.topics import CLOCK, DEAD_LETTERS, SERVICES, TOPICS
from shared.runtime.settings import Settings


class Kind(StrEnum):
    """What a right is about, in the words of kafka-acls."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


class Operation(StrEnum):
    """What may be done with it, in the words of kafka-acls."""

    READ = "Read"
    WRITE = "Write"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"


@dataclass(frozen=True, slots=True)
class Right:
    """One thing that a process may do; `prefixed`: with everything whose name begins so."""

    kind: Kind
    name: str
    operation: Operation
    prefixed: bool = False


_LOOK: Final = (Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS)
_READ: Final = (Operation.READ, Operation.DESCRIBE_CONFIGS)
_BOTH: Final = (Operation.READ, Operation.WRITE, Operation.DESCRIBE_CONFIGS)


def rights_of(settings: Settings, process: str) -> tuple[Right, ...]:
    """Return what a service, or the clock, of this deployment needs, topics first."""
    topics = _topics_of_clock(settings) if process == CLOCK else _topics_of_service(settings, process)
    found = [Right(Kind.TOPIC, name, operation) for name, operations in topics for operation in operations]
    if process == CLOCK:
        return (*found, *(Right(Kind.GROUP, settings.group(service), Operation.DESCRIBE) for service in SERVICES))
    found.append(Right(Kind.GROUP, settings.group(process), Operation.READ))
    found.append(Right(Kind.TRANSACTIONAL_ID, f"{settings.group(process)}-", Operation.WRITE, prefixed=True))
    return tuple(found)


def _topics_of_service(settings: Settings, service: str) -> Iterator[tuple[str, tuple[Operation, ...]]]:
    for topic in TOPICS.values():
        if topic.name == DEAD_LETTERS or service in topic.writers:
            # What was said is read again at a start, and what was quarantined is buried by any service.
            yield settings.topic(topic.name), _BOTH
        elif topic.name == CONTROL or service in topic.readers:
            yield settings.topic(topic.name), _READ
    yield settings.changelog(service), _BOTH


def _topics_of_clock(settings: Settings) -> Iterator[tuple[str, tuple[Operation, ...]]]:
    for topic in TOPICS.values():
        if CLOCK in topic.writers:
            yield settings.topic(topic.name), _BOTH
        elif topic.name == CONTROL:
            yield settings.topic(topic.name), _READ
        elif not set(SERVICES).isdisjoint(topic.readers):
            yield settings.topic(topic.name), _LOOK
