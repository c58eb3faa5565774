"""Facts about a person: `lending.borrowers`, keyed by borrower."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from shared.contract.base import (
    BorrowerId,
    BusinessDate,
    Channel,
    Event,
    HoldReason,
    Id,
    InstantMs,
    LenderId,
    Record,
    Revision,
    ZoneName,
)

BORROWERS: Final = "lending.borrowers"


class ContactPoint(Record):
    """One number, address or device, by an opaque id; the gateway alone knows what is behind it."""

    contact_point_id: Id
    channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=7)]
    zone: Annotated[ZoneName | None, Field(description="The zone that the point itself suggests.")] = None


class BorrowerProfile(Event):
    """Where a person lives and how the person can be reached."""

    TYPE: ClassVar = "lending.borrower.profiled.v1"
    TOPICS: ClassVar = (BORROWERS,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "revision")
    EFFECT: ClassVar = (
        "Contact only inside the hours allowed in every zone named here or by a contact point (T-09); without a "
        "profile or any zone nobody makes contact. Opt-outs and holds survive a new profile."
    )

    borrower_id: BorrowerId
    revision: Revision
    zones: Annotated[tuple[ZoneName, ...], Field(max_length=8, description="Zones where the person may be.")]
    jurisdictions: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")], ...], Field(min_length=1, max_length=4)
    ]
    contact_points: Annotated[tuple[ContactPoint, ...], Field(max_length=16)]
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = "en"


class ConsentPurpose(StrEnum):
    """What the person agreed to."""

    CALLBACK = "callback"


class BorrowerConsented(Event):
    """A person asked to be called, or agreed to a channel again."""

    TYPE: ClassVar = "lending.borrower.consented.v1"
    TOPICS: ClassVar = (BORROWERS,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "consent_id")
    EFFECT: ClassVar = (
        "Lifts an earlier opt-out of the channel or contact point. Calls under a callback consent are not counted for "
        "at most 7 days (T-50); hours stay as they are."
    )

    borrower_id: BorrowerId
    consent_id: Id
    channel: Channel
    contact_point_id: Id | None = None
    purpose: ConsentPurpose | None = None
    given_ms: InstantMs
    expires_ms: InstantMs | None = None


class BorrowerOptedOut(Event):
    """A person refused a channel, or one contact point."""

    TYPE: ClassVar = "lending.borrower.opted-out.v1"
    TOPICS: ClassVar = (BORROWERS,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "opt_out_id")
    EFFECT: ClassVar = "Nothing reaches that channel (or point), statutory notices included, until consent (T-46)."

    borrower_id: BorrowerId
    opt_out_id: Id
    channel: Annotated[Channel | None, Field(description="Absent: every channel of the contact point.")] = None
    contact_point_id: Id | None = None
    given_ms: InstantMs


class BorrowerCeased(Event):
    """A person demanded that contact stop (cease and desist)."""

    TYPE: ClassVar = "lending.borrower.ceased.v1"
    TOPICS: ClassVar = (BORROWERS,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "cease_id")
    EFFECT: ClassVar = "No contact but statutory notices, for one lender or for all, for good (T-47)."

    borrower_id: BorrowerId
    cease_id: Id
    lender_id: Annotated[LenderId | None, Field(description="Absent: every lender.")] = None
    given_ms: InstantMs


class BorrowerHoldPlaced(Event):
    """The person, with all loans, must be left alone."""

    TYPE: ClassVar = "lending.borrower.hold-placed.v1"
    TOPICS: ClassVar = (BORROWERS,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "hold_id", "revision")
    EFFECT: ClassVar = "No contact; the ladder and adverse reports of all the person's loans wait."

    borrower_id: BorrowerId
    hold_id: Id
    revision: Revision = 0
    reason: HoldReason
    from_ms: InstantMs
    until_ms: Annotated[InstantMs | None, Field(description="End, exclusive; absent: until lifted.")] = None
    review_on: BusinessDate | None = None


class BorrowerHoldLifted(Event):
    """A hold on the person ends."""

    TYPE: ClassVar = "lending.borrower.hold-lifted.v1"
    TOPICS: ClassVar = (BORROWERS,)
    KEY: ClassVar = "borrower_id"
    BUSINESS_KEY: ClassVar = ("borrower_id", "hold_id")
    EFFECT: ClassVar = "The hold ends at `lifted_ms`."

    borrower_id: BorrowerId
    hold_id: Id
    lifted_ms: InstantMs
