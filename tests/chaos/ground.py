"""Where a round is played: a broker or a cluster, and whatever lies between it and the services."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.runtime.local_kafka import LocalKafka
from tests.chaos.cell import ONE_BROKER

INTERVALS_MS = (1000, 2000)
"""Between ticks of true time: as shipped, or half as often; several deployments share few cores."""


@dataclass
class Ground:
    """A place for rounds.

    `bootstrap` is the address for processes of ours, `observer` the one for the harness itself where it differs.
    `hands` is what strikes get hold of: a `LocalKafka`, a `Cluster`, a network. `settings` overrule those of a
    deployment (replication, say); `wrap` goes before the command of each process, by its name (`ip netns exec ...`).
    `alone`: strikes here hit every deployment on the ground, so only one round may be played at a time.
    `intervals_ms`: how often ticks may come in true time.
    """

    bootstrap: str
    hands: Any
    observer: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    wrap: Callable[[str], list[str]] = lambda _name: []
    alone: bool = False
    intervals_ms: tuple[int, ...] = INTERVALS_MS

    @property
    def address(self) -> str:
        """Where the harness itself finds the broker."""
        return self.observer or self.bootstrap


Maker = Callable[[Path], AbstractContextManager[Ground]]
GROUNDS: dict[str, Maker] = {}
"""How each ground is made, by name; it is given a folder of its own."""


def ground(name: str) -> Callable[[Callable[[Path], Iterator[Ground]]], Maker]:
    """Make the decorated generator the maker of the ground of that name."""

    def decorate(make: Callable[[Path], Iterator[Ground]]) -> Maker:
        GROUNDS[name] = contextmanager(make)
        return GROUNDS[name]

    return decorate


@ground(ONE_BROKER)
def one_broker(folder: Path) -> Iterator[Ground]:
    """One real Kafka on loopback."""
    broker = LocalKafka(folder, die_with_starter=True)
    try:
        yield Ground(broker.start(), broker)
    finally:
        broker.stop()
