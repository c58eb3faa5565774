"""Each promise's checker, shown a build that breaks just that promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from services.credit_report.processor import PROCESSOR as CREDIT_REPORT
from services.escalation.processor import PROCESSOR as ESCALATION
from services.rate_limiter.processor import PROCESSOR as RATE_LIMITER
from services.reminder.processor import PROCESSOR as REMINDER
from shared.contract.base import Event
from shared.contract.outcomes import Outcome
from shared.contract.outreach import PermitGranted
from shared.contract.requests import (
    ContactRequested,
    ContactWithdrawn,
    ReportAction,
    ReportChanged,
)
from shared.domain.packs import Packs
from shared.domain.policy import Policy
from shared.engine.processor import Fact, Input, Processor
from shared.engine.store import STATE_PREFIX
from shared.engine.transaction import Transaction
from shared.kernel.hours import AllowedHours
from shared.kernel.step import Emit, Step
from shared.simulation.service import Instance
from tests.shared.simulation.stage import PROCESSORS, play

Rewrite = Callable[[Event], Event | None]


def _instead(mutant: Processor[Any]) -> tuple[Processor[Any], ...]:
    return tuple(mutant if one.name == mutant.name else one for one in PROCESSORS)


def _rewritten(processor: Processor[Any], rewrite: Rewrite) -> tuple[Processor[Any], ...]:
    """A build whose service changes, or drops, some of what it says."""

    def decide(state: Any, key: str, received: Input, now: int, policy: Policy) -> Step[Any]:
        step = processor.decide(state, key, received, now, policy)
        said = ((emit, rewrite(emit.data)) for emit in step.events)  # type: ignore[arg-type]
        return replace(step, events=tuple(Emit(emit.topic, emit.key, data) for emit, data in said if data is not None))

    return _instead(replace(processor, decide=decide))


def _with_packs(change: Callable[[Packs], Packs]) -> tuple[Processor[Any], ...]:
    """A build whose gate reads other packs than those in force."""

    def decide(state: Any, key: str, received: Input, now: int, policy: Policy) -> Step[Any]:
        return RATE_LIMITER.decide(state, key, received, now, replace(policy, packs=change(policy.packs)))

    return _instead(replace(RATE_LIMITER, decide=decide))


def _without_caps(packs: Packs) -> Packs:
    return replace(
        packs, packs=tuple(replace(p, caps=tuple(replace(c, limit=50) for c in p.caps)) for p in packs.packs)
    )


def _round_the_clock(packs: Packs) -> Packs:
    all_day = AllowedHours.daily("00:00", "24:00")
    return replace(
        packs, packs=tuple(replace(p, hours=tuple(replace(h, allowed=all_day) for h in p.hours)) for p in packs.packs)
    )


def _deaf_to_stop() -> tuple[Processor[Any], ...]:
    def decide(state: Any, key: str, received: Input, now: int, policy: Policy) -> Step[Any]:
        said_stop = isinstance(received, Fact) and getattr(received.data, "outcome", None) is Outcome.STOP
        if said_stop:
            return Step(state)
        return RATE_LIMITER.decide(state, key, received, now, policy)

    return _instead(replace(RATE_LIMITER, decide=decide))


def _never_withdraws(event: Event) -> Event | None:
    return None if isinstance(event, ContactWithdrawn) else event


def _forgets_the_notice(event: Event) -> Event | None:
    return event.model_copy(update={"notice_permit_id": None}) if isinstance(event, ReportChanged) else event


def _never_corrects(event: Event) -> Event | None:
    wrong = isinstance(event, ReportChanged) and event.action is ReportAction.CORRECTED
    return None if wrong else event


def _names_no_cause(event: Event) -> Event | None:
    return event.model_copy(update={"caused_by": ()}) if isinstance(event, ContactRequested) else event


def _names_a_strange_rule(event: Event) -> Event | None:
    return event.model_copy(update={"rules": ("because",)}) if isinstance(event, PermitGranted) else event


def _counts_calls() -> Rewrite:
    """Something besides the log decides: how many times this process was asked."""
    asked = iter(range(10**9))

    def rewrite(event: Event) -> Event | None:
        if isinstance(event, ContactRequested):
            return event.model_copy(update={"template": f"template-{next(asked)}"})
        return event

    return rewrite


class SaysTwice(Instance):
    """A shell at least once: some outputs of the reminder are appended again."""

    def commit(self, transaction: Transaction, at: int) -> int | None:
        """Commit, and publish the outputs of every fifth transaction a second time."""
        offset = super().commit(transaction, at)
        if self.processor is REMINDER and transaction.progress.n % 5 == 0:
            for (topic, target), outputs in transaction.outputs.items():
                for output in outputs:
                    self._log.append(topic, target, output.key, output.value, output.headers, at)
        return offset


class ForgetsStates(Instance):
    """A shell that leaves some states of escalation out of the changelog."""

    def commit(self, transaction: Transaction, at: int) -> int | None:
        """Commit without the states whose keys end in 3."""
        if self.processor is not ESCALATION:
            return super().commit(transaction, at)
        kept = {
            key: value
            for key, value in transaction.changes.records.items()
            if not (key.startswith(STATE_PREFIX) and key.endswith(b"3"))
        }
        return super().commit(replace(transaction, changes=replace(transaction.changes, records=kept)), at)


BUILDS: dict[str, tuple[str, tuple[Processor[Any], ...]]] = {
    "dead letters are counted and not written": ("P1", _instead(replace(ESCALATION, owns=()))),
    "caps are wide open": ("P3", _with_packs(_without_caps)),
    "contact at any hour": ("P4", _with_packs(_round_the_clock)),
    "STOP is not heard": ("P4", _deaf_to_stop()),
    "requests are never withdrawn": ("P5", _rewritten(REMINDER, _never_withdraws)),
    "adverse reports without their notice": ("P6", _rewritten(CREDIT_REPORT, _forgets_the_notice)),
    "months are never corrected": ("P6", _rewritten(CREDIT_REPORT, _never_corrects)),
    "requests name no cause": ("P7", _rewritten(REMINDER, _names_no_cause)),
    "permits name a rule of nobody's": ("P7", _rewritten(RATE_LIMITER, _names_a_strange_rule)),
    "the process decides, not the log": ("P8", _rewritten(REMINDER, _counts_calls())),
}
SHELLS: dict[str, tuple[str, type[Instance]]] = {
    "states are left out of the changelog": ("P1", ForgetsStates),
    "outputs are said twice": ("P2", SaysTwice),
}
DAYS = {"months are never corrected": 36}


@pytest.mark.parametrize("name", BUILDS)
def test_a_broken_build_is_caught_by_exactly_its_checker(name: str) -> None:
    """A service that breaks one promise is found by that promise's checker and accused of nothing else."""
    promise, processors = BUILDS[name]
    assert play(loans=14, days=DAYS.get(name, 26), processors=processors).broken() == {promise}


@pytest.mark.parametrize("name", SHELLS)
def test_a_broken_shell_is_caught_by_exactly_its_checker(name: str) -> None:
    """A shell that breaks one promise is found by that promise's checker and accused of nothing else."""
    promise, instance = SHELLS[name]
    assert play(loans=14, days=26, instance=instance).broken() == {promise}


def test_every_promise_has_a_mutant() -> None:
    """No checker goes untested."""
    caught = {promise for promise, _ in (*BUILDS.values(), *SHELLS.values())}
    assert caught == {f"P{number}" for number in range(1, 9)}


def test_nothing_tried_is_a_failure() -> None:
    """A world without a day shows nothing, and says so."""
    verdicts = play(loans=2, days=0).verdicts()
    assert [verdict.promise for verdict in verdicts if verdict.cases == 0]
    assert not any(verdict.kept for verdict in verdicts if verdict.cases == 0)
