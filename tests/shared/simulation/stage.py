"""Small worlds for tests: the real services, the twelve people and a handful of loans, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from services.credit_report.processor import PROCESSOR as CREDIT_REPORT
from services.escalation.processor import PROCESSOR as ESCALATION
from services.rate_limiter.processor import PROCESSOR as RATE_LIMITER
from services.reminder.processor import PROCESSOR as REMINDER
from shared.domain.policy import Policy, load_policy
from shared.engine.epoch import Deployment
from shared.engine.processor import Processor
from shared.simulation.checkers import Build, Chronicle, Verdict, check_all
from shared.simulation.faults import Faults
from shared.simulation.scenario import Scenario, build_scenario
from shared.simulation.service import Instance
from shared.simulation.world import Setting, World

PROCESSORS: tuple[Processor[Any], ...] = (REMINDER, ESCALATION, CREDIT_REPORT, RATE_LIMITER)
SEED = 11


@cache
def policy() -> Policy:
    """The default policy."""
    return load_policy()


@dataclass(frozen=True)
class Played:
    """A world after its last tick."""

    scenario: Scenario
    world: World
    chronicle: Chronicle
    processors: tuple[Processor[Any], ...]

    def verdicts(self) -> tuple[Verdict, ...]:
        """What the checkers say, folding the same build again."""
        deployment = Deployment(self.scenario.setting.topology(), {policy().hash: policy()})
        build = Build(self.processors, deployment)
        return check_all(self.chronicle, build)

    def broken(self) -> set[str]:
        """The promises that were violated."""
        return {verdict.promise for verdict in self.verdicts() if verdict.violated}


def play(
    loans: int = 12,
    days: int = 20,
    processors: Sequence[Processor[Any]] = PROCESSORS,
    faults: Faults | None = None,
    instance: type[Instance] = Instance,
    seed: int = SEED,
    *,
    markers: bool = True,
) -> Played:
    """Let a small world run to its end."""

    class Stage(World):
        def instance(self, processor: Processor[Any], deployment: Deployment, partition: int) -> Instance:
            return instance(processor, deployment, partition, self.log, self.faults)

    scenario = build_scenario(seed, loans, Setting(days, loan_partitions=2, borrower_partitions=2))
    deployment = Deployment(scenario.setting.topology(), {policy().hash: policy()})
    world = Stage(
        scenario.setting, processors, deployment, scenario.lender(), scenario.gateway(), faults, markers=markers
    )
    world.run()
    return Played(scenario, world, Chronicle(world.log), tuple(processors))


@cache
def whole_story() -> Played:
    """Sixty days with few strangers: every story comes to its end."""
    return play(loans=12, days=60)


@cache
def twenty_days() -> Played:
    """Twenty undisturbed days."""
    return play()
