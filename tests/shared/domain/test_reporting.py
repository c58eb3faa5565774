"""The policy of reporting and the PBOC code table: edges, cut-offs, and what the loader refuses."""

from __future__ import annotations

import tomllib
from copy import deepcopy
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.base import Channel
from shared.contract.loans import ClosedReason
from shared.domain import pboc
from shared.domain.pboc import MonthState, encode
from shared.domain.policy import default_directory, load_policy
from shared.domain.policy_errors import PolicyError
from shared.domain.reporting import load_reporting, month_of, next_month, previous_month
from shared.kernel.zones import DAY_MS, format_instant

FILE = "reporting.toml"
TABLE: dict[str, Any] = tomllib.loads(default_directory().joinpath(FILE).read_text())
RULES = load_reporting(TABLE, FILE).defaults


@pytest.mark.parametrize(
    ("days", "code"),
    [
        (0, "N"), (1, "1"), (29, "1"), (30, "1"), (31, "2"), (59, "2"), (60, "2"), (61, "3"), (89, "3"), (90, "3"),
        (91, "4"), (119, "4"), (120, "4"), (121, "5"), (149, "5"), (150, "5"), (151, "6"), (179, "6"), (180, "6"),
        (181, "7"), (36_600, "7"),
    ],
)  # fmt: skip
def test_t04_pboc_has_its_own_edges(days: int, code: str) -> None:
    """Day 30 is still 1 and day 31 is 2, where other regimes cut differently."""
    assert encode(MonthState(days_past_due=days)) == code


@given(st.integers(0, 36_600), st.integers(0, 36_600))
def test_more_days_are_never_less_severe(one: int, other: int) -> None:
    """Severity follows the days, and exactly the months past due are adverse."""
    fewer, more = sorted((one, other))
    codes = [encode(MonthState(days_past_due=days)) for days in (fewer, more)]
    assert pboc.severity(codes[0]) <= pboc.severity(codes[1])
    assert [pboc.is_adverse(code) for code in codes] == [fewer > 0, more > 0]


@pytest.mark.parametrize(
    ("state", "code", "adverse"),
    [
        (MonthState(anything_due=False), "*", False),
        (MonthState(days_past_due=5, excused=True, anything_due=False), "N", False),
        (MonthState(guarantor_paid=True), "D", False),
        (MonthState(guarantor_paid=True, days_past_due=3), "1", True),
        (MonthState(paid_late=True), "N", False),
        (MonthState(closed=ClosedReason.SETTLED), "C", False),
        (MonthState(closed=ClosedReason.SETTLED_EARLY, days_past_due=40), "C", False),
        (MonthState(closed=ClosedReason.WRITTEN_OFF), "B", True),
    ],
)
def test_codes_of_other_months(state: MonthState, code: str, *, adverse: bool) -> None:
    """What ended, what nobody owed, who paid: each has its code, and only debt is adverse."""
    assert (encode(state), pboc.is_adverse(code)) == (code, adverse)


def test_paid_late_in_the_month_is_said_only_where_the_policy_wants_it() -> None:
    """`M` is a choice of the policy; a guarantor's money goes before it."""
    assert encode(MonthState(paid_late=True), says_paid_late=True) == "M"
    assert encode(MonthState(paid_late=True, guarantor_paid=True), says_paid_late=True) == "D"
    assert encode(MonthState(guarantor_paid=True), says_guarantor_paid=False) == "N"


def test_t68_only_months_without_arrears_are_good() -> None:
    """No number of days past due beyond grace is ever told by a code that is not adverse."""
    good = [days for days in range(1, 400) if not pboc.is_adverse(encode(MonthState(days_past_due=days)))]
    assert good == []


@pytest.mark.parametrize(
    ("month", "zone", "instant"),
    [
        ("2024-02", "Asia/Shanghai", "2024-02-29T16:00:00.000Z"),
        ("2023-02", "Asia/Shanghai", "2023-02-28T16:00:00.000Z"),
        ("2024-03", "America/New_York", "2024-04-01T04:00:00.000Z"),
        ("2024-02", "America/New_York", "2024-03-01T05:00:00.000Z"),
        ("2024-03", "Europe/London", "2024-03-31T23:00:00.000Z"),
        ("2024-03", "Asia/Kolkata", "2024-03-31T18:30:00.000Z"),
        ("2024-12", "America/Phoenix", "2025-01-01T07:00:00.000Z"),
    ],
)
def test_the_cutoff_is_the_end_of_the_local_month(month: str, zone: str, instant: str) -> None:
    """Leap days, clock changes and zones move the instant, not the day."""
    assert format_instant(RULES.cutoff_ms(month, zone)) == instant


def test_another_cutoff_day_and_time() -> None:
    """A cut-off inside the month closes that day at the policy's local time, and the month begins the day after."""
    rules = load_reporting({"defaults": {**TABLE["defaults"], "cutoff_day": 20, "cutoff_time": "18:00"}}, FILE).defaults
    assert rules.cutoff_date("2024-03") == date(2024, 3, 20)
    assert format_instant(rules.cutoff_ms("2024-03", "Asia/Shanghai")) == "2024-03-20T10:00:00.000Z"
    assert rules.first_day("2024-03") == date(2024, 2, 21)
    assert [rules.first_month_after(date(2024, 3, day)) for day in (19, 20, 21)] == ["2024-03", "2024-04", "2024-04"]


@given(st.dates(date(1990, 2, 1), date(2099, 11, 30)))
def test_months_follow_each_other(day: date) -> None:
    """Next and previous undo each other and keep the order of text, over every year's end."""
    month = month_of(day)
    assert previous_month(next_month(month)) == month == next_month(previous_month(month))
    assert previous_month(month) < month < next_month(month)
    assert RULES.first_day(month) <= day <= RULES.cutoff_date(month)


def test_the_default_policy_holds_together() -> None:
    """The file that comes with the distribution loads, and a product's table differs only where it says so."""
    reporting = load_policy().reporting
    revolving = reporting.rules("revolving", "standard")
    assert reporting.rules("term", "standard") == reporting.defaults
    assert revolving == reporting.defaults.model_copy(update={"notice_lead_days": 7})
    assert (RULES.waiting_ms, RULES.decide_within_ms) == (3 * DAY_MS, 10 * DAY_MS)
    assert RULES.notice_channels == (Channel.SMS, Channel.EMAIL, Channel.LETTER, Channel.IN_APP)


def test_a_segment_differs_from_its_product() -> None:
    """Tables are merged key by key: segment over product over defaults."""
    table = deepcopy(TABLE)
    table["products"]["revolving"]["segments"] = {"gold": {"waiting_days": 5}}
    gold = load_reporting(table, FILE).rules("revolving", "gold")
    assert (gold.notice_lead_days, gold.waiting_days, gold.regime) == (7, 5, "pboc")


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"waiting_days": 10}, "defaults.notice_lead_days", "before the cut-off"),
        ({"decide_within_days": 3}, "defaults.decide_within_days", "time for notice and waiting"),
        ({"notice_channels": ["sms", "sms"]}, "defaults.notice_channels", "at most once"),
        ({"notice_channels": ["sms", "call"]}, "defaults.notice_channels", "nothing in writing"),
        ({"notice_channels": []}, "defaults.notice_channels", "at least 1"),
        ({"notice_channels": ["fax"]}, "defaults.notice_channels", "Input should be"),
        ({"cutoff_day": 31}, "defaults.cutoff_day", "28"),
        ({"cutoff_time": "24:30"}, "defaults.cutoff_time", "pattern"),
        ({"regime": "metro2"}, "defaults.regime", "pboc"),
        ({"waiting_days": 3.0}, "defaults.waiting_days", "integer"),
        ({"waiting_days": 0}, "defaults.waiting_days", "greater than or equal to 1"),
        ({"history_months": 85}, "defaults.history_months", "84"),
        ({"surprise": 1}, "defaults.surprise", "not permitted"),
    ],
)
def test_a_policy_that_cannot_work_is_refused_by_name(change: dict[str, Any], path: str, words: str) -> None:
    """Whoever wrote the file is told the key and what is wrong with it."""
    with pytest.raises(PolicyError) as caught:
        load_reporting({"defaults": TABLE["defaults"] | change}, FILE)
    assert path in caught.value.path
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ({}, "reporting.toml: defaults"),
        ({**TABLE, "packs": {}}, "reporting.toml: packs"),
        ({**TABLE, "products": {"term": {"waiting_days": 30}}}, "reporting.toml: products.term.notice_lead_days"),
        ({**TABLE, "products": {"term": {"segments": {"gold": {"x": 1}}}}}, "products.term.segments.gold.x"),
        ({**TABLE, "products": {"term": 3}}, "reporting.toml: products.term"),
    ],
)
def test_the_wrong_table_is_named(table: dict[str, Any], path: str) -> None:
    """Products and segments are checked as they will be used, merged."""
    with pytest.raises(PolicyError) as caught:
        load_reporting(table, FILE)
    assert path in caught.value.path
