"""How records of the outside reach the log: late, twice, before what they refer to, garbled, on the wrong partition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from typing import Final

from shared.contract.recorded import Recorded
from shared.contract.topics import TOPICS
from shared.kernel.partitioning import Partitioner, partition_of
from shared.kernel.zones import HOUR_MS
from shared.simulation.dice import dice
from shared.simulation.log import MemoryLog, Publication
from shared.simulation.swarm.crossings import RecordFault
from shared.simulation.swarm.draw import Draw

_GARBAGE: Final = (b"", b"{", b"not json", b'{"specversion":"1.0"}', bytes(range(256)), b'{"a":' * 40, b"[]", None)

Said = tuple[int, Publication]
"""When somebody said it, and the record."""
Arrived = Callable[[Recorded, RecordFault | None], None]


class Delivery:
    """What is on its way. `arrived` is told of each record that reaches the log, with its fault."""

    def __init__(self, draw: Draw, log: MemoryLog, arrived: Arrived) -> None:
        self._draw = draw
        self._log = log
        self._arrived = arrived
        self._serial = 0
        self._coming: list[tuple[int, int, Publication, RecordFault | None]] = []

    def post_all(self, said: Sequence[Said]) -> None:
        """Take what will be said in the course of time; some of it overtakes what it refers to."""
        swapped = list(said)
        reversed_: set[int] = set()
        chance = self._draw.chances.get(RecordFault.REVERSED, 0.0)
        for number in range(len(swapped)) if chance else ():
            if dice(self._draw.seed, "reversed", number).random() < chance:
                other = self._next_of_key(swapped, number)
                if other is not None and not reversed_ & {number, other}:
                    (early, one), (late, two) = swapped[number], swapped[other]
                    swapped[number], swapped[other] = (late, one), (early, two)
                    reversed_.add(other)
        for number, (at, publication) in enumerate(swapped):
            self.post(at, publication, RecordFault.REVERSED if number in reversed_ else None)

    def _next_of_key(self, said: Sequence[Said], number: int) -> int | None:
        key = said[number][1].key
        same = (other for other in range(number + 1, len(said)) if said[other][1].key == key)
        return next((other for other in same if said[other][0] > said[number][0]), None)

    def post(self, at: int, publication: Publication, fault: RecordFault | None = None) -> None:
        """Send a record on its way."""
        chances = self._draw.chances
        roll = dice(self._draw.seed, "delivery", self._serial)
        if fault is None and roll.random() < chances.get(RecordFault.LATE, 0.0):
            self._push(at + roll.randint(1, 72) * HOUR_MS, publication, RecordFault.LATE)
        else:
            self._push(at, publication, fault)
        if roll.random() < chances.get(RecordFault.DUPLICATE, 0.0):
            self._push(at + roll.randint(0, 48) * HOUR_MS, publication, RecordFault.DUPLICATE)
        if roll.random() < chances.get(RecordFault.BAD_BYTES, 0.0):
            garbled = replace(publication, value=roll.choice(_GARBAGE))
            self._push(at + roll.randint(0, 5) * HOUR_MS, garbled, RecordFault.BAD_BYTES)
        if roll.random() < chances.get(RecordFault.MISROUTED, 0.0):
            self._misroute(at, publication)

    def _misroute(self, at: int, publication: Publication) -> None:
        count = self._log.partitions[publication.topic]
        if count > 1 and publication.key is not None:
            home = partition_of(publication.key, count, Partitioner.MURMUR2)
            astray = replace(publication, partition=(home + 1) % count)
            self._push(at, astray, RecordFault.MISROUTED)

    def _push(self, at: int, publication: Publication, fault: RecordFault | None) -> None:
        self._serial += 1
        heappush(self._coming, (at, self._serial, publication, fault))

    def arrive(self, until: int, now: int) -> None:
        """Let everything reach the log that is due by `until`; it is appended `now`."""
        while self._coming and self._coming[0][0] <= until:
            _, _, publication, fault = heappop(self._coming)
            self._arrived(self._log.publish(publication, now), fault)


def readers_of(topic: str) -> Iterable[str]:
    """Return who reads a topic."""
    return TOPICS[topic].readers
