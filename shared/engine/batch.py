"""The open transaction of a partition: decoded states, outputs and counts, until it is full or the loop must wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

from shared.engine.dead_letters import InputRecord
from shared.engine.due import DueIndex
from shared.engine.progress import Counts
from shared.engine.state import StateCodec
from shared.engine.store import STATE_PREFIX, Changes, Due, Store
from shared.engine.transaction import Emitted, EpochSummary, Output
from shared.kernel.step import Step, Verdict

S = TypeVar("S")

STATE_BYTES_MAX: Final = 512 * 1024
"""A state that is larger takes no more facts: beyond 1 MiB it could not be written, and its service would stop."""
ADDED_FACTOR: Final = 4
ADDED_BYTES: Final = 4096
"""A fact adds no more to a state than its own bytes so many times, and these."""


class Entry(Generic[S]):
    """A key as the open transaction sees it; `stored` tells whether the store has it, with which `stored_wake_at`."""

    __slots__ = (
        "bytes_max",
        "changed",
        "key",
        "measured",
        "measured_bytes",
        "name",
        "state",
        "stored",
        "stored_wake_at",
        "wake_at",
    )

    def __init__(self, key: bytes, state: S | None, wake_at: int | None, *, stored: bool, size: int = 0) -> None:
        self.key = key
        self.name = key.decode()
        self.state = state
        self.wake_at = wake_at
        self.stored = stored
        self.stored_wake_at = wake_at
        self.changed = False
        self.bytes_max = size
        """The state's bytes are no more than these."""
        self.measured: S | None = None
        self.measured_bytes = 0
        """How many bytes the state has that was measured last."""


class Tally:
    """What the current epoch contained so far; it may span several transactions."""

    __slots__ = ("dead", "facts", "outputs", "skips", "wakes")

    def __init__(self) -> None:
        self.facts: Counter[str] = Counter()
        self.outputs: Counter[str] = Counter()
        self.skips: Counter[str] = Counter()
        self.dead: Counter[str] = Counter()
        self.wakes = 0

    def summary(self, at: int) -> EpochSummary:
        """Return the epoch's summary."""
        return EpochSummary(at, dict(self.facts), self.wakes, dict(self.outputs), dict(self.skips), dict(self.dead))


class Batch(Generic[S]):
    """States, outputs and counts of the open transaction."""

    __slots__ = (
        "_codec",
        "_due",
        "_entries",
        "_store",
        "applied",
        "buried",
        "counted",
        "emitted",
        "epochs",
        "facts",
        "ignored_ticks",
        "outputs",
        "ticks",
        "wakes",
    )

    def __init__(self, store: Store, codec: StateCodec[S], due: DueIndex) -> None:
        self._store = store
        self._codec = codec
        self._due = due
        self._entries: dict[bytes, Entry[S]] = {}
        self.outputs: dict[tuple[str, int], list[Output]] = {}
        self.epochs: list[EpochSummary] = []
        self.counted: Counter[tuple[str, Verdict]] = Counter()
        self.buried: Counter[tuple[str, str]] = Counter()
        self.applied: list[tuple[str, str, InputRecord]] = []
        self.emitted: list[Emitted] = []
        self.facts = 0
        self.wakes = 0
        self.ticks = 0
        self.ignored_ticks = 0

    @property
    def size(self) -> int:
        """How many facts and wakes it holds."""
        return self.facts + self.wakes

    def entry(self, key: bytes) -> Entry[S]:
        """Return the key as this transaction sees it; decoded once per transaction."""
        entry = self._entries.get(key)
        if entry is None:
            value = self._store.get(STATE_PREFIX + key)
            if value is None:
                entry = Entry[S](key, None, None, stored=False)
            else:
                state, wake_at = self._codec.decode(value)
                entry = Entry(key, state, wake_at, stored=True, size=len(value))
            self._entries[key] = entry
        return entry

    def is_full(self, entry: Entry[S], value: bytes | None) -> bool:
        """Whether a fact (its value is at hand) comes too late: the state before it is as large as one may be.

        What a fact adds is guessed from above, so that only a state that may be too large is looked at. The answer
        depends on the state alone, wherever transactions are cut.
        """
        if entry.bytes_max > STATE_BYTES_MAX:
            if entry.measured is not entry.state:
                entry.measured = entry.state
                entry.measured_bytes = 0 if entry.state is None else len(self._codec.encode(entry.state, None))
            if entry.measured_bytes > STATE_BYTES_MAX:
                return True
            entry.bytes_max = entry.measured_bytes
        entry.bytes_max += ADDED_FACTOR * len(value or b"") + ADDED_BYTES
        return False

    def counts(self, before: Mapping[str, Counts], topics: Iterable[str]) -> dict[str, Counts]:
        """Return what became of the records of each topic, this transaction's included."""
        counts = {topic: before.get(topic, Counts()) for topic in topics}
        for (topic, verdict), count in self.counted.items():
            counts[topic] = counts[topic].plus(verdict, count)
        return counts

    def update(self, entry: Entry[S], step: Step[S], wake_at: int | None) -> None:
        """Take over what a step leaves behind, with the instant that the loop made of its wish."""
        if step.state is None and wake_at is not None:
            raise AssertionError("a forgotten key cannot be woken")
        if wake_at != entry.wake_at:
            entry.wake_at = wake_at
            entry.changed = True
            if wake_at is not None:
                self._due.schedule(wake_at, entry.key)
        if step.state is not entry.state:
            entry.state = step.state
            entry.changed = True

    def publish(self, topic: str, partition: int, output: Output) -> None:
        """Add one output."""
        outputs = self.outputs.get((topic, partition))
        if outputs is None:
            outputs = self.outputs[topic, partition] = []
        outputs.append(output)

    def changes(self) -> Changes:
        """Return what this transaction does to the store, without the progress record."""
        records: dict[bytes, bytes | None] = {}
        added: list[Due] = []
        removed = list(self._due.scanned)
        for key, entry in self._entries.items():
            if not entry.changed or (entry.state is None and not entry.stored):
                continue
            if entry.state is None:
                records[STATE_PREFIX + key] = None
            else:
                records[STATE_PREFIX + key] = self._codec.encode(entry.state, entry.wake_at)
            if entry.stored_wake_at is not None and entry.stored_wake_at != entry.wake_at:
                removed.append((entry.stored_wake_at, key))
            if entry.wake_at is not None:
                added.append((entry.wake_at, key))
        return Changes(records, removed, added)


def verdict_of(step: Step[S]) -> Verdict:
    """Return what became of a fact: a reason to be dead overrules."""
    return Verdict.DEAD if step.dead is not None else step.verdict
