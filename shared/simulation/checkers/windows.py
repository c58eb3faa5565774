"""How far back a decision can rest on anything: one longest window of the policies in force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.domain.doubt import DOUBT_MS
from shared.domain.policy import Policy
from shared.domain.reporting import ReportingRules
from shared.domain.strategy import Treatment
from shared.kernel.zones import DAY_MS


@dataclass(frozen=True, slots=True)
class Period:
    """Judge what was decided `since` an instant; `read_from` is one longest window before it."""

    since: int
    read_from: int

    @classmethod
    def since_instant(cls, since: int, policies: Iterable[Policy]) -> Period:
        """Return the period from an instant on, under one policy after the other."""
        return cls(since, since - max(longest_window_ms(policy) for policy in policies))


def longest_window_ms(policy: Policy) -> int:
    """Return the longest of all windows of caps, notices, wishes and silences, and a permit's length on top.

    A permit counts until it ends, and local days begin up to a day apart: hence the permit's length and one more day.
    """
    longest_day = max((*_caps(policy), *_notices(policy), *_wishes(policy)))
    permit_ms = max((terms.valid_ms for terms in policy.packs.channels.values()), default=0)
    return max((longest_day + 1) * DAY_MS, DOUBT_MS) + permit_ms


def _caps(policy: Policy) -> Iterator[int]:
    """Yield the days of every cap; cool-downs are caps too."""
    yield policy.packs.longest_window_days


def _notices(policy: Policy) -> Iterator[int]:
    """Yield from how long before its cut-off a month may be warned of, to how long after it may be decided."""
    reporting = policy.reporting
    rules: tuple[ReportingRules, ...] = (
        reporting.defaults,
        *reporting.products.values(),
        *reporting.segments.values(),
    )
    for rule in rules:
        yield rule.notice_lead_days + rule.decide_within_days


def _wishes(policy: Policy) -> Iterator[int]:
    """Yield how long a wish is useful, how long the strategy is silent after one, and how long a clearance is good."""
    strategy = policy.strategy
    treatments: tuple[Treatment, ...] = (
        strategy.defaults,
        *strategy.products.values(),
        *strategy.segments.values(),
    )
    for treatment in treatments:
        course, ladder = treatment.reminder, treatment.ladder
        yield from (course.gap_days, course.returned.useful_days, course.returned.quiet_days)
        yield from (step.useful_days for step in course.steps)
        yield ladder.clearance_patience_days
        yield from (rung.calls.every_days for rung in ladder.rungs if rung.calls is not None)
