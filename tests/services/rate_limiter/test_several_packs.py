"""Several packs in force at once, and rules that begin and end on a date (T-53, T-54)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from shared.contract.base import Channel
from shared.contract.outcomes import Outcome
from shared.contract.outreach import PermitDeferred
from shared.domain.calendars import load_calendars
from shared.domain.packs_loading import load_packs
from shared.domain.policy import Policy
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS
from tests.services.rate_limiter.situations import (
    NEW_YORK,
    blocked_by,
    call,
    gate,
    local,
    outcome,
    permits,
    policy,
    profile,
    the_permit,
    wish,
)
from tests.shared.domain.test_packs import american, default


def american_policy(**changed) -> Policy:
    """The default policy and a pack for the United States, its cool-down changed as said."""
    table = default()
    us = american()
    us["rules"][0] |= changed
    table["packs"].append(us)
    us.pop("holidays")
    return replace(policy(), packs=load_packs(table, "packs.toml", load_calendars({}, "calendars.toml")))


def test_t54_the_strictest_wins_and_all_that_block_are_named():
    """House and country both forbid a call after a conversation; the later end decides when it may be tried again."""
    driver = gate(american_policy())
    afternoon = local("2024-02-08 14:00", NEW_YORK)
    permit = the_permit(
        driver.tick(afternoon, profile(NEW_YORK, jurisdiction="US-MA"), call("c1", afternoon, loan="loan-1"))
    )
    talked = outcome(Outcome.CONVERSATION, afternoon + MINUTE_MS, permit=permit)
    later = afternoon + HOUR_MS
    (deferral,) = driver.tick(later, talked, call("c2", later, loan="loan-1", not_after=later + 9 * DAY_MS)).of(
        PermitDeferred
    )
    assert {rule.rule_id: rule.until_ms for rule in deferral.rules} == {
        "conversation-day": local("2024-02-09 00:00", NEW_YORK),
        "us-cool-down": local("2024-02-15 00:00", NEW_YORK),
    }
    opening = local("2024-02-15 09:00", NEW_YORK)
    assert opening <= deferral.earliest_ms < opening + HOUR_MS


def test_a_cool_down_of_a_loan_leaves_other_loans_open():
    """On the next day another loan may be called about; the one that was talked about rests seven days (T-26)."""
    driver = gate(american_policy())
    afternoon = local("2024-02-08 14:00", NEW_YORK)
    permit = the_permit(
        driver.tick(afternoon, profile(NEW_YORK, jurisdiction="US"), call("c1", afternoon, loan="loan-1"))
    )
    driver.tick(afternoon + HOUR_MS, outcome(Outcome.CONVERSATION, afternoon + MINUTE_MS, permit=permit))
    next_day = afternoon + DAY_MS
    turn = driver.tick(next_day, call("c2", next_day, loan="loan-1"), call("c3", next_day, loan="loan-2"))
    assert [entry.loan_id for entry in the_permit(turn).loans] == ["loan-2"]
    assert blocked_by(turn) >= {"us-cool-down"}


def test_windows_of_all_packs_intersect():
    """The country's noon break closes what the house would allow; its wider evening opens nothing."""
    for clock, rules in (("12:30", {"us-hours"}), ("20:30", {"hours"}), ("08:30", {"hours"}), ("10:00", set())):
        at = local(f"2024-02-08 {clock}", NEW_YORK)
        turn = gate(american_policy()).tick(
            at, profile(NEW_YORK, jurisdiction="US"), wish("r1", at, channels=(Channel.SMS,))
        )
        assert blocked_by(turn) == rules
        assert bool(permits(turn)) is (not rules)


def test_t53_a_rule_counts_from_its_effective_date():
    """The day before a rule begins it blocks nothing; on that day, history included, it does."""
    for begins, blocked in ((date(2024, 2, 9), True), (date(2024, 2, 10), False)):
        driver = gate(american_policy(effective_from=begins))
        afternoon = local("2024-02-08 14:00", NEW_YORK)
        permit = the_permit(
            driver.tick(afternoon, profile(NEW_YORK, jurisdiction="US"), call("c1", afternoon, loan="loan-1"))
        )
        driver.tick(afternoon + HOUR_MS, outcome(Outcome.CONVERSATION, afternoon + MINUTE_MS, permit=permit))
        next_day = afternoon + DAY_MS
        turn = driver.tick(next_day, call("c2", next_day, loan="loan-1"))
        assert ("us-cool-down" in blocked_by(turn)) is blocked
        assert bool(permits(turn)) is not blocked
