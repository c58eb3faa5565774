"""What one decision leaves behind: the new state, what to publish, when to look again, and why nothing happened."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

S = TypeVar("S")


class Verdict(StrEnum):
    """What became of one input record. Every record below a service's progress has exactly one (promise P1)."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Emit:
    """One event to publish.

    `topic` is the logical name (without the deployment's prefix), `key` the Kafka key, whose partitioner decides the
    partition, `data` a model of `shared.contract`. The engine derives the event's id and wraps the envelope.
    """

    topic: str
    key: str
    data: object


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a due step led to nothing: `reason` is a value of the service's closed enum, `subject` what it was about."""

    reason: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """The outcome of one call of a core.

    `state` replaces what was kept (None forgets the key). `wake_at` is the next instant, in epoch milliseconds, at
    which the key must be looked at again; it replaces the earlier one (None: never). `events` must be empty for a
    fact: facts change what is true, only ticks act. `dead` names the reason for which a fact becomes a dead letter;
    the state may still change with it (a loan put under doubt). `spends` names, once per unit, what a wake took of a
    shared allowance of its tick and partition; the wakes that follow in the same tick are told (`Wake.spent`).
    """

    state: S | None
    events: tuple[Emit, ...] = ()
    wake_at: int | None = None
    skips: tuple[Skip, ...] = ()
    verdict: Verdict = Verdict.APPLIED
    dead: str | None = None
    spends: tuple[str, ...] = ()
