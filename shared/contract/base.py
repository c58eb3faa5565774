"""The shape that all events share, and the bounded types that their fields are made of."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from shared.kernel.money import EXPONENTS
from shared.kernel.zones import UnknownZone, zone

AMOUNT_MINOR_MAX: Final = 10**15
INSTANT_MS_MIN: Final = 631_152_000_000
"""1990-01-01T00:00:00Z."""
INSTANT_MS_MAX: Final = 4_102_444_800_000
"""2100-01-01T00:00:00Z: what lies beyond is a typing error, not a business date (trap T-55)."""
DATE_MIN: Final = date(1990, 1, 1)
DATE_MAX: Final = date(2099, 12, 31)


class Record(BaseModel):
    """A frozen, strict value: unknown fields, coercions and floats for integers are errors."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Event(Record):
    """A record that travels on a topic of its own type.

    `TYPE` is the CloudEvents type; its last part is the version. `TOPICS` are the logical topics that may carry it,
    `KEY` the field whose text is the Kafka key, `BUSINESS_KEY` the fields that make two deliveries the same fact,
    `ORDERING` and `EFFECT` what a producer must respect and may expect.
    """

    TYPE: ClassVar[str]
    TOPICS: ClassVar[tuple[str, ...]]
    KEY: ClassVar[str | None]
    BUSINESS_KEY: ClassVar[tuple[str, ...]]
    ORDERING: ClassVar[str] = "None: the outcome does not depend on the order of arrival."
    EFFECT: ClassVar[str]


def _currency(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError("not a currency that a deployment may lend in")
    return code


def _zone(name: str) -> str:
    with suppress(UnknownZone):
        zone(name)
        return name
    # Raised here, not within: the unknown zone's own text is what was sent.
    raise ValueError("not a zone of the pinned time-zone data")


def _written_date(value: object) -> object:
    """Read the one form allowed; pydantic alone would also read a text of digits, as seconds since 1970."""
    if not isinstance(value, str):
        return value
    if len(value) == 10 and value[4] == value[7] == "-":
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError("not a date in the form YYYY-MM-DD")


_ID = r"^[A-Za-z0-9][A-Za-z0-9._:\-]*$"
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=_ID)]
"""An opaque id of somebody's: 1 to 64 of letters, digits and `. _ : -`. Never a name, a number or an address."""
LoanId = Annotated[Id, Field(description="The loan's opaque id; the Kafka key of every fact about it.")]
BorrowerId = Annotated[Id, Field(description="The person's opaque id, the same for all lenders of a deployment.")]
LenderId = Annotated[Id, Field(description="The creditor's opaque id.")]
Word = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_.\-]*$")]
"""A lower-case word of a configured vocabulary: product, segment, template, rule id."""
EventId = Annotated[str, Field(min_length=1, max_length=200)]
PolicyHash = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9a-z]+$")]
Currency = Annotated[
    str,
    Field(
        pattern=r"^[A-Z]{3}$",
        description="ISO 4217 code of a currency lent in.",
        json_schema_extra={"enum": [*EXPONENTS]},
    ),
    AfterValidator(_currency),
]
AmountMinor = Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX, description="Minor units of the currency.")]
PositiveMinor = Annotated[int, Field(gt=0, le=AMOUNT_MINOR_MAX, description="Minor units of the currency, above 0.")]
Revision = Annotated[int, Field(ge=0, le=2**31, description="The highest revision of a business key wins.")]
InstantMs = Annotated[int, Field(ge=INSTANT_MS_MIN, le=INSTANT_MS_MAX, description="Milliseconds since 1970, UTC.")]
BusinessDate = Annotated[
    date,
    BeforeValidator(_written_date),
    Field(
        ge=DATE_MIN,
        le=DATE_MAX,
        description="A calendar date, YYYY-MM-DD, from 1990 to 2099.",
        json_schema_extra={"pattern": r"^(199[0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"},
    ),
]
Month = Annotated[str, Field(pattern=r"^(199[0-9]|20[0-9]{2})-(0[1-9]|1[0-2])$", description="YYYY-MM.")]
ZoneName = Annotated[str, Field(max_length=64, description="IANA time zone."), AfterValidator(_zone)]
Cutoff = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time HH:MM.")]
Days = Annotated[int, Field(ge=0, le=36_600)]
CausedBy = Annotated[tuple[EventId, ...], Field(max_length=64, description="Ids of the events that led to this.")]


class Component(StrEnum):
    """What an amount consists of; the order here is the default order in which a payment satisfies it."""

    PENALTY = "penalty"
    FEE = "fee"
    INTEREST = "interest"
    PRINCIPAL = "principal"


class Amounts(Record):
    """An amount by component, in minor units. The lender computes it; interest is never computed here."""

    principal_minor: AmountMinor = 0
    interest_minor: AmountMinor = 0
    penalty_minor: AmountMinor = 0
    fee_minor: AmountMinor = 0

    @property
    def total_minor(self) -> int:
        """The sum of all components."""
        return self.principal_minor + self.interest_minor + self.penalty_minor + self.fee_minor


class Channel(StrEnum):
    """A medium of contact."""

    PUSH = "push"
    IN_APP = "in_app"
    SMS = "sms"
    EMAIL = "email"
    CALL = "call"
    LETTER = "letter"
    VISIT = "visit"


class HoldReason(StrEnum):
    """Why somebody or a loan must be left alone (traps T-32 to T-38)."""

    DISPUTE = "dispute"
    COMPLAINT = "complaint"
    HARDSHIP = "hardship"
    VULNERABILITY = "vulnerability"
    BEREAVEMENT = "bereavement"
    DECEASED = "deceased"
    BANKRUPTCY = "bankruptcy"
    FRAUD_CLAIM = "fraud_claim"
    REPRESENTED = "represented"
    BREATHING_SPACE = "breathing_space"
    DISASTER = "disaster"
    ARMED_FORCES = "armed_forces"
    PAYMENT_IN_FLIGHT = "payment_in_flight"
    INTERNAL = "internal"


class Rung(StrEnum):
    """The ladder, lowest first. `visit` and `legal` are words only until a person's review can gate them."""

    NONE = "none"
    MESSAGE = "message"
    HUMAN_CALL = "human_call"
    RESTRICTION = "restriction"
    CASE_REVIEW = "case_review"
    VISIT = "visit"
    LEGAL = "legal"
