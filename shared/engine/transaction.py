"""What the epoch loop hands to whoever commits: everything that must happen in one step, as a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shared.engine.progress import Progress, metadata
from shared.engine.store import Changes
from shared.kernel.step import Verdict

Headers: TypeAlias = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Output:
    """One record to publish; `id` is that of the event in it, where there is one."""

    key: bytes
    value: bytes
    headers: Headers = ()
    id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Emitted:
    """One event of this transaction as the core said it, for those who count, log and trace: never for deciding."""

    id: str
    at: int
    topic: str
    key: str
    data: Any


@dataclass(frozen=True, slots=True)
class EpochSummary:
    """What one epoch contained, for its log line: counts only, no ids.

    `outputs` are by logical topic, `skips` and `dead` by reason, `facts` by verdict.
    """

    at: int
    facts: Mapping[str, int] = field(default_factory=dict)
    wakes: int = 0
    outputs: Mapping[str, int] = field(default_factory=dict)
    skips: Mapping[str, int] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)

    @property
    def has_content(self) -> bool:
        """Whether anything happened in this epoch."""
        return bool(self.facts or self.wakes or self.dead)


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction of one partition, or, where it is not `durable`, mere news of its progress.

    `outputs` are by logical topic and partition, in order. `changes.records` go to the changelog in their order,
    the progress record last. `epochs` are those that this transaction completes and that had content, `ticks` counts
    all it completes, `ignored_ticks` those that did not advance `at`.

    The rest is for measuring only: `counted` records by topic and verdict, `buried` by topic and reason, `applied`
    readable facts as event id, topic and the record they came in, `emitted` events.
    """

    partition: int
    progress: Progress
    durable: bool
    changes: Changes
    outputs: Mapping[tuple[str, int], list[Output]]
    epochs: tuple[EpochSummary, ...]
    ticks: int
    ignored_ticks: int
    facts: int
    wakes: int
    counted: Mapping[tuple[str, Verdict], int] = field(default_factory=dict)
    buried: Mapping[tuple[str, str], int] = field(default_factory=dict)
    applied: Sequence[tuple[str, str, Any]] = ()
    emitted: Sequence[Emitted] = ()

    @property
    def metadata(self) -> str:
        """The metadata of the group commit that reports this transaction."""
        return metadata(self.progress.at, self.progress.n)
