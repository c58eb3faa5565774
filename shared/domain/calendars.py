"""Holiday tables from `calendars.toml`: public holidays, and make-up days on which business is done (trap T-06)."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from shared.domain.policy_errors import PolicyError
from shared.kernel.business_days import BusinessCalendar

_KEYS: Final = frozenset({"source", "holidays", "working_days"})


def load_calendars(table: dict[str, Any], where: str) -> dict[str, BusinessCalendar]:
    """Return the tables by name; raise `PolicyError` at the first thing that is not a date, or stands on both sides."""
    return {name: _calendar(name, content, f"{where}: {name}") for name, content in sorted(table.items())}


def _calendar(name: str, content: object, where: str) -> BusinessCalendar:
    if not isinstance(content, dict) or set(content) - _KEYS:
        raise PolicyError(where, f"expected a table with {', '.join(sorted(_KEYS))}")
    source = content.get("source", "")
    if not isinstance(source, str) or not source:
        raise PolicyError(f"{where}.source", "a holiday table names where its dates come from")
    holidays = _dates(content.get("holidays", []), f"{where}.holidays")
    working = _dates(content.get("working_days", []), f"{where}.working_days")
    if holidays & working:
        raise PolicyError(where, f"{min(holidays & working)} is a holiday and a working day at once")
    return BusinessCalendar(name, holidays=holidays, working_days=working)


def _dates(values: object, where: str) -> frozenset[date]:
    if not isinstance(values, list) or not all(type(value) is date for value in values):
        raise PolicyError(where, "expected a list of dates, written as 2024-02-10")
    return frozenset(values)
