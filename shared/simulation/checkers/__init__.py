"""The eight promises, each judged by one file from recorded topics alone, apart from the services that keep them.

A log of any size is spooled to a file first (`spooled`) and judged in bounded memory (`check_spool`): P2 to P7 chapter
by chapter, some households at a time, P1 and P8 by folding one partition of one service after the other. A small log
that is in memory anyway is one chapter (`check_all`); verdicts are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from shared.contract.outreach import LOAN_CONTACTS, OUTREACH
from shared.contract.requests import ESCALATIONS, REMINDERS
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
from shared.simulation.checkers.policies import Policies
from shared.simulation.checkers.refold import folds
from shared.simulation.checkers.spool import Spool, spooled
from shared.simulation.checkers.verdict import Verdict, Violation
from shared.simulation.checkers.windows import Period, longest_window_ms

__all__ = [
    "FOLDED",
    "PROMISES",
    "Build",
    "Chronicle",
    "Period",
    "Policies",
    "Spool",
    "Verdict",
    "Violation",
    "chapters",
    "check_all",
    "check_spool",
    "longest_window_ms",
    "spooled",
]

PROMISES: Final = tuple(f"P{number}" for number in range(1, 9))
CHAPTER_RECORDS: Final = 10_000
"""What is judged at once, unless a single household has more."""
LAPSING: Final = (REMINDERS, ESCALATIONS, OUTREACH, LOAN_CONTACTS)
"""Topics whose records decide nothing any more after the longest window; what people and lenders told never lapses."""
FOLDED: Final = frozenset({"P1", "P8"})
"""Judged by folding the log again from its beginning; the others household by household."""


@dataclass(frozen=True, slots=True)
class Build:
    """The services, and the deployment that they ran in, with the policies that they should have obeyed."""

    processors: tuple[Processor[Any], ...]
    deployment: Deployment

    @property
    def policies(self) -> Policies:
        """What decisions are judged by."""
        return Policies(self.deployment.policies)


def check_all(
    chronicle: Chronicle, build: Build, services: Iterable[Processor[Any]] | None = None
) -> tuple[Verdict, ...]:
    """Judge all promises of a log in memory. `services` are those that are folded again, if not the build's own."""
    with spooled(chronicle.everything(), in_memory=True) as spool:
        found = _by_chapter(spool, build, (chronicle,), None) | _by_fold(spool, build, services)
    return tuple(found[promise] for promise in PROMISES)


def check_spool(
    spool: Spool, build: Build, *, period: Period | None = None, promises: Iterable[str] = PROMISES
) -> tuple[Verdict, ...]:
    """Judge promises; of P2 to P7 only what was decided in a period. P1 and P8 are about all of history."""
    wanted = frozenset(promises)
    found: dict[str, Verdict] = {}
    if wanted - FOLDED:
        found |= _by_chapter(spool, build, chapters(spool, period), period)
    if wanted & FOLDED:
        found |= _by_fold(spool, build, None)
    return tuple(found[promise] for promise in PROMISES if promise in wanted)


def chapters(spool: Spool, period: Period | None = None) -> Iterator[Chronicle]:
    """Yield the log again in parts, each whole for some households, or as far back as a period reads."""
    from_at = None if period is None else period.read_from
    for subjects in spool.households.chapters(CHAPTER_RECORDS, from_at):
        records = spool.chapter(subjects, lapsing=() if from_at is None else LAPSING, from_at=from_at or 0)
        yield Chronicle(records, None if period is None else period.since, spool.standing())


def _by_chapter(spool: Spool, build: Build, parts: Iterable[Chronicle], period: Period | None) -> dict[str, Verdict]:
    since = None if period is None else period.since
    total: dict[str, Verdict] = {}
    # The empty one first: a log about nobody has verdicts too, of no case tried.
    for chapter in chain((Chronicle(()),), parts):
        for verdict in (
            p2_one_effect.check(chapter),
            p3_capped.check(chapter, build.policies),
            p4_quiet.check(chapter, build.policies),
            p5_pay_to_silence.check(chapter, build.policies.calendars),
            p6_fair_record.check(chapter, build.policies),
            p7_explained.check(chapter, build.policies),
        ):
            known = total.get(verdict.promise)
            total[verdict.promise] = verdict if known is None else known + verdict
    total["P2"] += p2_one_effect.check_streams(spool, since)
    total["P4"] += p4_quiet.check_true_time(spool, since)
    return total


def _by_fold(spool: Spool, build: Build, services: Iterable[Processor[Any]] | None) -> dict[str, Verdict]:
    nothing_lost, replayable = p1_nothing_lost.Judge(spool), p8_replayable.Judge(spool)
    for fold in folds(spool, build.processors if services is None else services, build.deployment):
        replayable.take(fold)
        nothing_lost.take(fold)
    return {"P1": nothing_lost.verdict(), "P8": replayable.verdict()}
