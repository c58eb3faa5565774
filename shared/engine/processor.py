"""A service as a value, and the four kinds of things that its core is asked to decide about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from shared.contract.base import Event
from shared.contract.codec import DeadReason
from shared.contract.ticks import Tick
from shared.engine.state import Upgrade
from shared.kernel.step import Step

S = TypeVar("S")


class BrokenInvariant(RuntimeError):
    """A core or the log broke a promise that everything rests on: stop before anything is committed."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A readable record of an input topic.

    `id` and `source` are the CloudEvents attributes; of events of ours, `source` ends in `service/partition`.
    `replaces` holds the coordinates (`topic/partition/offset`) of the dead letter that this record replays.
    """

    topic: str
    key: str
    id: str
    source: str
    data: Event
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that became a dead letter although its key could be read; `coordinates` are `topic/partition/offset`."""

    topic: str
    key: str
    reason: str
    coordinates: str

    @property
    def quarantined(self) -> bool:
        """Whether the record can be read, and only this service was not to see it."""
        return self.reason == DeadReason.QUARANTINED


@dataclass(frozen=True, slots=True)
class Wake:
    """The instant asked for has come; `tick` carries the switches and silent pairs in force.

    `spent` counts what the keys woken before in this tick and partition took of shared allowances (`Step.spends`).
    """

    tick: Tick
    spent: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PutAside:
    """The key is not woken for a while: its wake at this tick crashed the service, and an operator let it pass by.

    Whatever was asked for the key must be taken back now, by means as simple as can be. `coordinates` are those of the
    dead letter that says so; `topic` is the clock's.
    """

    topic: str
    coordinates: str


Input: TypeAlias = Fact | Unreadable | Wake | PutAside

Decide: TypeAlias = Callable[[S | None, str, Input, int, Any], Step[S]]
"""`decide(state, key, input, now, policy)`: pure. `now` is the tick's instant in epoch milliseconds, for facts too."""


@dataclass(frozen=True, slots=True)
class Processor(Generic[S]):
    """A service: what it reads and writes, what it keeps, how it decides.

    `reads` are logical topics in the order in which an epoch applies them; `owns` are those of them whose dead letters
    this service writes (each topic has one owner). `upgrades` convert states of former formats, the oldest first:
    whoever changes the shape of `state` keeps the former type and adds one.
    """

    name: str
    clock: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    owns: tuple[str, ...]
    state: type[S]
    decide: Decide[S]
    upgrades: tuple[Upgrade, ...] = ()
