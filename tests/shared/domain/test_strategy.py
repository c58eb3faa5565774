from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import pytest

from shared.contract.base import Channel, Rung
from shared.contract.requests import ContactClass
from shared.domain.policy_errors import PolicyError
from shared.domain.strategy import Strategy, load_strategy

WHERE = "strategy.toml"


def table() -> dict[str, Any]:
    return tomllib.loads(files("shared.domain").joinpath("policy_files", WHERE).read_text())


def load(**changes: Any) -> Strategy:
    return load_strategy({**table(), **changes}, WHERE)


def test_the_default_course_has_the_seven_steps_around_a_due_date() -> None:
    """Both products are reminded at -3, 0, +1, +3, +7, +15 and +30, each step in the class of its side of the date."""
    for product in ("term", "revolving"):
        steps = load().treatment(product, "standard").reminder.steps
        assert [step.offset_days for step in steps] == [-3, 0, 1, 3, 7, 15, 30]
        assert [step.contact_class for step in steps[:3]] == [
            ContactClass.PRE_DUE,
            ContactClass.DUE,
            ContactClass.OVERDUE,
        ]
        assert [step.name for step in steps[:3]] == ["reminder-3", "reminder+0", "reminder+1"]


def test_the_default_ladder_ends_with_a_person() -> None:
    """Both products climb message, human call, restriction, case review; there is nothing above."""
    for product in ("term", "revolving"):
        ladder = load().treatment(product, "standard").ladder
        assert [rung.rung for rung in ladder.rungs] == [
            Rung.MESSAGE,
            Rung.HUMAN_CALL,
            Rung.RESTRICTION,
            Rung.CASE_REVIEW,
        ]
        assert ladder.above(Rung.CASE_REVIEW) is None
        assert ladder.above(Rung.NONE) == ladder.find(Rung.MESSAGE)
        assert ladder.find(Rung.VISIT) is None


def test_a_segment_differs_from_its_product_and_a_product_from_the_defaults() -> None:
    """The narrowest table that says something decides; what it does not say comes from the next wider one."""
    gentle = table()["defaults"]["ladder"] | {"rungs": table()["defaults"]["ladder"]["rungs"][:1]}
    strategy = load(products={"term": {"segments": {"gentle": {"ladder": gentle}}}})
    assert len(strategy.treatment("term", "gentle").ladder.rungs) == 1
    assert strategy.treatment("term", "gentle").reminder == strategy.defaults.reminder
    assert strategy.treatment("term", "other") == strategy.defaults
    assert strategy.treatment("unheard-of", "gentle") == strategy.defaults


def steps_of(changed: dict[str, Any]) -> list[dict[str, Any]]:
    return list(changed["defaults"]["reminder"]["steps"])


def rungs_of(changed: dict[str, Any]) -> list[dict[str, Any]]:
    return list(changed["defaults"]["ladder"]["rungs"])


def refused(changed: dict[str, Any]) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        load_strategy(changed, WHERE)
    return caught.value


@pytest.mark.parametrize("rung", ["visit", "legal"])
def test_visit_and_legal_are_refused_until_their_gates_exist(rung: str) -> None:
    """A policy that would send somebody to a door, or to court, is refused with a sentence that says why."""
    changed = table()
    changed["defaults"]["ladder"]["rungs"].append(rungs_of(changed)[-1] | {"rung": rung, "treatment_days": 90})
    error = refused(changed)
    assert error.path == "strategy.toml: defaults.ladder.rungs[4].rung"
    assert error.message == (
        f"{rung} is refused: it would need a person's review, and the gate for that does not exist yet"
    )


def test_the_channel_of_a_visit_is_refused_too() -> None:
    """No step and no schedule of calls may ask for a visit by its channel."""
    changed = table()
    changed["defaults"]["ladder"]["rungs"][1]["calls"]["channels"] = ["call", "visit"]
    assert "nobody is visited" in refused(changed).message
    changed = table()
    changed["defaults"]["reminder"]["steps"][0]["channels"] = ["visit"]
    assert refused(changed).path.endswith("reminder.steps[0].channels")


@pytest.mark.parametrize("offset", [-3, -4])
def test_offsets_rise_and_occur_once(offset: int) -> None:
    """A course whose steps are out of order, or twice on a day, is refused."""
    changed = table()
    changed["defaults"]["reminder"]["steps"].insert(1, steps_of(changed)[0] | {"offset_days": offset})
    error = refused(changed)
    assert error.path == "strategy.toml: defaults.reminder.steps[1].offset_days"
    assert "rise" in error.message


def test_a_step_is_not_useful_beyond_the_next() -> None:
    """Two steps of one due date must never be outstanding together, so a step ends where the next begins."""
    changed = table()
    changed["defaults"]["reminder"]["steps"][2]["useful_days"] = 3
    assert refused(changed).message == "the next step follows after 2 days already"


def test_a_step_has_the_class_of_its_side_of_the_due_date() -> None:
    """A message before the due date cannot be sent in the tone of an overdue one."""
    changed = table()
    changed["defaults"]["reminder"]["steps"][0]["class"] = "overdue"
    assert refused(changed).path == "strategy.toml: defaults.reminder.steps[0].class"


def change_rung(at: int, **changes: Any) -> dict[str, Any]:
    changed = table()
    changed["defaults"]["ladder"]["rungs"][at] |= changes
    return changed


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        (change_rung(1, treatment_days=1), "rungs[1].treatment_days"),
        (change_rung(1, dwell_days=0), "rungs[1].dwell_days"),
        (change_rung(0, dwell_days=2), "rungs[0]"),
        (change_rung(0, attempts=1), "rungs[0]"),
        (change_rung(2, rung="human_call"), "rungs[2].rung"),
        (change_rung(0, rung="none"), "rungs[0].rung"),
        (change_rung(1, amount_minor={"CNY": 1}), "rungs[1].amount_minor.CNY"),
        (change_rung(1, amount_minor={"EUR": 10**6, "THB": 1}), "rungs[1].amount_minor.THB"),
        (change_rung(1, amount_minor={"CNY": 0}), "rungs[1].amount_minor.CNY"),
        (change_rung(1, amount_minor={"XXX": 100}), "rungs[1].amount_minor.XXX.[key]"),
        (change_rung(1, amount_minor={}), "rungs[1].amount_minor"),
        (change_rung(1, treatment_days="8"), "rungs[1].treatment_days"),
        (change_rung(1, treatment_days=8.5), "rungs[1].treatment_days"),
        (change_rung(1, patience=3), "rungs[1].patience"),
        (change_rung(3, calls=table()["defaults"]["ladder"]["rungs"][1]["calls"]), "rungs[3].calls"),
    ],
)
def test_a_ladder_is_checked_as_a_whole(changed: dict[str, Any], place: str) -> None:
    """Order, days, amounts, currencies, types and unknown keys: each error names file, key and what is wrong."""
    error = refused(changed)
    assert error.path == f"strategy.toml: defaults.ladder.{place}"
    assert error.message


def test_a_rung_of_calls_needs_its_schedule_and_attempts_need_somebody_who_makes_them() -> None:
    """Nothing may wait for attempts that the rung before never makes: the case would stand still for ever."""
    changed = table()
    del changed["defaults"]["ladder"]["rungs"][1]["calls"]
    assert refused(changed).path.endswith("rungs[1].calls")
    changed = table()
    del changed["defaults"]["ladder"]["rungs"][2]["calls"]
    assert refused(changed).message == "on restriction nothing is attempted"


def test_a_channel_stands_once_in_a_list() -> None:
    """An order of preference that names a channel twice is a mistake of the writer."""
    changed = table()
    changed["defaults"]["reminder"]["returned"]["channels"] = [Channel.SMS.value, Channel.SMS.value]
    assert refused(changed).message == "each channel at most once"


def test_defaults_are_complete() -> None:
    """Without defaults for course and ladder a loan of an unknown product would have no treatment."""
    changed = table()
    del changed["defaults"]["ladder"]
    assert refused(changed).path == "strategy.toml: defaults"
