"""Random lives of one loan for property tests: epochs of facts with gaps of hours to days between their ticks.

A life is a function of its seed. What an id says is a function of the id, so that two deliveries never conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random
from typing import Any

from shared.contract.outreach import LOAN_CONTACTS
from shared.contract.repayments import REPAYMENTS
from shared.engine.processor import Fact, Unreadable
from shared.kernel.step import Emit, Skip
from shared.kernel.zones import local_date
from tests.driver import Turn, fact
from tests.services.lending import (
    DUE,
    LOAN,
    ZONE,
    at,
    cancelled,
    changed,
    charged,
    closed,
    held,
    lifted,
    opened,
    paid,
    promised,
    returned,
    scheduled,
)

HOUR = 3_600_000
START = at(-6)
DUES = (DUE, DUE + timedelta(days=9), DUE + timedelta(days=31))
GAPS_HOURS = (1, 1, 3, 7, 14, 24, 24, 24, 48, 110)
AMOUNTS = (1, 5, 30_000, 70_000, 99_995, 100_000, 100_000, 200_000)


@dataclass(frozen=True)
class Epoch:
    """Facts below one tick, and the tick's instant."""

    at: int
    facts: tuple[Fact | Unreadable, ...]


@dataclass
class Life:
    """What has been said so far, so that later facts can refer to it."""

    dice: Random
    now: int = START
    said: list[Fact | Unreadable] = field(default_factory=list)
    payments: list[tuple[str, date]] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    count: int = 0

    @property
    def today(self) -> date:
        return local_date(self.now, ZONE)

    def name(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def pay(self) -> Any:
        name, day = self.name("p"), self.today - timedelta(days=self.dice.choice((0, 0, 0, 1, 6, -2)))
        self.payments.append((name, day))
        return paid(name, self.dice.choice(AMOUNTS), day)

    def give_back(self) -> Any:
        known = self.payments and self.dice.random() < 0.8
        name, day = self.dice.choice(self.payments) if known else (f"p{self.count + 1}", self.today)
        return returned(name, day + timedelta(days=2))

    def charge(self) -> Any:
        return charged(self.name("c"), 700, self.today, f"i{self.dice.randint(1, 3)}")

    def hold(self) -> Any:
        self.holds.append(self.name("h"))
        since = self.now + self.dice.choice((-24, 0, 0, 5, 30)) * HOUR
        return held(self.holds[-1], since, self.dice.choice((None, since + 9 * HOUR, since + 90 * HOUR)))

    def lift(self) -> Any:
        name = self.dice.choice(self.holds) if self.holds else "h1"
        return lifted(name, at(40) if name == "h1" else self.now)

    def promise(self) -> Any:
        made = self.today
        return promised(self.name("w"), made + timedelta(days=self.dice.randint(0, 6)), made)

    def change(self) -> Any:
        n, shift = self.dice.randint(1, 3), self.dice.randint(1, 12)
        return changed(f"i{n}", DUES[n - 1] + timedelta(days=shift), 100_000, shift)

    def cancel(self) -> Any:
        return cancelled(f"i{self.dice.randint(1, 3)}", 90)

    def close(self) -> Any:
        return closed(DUE + timedelta(days=30))

    def lose(self) -> Any:
        return Unreadable(REPAYMENTS, LOAN, "not_json", f"{REPAYMENTS}/0/{self.count}")

    def again(self) -> Any:
        return self.dice.choice(self.said)


LENDING: dict[Callable[[Life], Any], float] = {
    Life.pay: 25, Life.give_back: 12, Life.charge: 10, Life.hold: 7, Life.lift: 7, Life.promise: 6, Life.change: 8,
    Life.cancel: 1, Life.close: 0.7, Life.lose: 1.5, Life.again: 10,
}  # fmt: skip
"""What a lender may say, and how often among a hundred facts."""


def as_input(item: Any) -> Fact | Unreadable:
    return item if isinstance(item, Fact | Unreadable) else fact(item)


def beginning() -> tuple[Fact | Unreadable, ...]:
    """Terms with a tolerance of 10 minor units and three instalments of 1,000.00."""
    loan = [scheduled(f"i{n}", due) for n, due in enumerate(DUES, 1)]
    return tuple(as_input(item) for item in (opened(tolerance_minor=10), *loan))


def life_of(seed: int, more: dict[Callable[[Life], Any], float] | None = None, epochs: int = 45) -> list[Epoch]:
    """Return the life of a seed; `more` adds what others than the lender may say."""
    life = Life(Random(seed), said=list(beginning()))
    sayings = LENDING | (more or {})
    lived = []
    for _ in range(epochs):
        life.now += life.dice.choice(GAPS_HOURS) * HOUR
        wanted = life.dice.choice((0, 0, 0, 0, 1, 1, 2, 3))
        chosen = life.dice.choices(list(sayings), list(sayings.values()), k=wanted)
        facts = tuple(as_input(say(life)) for say in chosen)
        life.said.extend(facts)
        lived.append(Epoch(life.now, facts))
    return lived


def interleaved(items: Sequence[Fact | Unreadable], seed: int) -> list[Fact | Unreadable]:
    """Return another order of the same facts, as the partitions they lie in may meet: each topic keeps its own order.

    Words of the gate are the exception: one loan's may come from several partitions of the gate.
    """
    mixed = shuffled(items, seed)
    for topic in {item.topic for item in items} - {LOAN_CONTACTS}:
        places = [place for place, item in enumerate(mixed) if item.topic == topic]
        for place, item in zip(places, [item for item in items if item.topic == topic], strict=True):
            mixed[place] = item
    return mixed


def shuffled(items: Sequence[Fact | Unreadable], seed: int) -> list[Fact | Unreadable]:
    """Return the same facts in any order at all."""
    mixed = list(items)
    Random(seed).shuffle(mixed)
    return mixed


def without_causes(turn: Turn) -> tuple[list[Emit], tuple[Skip, ...]]:
    """Return what was said, but not which facts were its cause: of two revisions the later may be the lower one."""
    said = [
        replace(emit, data=emit.data.model_copy(update={"caused_by": ()})) if hasattr(emit.data, "caused_by") else emit
        for emit in turn.events
    ]
    return said, turn.skips
