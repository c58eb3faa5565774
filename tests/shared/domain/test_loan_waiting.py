"""Parked facts, and the next instant at which time alone changes a loan."""

from __future__ import annotations

import pytest

from shared.domain.loan import PARKED_MS, compact, next_change_at, overdue_parked, parked
from tests.shared.domain.loan_builder import (
    NOW_MS,
    boarded,
    charge,
    closed,
    hold,
    lifted,
    loan_of,
    midnight,
    opened,
    paid,
    promised,
    reversed_,
    scheduled,
)

BASE = [opened(), scheduled("a", "2024-03-10")]


@pytest.mark.parametrize(
    ("facts", "now", "change"),
    [
        ([opened()], "2024-03-01", None),
        (BASE, "2024-03-01", "2024-03-10"),
        (BASE, "2024-03-10", "2024-03-11"),
        (BASE, "2024-04-01", "2024-04-02"),
        ([*BASE, paid("p", "2024-03-01", 1_000)], "2024-03-01", None),
        ([*BASE, paid("p", "2024-03-01", 999)], "2024-03-01", "2024-03-10"),
        ([*BASE, paid("p", "2024-03-05", 1_000)], "2024-03-01", "2024-03-05"),
        ([*BASE, paid("p", "2024-03-01", 1_000), charge("c", "a", "2024-03-04", 5)], "2024-03-01", "2024-03-04"),
        ([*BASE, paid("p", "2024-03-01", 1_000), reversed_("p", "2024-03-07")], "2024-03-02", "2024-03-07"),
        ([*BASE, hold("h", "2024-03-05", "2024-03-08")], "2024-03-01", "2024-03-05"),
        ([*BASE, hold("h", "2024-03-05", "2024-03-08")], "2024-03-05", "2024-03-08"),
        ([opened(), promised("q", "2024-03-05", "2024-03-07", 5, tolerance_days=1)], "2024-03-01", "2024-03-05"),
        ([opened(), promised("q", "2024-03-05", "2024-03-07", 5, tolerance_days=1)], "2024-03-05", "2024-03-09"),
        ([*BASE, closed("2024-03-06")], "2024-03-01", "2024-03-06"),
        ([*BASE, closed("2024-03-06")], "2024-03-06", None),
    ],
)
def test_next_change(facts: list, now: str, change: str | None) -> None:
    """The next local midnight, or the next edge of a hold, at which a view differs; None where nothing will."""
    assert next_change_at(loan_of(*facts), midnight(now)) == (midnight(change) if change else None)


def test_the_day_of_a_loan_with_a_cutoff_begins_the_evening_before() -> None:
    """Days change at the accounting cut-off, not at midnight."""
    loan = loan_of(opened(cutoff="22:00"), scheduled("a", "2024-03-10"))
    assert next_change_at(loan, midnight("2024-03-01")) == midnight("2024-03-10") - 2 * 3_600_000


def test_every_fact_without_its_partner_is_parked() -> None:
    """Charges, reversals and liftings wait for theirs; what has its partner does not."""
    waiting = [charge("c", "a", "2024-03-01", 5), reversed_("p", "2024-03-01"), lifted("h", "2024-03-01")]
    loan = loan_of(opened(), *waiting)
    assert {item.reason for item in parked(loan)} == {"no_instalment", "no_payment", "no_hold"}
    assert overdue_parked(loan, NOW_MS) == ()
    assert len(overdue_parked(loan, NOW_MS + PARKED_MS)) == 3
    partners = [scheduled("a", "2024-03-01"), paid("p", "2024-03-01", 5), hold("h", "2024-02-01")]
    assert parked(loan_of(opened(), *waiting, *partners)) == ()


def test_what_boarding_contains_already_is_reported_at_once() -> None:
    """A charge and an instalment from before the boarding, known before it, can never count and say so."""
    loan = loan_of(
        scheduled("gone", "2024-01-10"),
        charge("c", "a", "2024-02-01", 5),
        boarded("2024-02-20", {"a": ("2024-01-15", 400)}),
    )
    assert {(item.reason, item.dead) for item in overdue_parked(loan, NOW_MS)} == {("impossible", "before_horizon")}
    assert len(parked(loan)) == 2


def test_a_gravestone_waits_for_nothing() -> None:
    """An ended loan of which nothing is left changes no more."""
    stone = compact(loan_of(*BASE, closed("2024-01-01")), NOW_MS)
    assert (parked(stone), next_change_at(stone, NOW_MS)) == ((), None)
