"""Where everything outside happens: an agenda of instants, and the records that go out, some of them twice."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from shared.contract.base import Event
from shared.contract.codec import Envelope, encode, key_of
from shared.kernel.ids import derive_id
from shared.kernel.zones import HOUR_MS
from shared.simulation.dice import dice
from shared.simulation.log import Publication

Action = Callable[[int], None]


def publication(event: Event, event_id: str, source: str, at: int) -> Publication:
    """Return the record in which `event` travels; its id is the sender's, its time the instant it happened."""
    key = key_of(event)
    value = encode(Envelope(event_id, source, event.TYPE, event, time_ms=at))
    headers = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
    return Publication(event.TOPICS[0], None if key is None else key.encode(), value, headers)


class Desk:
    """An agenda and an outbox. One record in seventy goes out twice: producers repeat themselves (trap T-14)."""

    def __init__(self, seed: int, start_ms: int, step_ms: int) -> None:
        self.seed = seed
        self.start_ms = start_ms
        self._step_ms = step_ms
        self._agenda: list[tuple[int, int, Action]] = []
        self._serial = 0
        self._said = 0
        self._out: list[Publication] = []

    def at(self, when: int, action: Action) -> None:
        """Let `action` happen at an instant; it is called with the instant at which it really does."""
        self._serial += 1
        heappush(self._agenda, (when, self._serial, action))

    def say(self, event: Event, now: int, lender_id: str = "self-service") -> None:
        """Publish an event; its id is derived from its business key."""
        about = "\x1f".join(str(getattr(event, name, "")) for name in event.BUSINESS_KEY)
        self.send(publication(event, derive_id("lender", event.TYPE, about), f"/lenders/{lender_id}", now), now)

    def send(self, said: Publication, now: int) -> None:
        """Publish a record, and sometimes again within three days."""
        self._said += 1
        self._out.append(said)
        roll = dice(self.seed, "again", self._said)
        if roll.random() < 0.015:
            self.at(now + roll.randint(1, 72) * HOUR_MS, lambda _: self._out.append(said))

    def work(self, at: int) -> list[Publication]:
        """Do what happens in the step from `at` on, and return what was said."""
        while self._agenda and self._agenda[0][0] < at + self._step_ms:
            when, _, action = heappop(self._agenda)
            action(max(when, at))
        said, self._out = self._out, []
        return said
