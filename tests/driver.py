"""A deterministic driver of one key of one service: feeds facts, fires wakes as the engine does, keeps what came out.

An epoch is `driver.tick(at, fact, fact, ...)`: the facts in the order of the processor's declared topics (or as given),
then the wake, if its instant has come. The state goes through the engine's codec after every epoch, so that a state
that the store could not keep fails here. See `tests/services/reminder` for how it reads in a test.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from shared.contract.base import Event
from shared.contract.ticks import Switch, Tick
from shared.engine.processor import Fact, Processor, PutAside, Unreadable, Wake
from shared.engine.state import StateCodec
from shared.kernel.ids import derive_id
from shared.kernel.step import Emit, Skip, Step, Verdict

S = TypeVar("S")
E = TypeVar("E", bound=Event)

LENDER = "/tests/lender"


def fact(data: Event, key: str | None = None, *, topic: str = "", fact_id: str = "", source: str = LENDER) -> Fact:
    """Wrap an event as the engine would. Without a `fact_id`, equal events have equal ids: a redelivery."""
    assert type(data).KEY is not None, "only keyed events are facts"
    name = key or str(getattr(data, type(data).KEY))
    return Fact(
        topic or type(data).TOPICS[0],
        name,
        fact_id or derive_id("fact", type(data).TYPE, data.model_dump_json()),
        source,
        data,
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """What one epoch led to."""

    at: int
    events: tuple[Emit, ...] = ()
    skips: tuple[Skip, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    dead: tuple[str, ...] = ()

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [emit.data for emit in self.events if isinstance(emit.data, kind)]

    @property
    def reasons(self) -> list[str]:
        """Why due steps led to nothing."""
        return [skip.reason for skip in self.skips]


@dataclass
class Driver(Generic[S]):
    """One key of one service under one policy."""

    processor: Processor[S]
    policy: Any
    key: str
    policy_hash: str = "0"
    state: S | None = None
    wake_at: int | None = None
    now: int = 0
    turns: list[Turn] = field(default_factory=list)
    wakes: int = 0

    def tick(
        self,
        at: int,
        *facts: Event | Fact | Unreadable,
        silent: Iterable[str] = (),
        switches: Iterable[Switch] = (),
        as_given: bool = False,
    ) -> Turn:
        """Run one epoch and return what it led to; `as_given` keeps the facts' order across topics too."""
        assert at > self.now, "ticks rise strictly"
        self.now = at
        inputs = [item if isinstance(item, Fact | Unreadable) else fact(item) for item in facts]
        if not as_given:
            inputs.sort(key=lambda item: self.processor.reads.index(item.topic))
        verdicts, dead = [], []
        for item in inputs:
            step = self._apply(item, at)
            verdicts.append(Verdict.DEAD if step.dead is not None else step.verdict)
            dead.extend([step.dead] if step.dead is not None else [])
        events, skips = self._wake(at, tuple(silent), tuple(switches))
        codec = StateCodec(self.processor.state, self.processor.upgrades)
        if self.state is not None:
            restored, wake_at = codec.decode(codec.encode(self.state, self.wake_at))
            assert restored == self.state, "the store would give back another state"
            assert wake_at == self.wake_at
            self.state = restored
        turn = Turn(at, events, skips, tuple(verdicts), tuple(dead))
        self.turns.append(turn)
        return turn

    def put_aside(self, at: int) -> Turn:
        """Pass the key's wake by at a tick, as the engine does once it has crashed; return what was said."""
        assert at > self.now, "ticks rise strictly"
        self.now = at
        clock = self.processor.clock
        step = self.processor.decide(self.state, self.key, PutAside(clock, f"{clock}/0/7/{self.key}"), at, self.policy)
        self._take(step, step.wake_at)
        turn = Turn(at, step.events, step.skips)
        self.turns.append(turn)
        return turn

    def run(self, until: int, every: int) -> list[Turn]:
        """Tick without facts every `every` milliseconds up to and including `until`; return the epochs with content."""
        quiet = len(self.turns)
        while self.now + every <= until:
            self.tick(self.now + every)
        return [turn for turn in self.turns[quiet:] if turn.events or turn.skips]

    def to_next_wake(self, until: int) -> Turn:
        """Tick at the instant that the core asked for, at the latest at `until`."""
        at = until if self.wake_at is None else min(max(self.wake_at, self.now + 1), until)
        return self.tick(at)

    def all(self, kind: type[E]) -> list[E]:
        """Every event of one kind so far."""
        return [data for turn in self.turns for data in turn.of(kind)]

    def _apply(self, item: Fact | Unreadable, at: int) -> Step[S]:
        assert item.key == self.key, "the driver drives one key"
        assert item.topic in self.processor.reads, f"{self.processor.name} does not read {item.topic}"
        step = self.processor.decide(self.state, self.key, item, at, self.policy)
        assert not step.events, "facts emit nothing: only ticks act"
        self._take(step, step.wake_at)
        return step

    def _wake(self, at: int, silent: tuple[str, ...], switches: tuple[Switch, ...]) -> tuple[Any, Any]:
        if self.wake_at is None or self.wake_at > at:
            return (), ()
        tick = Tick(at=at, barriers={}, policy=self.policy_hash, silent=silent, switches=switches)
        step = self.processor.decide(self.state, self.key, Wake(tick), at, self.policy)
        self.wakes += 1
        assert all(emit.topic in self.processor.writes for emit in step.events)
        self._take(step, None if step.wake_at is None else max(step.wake_at, at + 1))
        return step.events, step.skips

    def _take(self, step: Step[S], wake_at: int | None) -> None:
        assert step.state is not None or wake_at is None, "a forgotten key cannot be woken"
        self.state = step.state
        self.wake_at = wake_at
