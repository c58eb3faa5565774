"""What a contact about a loan would demand, and why the loan must be left alone, for all services that ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Final

from shared.contract.base import Channel
from shared.contract.loans import Role
from shared.contract.requests import ContactClass, ContactRequested, WithdrawalReason
from shared.domain.delinquency import InstalmentRow
from shared.domain.doubt import in_doubt
from shared.domain.holds import is_held
from shared.domain.loan_amounts import NOTHING, Parts, amounts_of, minus, plus
from shared.domain.loan_promises import open_promise
from shared.domain.loan_state import Loan, Terms

CAUSES_MAX: Final = 64
"""How many causes an event can name."""
INSTALMENTS_MAX: Final = 600
"""How many instalments a request can name; the amounts are always those of all."""


@dataclass(frozen=True, slots=True)
class Block:
    """Why nothing may be asked about the loan now, and the facts that say so."""

    reason: WithdrawalReason
    caused_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Demand:
    """What a contact would name: instalments with their due dates, and what is unpaid of them."""

    instalments: tuple[tuple[str, date], ...]
    amounts: Parts
    days_past_due: int
    caused_by: tuple[str, ...]

    @property
    def amount_minor(self) -> int:
        """The sum of all components."""
        return sum(self.amounts)


@dataclass(frozen=True, slots=True)
class Wish:
    """How a demand would reach whom, and when."""

    request_id: str
    borrower_id: str
    contact_class: ContactClass
    step: str
    channels: tuple[Channel, ...]
    template: str
    consequences: tuple[str, ...]
    local_date: date
    not_before_ms: int
    not_after_ms: int
    replaces: str | None = None
    """The withdrawn request that this one says anew."""


def blocked(loan: Loan, now_ms: int) -> Block | None:
    """Return why the loan must be left alone at that instant, the most lasting reason first; None if it need not."""
    if loan.closed is not None:
        return Block(WithdrawalReason.LOAN_CLOSED, (loan.closed.fact_id,))
    if in_doubt(loan, now_ms):
        return Block(WithdrawalReason.FACT_IN_DOUBT)
    holds = is_held(loan, now_ms)
    if holds:
        return Block(WithdrawalReason.HOLD, causes(hold.fact_id for hold in holds))
    promise = open_promise(loan, now_ms)
    if promise is not None:
        return Block(WithdrawalReason.PROMISE, (promise.fact_id,))
    return None


def demand_of(rows: Sequence[InstalmentRow]) -> Demand:
    """Return the demand for these instalments, in their order."""
    amounts = NOTHING
    for row in rows:
        amounts = plus(amounts, minus(row.owed_parts, row.paid_parts))
    return Demand(
        instalments=tuple([(row.instalment_id, row.due_date) for row in rows]),
        amounts=amounts,
        days_past_due=max((row.days_past_due for row in rows), default=0),
        caused_by=causes(row.fact_id for row in rows),
    )


def causes(*groups: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of all groups in their order, each once, as many as an event can name."""
    return tuple(islice(dict.fromkeys(fact_id for group in groups for fact_id in group if fact_id), CAUSES_MAX))


def objection(
    instalments: Sequence[tuple[str, date]], amounts: Parts, rows: Sequence[InstalmentRow], tolerance_minor: int
) -> WithdrawalReason | None:
    """Return why a demand made for these instalments and amounts is wrong by what is owed now; None if it stands."""
    owed = {row.instalment_id: row for row in rows}
    named = [(owed.get(instalment_id), due_date) for instalment_id, due_date in instalments]
    left = [row for row, _ in named if row is not None]
    demand = demand_of(left)
    if not left or any(row is not None and row.due_date != due_date for row, due_date in named):
        return WithdrawalReason.INSTALMENT_CHANGED
    if demand.amount_minor <= tolerance_minor:
        return WithdrawalReason.PAID
    return WithdrawalReason.AMOUNT_CHANGED if demand.amounts != amounts else None


def primary_borrower(terms: Terms) -> str:
    """Return whom the loan's messages go to: the first borrower, the first obligor where nobody is called one."""
    borrowers = [obligor for obligor in terms.obligors if obligor.role is Role.BORROWER]
    return (borrowers or terms.obligors)[0].borrower_id


def contact_request(loan_id: str, terms: Terms, wish: Wish, demand: Demand, policy_hash: str) -> ContactRequested:
    """Return the request for a contact that makes this demand."""
    due_dates = [due_date for _, due_date in demand.instalments]
    return ContactRequested(
        borrower_id=wish.borrower_id,
        request_id=wish.request_id,
        loan_id=loan_id,
        lender_id=terms.lender_id,
        contact_class=wish.contact_class,
        step=wish.step,
        channels=wish.channels,
        template=wish.template,
        currency=terms.currency,
        amount_due_minor=demand.amount_minor,
        amounts=amounts_of(demand.amounts),
        instalment_ids=tuple([instalment_id for instalment_id, _ in demand.instalments[:INSTALMENTS_MAX]]),
        oldest_due_date=min(due_dates, default=None),
        days_past_due=demand.days_past_due,
        consequences=wish.consequences,
        local_date=wish.local_date,
        not_before_ms=wish.not_before_ms,
        not_after_ms=wish.not_after_ms,
        replaces_request_id=wish.replaces,
        policy=policy_hash,
        caused_by=demand.caused_by,
    )
