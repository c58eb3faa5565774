"""Keys put aside: not woken for a while, because an operator took a wake that crashes the service out of its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.contract.arrangements import DeadLetterDiscarded
from shared.engine.dead_letters import wake_coordinates
from shared.engine.deployment import Deployment
from shared.engine.processor import Fact
from shared.engine.progress import Aside, Progress

HOUR_MS: Final = 3_600_000
PUT_ASIDE: Final = "put_aside"
"""The reason for which a wake that is due leads to nothing while its key is put aside."""


@dataclass(frozen=True, slots=True)
class LostWake:
    """What becomes a dead letter when a wake is passed by: the tick, under the key that was not woken."""

    offset: int
    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class KeysAside:
    """Which keys of a partition are put aside, and which wakes are to be passed by.

    What is put aside travels with the progress record, so that it depends on the log alone, wherever it is cut.
    """

    __slots__ = ("_asked", "_clock", "_keys", "_partition")

    def __init__(self, deployment: Deployment, clock: str, partition: int, progress: Progress) -> None:
        places = deployment.wakes_quarantined.items()
        self._asked = {(offset, key): hours for (where, offset, key), hours in places if where == partition}
        self._clock = clock
        self._partition = partition
        self._keys = dict(progress.aside)

    def until(self, key: str, at: int) -> int | None:
        """Return until when a key is not woken; None when it may be woken at `at`."""
        aside = self._keys.get(key)
        return aside.until_ms if aside is not None and aside.until_ms > at else None

    def put(self, key: str, tick_offset: int, at: int) -> str | None:
        """Put a key aside if its wake at this tick is to be passed by; return the coordinates of its dead letter."""
        hours = self._asked.get((tick_offset, key))
        if hours is None:
            return None
        self._keys[key] = Aside(at + hours * HOUR_MS, tick_offset)
        return self._place(key, tick_offset)

    def release(self, fact: Fact) -> None:
        """Let a key be woken again when the dead letter of its wake was discarded."""
        aside = self._keys.get(fact.key)
        if aside is None or not isinstance(fact.data, DeadLetterDiscarded):
            return
        if fact.data.coordinates == self._place(fact.key, aside.tick_offset):
            del self._keys[fact.key]

    def kept(self, at: int) -> dict[str, Aside]:
        """Return the keys that are still put aside after `at`."""
        self._keys = {key: aside for key, aside in self._keys.items() if aside.until_ms > at}
        return dict(self._keys)

    def _place(self, key: str, tick_offset: int) -> str:
        return wake_coordinates(self._clock, self._partition, tick_offset, key)
