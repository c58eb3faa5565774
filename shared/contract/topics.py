"""The topic table: who writes a topic, who reads it, what is in it, how long it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.contract.arrangements import ARRANGEMENTS
from shared.contract.loans import DUE_DATES
from shared.contract.outcomes import OUTCOMES
from shared.contract.outreach import LOAN_CONTACTS, OUTREACH
from shared.contract.people import BORROWERS
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import CREDIT_REPORTS, ESCALATIONS, REMINDERS
from shared.contract.ticks import BORROWER_CLOCK, CONTROL, LOAN_CLOCK

DEAD_LETTERS: Final = "collections.dead-letters"
REMINDER: Final = "reminder"
ESCALATION: Final = "escalation"
CREDIT_REPORT: Final = "credit_report"
RATE_LIMITER: Final = "rate_limiter"
CLOCK: Final = "clock"
LOAN_SERVICES: Final = (REMINDER, ESCALATION, CREDIT_REPORT)
SERVICES: Final = (*LOAN_SERVICES, RATE_LIMITER)


class Keyed(StrEnum):
    """What a topic is keyed by; topics keyed alike have the same number of partitions."""

    LOAN = "loan"
    BORROWER = "borrower"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: logical name, key, its writers and readers, and the service that writes its dead letters."""

    name: str
    keyed: Keyed
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    dead_letters_by: str | None = None


TOPICS: Final[dict[str, Topic]] = {
    topic.name: topic
    for topic in (
        Topic(DUE_DATES, Keyed.LOAN, ("lenders",), LOAN_SERVICES, ESCALATION),
        Topic(REPAYMENTS, Keyed.LOAN, ("lenders",), LOAN_SERVICES, ESCALATION),
        Topic(ARRANGEMENTS, Keyed.LOAN, ("lenders", "self-service", "agents"), LOAN_SERVICES, ESCALATION),
        Topic(BORROWERS, Keyed.BORROWER, ("lenders", "self-service"), (RATE_LIMITER,), RATE_LIMITER),
        Topic(OUTCOMES, Keyed.BORROWER, ("gateways", "agencies", "call-centres"), (RATE_LIMITER,), RATE_LIMITER),
        Topic(REMINDERS, Keyed.BORROWER, (REMINDER,), (RATE_LIMITER,), RATE_LIMITER),
        Topic(ESCALATIONS, Keyed.BORROWER, (ESCALATION,), (RATE_LIMITER,), RATE_LIMITER),
        Topic(CREDIT_REPORTS, Keyed.BORROWER, (CREDIT_REPORT,), (RATE_LIMITER, "furnishers"), RATE_LIMITER),
        Topic(OUTREACH, Keyed.BORROWER, (RATE_LIMITER,), ("gateways",)),
        Topic(LOAN_CONTACTS, Keyed.LOAN, (RATE_LIMITER,), (ESCALATION, CREDIT_REPORT), ESCALATION),
        Topic(LOAN_CLOCK, Keyed.LOAN, (CLOCK,), LOAN_SERVICES),
        Topic(BORROWER_CLOCK, Keyed.BORROWER, (CLOCK,), (RATE_LIMITER, "gateways")),
        Topic(CONTROL, Keyed.NONE, ("operators",), (CLOCK,)),
        Topic(DEAD_LETTERS, Keyed.NONE, (ESCALATION, RATE_LIMITER), ("operators",)),
    )
}
"""Every topic of a deployment but the changelogs, by logical name."""


def physical_name(prefix: str, topic: str) -> str:
    """Return the topic's name on the broker: the deployment's prefix, if any, then the logical name."""
    return f"{prefix}.{topic}" if prefix else topic


def logical_name(prefix: str, name: str) -> str:
    """Return the logical name of a broker's topic; the name must begin with the prefix."""
    if not prefix:
        return name
    if not name.startswith(f"{prefix}."):
        raise ValueError(f"topic {name!r} is not of deployment {prefix!r}")
    return name[len(prefix) + 1 :]
