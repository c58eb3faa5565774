"""Facts that were taken out of the way of a service: what an operator asked, and the service itself carried out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.contract.codec import DeadReason, Rejected
from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL, FactQuarantined
from shared.contract.topics import DEAD_LETTERS
from shared.engine.dead_letters import PREFIX, coordinates

SERVICE_HEADER: Final = PREFIX + "service"
REASON_HEADER: Final = PREFIX + "reason"

Place = tuple[str, int, int]
"""Topic, partition and offset."""


def quarantined(records: Iterable[Recorded], service: str) -> frozenset[Place]:
    """Return the facts that `service` passed by, from the records of the control and dead-letter topics.

    The operator's word alone is not enough: it may have come when the fact was applied already. The dead letter is
    written in the transaction that passes the fact by, so both together are the record of it, and a fold can follow.
    """
    asked: set[Place] = set()
    buried: set[bytes | None] = set()
    for record in records:
        if record.topic == DEAD_LETTERS and _burial(record) == (service.encode(), DeadReason.QUARANTINED.encode()):
            buried.add(record.key)
        elif record.topic == CONTROL:
            asked |= _asked(record, service)
    return frozenset(place for place in asked if coordinates(*place).encode() in buried)


def _burial(record: Recorded) -> tuple[bytes | None, bytes | None]:
    headers = dict(record.headers)
    return headers.get(SERVICE_HEADER), headers.get(REASON_HEADER)


def _asked(record: Recorded, service: str) -> set[Place]:
    found = record.decode()
    fact = None if isinstance(found, Rejected) else found.data
    if isinstance(fact, FactQuarantined) and fact.service == service:
        return {(fact.topic, fact.partition, fact.offset)}
    return set()
