"""What people write: objectives and alerts, as typed values. A field that is missing or unknown is an error."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).resolve().parents[1]
SEVERITIES = ("page", "ticket", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """How the alert is made to fire on a running system, and how that is undone: names of `tests/drills/faults.py`.

    `within` bounds the time until somebody is told. `hasten` makes the alert's windows and its patience that many times
    shorter in the drill, thresholds unchanged. `stays`: it cannot end, because what was done stays on record. `pages`:
    the alert that wakes somebody for the same fault, where this one is a ticket.
    """

    fault: str
    heal: str
    within: str
    hasten: int = 1
    stays: bool = False
    pages: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One objective: a ratio of events (`bad` and `total`), or what must hold (`holds`).

    `drill` makes its budget burn while no alert on a cause fires.
    """

    name: str
    sentence: str
    objective: float
    drill: Drill
    bad: str = ""
    total: str = ""
    holds: str = ""

    def __post_init__(self) -> None:
        if bool(self.holds) == bool(self.bad and self.total) or not 0 < self.objective < 1:
            raise ValueError(f"objective {self.name}: give `holds`, or `bad` and `total`, and a share below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series of a rule test, in promtool's notation, the instant to look at, and what must fire then."""

    series: dict[str, str]
    at: str = "10m"
    labels: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a row of the drills ended: after how many seconds somebody was told, and after how many it was over."""

    told: int | None = None
    over: int | None = None
    beside: tuple[str, ...] = ()
    shown: bool
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert with everything that whoever is woken by it needs."""

    name: str
    severity: str
    expression: str
    lasting: str
    summary: str
    impact: str
    queries: tuple[str, str, str]
    causes: tuple[str, ...]
    mitigate: tuple[str, ...]
    fix: tuple[str, ...]
    verify: str
    tell: str
    fires: tuple[Case, ...]
    silent: tuple[Case, ...]
    drill: Drill
    reads: tuple[str, ...] = ()
    """What the answer to each of the three queries means, and where to go next: whoever is woken has two minutes."""
    burns: tuple[str, ...] = ()
    """The objectives whose budgets its cause burns: while it fires, and shortly after, theirs wake nobody."""
    keeps: str = ""
    """For how long it goes on firing after its cause is gone, because it inhibits what takes longer to be over."""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES or len(self.queries) != 3:
            raise ValueError(f"alert {self.name}: severity is one of {SEVERITIES}, and there are three first queries")
        if not (self.fires and self.silent and self.causes and self.mitigate and self.fix):
            raise ValueError(
                f"alert {self.name}: a case that fires, a silent one, causes, mitigation and fix are needed"
            )
        if len(self.reads) != (len(self.queries) if self.severity == "page" else len(self.reads)):
            raise ValueError(f"alert {self.name}: whoever is woken must be told how to read each query")
        if self.burns and self.severity != "page":
            raise ValueError(f"alert {self.name}: only what wakes somebody may keep an objective from waking them")


def load_objectives(path: Path = DEPLOY / "slo.toml") -> tuple[Objective, ...]:
    """Return the objectives."""
    return tuple(_objective(entry) for entry in tomllib.loads(path.read_text())["slos"])


def _objective(entry: dict[str, Any]) -> Objective:
    return Objective(**{**entry, "drill": Drill(**entry["drill"])})


def load_alerts(path: Path = DEPLOY / "alerts.toml") -> tuple[Alert, ...]:
    """Return the alerts that people wrote; those of the objectives follow from `slo.toml`."""
    return tuple(_alert(entry) for entry in tomllib.loads(path.read_text())["alerts"])


def load_outcomes(path: Path = DEPLOY / "drills.toml") -> dict[str, Outcome]:
    """Return how the newest run of each drill ended, by alert; nothing before the first run."""
    if not path.is_file():
        return {}
    found = tomllib.loads(path.read_text())
    return {name: Outcome(**{**entry, "beside": tuple(entry.get("beside", ()))}) for name, entry in found.items()}


def save_outcomes(outcomes: Mapping[str, Outcome], path: Path = DEPLOY / "drills.toml") -> None:
    """Keep how drills ended; rows of other drills stay as they were."""
    lines = ["# Written by `python -m tests.drills --record`: how each drill ended when it was last run.", ""]
    for name, it in sorted((load_outcomes(path) | dict(outcomes)).items()):
        lines.append(f"[{name}]")
        lines += [f"{part} = {value}" for part in ("told", "over") if (value := getattr(it, part)) is not None]
        lines += [f"beside = {json.dumps(it.beside)}", f"shown = {json.dumps(it.shown)}"]
        lines += [f"passed = {json.dumps(it.passed)}", ""]
    path.write_text("\n".join(lines))


def _alert(entry: dict[str, Any]) -> Alert:
    lists = {name: tuple(entry.pop(name)) for name in ("queries", "causes", "mitigate", "fix")}
    lists |= {name: tuple(entry.pop(name, ())) for name in ("reads", "burns")}
    cases = {name: tuple(Case(**case) for case in entry.pop(name)) for name in ("fires", "silent")}
    drill = Drill(**entry.pop("drill"))
    return Alert(**entry, **lists, **cases, drill=drill)
