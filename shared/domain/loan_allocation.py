"""Which money satisfied which amount: the waterfall (trap T-02).

What the lender allocated itself is taken at its word. All other money forms a pool that pays what has fallen due,
oldest due date first and within an instalment by the product's order of components. Money ahead of its time waits in
the pool; what is left on the asked day is shown against later instalments, and beyond them it is unapplied cash, which
counts against arrears whenever some arise (trap T-20).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from shared.contract.base import Component
from shared.domain.loan_amounts import NOTHING, POSITION, Parts
from shared.domain.loan_state import Charge, Payment


class Obligation(NamedTuple):
    """An instalment as it is owed: `due_date` as the convention moved it, amounts without charges.

    A tuple, because a view makes one per instalment, and because tuples sort by their due date and id.
    """

    due_date: date
    instalment_id: str
    nominal_due_date: date
    owed: Parts
    fact_id: str


@dataclass(frozen=True, slots=True)
class Allocation:
    """What each obligation owes, charges included, and has received; the rest is unapplied."""

    owed: tuple[Parts, ...]
    paid: tuple[Parts, ...]
    unapplied_minor: int


def allocate(
    obligations: Sequence[Obligation],
    charges: Sequence[Charge],
    payments: Sequence[Payment],
    order: Sequence[Component],
    carried_minor: int = 0,
) -> Allocation:
    """Spread payments over obligations.

    Args:
        obligations: In order of (due date, id).
        charges: Those that count; of one on an unknown instalment nothing is owed yet.
        payments: Those that count.
        order: In which components are satisfied within an instalment.
        carried_minor: Unapplied money from before the loan's horizon.
    """
    positions = [POSITION[component] for component in order]
    if not charges and not any(payment.directed for payment in payments):
        return _pooled(obligations, carried_minor + sum([payment.amount_minor for payment in payments]), positions)
    waterfall = _Waterfall(obligations, charges, positions)
    ordered = sorted(payments, key=lambda payment: (payment.value_date, payment.payment_id))
    pooled = [(payment.value_date, waterfall.take_directed(payment)) for payment in ordered]
    waterfall.run_by_date(pooled, carried_minor)
    waterfall.pour(len(obligations), charges_until=date.max)
    return waterfall.result()


def _pooled(obligations: Sequence[Obligation], pool: int, order: Sequence[int]) -> Allocation:
    """Pay in order of due dates, whenever the money came: nothing is ever added to an instalment that was paid."""
    paid = []
    for obligation in obligations:
        total = sum(obligation.owed) if pool else 0
        if pool >= total > 0:
            paid.append(obligation.owed)
            pool -= total
        else:
            paid.append(_part(obligation.owed, pool, order) if total else NOTHING)
            pool = 0 if total else pool
    return Allocation(tuple([obligation.owed for obligation in obligations]), tuple(paid), pool)


def _part(owed: Parts, pool: int, order: Sequence[int]) -> Parts:
    paid = list(NOTHING)
    for position in order:
        paid[position] = min(pool, owed[position])
        pool -= paid[position]
    return (paid[0], paid[1], paid[2], paid[3])


class _Waterfall:
    """The running account. Charges lie apart until the day on which they are assessed, then join their instalment."""

    __slots__ = ("_charges", "_due", "_first_open", "_index", "_order", "_owed", "_paid", "_waiting", "pool")

    def __init__(self, obligations: Sequence[Obligation], charges: Sequence[Charge], order: list[int]) -> None:
        self._due = [obligation.due_date for obligation in obligations]
        self._index = {obligation.instalment_id: at for at, obligation in enumerate(obligations)}
        self._order = order
        self._owed = [list(obligation.owed) for obligation in obligations]
        self._paid = [list(NOTHING) for _ in obligations]
        self._first_open = 0
        self.pool = 0
        self._charges = sorted(
            (charge.assessed_on, charge.charge_id, self._index[charge.instalment_id], POSITION[charge.component],
             charge.amount_minor)
            for charge in charges
            if charge.instalment_id in self._index
        )  # fmt: skip
        self._waiting = 0

    def take_directed(self, payment: Payment) -> int:
        """Credit what the lender allocated; return what is left for the pool."""
        rest = payment.amount_minor
        for part in payment.directed:
            at = self._index.get(part.instalment_id)
            if at is not None:
                position = POSITION[part.component]
                taken = min(part.amount_minor, self._room_with_charges(at, position))
                self._paid[at][position] += taken
                rest -= taken
        return rest

    def _room_with_charges(self, at: int, position: int) -> int:
        """A lender may allocate to a charge that it published with a later date: it counts as owed for that."""
        charged = sum(amount for _, _, where, what, amount in self._charges if (where, what) == (at, position))
        return max(0, self._owed[at][position] + charged - self._paid[at][position])

    def run_by_date(self, pooled: Sequence[tuple[date, int]], carried_minor: int) -> None:
        """Let money meet only what had been owed by its value date, so that a later penalty stays the penalty."""
        self.pool = carried_minor
        due = [(day, 0) for day in self._due]
        assessed = [(day, 0) for day, *_ in self._charges]
        for day, amount in sorted([*due, *assessed, *pooled]):
            self.pool += amount
            if self.pool:
                self.pour(bisect_right(self._due, day), charges_until=day)

    def pour(self, reached: int, charges_until: date) -> None:
        """Pay the first `reached` obligations from the pool, oldest first."""
        self._join_charges(charges_until)
        for at in range(self._first_open, reached):
            if not self.pool:
                return
            owed, paid = self._owed[at], self._paid[at]
            for position in self._order:
                taken = min(self.pool, owed[position] - paid[position])
                if taken > 0:
                    paid[position] += taken
                    self.pool -= taken
            if self.pool and at == self._first_open:
                self._first_open += 1

    def _join_charges(self, until: date) -> None:
        while self._waiting < len(self._charges) and self._charges[self._waiting][0] <= until:
            _, _, at, position, amount = self._charges[self._waiting]
            self._owed[at][position] += amount
            self._first_open = min(self._first_open, at)
            self._waiting += 1

    def result(self) -> Allocation:
        owed = tuple([(a, b, c, d) for a, b, c, d in self._owed])
        paid = tuple([(a, b, c, d) for a, b, c, d in self._paid])
        return Allocation(owed, paid, self.pool)
