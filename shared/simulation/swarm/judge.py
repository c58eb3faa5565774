"""The verdict on one seed: the eight promises, stores like changelogs, nobody behind, and no trace of any crash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.engine.store import MemoryStore
from shared.simulation.checkers import Build, Chronicle, check_all
from shared.simulation.checkers.p8_replayable import digest
from shared.simulation.swarm.crossings import Cell
from shared.simulation.swarm.draw import draw
from shared.simulation.swarm.trial import System, Trial, deployment_of

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one seed showed. `cases` are those tried, by promise; `broken` is empty where all is well."""

    seed: int
    broken: tuple[str, ...]
    cases: Mapping[str, int]
    crossings: Mapping[Cell, int]
    records: int
    refused: int
    """What former owners tried to do and could not."""
    digest: str
    """Of all outputs."""


def judge(seed: int, system: System) -> Outcome:
    """Play a seed and judge it; what a core or the engine itself refuses to survive is raised."""
    trial = Trial(draw(seed), system)
    trial.run()
    policy = system.policy
    deployment = deployment_of(trial.log, policy)
    build = Build(system.processors, deployment)
    chronicle = Chronicle(trial.log)
    verdicts = check_all(chronicle, build)
    said = digest(chronicle)
    broken = [
        f"{verdict.promise} {verdict.title}: {violation.where}: {violation.what}"
        for verdict in verdicts
        for violation in verdict.violations[:SHOWN]
    ]
    broken += [f"lag: {pair} has not applied the newest tick" for pair in trial.lagging()]
    broken += _unlike_changelogs(trial)
    if trial.draw.prompt and trial.fleet.struck and _undisturbed(trial, system) != said:
        broken.append("trace: without the crashes something else would have been said")
    return Outcome(
        seed=seed,
        broken=tuple(broken),
        cases={verdict.promise: verdict.cases for verdict in verdicts},
        crossings=dict(trial.crossings.counts),
        records=sum(trial.log.counts().values()),
        refused=trial.log.refused,
        digest=said,
    )


def _undisturbed(trial: Trial, system: System) -> str:
    twin = Trial(trial.draw, system, disturbed=False)
    twin.run()
    return digest(Chronicle(twin.log))


def _unlike_changelogs(trial: Trial) -> Iterator[str]:
    """Yield who keeps something else locally than the changelog says."""
    for seat in trial.fleet.seats:
        rebuilt = MemoryStore()
        for record in trial.log.read(seat.post.changelog, seat.post.partition, 0):
            assert record.key is not None
            rebuilt.restore(record.key, record.value, record.offset)
        store = seat.disk if seat.process is None else seat.process.store
        if store.snapshot() != rebuilt.snapshot():
            yield f"store: that of {seat.post.producer} is not what its changelog says"
