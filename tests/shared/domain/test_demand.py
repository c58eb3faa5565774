from __future__ import annotations

from datetime import date, timedelta

import pytest

from shared.contract.loans import Role
from shared.contract.requests import WithdrawalReason
from shared.domain.delinquency import InstalmentRow
from shared.domain.demand import CAUSES_MAX, blocked, causes, demand_of, objection, primary_borrower
from shared.domain.loan import Loan, apply
from shared.domain.loan_state import Obligor
from tests.services.lending import BEN, DUE, JOINT, LOAN, at, closed, held, opened, promised, scheduled


def row(name: str, owed: int, paid: int = 0, due: date = DUE) -> InstalmentRow:
    return InstalmentRow(name, due, due, (0, 0, 0, owed), (0, 0, 0, paid), 3, f"fact-{name}")


def loan(*facts: object) -> Loan:
    built = Loan(LOAN)
    for n, data in enumerate((opened(obligors=JOINT), scheduled(), *facts)):
        applied = apply(built, LOAN, data, f"fact-{n}", at(0)).loan  # type: ignore[arg-type]
        assert applied is not None
        built = applied
    return built


def test_a_demand_adds_up_what_is_unpaid_and_names_it() -> None:
    """Instalments in their order with due dates, the sum by component, the greatest age, and their facts as causes."""
    demand = demand_of([row("i1", 100, 40), row("i2", 50)])
    assert demand.instalments == (("i1", DUE), ("i2", DUE))
    assert (demand.amounts, demand.amount_minor, demand.days_past_due) == ((0, 0, 0, 110), 110, 3)
    assert demand.caused_by == ("fact-i1", "fact-i2")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row("i1", 100), row("i2", 50)], None),
        ([row("i1", 100, 30), row("i2", 50)], WithdrawalReason.AMOUNT_CHANGED),
        ([row("i1", 100, 100), row("i2", 50, 48)], WithdrawalReason.PAID),
        ([row("i1", 100), row("i2", 50, due=DUE + timedelta(days=1))], WithdrawalReason.INSTALMENT_CHANGED),
        ([row("i2", 50)], WithdrawalReason.AMOUNT_CHANGED),
        ([], WithdrawalReason.INSTALMENT_CHANGED),
        ([row("i1", 100), row("i2", 50), row("i3", 900)], None),
    ],
)
def test_a_demand_stands_while_just_these_instalments_owe_just_this(
    rows: list[InstalmentRow], reason: WithdrawalReason | None
) -> None:
    """Paid up to the tolerance of 2, another amount, another date, gone: each has its reason; others do not matter."""
    assert objection((("i1", DUE), ("i2", DUE)), (0, 0, 0, 150), rows, 2) == reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ((), None),
        ((held("h1", at(0)),), WithdrawalReason.HOLD),
        ((promised("w1", DUE, DUE),), WithdrawalReason.PROMISE),
        ((held("h1", at(0)), promised("w1", DUE, DUE)), WithdrawalReason.HOLD),
        ((held("h1", at(0)), closed(DUE)), WithdrawalReason.LOAN_CLOSED),
    ],
)
def test_the_most_lasting_reason_to_leave_a_loan_alone_is_named(
    given: tuple[object, ...], reason: WithdrawalReason | None
) -> None:
    """The end stands above a hold, a hold above a promise; the fact behind it is the cause."""
    block = blocked(loan(*given), at(0))
    assert (block.reason if block is not None else None) == reason
    assert block is None or block.caused_by


def test_messages_go_to_the_first_borrower_or_to_whoever_is_there() -> None:
    """A guarantor who stands first is passed over, unless nobody is called a borrower."""
    terms = loan().terms
    assert terms is not None
    assert primary_borrower(terms) == "ann"
    alone = loan(opened(revision=1, obligors=JOINT[:1])).terms
    assert alone is not None
    assert (primary_borrower(alone), alone.obligors) == (BEN, (Obligor(BEN, Role.GUARANTOR),))


def test_causes_are_named_once_and_as_many_as_an_event_takes() -> None:
    """Order is kept, repetitions and empty ids fall away, the rest is cut."""
    assert causes(("b", "a"), ("a", "", "c")) == ("b", "a", "c")
    assert len(causes([str(n) for n in range(100)])) == CAUSES_MAX
