"""The one-screen report of a run, simulated or real: plain lines, the same for the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.simulation.checkers import Verdict
from shared.simulation.counterfactual import Counterfactual
from shared.simulation.report import Report

VIOLATIONS_SHOWN: Final = 5
_WIDTH = 42


def report_lines(report: Report, without_gate: Counterfactual | None = None) -> Iterator[str]:
    """Yield the deterministic part: equal for equal seeds."""
    yield f"{report.facts:,} facts about {report.loans:,} loans of {report.people:,} people in {report.days} days"
    yield ""
    yield _row("contacts wanted", f"{report.contacts_wanted:,}")
    yield _row("  merged into another", f"{report.contacts_merged:,}")
    yield _row("  deferred at least once", f"{report.contacts_deferred:,}")
    yield _row("  refused", f"{report.contacts_refused:,}")
    yield _row("contacts made, agencies' included", f"{report.contacts_made:,}")
    spread = report.contacts_per_person
    counted = f"median {spread.median}, p99 {spread.p99}, largest {spread.largest}; the cap is"
    yield _row("our contacts per person in 7 days", f"{counted} {report.contacts_per_person_max}")
    after = f"{report.attempts_after_payment:,} of {report.chances_to_dun_after_payment:,} chances"
    yield _row("attempts after the reason had gone", after)
    yield _row("cured without a call by a person", f"{report.cured_without_human:,} of {report.cured:,}")
    filed = f"{report.reports_filed:,} filed, {report.reports_held:,} held, {report.reports_corrected:,} corrected"
    yield _row("credit reports", filed)
    yield _row("dead letters", f"{report.dead_letters:,}")
    if without_gate is not None:
        yield from _counterfactual_lines(without_gate)
    yield ""
    yield "wishes that a rule stood against"
    for rule, count in report.prevented_by_rule:
        yield _row(f"  {rule}", f"{count:,}")
    yield ""
    yield "promises: violations / cases tried"
    for verdict in report.verdicts:
        yield from verdict_lines(verdict)
    yield ""
    yield f"outputs sha256 {report.sha256}"


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """Yield a promise's line, and the first of what broke it."""
    state = "" if verdict.kept else ("  BROKEN" if verdict.violated else "  NOT TRIED")
    left_out = f" ({verdict.left_out:,} rest on older records: not judged)" if verdict.left_out else ""
    yield _row(f"  {verdict.promise} {verdict.title}", f"{verdict.violated:,} / {verdict.cases:,}{state}{left_out}")
    for violation in verdict.violations[:VIOLATIONS_SHOWN]:
        yield f"      {violation.where}: {violation.what}"
    if verdict.violated > VIOLATIONS_SHOWN:
        yield f"      and {verdict.violated - VIOLATIONS_SHOWN:,} more"


def _counterfactual_lines(without: Counterfactual) -> Iterator[str]:
    spread = without.contacts_per_person
    yield ""
    yield "the same people without the gate (a simulation that grants every wish)"
    yield _row("  contacts made", f"{without.contacts_made:,}")
    per_person = f"median {spread.median}, p99 {spread.p99}, largest {spread.largest}"
    yield _row("  per person in 7 days", per_person)
    yield _row("  beyond a cap", f"{without.beyond_caps:,}")
    yield _row("  outside hours or against the person's will", f"{without.outside_hours_or_against_will:,}")


def _row(label: str, value: str) -> str:
    return f"{label:<{_WIDTH}} {value}"
