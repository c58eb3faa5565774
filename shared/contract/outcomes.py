"""What became of contacts, ours and others': `outreach.outcomes`, keyed by borrower."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from shared.contract.base import BorrowerId, Channel, Event, Id, InstantMs, LenderId, LoanId

OUTCOMES: Final = "outreach.outcomes"


class Outcome(StrEnum):
    """The steps of a contact: attempt, connect, conversation, and how it can go wrong."""

    ATTEMPTED = "attempted"
    NOT_ATTEMPTED = "not_attempted"
    BOUNCED = "bounced"
    NO_ANSWER = "no_answer"
    CONVERSATION = "conversation"
    STOP = "stop"
    WRONG_NUMBER = "wrong_number"


class Direction(StrEnum):
    """Who began."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class OutreachOutcome(Event):
    """A gateway, agency, call centre or branch reports what happened, with or without a permit of ours."""

    TYPE: ClassVar = "outreach.outcome.reported.v1"
    TOPICS: ClassVar = (OUTCOMES,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "outcome_id")
    EFFECT: ClassVar = (
        "Counts at `occurred_ms`, whenever it arrives (T-45). Only `not_attempted` gives a permit back; a contact "
        "without a permit counts too (T-51) and is recorded as a breach where it broke a cap. `conversation` starts "
        "cool-downs, `stop` closes the channel at the point, `wrong_number` closes the point, `bounced` voids a notice."
    )

    borrower_id: BorrowerId
    outcome_id: Id
    permit_id: Annotated[str | None, Field(max_length=64, description="Absent: made without our permit.")] = None
    outcome: Outcome
    occurred_ms: InstantMs
    channel: Channel
    contact_point_id: Id | None = None
    direction: Direction = Direction.OUTBOUND
    lender_id: LenderId | None = None
    loan_ids: Annotated[tuple[LoanId, ...], Field(max_length=64)] = ()
