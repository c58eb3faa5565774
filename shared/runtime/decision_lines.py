"""One log line per decision, in which people and loans are named by their pseudonyms only."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

import structlog

from shared.engine.transaction import Emitted
from shared.runtime.log_lines import DECISION
from shared.runtime.pseudonyms import Pseudonyms
from shared.runtime.trace_context import context_of

LOANS_MAX: Final = 20
"""Of a permit for more loans the first so many are named."""
_NAMED: Final = ("borrower_id", "loan_id")
_SAID: Final = (
    "contact_class", "channel", "step", "reason", "purpose", "move", "rung", "action", "code", "days_past_due",
    "earliest_ms", "valid_from_ms", "valid_until_ms", "cleared", "permit_id", "request_id",
)  # fmt: skip
"""What of an event may be said: closed vocabularies, numbers, instants. Amounts, contact points and texts are not."""


class DecisionLines:
    """Writes the lines, as many as the bound of the log lets through."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._log: Any = structlog.get_logger("decision")

    def write(self, emitted: Sequence[Emitted], *, traced: bool = False) -> None:
        """Write one line for each, where anybody listens; `traced` events are named by their trace, too."""
        log = self._log.bind()
        if log.is_enabled_for(logging.INFO):
            for each in emitted:
                trace = {"trace_id": context_of(each.id).trace_id_text} if traced else {}
                log.info(DECISION, **self._fields(each), **trace)

    def _fields(self, each: Emitted) -> dict[str, object]:
        event: Any = each.data
        fields: dict[str, object] = {"type": event.TYPE, "id": each.id, "at": each.at}
        for name in _NAMED:
            value = getattr(event, name, None)
            if value is not None:
                fields[name.removesuffix("_id") + "_ref"] = self._pseudonyms.of(value)
        for name in _SAID:
            value = getattr(event, name, None)
            if value is not None:
                fields[name] = value
        loans = getattr(event, "loans", ())[:LOANS_MAX]
        if loans:
            fields["loan_refs"] = [self._pseudonyms.of(loan.loan_id) for loan in loans]
        rules = getattr(event, "rules", ())
        if rules and not isinstance(rules[0], str):
            fields["rules"] = [rule.rule_id for rule in rules]
        return fields
