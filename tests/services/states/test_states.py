"""A state that changes its shape has a new format, and each former format can still be read."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import pytest

from shared.engine.processor import Processor
from tests.kafka.toy_upgrade import LATER_LOANS, LaterLoan
from tests.services.states import PROCESSORS, misread, recorded, shape_of
from tests.shared.engine.toy import LOANS, ToyLoan

ADVICE = (
    "{service} keeps another shape than its format {number} has. Builds that know the former shape are at work: keep "
    "it as a type of its own, add an `Upgrade` from it to the processor, and run `python -m tests.services.states`."
)


class Mood(StrEnum):
    """Something that may take one more value one day."""

    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Small:
    """A state with a bit of everything."""

    name: str
    moods: tuple[Mood, ...] = ()
    inner: ToyLoan | None = None


def require_recorded(processor: Processor[Any]) -> None:
    """Fail where the newest format has another shape than was recorded, or none was."""
    number = len(processor.upgrades) + 1
    kept = recorded(processor.name, number)
    assert kept is not None, f"{processor.name}: run `python -m tests.services.states` to record format {number}"
    assert kept == shape_of(processor.state), ADVICE.format(service=processor.name, number=number)


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: processor.name)
def test_a_state_of_another_shape_has_another_format(processor):
    """What a service keeps looks as it did when its format was recorded: an older build is never misled."""
    require_recorded(processor)


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: processor.name)
def test_every_former_format_is_still_read(processor):
    """The types that the upgrades begin with find and understand all that the former formats hold."""
    former = [recorded(processor.name, number) for number in range(1, len(processor.upgrades) + 1)]
    assert None not in former
    reading = zip(former, processor.upgrades, strict=True)
    assert [misread(shape, shape_of(upgrade.state)) for shape, upgrade in reading if shape] == [[]] * len(former)


def test_a_field_more_without_an_upgrade_is_found_and_told_what_to_do():
    """The reminder with a state of another shape under its old format fails, with the way out."""
    changed = replace(PROCESSORS[-1], state=LaterLoan)
    with pytest.raises(AssertionError, match=r"reminder keeps another shape than its format 1 has.*add an `Upgrade`"):
        require_recorded(changed)


def test_a_format_without_a_record_is_told():
    """An upgrade makes a new format, and its shape must be kept for the builds to come."""
    changed = replace(PROCESSORS[-1], upgrades=LATER_LOANS.upgrades)
    with pytest.raises(AssertionError, match=r"python -m tests.services.states` to record format 2"):
        require_recorded(changed)


def test_a_shape_tells_types_defaults_values_and_all_that_lies_within():
    """Every way in which two states of one format could misunderstand each other is in the shape."""
    shape = shape_of(Small)
    assert shape["Small"] == {"name": "str", "moods": "tuple[Mood, ...] = ()", "inner": "ToyLoan | None = None"}
    assert shape["Mood"] == ["bad", "good"]
    assert shape["ToyLoan"] == shape_of(LOANS.state)["ToyLoan"]


def test_what_a_reader_of_a_former_format_misses_is_named():
    """Classes and values that are gone, fields of another type, and fields that were not there and have no default."""
    former = {"A": {"x": "int", "y": "str = ''"}, "B": ["one", "two"], "C": {}}
    assert (
        misread(former, {**former, "A": {"x": "int", "y": "str", "z": "int = 0"}, "B": ["one", "three", "two"]}) == []
    )
    assert misread(former, {"A": {"x": "str", "z": "int"}, "B": ["two"]}) == [
        "A.x was int, and is read as str",
        "A.y was str = '', and is read as nothing",
        "A.z is needed, and was not there",
        "B has no 'one' any more",
        "C is not read",
    ]
