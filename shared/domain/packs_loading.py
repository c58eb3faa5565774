"""From `packs.toml` to `Packs`: every key known, every value possible, or a `PolicyError` that names the place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final, TypeVar

from shared.contract.base import Channel
from shared.contract.outcomes import Outcome
from shared.contract.outreach import Severity
from shared.contract.requests import ContactClass
from shared.domain.packs import (
    DAY_TYPES,
    EVERYBODY,
    STANDING_RULES,
    Cap,
    ChannelTerms,
    Hours,
    Pack,
    Packs,
    Per,
    Period,
    RuleText,
    Unit,
    Vector,
    VectorContact,
)
from shared.domain.policy_errors import PolicyError
from shared.kernel.business_days import WEEKENDS, BusinessCalendar
from shared.kernel.hours import AllowedHours, Window
from shared.kernel.zones import MINUTE_MS, UnknownZone, zone

E = TypeVar("E", bound=StrEnum)

LIMIT_MAX: Final = 100
DAYS_MAX: Final = 366
_WORD: Final = re.compile(r"^[a-z0-9][a-z0-9_.\-]{0,63}$")
_JURISDICTION: Final = re.compile(r"^([A-Z]{2}(-[A-Z0-9]{1,3})?|\*)$")
_RULE_KEYS: Final = frozenset(
    {"id", "kind", "severity", "text", "citation", "channels", "effective_from", "effective_until", "vectors"}
)
_HOURS_KEYS: Final = _RULE_KEYS | set(DAY_TYPES)
_COMMON_CAP_KEYS: Final = _RULE_KEYS | {"per", "blocks", "exempt_classes", "callback_exempt"}
_CAP_KEYS: Final = _COMMON_CAP_KEYS | {"unit", "window", "days", "limit", "not_counted"}
_COOL_DOWN_KEYS: Final = _COMMON_CAP_KEYS | {"days"}
_CHANNEL_KEYS: Final = frozenset({"valid_minutes", "spread_minutes", "grants_per_tick"})
_CONTACT_KEYS: Final = frozenset({"local", "channel", "point", "loan", "lender", "contact_class", "outcome"})


def load_packs(table: dict[str, Any], where: str, calendars: Mapping[str, BusinessCalendar]) -> Packs:
    """Return the packs in `table`; raise `PolicyError` at the first thing that is wrong.

    Packs for everybody must give hours for every channel: where nothing is said, nothing is allowed.
    """
    _only(table, {"channels", "packs"}, where)
    channels = _channels(_table(table, "channels", where), f"{where}: channels")
    packs = tuple(
        _pack(content, f"{where}: packs[{index}]", calendars)
        for index, content in enumerate(_tables(table, "packs", where))
    )
    _require_floor(packs, where)
    _require_unique_ids(packs, where)
    return Packs(packs, channels)


def _require_floor(packs: tuple[Pack, ...], where: str) -> None:
    covered = {
        channel for pack in packs if EVERYBODY in pack.jurisdictions for rule in pack.hours for channel in rule.channels
    }
    missing = [channel.value for channel in Channel if channel not in covered]
    if missing:
        raise PolicyError(where, f"no hours for everybody ('*') over {', '.join(missing)}")


def _require_unique_ids(packs: tuple[Pack, ...], where: str) -> None:
    seen: set[str] = {rule.value for rule in STANDING_RULES}
    names = [pack.id for pack in packs]
    if len(set(names)) != len(names):
        raise PolicyError(where, "two packs have one id")
    for pack in packs:
        for text in pack.rule_texts():
            if text.id in seen:
                raise PolicyError(f"{where}: {pack.id}", f"the rule id {text.id!r} is taken")
            seen.add(text.id)


def _channels(table: dict[str, Any], where: str) -> dict[Channel, ChannelTerms]:
    _only(table, {channel.value for channel in Channel}, where)
    terms = {}
    for channel in Channel:
        content = _table(table, channel.value, where)
        place = f"{where}.{channel.value}"
        _only(content, _CHANNEL_KEYS, place)
        valid = _integer(content, "valid_minutes", place, 5, 24 * 60)
        spread = _integer(content, "spread_minutes", place, 0, 8 * 60)
        grants = _integer(content, "grants_per_tick", place, 1, 10**6) if "grants_per_tick" in content else None
        terms[channel] = ChannelTerms(valid * MINUTE_MS, spread * MINUTE_MS, grants)
    return terms


def _pack(content: dict[str, Any], where: str, calendars: Mapping[str, BusinessCalendar]) -> Pack:
    _only(content, {"id", "title", "jurisdictions", "holidays", "rules"}, where)
    hours: list[Hours] = []
    caps: list[Cap] = []
    vectors: list[Vector] = []
    calendar = _calendar(content, where, calendars)
    for index, rule in enumerate(_tables(content, "rules", where)):
        place = f"{where}.rules[{index}]"
        kind = _text(rule, "kind", place)
        if kind == "hours":
            hours.append(_hours(rule, place, calendar))
        elif kind == "cap":
            caps.append(_cap(rule, place))
        elif kind == "cool_down":
            caps.append(_cool_down(rule, place))
        else:
            raise PolicyError(f"{place}.kind", f"{kind!r} is none of hours, cap, cool_down")
        vectors.extend(_vectors(rule, place))
    jurisdictions = _texts(content, "jurisdictions", where)
    if not jurisdictions or not all(_JURISDICTION.match(code) for code in jurisdictions):
        raise PolicyError(f"{where}.jurisdictions", "expected ISO 3166 codes, or '*' for everybody")
    return Pack(
        _word(content, "id", where),
        _text(content, "title", where),
        jurisdictions,
        tuple(hours),
        tuple(caps),
        tuple(vectors),
    )


def _calendar(content: dict[str, Any], where: str, calendars: Mapping[str, BusinessCalendar]) -> BusinessCalendar:
    if "holidays" not in content:
        return WEEKENDS
    name = _text(content, "holidays", where)
    if name not in calendars:
        raise PolicyError(f"{where}.holidays", f"there is no holiday table {name!r}")
    return calendars[name]


def _hours(rule: dict[str, Any], where: str, calendar: BusinessCalendar) -> Hours:
    _only(rule, _HOURS_KEYS, where)
    if "weekday" not in rule:
        raise PolicyError(where, "hours need windows for a weekday; other days take the same where nothing is said")
    weekday = _windows(rule, "weekday", where)
    saturday, sunday = (_windows(rule, day, where) if day in rule else weekday for day in ("saturday", "sunday"))
    holiday = _windows(rule, "holiday", where) if "holiday" in rule else None
    allowed = AllowedHours.weekly(weekday, saturday, sunday, holiday)
    begin, end = _effective(rule, where)
    return Hours(_rule_text(rule, where), _enums(rule, "channels", where, Channel), allowed, calendar, begin, end)


def _windows(rule: dict[str, Any], key: str, where: str) -> tuple[Window, ...]:
    windows = []
    for text in _texts(rule, key, where):
        try:
            windows.append(Window.of(*text.split("-")))
        except (TypeError, ValueError) as error:
            raise PolicyError(f"{where}.{key}", f"{text!r} is not a window such as 09:00-20:00") from error
    if any(after.start_minute < before.end_minute for before, after in pairwise(windows)):
        raise PolicyError(f"{where}.{key}", "windows overlap or are out of order")
    return tuple(windows)


def _cap(rule: dict[str, Any], where: str) -> Cap:
    _only(rule, _CAP_KEYS, where)
    window = _enum(rule, "window", where, Period)
    if window is Period.CALENDAR_DAY and "days" in rule:
        raise PolicyError(f"{where}.days", "a calendar day is one day; use rolling_local_days for more")
    days = 1 if window is Period.CALENDAR_DAY else _integer(rule, "days", where, 1, DAYS_MAX)
    limit = _integer(rule, "limit", where, 0, LIMIT_MAX)
    not_counted = _enums(rule, "not_counted", where, Outcome) if "not_counted" in rule else ()
    return _counting(rule, where, _enum(rule, "unit", where, Unit), window, days, limit, not_counted)


def _cool_down(rule: dict[str, Any], where: str) -> Cap:
    _only(rule, _COOL_DOWN_KEYS, where)
    days = _integer(rule, "days", where, 1, DAYS_MAX)
    return _counting(rule, where, Unit.CONVERSATION, Period.ROLLING_LOCAL_DAYS, days, 1, ())


def _counting(
    rule: dict[str, Any],
    where: str,
    unit: Unit,
    window: Period,
    days: int,
    limit: int,
    not_counted: tuple[Outcome, ...],
) -> Cap:
    channels = _enums(rule, "channels", where, Channel)
    begin, end = _effective(rule, where)
    return Cap(
        _rule_text(rule, where),
        unit,
        _enum(rule, "per", where, Per),
        channels,
        _enums(rule, "blocks", where, Channel) if "blocks" in rule else channels,
        window,
        days,
        limit,
        _enums(rule, "exempt_classes", where, ContactClass) if "exempt_classes" in rule else (),
        not_counted,
        _flag(rule, "callback_exempt", where),
        begin,
        end,
    )


def _vectors(rule: dict[str, Any], where: str) -> list[Vector]:
    vectors = []
    for index, content in enumerate(_tables(rule, "vectors", where)):
        place = f"{where}.vectors[{index}]"
        _only(content, {"zone", "history", "ask", "blocked", "until"}, place)
        zone_name = _text(content, "zone", place)
        try:
            zone(zone_name)
        except UnknownZone as error:
            raise PolicyError(f"{place}.zone", f"{zone_name!r} is not a time zone") from error
        history = tuple(
            _contact(entry, f"{place}.history[{at}]") for at, entry in enumerate(_tables(content, "history", place))
        )
        until = _local(content, "until", place) if "until" in content else None
        ask = _contact(_table(content, "ask", place), f"{place}.ask")
        vectors.append(
            Vector(_word(rule, "id", where), zone_name, history, ask, _flag(content, "blocked", place), until)
        )
    return vectors


def _contact(content: dict[str, Any], where: str) -> VectorContact:
    _only(content, _CONTACT_KEYS, where)
    return VectorContact(
        _local(content, "local", where),
        _enum(content, "channel", where, Channel),
        str(content.get("point", "point-1")),
        str(content.get("loan", "loan-1")),
        str(content.get("lender", "lender-1")),
        _enum(content, "contact_class", where, ContactClass) if "contact_class" in content else ContactClass.OVERDUE,
        _enum(content, "outcome", where, Outcome) if "outcome" in content else Outcome.ATTEMPTED,
    )


def _local(content: dict[str, Any], key: str, where: str) -> str:
    value = content.get(key)
    if not isinstance(value, datetime) or value.tzinfo is not None:
        raise PolicyError(f"{where}.{key}", "expected a local time, written as 2024-02-10T09:00:00")
    return value.isoformat()


def _rule_text(rule: dict[str, Any], where: str) -> RuleText:
    return RuleText(
        _word(rule, "id", where),
        _enum(rule, "severity", where, Severity),
        _text(rule, "text", where),
        _text(rule, "citation", where),
    )


def _effective(rule: dict[str, Any], where: str) -> tuple[date | None, date | None]:
    begin, end = (_date(rule, key, where) for key in ("effective_from", "effective_until"))
    if begin is not None and end is not None and end <= begin:
        raise PolicyError(
            f"{where}.effective_until", "a rule must be in force for a day at least (the end is exclusive)"
        )
    return begin, end


def _date(rule: dict[str, Any], key: str, where: str) -> date | None:
    value = rule.get(key)
    if value is not None and type(value) is not date:
        raise PolicyError(f"{where}.{key}", "expected a date, written as 2024-02-10")
    return value


def _only(content: dict[str, Any], known: set[str] | frozenset[str], where: str) -> None:
    unknown = sorted(set(content) - known)
    if unknown:
        raise PolicyError(where, f"unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")


def _table(content: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    value = content.get(key)
    if not isinstance(value, dict):
        raise PolicyError(f"{where}.{key}", "expected a table")
    return value


def _tables(content: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    values = content.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise PolicyError(f"{where}.{key}", "expected a list of tables")
    return values


def _text(content: dict[str, Any], key: str, where: str) -> str:
    value = content.get(key)
    if not isinstance(value, str) or not value.strip():
        raise PolicyError(f"{where}.{key}", "expected a text that is not empty")
    return value


def _word(content: dict[str, Any], key: str, where: str) -> str:
    value = _text(content, key, where)
    if not _WORD.match(value):
        raise PolicyError(f"{where}.{key}", f"{value!r} is not a lower-case word")
    return value


def _texts(content: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    values = content.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise PolicyError(f"{where}.{key}", "expected a list of texts")
    return tuple(values)


def _integer(content: dict[str, Any], key: str, where: str, least: int, most: int) -> int:
    value = content.get(key)
    if type(value) is not int or not least <= value <= most:
        raise PolicyError(f"{where}.{key}", f"expected a whole number from {least} to {most}")
    return value


def _flag(content: dict[str, Any], key: str, where: str) -> bool:
    value = content.get(key, False)
    if not isinstance(value, bool):
        raise PolicyError(f"{where}.{key}", "expected true or false")
    return value


def _enum(content: dict[str, Any], key: str, where: str, kind: type[E]) -> E:
    value = content.get(key)
    if not isinstance(value, str) or value not in list(kind):
        raise PolicyError(f"{where}.{key}", f"{value!r} is none of {', '.join(kind)}")
    return kind(value)


def _enums(content: dict[str, Any], key: str, where: str, kind: type[E]) -> tuple[E, ...]:
    values = _texts(content, key, where)
    if not values or len(set(values)) != len(values):
        raise PolicyError(f"{where}.{key}", "expected a list with something in it, nothing twice")
    return tuple(_enum({key: value}, key, where, kind) for value in values)
