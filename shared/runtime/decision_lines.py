"""One log line per decision, in which people and loans are named by a keyed hash only.

Whoever holds the deployment's key finds the lines of a person (`duecourse doctor --reference ID`); nobody else can go
back from a line to a person. Without a key each process draws its own: lines of one run belong together, no more.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Sequence
from typing import Any, Final

import structlog

from shared.engine.transaction import Emitted

REFERENCE_CHARACTERS: Final = 16
_NAMED: Final = ("borrower_id", "loan_id")
_SAID: Final = (
    "contact_class", "channel", "step", "reason", "purpose", "move", "rung", "action", "code", "days_past_due",
    "earliest_ms", "valid_from_ms", "valid_until_ms", "cleared",
)  # fmt: skip
"""What of an event may be said: closed vocabularies, numbers, instants. Amounts, contact points and texts are not."""


def reference(key: str, name: str) -> str:
    """Return the name under which a borrower or loan appears in the logs of a deployment with this key."""
    return hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()[:REFERENCE_CHARACTERS]


class DecisionLines:
    """Writes the lines. `key` is the deployment's secret; empty: one of this process's own."""

    def __init__(self, key: str) -> None:
        self._key = key or secrets.token_hex(16)
        self._log: Any = structlog.get_logger("decision")

    def write(self, emitted: Sequence[Emitted]) -> None:
        """Write one line for each, where anybody listens."""
        log = self._log.bind()
        if log.is_enabled_for(logging.INFO):
            for each in emitted:
                log.info("decision", **self._fields(each))

    def _fields(self, each: Emitted) -> dict[str, object]:
        event: Any = each.data
        fields: dict[str, object] = {"type": event.TYPE, "id": each.id, "at": each.at}
        for name in _NAMED:
            value = getattr(event, name, None)
            if value is not None:
                fields[name.removesuffix("_id") + "_ref"] = reference(self._key, value)
        for name in _SAID:
            value = getattr(event, name, None)
            if value is not None:
                fields[name] = value
        rules = getattr(event, "rules", ())
        if rules and not isinstance(rules[0], str):
            fields["rules"] = [rule.rule_id for rule in rules]
        return fields
