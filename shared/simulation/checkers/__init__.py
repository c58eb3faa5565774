"""The eight promises, each judged by one file from recorded topics alone, apart from the services that keep them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from shared.domain.packs import Packs
from shared.domain.reporting import Reporting
from shared.engine.epoch import Deployment
from shared.engine.processor import Processor
from shared.simulation.checkers import (
    p1_nothing_lost,
    p2_one_effect,
    p3_capped,
    p4_quiet,
    p5_pay_to_silence,
    p6_fair_record,
    p7_explained,
    p8_replayable,
)
from shared.simulation.checkers.chronicle import Chronicle
from shared.simulation.checkers.refold import refold
from shared.simulation.checkers.verdict import Verdict, Violation

__all__ = ["Build", "Chronicle", "Verdict", "Violation", "check_all"]


@dataclass(frozen=True, slots=True)
class Build:
    """The services, the deployment that they ran in, and the packs and reporting rules that they should have obeyed."""

    processors: tuple[Processor[Any], ...]
    deployment: Deployment
    packs: Packs
    reporting: Reporting


def check_all(
    chronicle: Chronicle, build: Build, services: Iterable[Processor[Any]] | None = None
) -> tuple[Verdict, ...]:
    """Judge all promises, P1 to P8. `services` are those that are folded again, if not the build's own."""
    folded = refold(chronicle, build.processors if services is None else services, build.deployment)
    return (
        p1_nothing_lost.check(chronicle, folded),
        p2_one_effect.check(chronicle),
        p3_capped.check(chronicle, build.packs),
        p4_quiet.check(chronicle, build.packs),
        p5_pay_to_silence.check(chronicle),
        p6_fair_record.check(chronicle, build.reporting),
        p7_explained.check(chronicle, build.packs.rule_texts()),
        p8_replayable.check(chronicle, folded),
    )
