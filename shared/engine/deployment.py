"""What decides besides the log, and how much of it goes into one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from shared.contract.ticks import FactQuarantined
from shared.engine.quarantine import WakePlace, facts_among, wakes_among
from shared.engine.topology import Topology


@dataclass(frozen=True, slots=True)
class Limits:
    """When a transaction ends: after that many facts and wakes, or that many ticks."""

    facts_and_wakes: int = 1000
    ticks: int = 512


ONE_BY_ONE: Final = Limits(facts_and_wakes=1, ticks=1)
"""For a fold that must be able to stop between any two facts or wakes."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What decides besides the log, and where: partition counts, partitioner, build, and the policies by hash."""

    topology: Topology
    policies: Mapping[str, Any]
    build: str = ""
    limits: Limits = field(default_factory=Limits)
    quarantined: frozenset[tuple[str, int, int]] = frozenset()
    """Topic, partition and offset of facts that an operator took out of this service's way."""
    wakes_quarantined: Mapping[WakePlace, int] = field(default_factory=dict)
    """Wakes that an operator took out of this service's way, and for how many hours their keys are put aside."""


def passing_by(deployment: Deployment, asked: Collection[FactQuarantined]) -> Deployment:
    """Return the deployment of a service that passes by what an operator took out of its way."""
    return replace(deployment, quarantined=facts_among(asked), wakes_quarantined=wakes_among(asked))
