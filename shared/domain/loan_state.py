"""What is kept of a loan: frozen values, tuples sorted by id, so that equal loans are equal bytes.

Nothing derived is kept. Whether a payment counts, what it satisfied, how late a loan is: these are functions of this
state and a date (`shared.domain.delinquency`), and so they cannot disagree with the facts or depend on their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol, TypeVar

from shared.contract.base import AMOUNT_MINOR_MAX, Component, HoldReason, Rung
from shared.contract.loans import ClosedReason, DueDateConvention, Role
from shared.contract.repayments import Payer, ReversalReason
from shared.domain.loan_amounts import Parts

FACTS_MAX: Final = 2_000
"""Facts kept per loan, lender's allocations included: keeps the state below Kafka's megabyte in the worst case."""
DOUBTS_MAX: Final = 64
"""Unsettled dead letters kept per loan; the newest stay."""
LARGE_AMOUNT_MINOR: Final = AMOUNT_MINOR_MAX // (2 * FACTS_MAX)
"""Smaller amounts owed cannot add up to more than half of what an amount may be, however many are kept."""
LARGE_AMOUNTS_SUM_MINOR_MAX: Final = AMOUNT_MINOR_MAX // 2
"""What all larger amounts of one loan may add up to; so no sum ever leaves the contract's bounds."""


@dataclass(frozen=True, slots=True)
class Obligor:
    """A person who answers for the loan."""

    borrower_id: str
    role: Role


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed for the whole loan; the highest revision, and among equals the boarded one, stands."""

    revision: int
    boarded: bool
    lender_id: str
    obligors: tuple[Obligor, ...]
    currency: str
    product: str
    segment: str
    accounting_zone: str
    cutoff: str
    jurisdiction: str
    grace_days: int
    tolerance_minor: int
    due_date_convention: DueDateConvention
    business_calendar: str | None
    allocation_order: tuple[Component, ...]
    payment_max_minor: int | None
    fact_id: str


@dataclass(frozen=True, slots=True)
class Instalment:
    """The newest word on an instalment; without a due date it is cancelled."""

    instalment_id: str
    revision: int
    due_date: date | None
    owed: Parts
    fact_id: str


@dataclass(frozen=True, slots=True)
class BoardedInstalment:
    """What of an instalment was unpaid at the end of the day of boarding."""

    instalment_id: str
    due_date: date
    owed: Parts


@dataclass(frozen=True, slots=True)
class FiledMonth:
    """A month that another system has already furnished, in the bureau's own code."""

    month: str
    code: str


@dataclass(frozen=True, slots=True)
class Boarding:
    """How the loan stood at the end of `as_of`, when it moved in."""

    revision: int
    as_of: date
    instalments: tuple[BoardedInstalment, ...]
    current_rung: Rung
    months_filed: tuple[FiledMonth, ...]
    fact_id: str


@dataclass(frozen=True, slots=True)
class Charge:
    """A penalty, fee or interest on an instalment; waits while the instalment is unknown."""

    charge_id: str
    revision: int
    instalment_id: str
    component: Component
    amount_minor: int
    assessed_on: date
    fact_id: str
    known_ms: int


@dataclass(frozen=True, slots=True)
class Directed:
    """A part of a payment that the lender itself has allocated (trap T-02)."""

    instalment_id: str
    component: Component
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that arrived."""

    payment_id: str
    amount_minor: int
    currency: str
    value_date: date
    payer: Payer
    directed: tuple[Directed, ...]
    fact_id: str
    known_ms: int


@dataclass(frozen=True, slots=True)
class Reversal:
    """A payment that does not stand; waits while the payment is unknown (trap T-15)."""

    payment_id: str
    reversed_on: date
    reason: ReversalReason
    fact_id: str
    known_ms: int


@dataclass(frozen=True, slots=True)
class Hold:
    """The loan is left alone from `from_ms` until `until_ms` (exclusive), or until the hold is lifted."""

    hold_id: str
    revision: int
    reason: HoldReason
    from_ms: int
    until_ms: int | None
    review_on: date | None
    fact_id: str


@dataclass(frozen=True, slots=True)
class Lift:
    """The end of a hold, whatever its placement said; waits while the hold is unknown."""

    hold_id: str
    lifted_ms: int
    fact_id: str
    known_ms: int


@dataclass(frozen=True, slots=True)
class Promise:
    """Somebody's word to pay an amount by a date."""

    promise_id: str
    revision: int
    amount_minor: int
    currency: str
    promised_on: date
    due_on: date
    tolerance_days: int
    fact_id: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A repayment or arrangement that could not be read; `coordinates` are topic/partition/offset."""

    coordinates: str
    known_ms: int
    lifted: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of the loan."""

    closed_on: date
    reason: ClosedReason
    fact_id: str


@dataclass(frozen=True, slots=True)
class Horizon:
    """What was folded into totals: facts dated before `before` are settled history."""

    before: date
    unapplied_minor: int
    """Money from before the horizon that nothing due before it had used up."""
    instalments: int
    """How many instalments were folded, all fully paid."""
    payments: int
    received_minor: int
    """What those payments brought; all of it was settled or is unapplied."""
    settled_minor: int
    """What of instalments due before the horizon that money satisfied."""


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan as its facts tell it. Each tuple is sorted by its items' ids."""

    loan_id: str
    terms: Terms | None = None
    boarding: Boarding | None = None
    instalments: tuple[Instalment, ...] = ()
    charges: tuple[Charge, ...] = ()
    payments: tuple[Payment, ...] = ()
    reversals: tuple[Reversal, ...] = ()
    holds: tuple[Hold, ...] = ()
    lifts: tuple[Lift, ...] = ()
    promises: tuple[Promise, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    closed: Closed | None = None
    horizon: Horizon | None = None
    gravestone: bool = False
    """A closed loan of which only terms and end are left (trap T-21)."""

    @property
    def boarded_as_of(self) -> date | None:
        """The day at whose end the loan stood as boarded; no step dated on or before it ever fires."""
        return self.boarding.as_of if self.boarding is not None else None

    @property
    def months_filed(self) -> tuple[FiledMonth, ...]:
        """The months that another system has furnished already."""
        return self.boarding.months_filed if self.boarding is not None else ()

    @property
    def current_rung_boarded(self) -> Rung:
        """The rung on which the loan stood when it was boarded."""
        return self.boarding.current_rung if self.boarding is not None else Rung.NONE


class _Revised(Protocol):
    @property
    def fact_id(self) -> str: ...


Item = TypeVar("Item", bound=_Revised)


def find(items: Sequence[Item], attribute: str, wanted: str) -> tuple[int, Item | None]:
    """Return where an id stands or belongs in a tuple sorted by it, and what stands there."""
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if getattr(items[middle], attribute) < wanted:
            low = middle + 1
        else:
            high = middle
    if low < len(items) and getattr(items[low], attribute) == wanted:
        return low, items[low]
    return low, None


def placed(items: tuple[Item, ...], at: int, new: Item, *, over: bool) -> tuple[Item, ...]:
    """Return the tuple with `new` at that place, instead of what stands there if `over`."""
    return (*items[:at], new, *items[at + 1 if over else at :])


def facts_kept(loan: Loan) -> int:
    """Return how many facts the state holds, each lender's allocation of a payment counted by itself."""
    boarded = len(loan.boarding.instalments) + len(loan.boarding.months_filed) if loan.boarding is not None else 0
    plain = len(loan.instalments) + len(loan.charges) + len(loan.payments) + len(loan.reversals)
    arranged = len(loan.holds) + len(loan.lifts) + len(loan.promises)
    return boarded + plain + arranged + sum([len(payment.directed) for payment in loan.payments])
