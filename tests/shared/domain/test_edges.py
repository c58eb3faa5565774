"""Edges of a loan and its policy: which of two terms stands, when time alone changes nothing, how an error is named."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from shared.domain.loan import DOUBT_MS, PARKED_MS, doubt, next_change_at
from shared.domain.policy_errors import PolicyError
from shared.domain.strategy import load_strategy
from tests.shared.domain.loan_builder import NOW_MS, boarded, charge, loan_of, opened


def test_of_the_same_revision_the_terms_of_the_boarding_stand() -> None:
    """Opened as its old system knew it, boarded as it moved in: in any order the boarding's terms hold."""
    said = [opened(grace_days=1), boarded("2024-02-20", {}, grace_days=2), opened(revision=1, grace_days=3)]
    for order in permutations(said[:2]):
        loan = loan_of(*order)
        assert loan.terms is not None
        assert (loan.terms.grace_days, loan.terms.boarded) == (2, True)
    for order in permutations(said):
        loan = loan_of(*order)
        assert loan.terms is not None
        assert (loan.terms.grace_days, loan.terms.boarded) == (3, False)


def test_an_instant_that_has_come_is_no_change_to_come() -> None:
    """At the instant at which a doubt ends, or a parked fact is reported, nothing more is to come."""
    doubted = doubt(loan_of(opened()), "loan-1", "lending.repayments", "lending.repayments/0/7", NOW_MS)
    assert doubted is not None
    assert next_change_at(doubted, NOW_MS + DOUBT_MS - 1) == NOW_MS + DOUBT_MS
    assert next_change_at(doubted, NOW_MS + DOUBT_MS) is None
    parked = loan_of(opened(), charge("c", "a", "2024-03-01", 5))
    assert next_change_at(parked, NOW_MS + PARKED_MS - 1) == NOW_MS + PARKED_MS
    assert next_change_at(parked, NOW_MS + PARKED_MS) is None


def test_a_policy_that_cannot_be_read_at_all_is_named_as_the_file() -> None:
    """Tables nested without end are refused; the error points at the file, for there is no key to point at."""
    table: dict[str, Any] = {}
    for _ in range(300):
        table = {"defaults": table}
    with pytest.raises(PolicyError, match=r"^strategy\.toml: file"):
        load_strategy(table, "strategy.toml")
