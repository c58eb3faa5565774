"""The same people and loans without a gate: how often they would have been contacted, and against how many rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.contract.topics import RATE_LIMITER
from shared.domain.policy import Policy
from shared.engine.epoch import Deployment
from shared.engine.processor import Processor
from shared.simulation.checkers import p3_capped, p4_quiet
from shared.simulation.checkers.chronicle import Chronicle
from shared.simulation.checkers.policies import Policies
from shared.simulation.no_gate import NO_GATE
from shared.simulation.report import Spread, contacts_made, contacts_per_window
from shared.simulation.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """What a simulation without the gate counts; the demo's report shows it beside the real run, labelled so."""

    contacts_made: int
    contacts_per_person: Spread
    beyond_caps: int
    outside_hours_or_against_will: int


def without_gate(scenario: Scenario, processors: Sequence[Processor[Any]], policy: Policy) -> Counterfactual:
    """Run the scenario with every wish granted."""
    others = tuple(processor for processor in processors if processor.name != RATE_LIMITER)
    deployment = Deployment(scenario.setting.topology(), {policy.hash: policy})
    world = scenario.world((*others, NO_GATE), deployment)
    world.run()
    chronicle, policies = Chronicle(world.log), Policies(deployment.policies)
    return Counterfactual(
        contacts_made=sum(1 for _ in contacts_made(chronicle)),
        contacts_per_person=Spread.of(contacts_per_window(chronicle)),
        beyond_caps=p3_capped.check(chronicle, policies).violated,
        outside_hours_or_against_will=p4_quiet.check(chronicle, policies).violated,
    )
