"""Broken builds and broken shells, each a mistake that somebody could make, and which checkers catch it.

`python -m tests.shared.simulation.checkers.mutants` plays them all and writes `docs/reliability/mutants.md`; a test
plays them too and fails where the table says otherwise. A build is judged as itself: it is folded again with its own
mistake, so that only a promise can tell. A broken shell runs the right build, which the fold knows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from services.credit_report.processor import PROCESSOR as CREDIT_REPORT
from services.escalation.processor import PROCESSOR as ESCALATION
from services.rate_limiter.processor import PROCESSOR as RATE_LIMITER
from services.reminder.processor import PROCESSOR as REMINDER
from shared.contract.base import Event
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import PermitDeferred, PermitGranted
from shared.contract.people import BorrowerProfile
from shared.contract.repayments import RepaymentReceived
from shared.contract.requests import ContactRequested, ContactWithdrawn, ReportAction, ReportChanged
from shared.domain.packs import Cap, Packs, Per
from shared.domain.policy import Policy
from shared.engine.processor import Fact, Input, Processor, Wake
from shared.kernel.hours import AllowedHours, Window
from shared.kernel.ids import derive_id
from shared.kernel.step import Emit, Step
from shared.kernel.zones import DAY_MS
from shared.simulation.service import Instance
from tests.shared.simulation.checkers import broken_shells as shells
from tests.shared.simulation.checkers.mutant import Build, Mutant
from tests.shared.simulation.checkers.patched_cores import PATCHED
from tests.shared.simulation.stage import PROCESSORS

PAGE: Final = Path(__file__).parents[4] / "docs" / "reliability" / "mutants.md"
COMMAND: Final = "python -m tests.shared.simulation.checkers.mutants"
Rewrite = Callable[[Event], Event | None]


# --- how a build is broken


def _instead(mutant: Processor[Any]) -> Build:
    return tuple(mutant if one.name == mutant.name else one for one in PROCESSORS)


def _says(processor: Processor[Any], rewrite: Rewrite) -> Build:
    """A build whose service changes, or drops, some of what it says."""

    def decide(state: Any, key: str, received: Input, now: int, policy: Policy) -> Step[Any]:
        step = processor.decide(state, key, received, now, policy)
        said = ((emit, rewrite(emit.data)) for emit in step.events)  # type: ignore[arg-type]
        return replace(step, events=tuple(Emit(emit.topic, emit.key, data) for emit, data in said if data is not None))

    return _instead(replace(processor, decide=decide))


def _hears(processor: Processor[Any], rewrite: Rewrite) -> Build:
    """A build whose service misunderstands, or does not hear, some of the facts."""

    def decide(state: Any, key: str, received: Input, now: int, policy: Policy) -> Step[Any]:
        if isinstance(received, Fact):
            heard = rewrite(received.data)
            if heard is None:
                return Step(state, wake_at=getattr(state, "wake_ms", getattr(state, "wake_at", None)))
            received = replace(received, data=heard)
        return processor.decide(state, key, received, now, policy)

    return _instead(replace(processor, decide=decide))


def _under(processor: Processor[Any], change: Callable[[Policy], Policy]) -> Build:
    """A build whose service reads another policy than the one in force."""

    def decide(state: Any, key: str, received: Input, now: int, policy: Policy) -> Step[Any]:
        return processor.decide(state, key, received, now, change(policy))

    return _instead(replace(processor, decide=decide))


def _with_caps(change: Callable[[Cap], Cap]) -> Build:
    def other(packs: Packs) -> Packs:
        return replace(packs, packs=tuple(replace(p, caps=tuple(change(c) for c in p.caps)) for p in packs.packs))

    return _under(RATE_LIMITER, lambda policy: replace(policy, packs=other(policy.packs)))


def _with_hours(change: Callable[[AllowedHours], AllowedHours]) -> Build:
    def other(packs: Packs) -> Packs:
        changed = (replace(p, hours=tuple(replace(h, allowed=change(h.allowed)) for h in p.hours)) for p in packs.packs)
        return replace(packs, packs=tuple(changed))

    return _under(RATE_LIMITER, lambda policy: replace(policy, packs=other(policy.packs)))


def _only(kind: type[Event], rewrite: Callable[[Any], Event | None]) -> Rewrite:
    return lambda event: rewrite(event) if isinstance(event, kind) else event


# --- mistakes


def _opens_early(allowed: AllowedHours) -> AllowedHours:
    """Open an hour early: the clock of the wrong season."""

    def earlier(windows: tuple[Window, ...]) -> tuple[Window, ...]:
        return tuple(Window(window.start_minute - 60, window.end_minute) for window in windows)

    monday, tuesday, wednesday, thursday, friday, saturday, sunday = map(earlier, allowed.by_weekday)
    return replace(allowed, by_weekday=(monday, tuesday, wednesday, thursday, friday, saturday, sunday))


def _without_zones_of_points(profile: BorrowerProfile) -> BorrowerProfile:
    points = tuple(point.model_copy(update={"zone": None}) for point in profile.contact_points)
    return profile.model_copy(update={"contact_points": points, "zones": profile.zones[:1]})


def _waits_a_day_less(policy: Policy) -> Policy:
    reporting = policy.reporting

    def shorter(rules: Any) -> Any:
        return rules.model_copy(update={"waiting_days": rules.waiting_days - 1})

    return replace(
        policy,
        reporting=replace(
            reporting,
            defaults=shorter(reporting.defaults),
            products={name: shorter(rules) for name, rules in reporting.products.items()},
            segments={name: shorter(rules) for name, rules in reporting.segments.items()},
        ),
    )


def _looks_a_day_later(processor: Processor[Any]) -> Build:
    """A repayment is looked at a day after it became known."""

    def decide(state: Any, key: str, received: Input, now: int, policy: Policy) -> Step[Any]:
        step = processor.decide(state, key, received, now, policy)
        late = isinstance(received, Fact) and isinstance(received.data, RepaymentReceived)
        return replace(step, wake_at=now + DAY_MS) if late and step.wake_at is not None else step

    return _instead(replace(processor, decide=decide))


def _counts_calls() -> Rewrite:
    """Something besides the log decides: how many times this process was asked."""
    asked = iter(range(10**9))
    return _only(ContactRequested, lambda said: said.model_copy(update={"template": f"template-{next(asked)}"}))


def _sometimes_reversed() -> Build:
    """The order of what one decision says depends on the process, as that of a set does."""
    asked = iter(range(10**9))

    def decide(state: Any, key: str, received: Input, now: int, policy: Policy) -> Step[Any]:
        step = RATE_LIMITER.decide(state, key, received, now, policy)
        if isinstance(received, Wake) and len(step.events) > 1 and next(asked) % 2:
            return replace(step, events=step.events[::-1])
        return step

    return _instead(replace(RATE_LIMITER, decide=decide))


def _another_rule(deferred: PermitDeferred) -> PermitDeferred:
    """Name a cap of the policy where it was the hours that stood against it."""
    rules = tuple(
        rule.model_copy(update={"rule_id": "digital-week"}) if rule.rule_id == "hours" else rule
        for rule in deferred.rules
    )
    return deferred.model_copy(update={"rules": rules})


def _update(**fields: Any) -> Callable[[Any], Event]:
    return lambda event: event.model_copy(update=fields)  # type: ignore[no-any-return]


def _drop(_: Any) -> None:
    return None


def _drop_corrections(report: ReportChanged) -> Event | None:
    return None if report.action is ReportAction.CORRECTED else report


def _one_worse(report: ReportChanged) -> Event:
    return report.model_copy(update={"code": str(int(report.code) + 1)}) if report.code in "123456" else report


def _not(outcome: Outcome) -> Callable[[OutreachOutcome], Event | None]:
    return lambda told: None if told.outcome is outcome else told


def _only_ours(told: OutreachOutcome) -> Event | None:
    return told if told.permit_id is not None or told.outcome is Outcome.STOP else None


MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant("dead letters are counted and not written", "P1", _instead(replace(ESCALATION, owns=()))),
    Mutant("states are left out of the changelog", "P1", shell=shells.ForgetsStates),
    Mutant("a restart skips a fact that was read and not applied", "P1", shell=shells.SkipsAFact),
    Mutant("a dead letter is lost on its way", "P1", shell=shells.LosesDeadLetters),
    Mutant("an older state overwrites a newer one", "P1", shell=shells.WritesOldState),
    Mutant("outputs are said twice", "P2", shell=shells.SaysTwice),
    Mutant("a permit is said again under another id", "P2", shell=shells.PermitsAgain),
    Mutant("the last output of a transaction is lost", "P2", shell=shells.LosesTheLast),
    Mutant("a paused process wakes up and says old things", "P2", shell=shells.SaysLate),
    Mutant("caps are one too high", "P3", _with_caps(lambda cap: replace(cap, limit=cap.limit + 1))),
    Mutant(
        "windows are a day short",
        "P3",
        _with_caps(lambda cap: replace(cap, days=max(1, cap.days - 1))),
    ),
    Mutant(
        "caps on a person are counted per loan",
        "P3",
        _with_caps(lambda cap: replace(cap, per=Per.LOAN) if cap.per is Per.PERSON else cap),
        loans=40,
        days=20,
    ),
    Mutant("contacts that others made are not counted", "P3", _hears(RATE_LIMITER, _only(OutreachOutcome, _only_ours))),
    Mutant("hours begin an hour early", "P4", _with_hours(_opens_early)),
    Mutant(
        "the zone of a contact point is not looked at",
        "P4",
        _hears(RATE_LIMITER, _only(BorrowerProfile, _without_zones_of_points)),
    ),
    Mutant("STOP is not heard", "P4", _hears(RATE_LIMITER, _only(OutreachOutcome, _not(Outcome.STOP)))),
    Mutant("requests are never withdrawn", "P5", _says(REMINDER, _only(ContactWithdrawn, _drop))),
    Mutant("the gate does not hear withdrawals", "P5", _hears(RATE_LIMITER, _only(ContactWithdrawn, _drop))),
    Mutant("a repayment is looked at a day later", "P5", _looks_a_day_later(REMINDER)),
    Mutant("withdrawals are lost in a crash", "P5", shell=shells.LosesWithdrawals),
    Mutant(
        "adverse reports without their notice",
        "P6",
        _says(CREDIT_REPORT, _only(ReportChanged, _update(notice_permit_id=None))),
    ),
    Mutant("the wait after a notice is a day short", "P6", _under(CREDIT_REPORT, _waits_a_day_less), loans=80, days=36),
    Mutant("months are never corrected", "P6", _says(CREDIT_REPORT, _only(ReportChanged, _drop_corrections)), days=36),
    Mutant("a correction is a day late", "P6", _looks_a_day_later(CREDIT_REPORT), days=36),
    Mutant("a month is reported one code worse", "P6", _says(CREDIT_REPORT, _only(ReportChanged, _one_worse))),
    Mutant("requests name no cause", "P7", _says(REMINDER, _only(ContactRequested, _update(caused_by=())))),
    Mutant(
        "a cause is named that nobody said",
        "P7",
        _says(ESCALATION, _only(ContactRequested, _update(caused_by=(derive_id("nobody"),)))),
    ),
    Mutant(
        "permits name a rule of nobody's", "P7", _says(RATE_LIMITER, _only(PermitGranted, _update(rules=("because",))))
    ),
    Mutant("a decision names another policy", "P7", _says(REMINDER, _only(ContactRequested, _update(policy="0" * 16)))),
    Mutant(
        "a deferral names a rule that did not block", "P7", _says(RATE_LIMITER, _only(PermitDeferred, _another_rule))
    ),
    Mutant("the process decides, not the log", "P8", _says(REMINDER, _counts_calls())),
    Mutant("the order of what is said is unstable", "P8", _sometimes_reversed()),
    Mutant("one worker of two runs another build", "P8", shell=shells.OtherBuild),
    Mutant("two outputs change places", "P8", shell=shells.ChangesPlaces),
    *PATCHED,
)


def page(caught: dict[str, tuple[str, ...]]) -> str:
    """Return the table as it lies in the documentation."""
    return "\n".join(_lines(caught))


def _lines(caught: dict[str, tuple[str, ...]]) -> Iterator[str]:
    yield "# Mutants and who catches them"
    yield ""
    yield f"Generated: `{COMMAND}` writes this page, and a test fails where it is not true."
    yield ""
    yield "Each row is a mistake that somebody could make, played for some weeks with the twelve people and a handful"
    yield "of loans, and judged by all eight checkers. A broken build is folded again with its own mistake, so that the"
    yield "fold agrees and only the promise itself can tell; a broken shell runs the right build."
    yield ""
    yield "| promise broken | mistake | where | caught by |"
    yield "| --- | --- | --- | --- |"
    for mutant in MUTANTS:
        where = "shell" if mutant.shell is not Instance else "build"
        yield f"| {mutant.promise} | {mutant.title} | {where} | {', '.join(caught[mutant.title])} |"
    yield ""


def recorded() -> dict[str, tuple[str, ...]]:
    """Return, by mistake, who catches it as the page says."""
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| P")]
    return {row[2].strip(): tuple(row[4].strip().split(", ")) for row in rows}


def main() -> int:
    """Play all mutants and write the page; exit code 1 where one is not caught by its own checker."""
    caught = {}
    for mutant in MUTANTS:
        caught[mutant.title] = mutant.caught_by()
        sys.stdout.write(f"{mutant.promise} {mutant.title}: {', '.join(caught[mutant.title]) or 'NOT CAUGHT'}\n")
        sys.stdout.flush()
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(caught))
    return int(any(mutant.promise not in caught[mutant.title] for mutant in MUTANTS))


if __name__ == "__main__":
    sys.exit(main())
