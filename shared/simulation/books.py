"""A loan in the lender's own books: what the lender believes is owed, apart from everything that duecourse knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from shared.contract.base import Event
from shared.contract.loans import InstalmentChanged, InstalmentScheduled, LoanClosed
from shared.contract.repayments import RepaymentReceived
from shared.simulation.portfolio import Account


@dataclass(slots=True)
class Owed:
    """An instalment in the lender's own books."""

    due_date: date
    owed_minor: int
    paid_minor: int = 0

    @property
    def open_minor(self) -> int:
        """What is still missing."""
        return max(0, self.owed_minor - self.paid_minor)


@dataclass(slots=True)
class Book:
    """A loan in the lender's own books."""

    account: Account
    owed: dict[str, Owed] = field(default_factory=dict)
    payments: int = 0
    promises: int = 0
    closed: bool = False

    @property
    def open_minor(self) -> int:
        """What is still missing of all instalments scheduled so far."""
        return sum(owed.open_minor for owed in self.owed.values())

    def due_minor(self, today: date) -> int:
        """Return what is missing of what has fallen due."""
        return sum(owed.open_minor for owed in self.owed.values() if owed.due_date <= today)

    def settle(self, amount_minor: int) -> None:
        """Book money, oldest due date first."""
        for owed in sorted(self.owed.values(), key=lambda owed: owed.due_date):
            part = min(owed.open_minor, amount_minor)
            owed.paid_minor += part
            amount_minor -= part

    def take_back(self, amount_minor: int) -> int:
        """Undo money, newest due date first; return how much was undone."""
        rest = amount_minor
        for owed in sorted(self.owed.values(), key=lambda owed: owed.due_date, reverse=True):
            part = min(owed.paid_minor, rest)
            owed.paid_minor -= part
            rest -= part
        return amount_minor - rest

    def note(self, event: Event) -> None:
        """Keep right for what a script did."""
        if isinstance(event, (InstalmentScheduled, InstalmentChanged)):
            paid = self.owed[event.instalment_id].paid_minor if event.instalment_id in self.owed else 0
            self.owed[event.instalment_id] = Owed(event.due_date, event.amounts.total_minor, paid)
        elif isinstance(event, RepaymentReceived):
            self.settle(event.amount_minor)
        elif isinstance(event, LoanClosed):
            self.closed = True
