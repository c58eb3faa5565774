"""How often each cell was met, over all recorded runs: `docs/reliability/counts.json`."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.runtime.local_kafka.files import exclusive_lock, write_whole
from shared.runtime.local_kafka.java import CHECKOUT
from tests.chaos.round import Outcome

COUNTS = CHECKOUT / "docs" / "reliability" / "counts.json"


@dataclass
class Count:
    """What is known of one cell; `last_seed` is that of the last round in which it was met."""

    met: int = 0
    failures: int = 0
    last_seed: int | None = None


@dataclass
class Ledger:
    """The counts of all cells, how often each promise was tried in those rounds, and on which Kafka."""

    kafka: str
    rounds: int = 0
    cells: dict[str, Count] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> Count:
        """Return a cell's count, to be added to."""
        return self.cells.setdefault(name, Count())

    def add(self, outcome: Outcome) -> None:
        """Add a round. A failure that is nobody's in particular is everybody's who was met in the round."""
        self.rounds += 1
        for name, met in outcome.met.items():
            self.of(name).met += met
            self.of(name).last_seed = outcome.seed
        guilty = {name for name, _ in outcome.failures}
        for name in guilty & set(outcome.cells) or (set(outcome.met) if guilty else set()):
            self.of(name).failures += 1
        for promise, cases in (outcome.judged.tried if outcome.judged else {}).items():
            self.tried[promise] = self.tried.get(promise, 0) + cases

    def take(self, other: Ledger) -> None:
        """Add what another ledger counted elsewhere on the same Kafka."""
        self.rounds += other.rounds
        for name, count in other.cells.items():
            mine = self.of(name)
            mine.met, mine.failures = mine.met + count.met, mine.failures + count.failures
            mine.last_seed = max((s for s in (mine.last_seed, count.last_seed) if s is not None), default=None)
        for promise, cases in other.tried.items():
            self.tried[promise] = self.tried.get(promise, 0) + cases

    def to_json(self) -> str:
        """Return the ledger as it is kept."""
        cells = {name: vars(count) for name, count in sorted(self.cells.items())}
        tried = dict(sorted(self.tried.items()))
        document = {"kafka": self.kafka, "rounds": self.rounds, "cells": cells, "tried": tried}
        return json.dumps(document, indent=2) + "\n"


def kafka_version() -> str:
    """Return the version of Kafka that grounds run."""
    found = re.search(r"<kafka.version>([^<]+)<", (CHECKOUT / "deploy" / "pom.xml").read_text())
    assert found is not None
    return found.group(1)


def read_ledger(path: Path = COUNTS) -> Ledger:
    """Return what was recorded on this version of Kafka so far."""
    version = kafka_version()
    if not path.exists():
        return Ledger(version)
    found = json.loads(path.read_text())
    if found["kafka"] != version:
        return Ledger(version)
    cells = {name: Count(**count) for name, count in found["cells"].items()}
    return Ledger(version, found["rounds"], cells, found["tried"])


def record(outcomes: Iterable[Outcome], path: Path = COUNTS) -> None:
    """Add rounds to what is recorded; runs beside each other wait for one another."""
    with _adding_to(path) as ledger:
        for outcome in outcomes:
            ledger.add(outcome)


def add_counts(file: Path, path: Path = COUNTS) -> None:
    """Add what runs elsewhere recorded, in a copy of the sources that began to count at nothing."""
    other = read_ledger(file)
    with _adding_to(path) as ledger:
        ledger.take(other)


@contextmanager
def _adding_to(path: Path) -> Iterator[Ledger]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(Path(tempfile.gettempdir()) / "duecourse-chaos-counts.lock"):
        ledger = read_ledger(path)
        yield ledger
        write_whole(path, ledger.to_json())
