"""The policies that a log was decided under: each decision names its own, and is judged by that one.

That the one named was in force at its tick is P7's to judge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from shared.contract.ticks import BORROWER_CLOCK
from shared.domain.policy import Policy
from shared.kernel.business_days import BusinessCalendar
from shared.simulation.checkers.chronicle import Chronicle


@dataclass(frozen=True)
class Policies:
    """Policies by hash, at least one; the first is meant where a decision names none of them."""

    known: Mapping[str, Policy]

    def of(self, named: str) -> Policy:
        """Return the policy of that hash."""
        return self.known.get(named) or next(iter(self.known.values()))

    def at(self, chronicle: Chronicle, partition: int, at: int) -> Policy:
        """Return the policy that a tick of the gate names."""
        tick = chronicle.tick_of(BORROWER_CLOCK, partition, at)
        return self.of("" if tick is None else tick.policy)

    def __iter__(self) -> Iterator[Policy]:
        """Every policy."""
        return iter(self.known.values())

    @cached_property
    def rule_ids(self) -> frozenset[str]:
        """The ids of all rules of all of them."""
        return frozenset(rule_id for policy in self for rule_id in policy.packs.rule_texts())

    @cached_property
    def calendars(self) -> dict[str, BusinessCalendar]:
        """The holiday tables of all of them; of two with one name the first policy's."""
        return {name: table for policy in reversed(list(self)) for name, table in policy.calendars.items()}
