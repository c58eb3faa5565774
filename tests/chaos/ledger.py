"""How often each cell was met, over all recorded runs: `docs/reliability/counts.json`."""

from __future__ import annotations

import json
import os
import platform
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from shared.runtime.local_kafka.files import exclusive_lock, write_whole
from shared.runtime.local_kafka.java import CHECKOUT
from tests.chaos.round import Outcome

COUNTS = CHECKOUT / "docs" / "reliability" / "counts.json"


@dataclass
class Count:
    """What is known of one cell; `last_seed` is that of the last round in which it was met.

    `clean` are those meets of which everything was judged and nothing failed.
    """

    met: int = 0
    clean: int = 0
    failures: int = 0
    last_seed: int | None = None


@dataclass
class Played:
    """Where and when rounds were played: `rounds` of them in so many seconds in sum, and under which load.

    `first` and `last` are minutes of UTC, `load_seconds` the load average of each round times its seconds. Rounds that
    were recorded before this was kept are not in it.
    """

    rounds: int = 0
    seconds: float = 0.0
    load_seconds: float = 0.0
    first: str = ""
    last: str = ""
    machines: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Add a round that was played on this machine."""
        began, ended = (minute(at) for at in (outcome.ended - outcome.seconds, outcome.ended))
        load_seconds = outcome.load * outcome.seconds
        self.take(Played(1, round(outcome.seconds, 1), round(load_seconds, 1), began, ended, [machine()]))

    def take(self, other: Played) -> None:
        """Add what was played elsewhere."""
        self.rounds += other.rounds
        self.seconds = round(self.seconds + other.seconds, 1)
        self.load_seconds = round(self.load_seconds + other.load_seconds, 1)
        self.first = min(filter(None, (self.first, other.first)), default="")
        self.last = max(self.last, other.last)
        self.machines = sorted({*self.machines, *other.machines})


@dataclass
class Ledger:
    """The counts of all cells, how often each promise was tried in those rounds, and on which Kafka."""

    kafka: str
    rounds: int = 0
    cells: dict[str, Count] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    played: Played = field(default_factory=Played)

    def of(self, name: str) -> Count:
        """Return a cell's count, to be added to."""
        return self.cells.setdefault(name, Count())

    def add(self, outcome: Outcome) -> None:
        """Add a round. A failure that is no strike's is everybody's who was met in the round."""
        self.rounds += 1
        self.played.add(outcome)
        for name, met in outcome.met.items():
            self.of(name).met += met
            self.of(name).clean += 0 if name in outcome.blamed else met
            self.of(name).last_seed = outcome.seed
        for name in outcome.blamed & set(outcome.cells):
            self.of(name).failures += 1
        for promise, cases in (outcome.judged.tried if outcome.judged else {}).items():
            self.tried[promise] = self.tried.get(promise, 0) + cases

    def take(self, other: Ledger) -> None:
        """Add what another ledger counted elsewhere on the same Kafka."""
        self.rounds += other.rounds
        self.played.take(other.played)
        for name, count in other.cells.items():
            mine = self.of(name)
            mine.met, mine.clean = mine.met + count.met, mine.clean + count.clean
            mine.failures += count.failures
            mine.last_seed = count.last_seed if count.met else mine.last_seed
        for promise, cases in other.tried.items():
            self.tried[promise] = self.tried.get(promise, 0) + cases

    def to_json(self) -> str:
        """Return the ledger as it is kept."""
        cells = {name: vars(count) for name, count in sorted(self.cells.items())}
        tried = dict(sorted(self.tried.items()))
        played = vars(self.played)
        document = {"kafka": self.kafka, "rounds": self.rounds, "cells": cells, "tried": tried, "played": played}
        return json.dumps(document, indent=2) + "\n"


def machine() -> str:
    """Return what kind of machine this is, in a few words."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    system, python = f"{platform.system()} {platform.release()}", f"Python {platform.python_version()}"
    return f"{os.cpu_count()} cores of {platform.machine()}, {memory_gib:.0f} GiB of memory, {system}, {python}"


def minute(at: float) -> str:
    """Return a time of day as a minute of UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


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
    return Ledger(version, found["rounds"], cells, found["tried"], Played(**found["played"]))


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
