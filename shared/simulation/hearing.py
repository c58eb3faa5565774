"""What somebody outside has read, held back until its instant has passed, so that a race of readers decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from shared.contract.codec import Envelope
from shared.contract.recorded import Recorded


class Hearing:
    """Readable records of some topics in the order of (instant, topic, partition, offset)."""

    def __init__(self, topics: tuple[str, ...]) -> None:
        self._order = {topic: number for number, topic in enumerate(topics)}
        self._heap: list[tuple[int, int, int, int, Envelope]] = []

    def hear(self, records: Iterable[Recorded]) -> None:
        """Take records; those of other topics, and what cannot be read, are left aside."""
        for record in records:
            if record.topic not in self._order:
                continue
            envelope = record.decode()
            if isinstance(envelope, Envelope) and envelope.time_ms is not None:
                place = (envelope.time_ms, self._order[record.topic], record.partition, record.offset)
                heappush(self._heap, (*place, envelope))

    def before(self, at: int) -> list[Envelope]:
        """Return, once, what was said at an instant before `at`."""
        found = []
        while self._heap and self._heap[0][0] < at:
            found.append(heappop(self._heap)[-1])
        return found
