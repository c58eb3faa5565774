"""Delinquency against a slow model that walks day by day, and what the views say of edges and closed loans."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.base import Component
from shared.contract.examples import EXAMPLES
from shared.contract.loans import LoanOpened
from shared.domain.delinquency import (
    Basis,
    Edges,
    amount_overdue,
    assess,
    days_past_due,
    instalment_view,
    is_closed,
    oldest_unpaid_due_date,
    treatment_days,
)
from shared.domain.loan import apply
from tests.shared.domain.loan_builder import charge, closed, day, loan_of, opened, paid, reversed_, scheduled

START = date(2024, 1, 1)
OFFSETS = st.integers(0, 40)
MINOR = st.integers(1, 60)


def iso(offset: int) -> str:
    return (START + timedelta(days=offset)).isoformat()


def walked(dues: list, charges: list, money: list, until: int, tolerance: int) -> tuple[int, int]:
    """Days past due and overdue amount, by paying one unit after the other on one day after the other."""
    units: list[list] = []
    pool = 0
    for today in range(until + 1):
        units += [[due, name, "d", False] for name, due, amount in dues if due == today for _ in range(amount)]
        for name, on, amount in charges:
            due = next((due for other, due, _ in dues if other == name), None)
            if due is not None and max(due, on) == today:
                units += [[due, name, "a", False] for _ in range(amount)]
        pool += sum(amount for on, amount in money if on == today)
        for unit in sorted((unit for unit in units if not unit[3]), key=lambda unit: unit[:3])[:pool]:
            unit[3] = True
            pool -= 1
    overdue = sorted(unit[0] for unit in units if not unit[3] and unit[0] < until)
    age = until - overdue[tolerance] if len(overdue) > tolerance else 0
    return age, len(overdue)


@settings(max_examples=300, deadline=None)
@given(
    dues=st.lists(st.tuples(OFFSETS, MINOR), min_size=1, max_size=4),
    charges=st.lists(st.tuples(st.integers(0, 3), OFFSETS, st.integers(1, 10)), max_size=3),
    money=st.lists(st.tuples(OFFSETS, MINOR), max_size=5),
    until=OFFSETS,
    tolerance=st.integers(0, 5),
)
def test_views_agree_with_a_walk_day_by_day(dues: list, charges: list, money: list, until: int, tolerance: int) -> None:
    """Age and amount are those of a model that pays unit by unit on each day, oldest due first, penalties first."""
    named = [(f"i{at}", due, amount) for at, (due, amount) in enumerate(dues)]
    charged = [(f"i{at}", on, amount) for at, on, amount in charges]
    facts = [
        opened(tolerance_minor=tolerance),
        *(scheduled(name, iso(due), amount) for name, due, amount in named),
        *(charge(f"c{at}", name, iso(on), amount) for at, (name, on, amount) in enumerate(charged)),
        *(paid(f"p{at}", iso(on), amount) for at, (on, amount) in enumerate(money)),
    ]
    view = assess(loan_of(*facts), START + timedelta(days=until))
    assert (view.days_past_due, view.amount_overdue_minor) == walked(named, charged, money, until, tolerance)


def test_the_single_views_are_the_parts_of_the_whole() -> None:
    """Each view by itself says what `assess` says."""
    loan = loan_of(opened(grace_days=3), scheduled("a", "2024-01-10"), paid("p", "2024-01-12", 400))
    on, view = day("2024-02-01"), assess(loan_of(opened()), day("2024-02-01"))
    assert view.rows == ()
    view = assess(loan, on)
    assert days_past_due(loan, on) == view.days_past_due == 22
    assert treatment_days(loan, on) == view.treatment_days == 19
    assert amount_overdue(loan, on) == view.amount_overdue
    assert oldest_unpaid_due_date(loan, on) == view.oldest_unpaid_due_date == day("2024-01-10")
    assert instalment_view(loan, on) == view.rows
    assert view.rows[0].owed.principal_minor == 1_000
    assert view.rows[0].paid.principal_minor == 400
    assert view.rows[0].unpaid.principal_minor == 600


def test_a_row_names_the_fact_behind_it() -> None:
    """A row carries the id of the event that last said what the instalment is."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"))
    assert assess(loan, day("2024-01-10")).rows[0].fact_id == "lending.instalment.scheduled.v1/loan-1/a/0"


def test_a_later_charge_ages_with_its_instalment() -> None:
    """A penalty on an instalment that was paid late is as old as that instalment, and no older than its own day."""
    loan = loan_of(
        opened(), scheduled("a", "2024-01-10"), paid("p", "2024-01-12", 1_000), charge("c", "a", "2024-01-15", 5)
    )
    assert [days_past_due(loan, day(on)) for on in ("2024-01-14", "2024-01-15")] == [0, 5]


def test_a_charge_taken_back_is_no_charge() -> None:
    """A higher revision with amount 0 leaves nothing owed."""
    loan = loan_of(
        opened(),
        scheduled("a", "2024-01-10", 0),
        charge("c", "a", "2024-01-15", 5),
        charge("c", "a", "2024-01-15", 0, revision=1),
    )
    assert assess(loan, day("2024-02-01")).amount_overdue_minor == 0


def test_a_charge_without_its_instalment_is_not_owed() -> None:
    """Nothing is demanded for a charge whose instalment nobody has published."""
    assert assess(loan_of(opened(), charge("c", "a", "2024-01-15", 5)), day("2024-02-01")).amount_overdue_minor == 0


def test_equal_due_dates_are_paid_in_order_of_ids() -> None:
    """Two instalments of one day are a fixed order, not an accident of arrival."""
    for order in (("a", "b"), ("b", "a")):
        loan = loan_of(opened(), *(scheduled(name, "2024-01-10") for name in order), paid("p", "2024-01-10", 1_000))
        assert [row.unpaid_minor for row in assess(loan, day("2024-02-01")).rows] == [0, 1_000]


def test_reversal_on_or_before_the_value_date_means_never_paid() -> None:
    """A payment booked by mistake that is reversed with its own date counts on no day."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), paid("p", "2024-01-12", 1_000), reversed_("p", "2024-01-12"))
    assert [days_past_due(loan, day(on)) for on in ("2024-01-12", "2024-01-13")] == [2, 3]


def test_closing_counts_at_once_for_contact_and_by_its_date_on_the_books() -> None:
    """A loan that will end next week is not chased this week, and its books age until then."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), closed("2024-01-20"))
    assert [is_closed(loan, day("2024-01-19"), basis) for basis in Basis] == [False, True]
    assert days_past_due(loan, day("2024-01-19")) == 9
    assert days_past_due(loan, day("2024-01-19"), Basis.CONTACT) == 0
    assert days_past_due(loan, day("2024-01-20")) == 0


@pytest.mark.parametrize("steps", [(), ((1, "a"),), ((0, "a"), (0, "b")), ((0, "a"), (9, "b"), (5, "c"))])
def test_edges_that_do_not_ascend_from_zero_are_refused(steps: tuple) -> None:
    """A regime with a hole, an overlap or no beginning is a mistake that shows at once."""
    with pytest.raises(ValueError, match="do not ascend"):
        Edges("wrong", steps)


def test_the_contracts_own_example_opens_a_loan() -> None:
    """The example of the catalogue is a loan without arrears, with all components in its order."""
    example = EXAMPLES[LoanOpened.TYPE]
    loan = apply(None, "loan-7", example, "f", 0).loan
    assert loan is not None
    assert loan.terms is not None
    assert set(loan.terms.allocation_order) == set(Component)
    assert assess(loan, day("2024-01-10")).days_past_due == 0
