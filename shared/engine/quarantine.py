"""What was taken out of the way of a service: what an operator asked, and the service itself carried out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.contract.codec import DeadReason, Rejected
from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL, FactQuarantined
from shared.contract.topics import DEAD_LETTERS
from shared.engine.dead_letters import PREFIX, coordinates, wake_coordinates

SERVICE_HEADER: Final = PREFIX + "service"
REASON_HEADER: Final = PREFIX + "reason"

Place = tuple[str, int, int]
"""Topic, partition and offset."""
WakePlace = tuple[int, int, str]
"""Partition, offset of the tick on the service's clock topic, and the key that it does not wake."""


def coordinates_of(event: FactQuarantined) -> str:
    """Return the coordinates of the dead letter that a quarantine leads to."""
    if event.key is None:
        return coordinates(event.topic, event.partition, event.offset)
    return wake_coordinates(event.topic, event.partition, event.offset, event.key)


def facts_among(asked: Iterable[FactQuarantined]) -> frozenset[Place]:
    """Return the facts that are to be passed by."""
    return frozenset((event.topic, event.partition, event.offset) for event in asked if event.key is None)


def wakes_among(asked: Iterable[FactQuarantined]) -> dict[WakePlace, int]:
    """Return the wakes that are to be passed by, with the hours for which their keys are put aside.

    Of several words about one wake the longest counts, in whatever order they came.
    """
    found: dict[WakePlace, int] = {}
    for event in asked:
        if event.key is not None:
            place = event.partition, event.offset, event.key
            found[place] = max(event.hours, found.get(place, 0))
    return found


def quarantined(records: Iterable[Recorded], service: str) -> frozenset[FactQuarantined]:
    """Return what `service` passed by, from the records of the control and dead-letter topics.

    The operator's word alone is not enough: it may have come when the fact was applied already. The dead letter is
    written in the transaction that passes the fact by, so both together are the record of it, and a fold can follow.
    """
    asked: set[FactQuarantined] = set()
    buried: set[bytes | None] = set()
    for record in records:
        if record.topic == DEAD_LETTERS and _burial(record) == (service.encode(), DeadReason.QUARANTINED.encode()):
            buried.add(record.key)
        elif record.topic == CONTROL:
            asked |= _asked(record, service)
    return frozenset(event for event in asked if coordinates_of(event).encode() in buried)


def _burial(record: Recorded) -> tuple[bytes | None, bytes | None]:
    headers = dict(record.headers)
    return headers.get(SERVICE_HEADER), headers.get(REASON_HEADER)


def _asked(record: Recorded, service: str) -> set[FactQuarantined]:
    found = record.decode()
    fact = None if isinstance(found, Rejected) else found.data
    return {fact} if isinstance(fact, FactQuarantined) and fact.service == service else set()
