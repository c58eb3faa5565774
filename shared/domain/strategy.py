"""Strategy: what we would like to do about a loan, by product and segment. What is allowed stands in the packs.

A strategy only makes wishes. It is read from TOML and checked as a whole before a service starts: a segment's table
differs from its product's, a product's from the defaults, and where a table differs it replaces the other as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from shared.contract.base import Channel, Currency, Cutoff, PositiveMinor, Record, Rung, Word
from shared.contract.requests import ContactClass
from shared.domain.policy_errors import PolicyError

LADDER: Final = tuple(Rung)
"""All rungs, lowest first."""
WITHOUT_GATE: Final = frozenset({Rung.VISIT, Rung.LEGAL})
"""Rungs that stay words until a person's review can gate them."""

Channels = Annotated[tuple[Channel, ...], Field(min_length=1, max_length=7, description="In order of preference.")]
Consequences = Annotated[tuple[Word, ...], Field(max_length=8)]
LocalTime = Cutoff


class ReminderStep(Record):
    """One message of the course around a due date: when, in which class, how, and for how long it makes sense."""

    offset_days: Annotated[int, Field(ge=-60, le=365)]
    contact_class: Annotated[ContactClass, Field(alias="class")]
    channels: Channels
    template: Word
    consequences: Consequences
    useful_days: Annotated[int, Field(ge=1, le=60)]

    @property
    def name(self) -> str:
        """What a request calls it, e.g. `reminder+3`."""
        return f"reminder{self.offset_days:+d}"


class ReturnedNotice(Record):
    """What is said first when a payment came back (T-16)."""

    channels: Channels
    template: Word
    consequences: Consequences
    useful_days: Annotated[int, Field(ge=1, le=30)]
    quiet_days: Annotated[int, Field(ge=0, le=30)]


class ReminderCourse(Record):
    """All messages of a product around a due date."""

    local_time: LocalTime
    gap_days: Annotated[int, Field(ge=1, le=30)]
    revisions_max: Annotated[int, Field(ge=1, le=100)]
    returned: ReturnedNotice
    steps: Annotated[tuple[ReminderStep, ...], Field(min_length=1, max_length=32)]

    @property
    def time_of_day(self) -> time:
        """Local time at which a step falls due."""
        return _time_of_day(self.local_time)


class CallSchedule(Record):
    """How often a rung asks for a call by a person, and how many times at most."""

    every_days: Annotated[int, Field(ge=1, le=60)]
    calls_max: Annotated[int, Field(ge=1, le=30)]
    local_time: LocalTime
    channels: Channels
    template: Word
    consequences: Consequences

    @property
    def time_of_day(self) -> time:
        """Local time from which a call is asked for."""
        return _time_of_day(self.local_time)


class LadderRung(Record):
    """One rung and what must hold, all of it, before a case may stand on it."""

    rung: Rung
    treatment_days: Annotated[int, Field(ge=1, le=3650)]
    attempts: Annotated[int, Field(ge=0, le=20, description="Really made on the rung before.")]
    dwell_days: Annotated[int, Field(ge=0, le=365, description="At least so long on the rung before.")]
    amount_minor: Annotated[dict[Currency, PositiveMinor], Field(min_length=1)]
    calls: CallSchedule | None = None

    @property
    def rule(self) -> str:
        """Id of the rule by which a case comes to stand here."""
        return f"ladder.{self.rung.value}"


class Ladder(Record):
    """The rungs of a product, lowest first."""

    clearance_patience_days: Annotated[int, Field(ge=1, le=30)]
    rungs: Annotated[tuple[LadderRung, ...], Field(min_length=1, max_length=len(LADDER))]

    def find(self, rung: Rung) -> LadderRung | None:
        """Return what the strategy says of a rung; None for a rung that it does not have."""
        return next((known for known in self.rungs if known.rung is rung), None)

    def above(self, rung: Rung) -> LadderRung | None:
        """Return the next rung that the strategy has above `rung`."""
        height = LADDER.index(rung)
        return next((known for known in self.rungs if LADDER.index(known.rung) > height), None)


@dataclass(frozen=True, slots=True)
class Treatment:
    """What we would like to do about one loan."""

    reminder: ReminderCourse
    ladder: Ladder


@dataclass(frozen=True, slots=True)
class Strategy:
    """The whole strategy. A product or segment that it does not name is treated by the next wider table."""

    defaults: Treatment
    products: Mapping[str, Treatment]
    segments: Mapping[tuple[str, str], Treatment]

    def treatment(self, product: str, segment: str) -> Treatment:
        """Return what to do about a loan of that product and segment."""
        found = self.segments.get((product, segment)) or self.products.get(product)
        return found or self.defaults


class _Tables(Record):
    reminder: ReminderCourse | None = None
    ladder: Ladder | None = None


class _Product(_Tables):
    segments: Annotated[dict[Word, _Tables], Field(default_factory=dict)]


class _File(Record):
    defaults: _Tables
    products: Annotated[dict[Word, _Product], Field(default_factory=dict)]


_FILE: Final = TypeAdapter(_File)


def load_strategy(table: dict[str, Any], where: str) -> Strategy:
    """Return the checked strategy; raise `PolicyError` naming file, key and what is wrong there."""
    try:
        # Through JSON: there a list may be a tuple and a word an enum's value, and nothing else is coerced.
        file = _FILE.validate_json(json.dumps(table, default=str))
    except ValidationError as error:
        first = error.errors()[0]
        raise PolicyError(f"{where}: {_path(first['loc'])}", str(first["msg"])) from error
    if file.defaults.reminder is None or file.defaults.ladder is None:
        raise PolicyError(f"{where}: defaults", "both a reminder course and a ladder are needed")
    defaults = _treatment(file.defaults, Treatment(file.defaults.reminder, file.defaults.ladder), f"{where}: defaults")
    products: dict[str, Treatment] = {}
    segments: dict[tuple[str, str], Treatment] = {}
    for name, product in sorted(file.products.items()):
        place = f"{where}: products.{name}"
        products[name] = _treatment(product, defaults, place)
        for segment, tables in sorted(product.segments.items()):
            segments[name, segment] = _treatment(tables, products[name], f"{place}.segments.{segment}")
    return Strategy(defaults, products, segments)


def _treatment(tables: _Tables, wider: Treatment, where: str) -> Treatment:
    if tables.reminder is not None:
        _check_course(tables.reminder, f"{where}.reminder")
    if tables.ladder is not None:
        _check_ladder(tables.ladder, f"{where}.ladder")
    return Treatment(tables.reminder or wider.reminder, tables.ladder or wider.ladder)


def _check_course(course: ReminderCourse, where: str) -> None:
    _check_channels(course.returned.channels, f"{where}.returned.channels")
    for at, step in enumerate(course.steps):
        place = f"{where}.steps[{at}]"
        right = _class_of(step.offset_days)
        if step.contact_class is not right:
            raise PolicyError(f"{place}.class", f"a step {step.offset_days:+d} days from the due date is {right.value}")
        _check_channels(step.channels, f"{place}.channels")
    for at, (step, following) in enumerate(pairwise(course.steps)):
        days = following.offset_days - step.offset_days
        if days <= 0:
            raise PolicyError(f"{where}.steps[{at + 1}].offset_days", "offsets must rise, each of them once")
        if step.useful_days > days:
            raise PolicyError(f"{where}.steps[{at}].useful_days", f"the next step follows after {days} days already")


def _class_of(offset_days: int) -> ContactClass:
    if offset_days < 0:
        return ContactClass.PRE_DUE
    return ContactClass.OVERDUE if offset_days else ContactClass.DUE


def _check_channels(channels: tuple[Channel, ...], where: str) -> None:
    if len(set(channels)) < len(channels):
        raise PolicyError(where, "each channel at most once")
    if Channel.VISIT in channels:
        raise PolicyError(where, "nobody is visited: the gate that would review a visit does not exist yet")


def _check_ladder(ladder: Ladder, where: str) -> None:
    for at, rung in enumerate(ladder.rungs):
        _check_rung(rung, f"{where}.rungs[{at}]")
    if ladder.rungs[0].attempts or ladder.rungs[0].dwell_days:
        raise PolicyError(f"{where}.rungs[0]", "before the first rung there is nothing to attempt and nowhere to dwell")
    for at, (rung, following) in enumerate(pairwise(ladder.rungs)):
        _check_order(rung, following, f"{where}.rungs[{at + 1}]")


def _check_rung(rung: LadderRung, where: str) -> None:
    if rung.rung in WITHOUT_GATE:
        text = (
            f"{rung.rung.value} is refused: it would need a person's review, and the gate for that does not exist yet"
        )
        raise PolicyError(f"{where}.rung", text)
    if rung.rung is Rung.NONE:
        raise PolicyError(f"{where}.rung", "none is where a case stands that is on no rung")
    if rung.rung is Rung.HUMAN_CALL and rung.calls is None:
        raise PolicyError(f"{where}.calls", "a rung of calls needs a schedule of calls")
    if rung.rung in {Rung.MESSAGE, Rung.CASE_REVIEW} and rung.calls is not None:
        raise PolicyError(f"{where}.calls", f"{rung.rung.value} makes no calls")
    if rung.calls is not None:
        _check_channels(rung.calls.channels, f"{where}.calls.channels")


def _check_order(rung: LadderRung, following: LadderRung, where: str) -> None:
    if LADDER.index(following.rung) <= LADDER.index(rung.rung):
        raise PolicyError(f"{where}.rung", f"{following.rung.value} does not stand above {rung.rung.value}")
    if following.treatment_days <= rung.treatment_days:
        raise PolicyError(f"{where}.treatment_days", "each rung is reached later than the one below it")
    if following.dwell_days < 1:
        raise PolicyError(f"{where}.dwell_days", "at least a day on the rung before")
    if following.attempts and rung.calls is None and rung.rung is not Rung.MESSAGE:
        raise PolicyError(f"{where}.attempts", f"on {rung.rung.value} nothing is attempted")
    for currency, amount_minor in following.amount_minor.items():
        below = rung.amount_minor.get(currency)
        if below is None or below > amount_minor:
            raise PolicyError(
                f"{where}.amount_minor.{currency}", "a rung needs at least the amount of the rung below it"
            )


def _time_of_day(text: str) -> time:
    return time(int(text[:2]), int(text[3:]))


def _path(location: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "file"
