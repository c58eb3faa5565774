"""Horizon and gravestone: what is folded, what is kept, and what comes too late."""

from __future__ import annotations

import pytest

from shared.contract.codec import DeadReason
from shared.domain.loan import apply, assess, compact, gravestone_at
from shared.kernel.step import Verdict
from tests.shared.domain.loan_builder import (
    LOAN_ID,
    NOW_MS,
    boarded,
    charge,
    closed,
    day,
    hold,
    lifted,
    loan_of,
    midnight,
    opened,
    outcomes,
    paid,
    promised,
    reversed_,
    scheduled,
)

LATER = midnight("2029-02-28")
"""Five years after 2024-02-28."""


def test_nothing_old_means_the_same_loan() -> None:
    """A loan younger than the horizon is not touched: the same object, so nothing is written."""
    loan = loan_of(opened(), scheduled("a", "2024-02-28"), paid("p", "2024-02-28", 1_000))
    assert compact(loan, LATER) is loan
    assert compact(loan_of(paid("p", "2020-01-01", 5)), LATER).payments


def test_paid_history_becomes_totals_and_arrears_stay() -> None:
    """Paid instalments and their money are counted and gone; what is unpaid keeps its date, however old."""
    loan = loan_of(
        opened(),
        scheduled("a", "2024-01-10"),
        scheduled("b", "2024-02-10"),
        paid("p", "2024-01-10", 1_300),
        hold("h", "2024-01-01", "2024-01-05"),
        lifted("h", "2024-01-03"),
        promised("q", "2024-01-01", "2024-01-05", 5),
        hold("open", "2024-01-01"),
    )
    folded = compact(loan, LATER)
    assert [(item.instalment_id, sum(item.owed)) for item in folded.instalments] == [("b", 700)]
    assert (folded.payments, folded.promises, folded.lifts) == ((), (), ())
    assert [item.hold_id for item in folded.holds] == ["open"]
    horizon = folded.horizon
    assert horizon is not None
    assert (horizon.before, horizon.instalments, horizon.payments) == (day("2024-02-28"), 1, 1)
    assert (horizon.received_minor, horizon.settled_minor, horizon.unapplied_minor) == (1_300, 1_300, 0)
    assert assess(folded, day("2029-02-28")).oldest_unpaid_due_date == day("2024-02-10")


def test_money_ahead_of_its_time_is_carried_over_the_horizon() -> None:
    """Unapplied cash from before the horizon pays what falls due after it."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), scheduled("z", "2029-03-10"), paid("p", "2024-01-10", 1_600))
    folded = compact(loan, LATER)
    assert folded.horizon is not None
    assert folded.horizon.unapplied_minor == 600
    assert assess(folded, day("2029-03-11")).amount_overdue_minor == 400


def test_a_horizon_never_parts_a_payment_from_its_reversal() -> None:
    """Where a reversal lies after the horizon, the horizon stays before its payment."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), paid("p", "2024-02-20", 1_000), reversed_("p", "2024-03-05"))
    folded = compact(loan, LATER)
    assert folded.horizon is not None
    assert folded.horizon.before == day("2024-02-20")
    assert assess(folded, day("2029-02-28")).amount_overdue_minor == 1_000


def test_a_boarded_loan_is_folded_like_any_other() -> None:
    """What was boarded as unpaid and paid since becomes a total."""
    loan = loan_of(
        boarded("2024-01-01", {"a": ("2023-12-10", 500), "b": ("2024-02-10", 500)}), paid("p", "2024-01-10", 700)
    )
    folded = compact(loan, LATER)
    assert folded.boarding is not None
    assert [(item.instalment_id, sum(item.owed)) for item in folded.boarding.instalments] == [("b", 300)]


@pytest.mark.parametrize(
    "late", [paid("x", "2024-02-27", 5), scheduled("x", "2024-02-27"), charge("x", "b", "2024-02-27", 5)]
)
def test_facts_about_settled_history_are_dead(late: object) -> None:
    """What is dated before the horizon cannot be judged any more; what is dated on it can."""
    folded = compact(loan_of(opened(), scheduled("a", "2024-01-10"), paid("p", "2024-01-10", 1_000)), LATER)
    assert outcomes([late], folded)[-1].dead is DeadReason.BEFORE_HORIZON  # type: ignore[list-item]
    assert outcomes([paid("y", "2024-02-28", 5)], folded)[-1].verdict is Verdict.APPLIED


def test_a_closed_loan_shrinks_after_its_last_month() -> None:
    """It stays whole for 45 days, so that its last month is furnished; then only terms and end are left."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), closed("2024-03-01"))
    at = midnight("2024-04-15")
    assert gravestone_at(loan, midnight("2024-03-02")) == at
    assert compact(loan, at - 1) is loan
    stone = compact(loan, at)
    assert (stone.gravestone, stone.terms, stone.closed) == (True, loan.terms, loan.closed)
    assert (stone.instalments, stone.payments) == ((), ())
    assert (compact(stone, at + 1), gravestone_at(stone, at)) == (stone, None)
    assert gravestone_at(loan, at + 5) == at + 6
    assert gravestone_at(loan_of(opened()), at) is None


def test_stray_facts_leave_a_gravestone_as_it_is() -> None:
    """Years later a fact about an ended loan is accepted, and nothing of it stays (trap T-21)."""
    stone = compact(loan_of(opened(), closed("2024-01-01")), NOW_MS)
    for fact in (opened(3), scheduled("a", "2024-07-01"), paid("p", "2024-07-01", 5), closed("2024-08-01")):
        applied = apply(stone, LOAN_ID, fact, "f", NOW_MS)
        assert (applied.verdict, applied.loan) == (Verdict.APPLIED, stone)
