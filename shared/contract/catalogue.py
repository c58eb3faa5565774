"""Every event type that may travel, by its CloudEvents type."""

from __future__ import annotations

from typing import Final

from shared.contract import arrangements, loans, outcomes, outreach, people, repayments, requests, ticks
from shared.contract.base import Event

_MODULES: Final = (loans, repayments, arrangements, people, outcomes, requests, outreach, ticks)


def _events() -> dict[str, type[Event]]:
    found: dict[str, type[Event]] = {}
    for module in _MODULES:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Event) and value.__module__ == module.__name__:
                found[value.TYPE] = value
    return found


EVENTS: Final[dict[str, type[Event]]] = _events()
"""In the order of the catalogue: loans, money, arrangements, people, outcomes, requests, outreach, time."""


def carried_by(topic: str) -> tuple[type[Event], ...]:
    """Return the events that the logical topic may carry, in the order of the catalogue."""
    return tuple(event for event in EVENTS.values() if topic in event.TOPICS)
