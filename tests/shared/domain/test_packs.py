"""Packs: what the default allows, who is under which pack, and what the loader refuses to put in force."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Any

import pytest

from shared.contract.base import Channel
from shared.contract.outreach import Severity
from shared.domain.calendars import load_calendars
from shared.domain.packs import STANDING_RULES, Per, Period, Standing, Unit
from shared.domain.packs_loading import load_packs
from shared.domain.policy import default_directory
from shared.domain.policy_errors import PolicyError
from shared.kernel.hours import Window


def default() -> dict[str, Any]:
    """The default packs as a table, fresh for every change."""
    return tomllib.loads(default_directory().joinpath("packs.toml").read_text())


def loaded(table: dict[str, Any]):
    calendars = load_calendars(tomllib.loads(default_directory().joinpath("calendars.toml").read_text()), "calendars")
    return load_packs(table, "packs.toml", calendars)


def american() -> dict[str, Any]:
    """A second pack, stricter after a conversation."""
    return {
        "id": "us",
        "title": "Regulation F, voluntarily",
        "jurisdictions": ["US"],
        "holidays": "US",
        "rules": [
            {
                "id": "us-cool-down",
                "kind": "cool_down",
                "severity": "law",
                "text": "No call for seven days after a conversation about the debt.",
                "citation": "12 CFR 1006.14(b)(2)(i)(B)",
                "per": "loan",
                "channels": ["call"],
                "days": 7,
                "effective_from": date(2021, 11, 30),
            },
            {
                "id": "us-hours",
                "kind": "hours",
                "severity": "presumption",
                "text": "08:00 to 21:00, not on holidays.",
                "citation": "12 CFR 1006.6(b)(1)",
                "channels": ["call", "sms"],
                "weekday": ["08:00-12:00", "13:00-21:00"],
                "sunday": [],
                "holiday": [],
            },
        ],
    }


def test_the_default_policy_says_what_the_product_promises():
    """Limits of the default pack, number by number."""
    rules = loaded(default()).rules_for(("CN",))
    caps = {cap.rule.id: (cap.unit, cap.per, cap.window, cap.days, cap.limit) for cap in rules.caps}
    day, rolling = Period.CALENDAR_DAY, Period.ROLLING_LOCAL_DAYS
    assert caps == {
        "digital-day": (Unit.ATTEMPT, Per.PERSON, day, 1, 1),
        "digital-week": (Unit.ATTEMPT, Per.PERSON, rolling, 7, 3),
        "calls-number-day": (Unit.ATTEMPT, Per.CONTACT_POINT, day, 1, 3),
        "calls-loan-week": (Unit.ATTEMPT, Per.LOAN, rolling, 7, 7),
        "conversation-day": (Unit.CONVERSATION, Per.PERSON, rolling, 1, 1),
        "contacts-week": (Unit.ATTEMPT, Per.PERSON, rolling, 7, 5),
    }
    (hours,) = rules.hours
    assert hours.channels == tuple(Channel)
    assert set(hours.allowed.by_weekday) == {(Window.of("09:00", "20:00"),)}


def test_t54_packs_add_up_by_jurisdiction():
    """Everybody's pack always applies; that of a country applies in its states, and nowhere else."""
    table = default()
    table["packs"].append(american())
    packs = loaded(table)
    for codes, count in ((("CN",), 6), (("US",), 7), (("US-MA",), 7), (("CN", "US-NY"), 7), ((), 6)):
        assert len(packs.rules_for(codes).caps) == count
    assert packs.longest_window_days == 7
    cool_down = packs.rules_for(("US",)).caps[-1]
    assert (cool_down.unit, cool_down.days, cool_down.limit) == (Unit.CONVERSATION, 7, 1)
    assert cool_down.effective_from == date(2021, 11, 30)
    hours = packs.rules_for(("US",)).hours[-1]
    windows = hours.allowed.on(date(2024, 7, 4), hours.calendar), hours.allowed.on(date(2024, 7, 5), hours.calendar)
    assert windows == ((), (Window.of("08:00", "12:00"), Window.of("13:00", "21:00")))
    assert hours.allowed.on(date(2024, 7, 7), hours.calendar) == ()


def test_every_rule_has_one_id_a_text_and_a_citation():
    """What `explain` shows beside an id stands in one place, for packs' rules and standing ones alike."""
    texts = loaded(default()).rule_texts()
    assert set(STANDING_RULES) == set(Standing)
    assert {rule.value for rule in Standing} < set(texts)
    assert all(text.id == name and text.text.endswith(".") and text.citation for name, text in texts.items())
    assert texts["calls-loan-week"].severity is Severity.PRESUMPTION


def _set(key: str, value: Any, rule: int = 1):
    def change(table: dict[str, Any]) -> None:
        table["packs"][0]["rules"][rule][key] = value

    return change


def _drop(key: str, rule: int = 1):
    def change(table: dict[str, Any]) -> None:
        del table["packs"][0]["rules"][rule][key]

    return change


def _channel(name: str, terms: dict[str, int] | None):
    def change(table: dict[str, Any]) -> None:
        if terms is None:
            del table["channels"][name]
        else:
            table["channels"][name] = terms

    return change


def _pack(key: str, value: Any):
    def change(table: dict[str, Any]) -> None:
        table["packs"][0][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        (_set("limit", -1), "packs[0].rules[1].limit", "whole number"),
        (_set("limit", 1.5), "packs[0].rules[1].limit", "whole number"),
        (_set("limit", True), "packs[0].rules[1].limit", "whole number"),
        (_set("days", 2), "packs[0].rules[1].days", "calendar day is one day"),
        (_set("window", "fortnight"), "packs[0].rules[1].window", "none of"),
        (_set("channels", []), "packs[0].rules[1].channels", "something in it"),
        (_set("channels", ["sms", "sms"]), "packs[0].rules[1].channels", "nothing twice"),
        (_set("channels", ["fax"]), "packs[0].rules[1].channels", "none of"),
        (_set("limits", 1), "packs[0].rules[1]", "unknown key 'limits'"),
        (_set("kind", "wish"), "packs[0].rules[1].kind", "none of hours, cap, cool_down"),
        (_set("severity", "harsh"), "packs[0].rules[1].severity", "none of"),
        (_set("id", "Digital Day"), "packs[0].rules[1].id", "lower-case"),
        (_set("id", "hours"), "default", "taken"),
        (_set("id", "opt_out"), "default", "taken"),
        (_set("effective_until", "soon"), "packs[0].rules[1].effective_until", "a date"),
        (_drop("citation"), "packs[0].rules[1].citation", "not empty"),
        (_drop("per"), "packs[0].rules[1].per", "none of"),
        (_set("weekday", ["20:00-09:00"], 0), "packs[0].rules[0].weekday", "window"),
        (_set("weekday", ["09:00"], 0), "packs[0].rules[0].weekday", "window"),
        (_set("weekday", ["09:00-12:00", "11:00-20:00"], 0), "packs[0].rules[0].weekday", "overlap"),
        (_drop("weekday", 0), "packs[0].rules[0]", "weekday"),
        (_set("channels", ["sms"], 0), "packs.toml", "no hours for everybody"),
        (_pack("jurisdictions", ["Europe"]), "packs[0].jurisdictions", "ISO 3166"),
        (_pack("jurisdictions", ["US"]), "packs.toml", "no hours for everybody"),
        (_pack("holidays", "MARS"), "packs[0].holidays", "no holiday table"),
        (_channel("sms", None), "channels.sms", "expected a table"),
        (_channel("sms", {"valid_minutes": 1, "spread_minutes": 0}), "channels.sms.valid_minutes", "whole number"),
        (_channel("fax", {}), "channels", "unknown key 'fax'"),
        (_set("vectors", [{"zone": "Mars/Base", "ask": {}}]), "packs[0].rules[1].vectors[0].zone", "time zone"),
        (_set("vectors", [{"zone": "Asia/Tokyo", "ask": {"local": "now"}}]), "vectors[0].ask.local", "local time"),
    ],
)
def test_a_wrong_pack_is_refused_with_its_place(change, place, says):
    """Whoever wrote the file is told where and what, before any service starts."""
    table = default()
    change(table)
    with pytest.raises(PolicyError) as caught:
        loaded(table)
    assert place in caught.value.path
    assert says in caught.value.message


def test_a_rule_must_be_in_force_for_a_day():
    """Effective dates are a half-open interval with something in it."""
    table = default()
    table["packs"][0]["rules"][1] |= {"effective_from": date(2024, 1, 2), "effective_until": date(2024, 1, 2)}
    with pytest.raises(PolicyError, match="in force for a day"):
        loaded(table)
