"""The open transaction of a partition: decoded states, outputs and counts, until it is full or the loop must wait."""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

from shared.engine.dead_letters import InputRecord
from shared.engine.due import DueIndex
from shared.engine.state import StateCodec
from shared.engine.store import STATE_PREFIX, Changes, Due, Store
from shared.engine.transaction import Emitted, EpochSummary, Output
from shared.kernel.step import Step, Verdict

S = TypeVar("S")


class Entry(Generic[S]):
    """A key as the open transaction sees it; `stored` tells whether the store has it, with which `stored_wake_at`."""

    __slots__ = ("changed", "key", "name", "state", "stored", "stored_wake_at", "wake_at")

    def __init__(self, key: bytes, state: S | None, wake_at: int | None, *, stored: bool) -> None:
        self.key = key
        self.name = key.decode()
        self.state = state
        self.wake_at = wake_at
        self.stored = stored
        self.stored_wake_at = wake_at
        self.changed = False


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
        self.applied: list[tuple[str, InputRecord]] = []
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
                entry = Entry(key, state, wake_at, stored=True)
            self._entries[key] = entry
        return entry

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
