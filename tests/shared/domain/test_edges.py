"""Edges of a loan and its policy: which of two terms stands, when time alone changes nothing, how an error is named."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from shared.contract.base import Event
from shared.contract.codec import DeadReason
from shared.domain.loan import DOUBT_MS, FACTS_MAX, PARKED_MS, apply, compact, doubt, next_change_at, parked
from shared.domain.policy_errors import PolicyError
from shared.domain.strategy import load_strategy
from shared.kernel.step import Verdict
from tests.shared.domain.loan_builder import (
    LOAN_ID,
    NOW_MS,
    boarded,
    charge,
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
    waiting = loan_of(opened(), charge("c", "a", "2024-03-01", 5))
    assert next_change_at(waiting, NOW_MS + PARKED_MS - 1) == NOW_MS + PARKED_MS
    assert next_change_at(waiting, NOW_MS + PARKED_MS) is None


def test_a_return_goes_into_history_with_its_payment() -> None:
    """Both lie before the horizon: neither is kept, so that no return waits for a payment that is there no more."""
    came_back = [paid("p", "2024-01-10", 1_000), reversed_("p", "2024-01-20")]
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), *came_back, paid("q", "2024-02-01", 1_000))
    folded = compact(loan, midnight("2029-02-28"))
    assert folded.horizon is not None
    assert (folded.payments, folded.reversals, parked(folded)) == ((), (), ())


def _each_kind(name: str, revision: int = 0) -> list[Event]:
    """One fact of each kind that is kept under its own id; a changed one says something else."""
    return [
        scheduled(name, "2024-03-10", 5 + revision, revision=revision),
        charge(name, "a", "2024-03-10", 5 + revision, revision=revision),
        hold(name, "2024-03-01", f"2024-03-0{2 + revision}", revision=revision),
        promised(name, "2024-03-01", "2024-03-05", 5 + revision, revision=revision),
        paid(name, "2024-03-10", 5),
        reversed_(name, "2024-03-11"),
        lifted(name, "2024-03-01"),
    ]


def test_a_full_loan_takes_no_fact_more_of_any_kind_and_every_change_of_one_it_has() -> None:
    """At the bound each kind of new fact is a dead letter by name; revisions of known facts are applied."""
    known = _each_kind("known")
    rest = [scheduled(f"i{number:05}", "2024-02-01", 1) for number in range(FACTS_MAX - len(known))]
    loan = loan_of(opened(), *known, *rest)
    new = [*_each_kind("new"), boarded("2024-01-01", {"b": ("2023-12-10", 500)})]
    results = [apply(loan, LOAN_ID, fact, "f", NOW_MS) for fact in new]
    assert {one.dead for one in results} == {DeadReason.BOUND_EXCEEDED}
    changed = [apply(loan, LOAN_ID, fact, "f", NOW_MS) for fact in _each_kind("known", revision=1)[:4]]
    assert {(one.verdict, one.dead) for one in changed} == {(Verdict.APPLIED, None)}


def test_a_policy_that_cannot_be_read_at_all_is_named_as_the_file() -> None:
    """Tables nested without end are refused; the error points at the file, for there is no key to point at."""
    table: dict[str, Any] = {}
    for _ in range(300):
        table = {"defaults": table}
    with pytest.raises(PolicyError, match=r"^strategy\.toml: file"):
        load_strategy(table, "strategy.toml")


def test_a_changed_amount_takes_the_place_of_the_one_before() -> None:
    """An instalment near the most that a loan may owe can be changed: what it was is not counted beside what it is."""
    loan = loan_of(opened(), scheduled("a", "2024-03-10", 4 * 10**14))
    again = apply(loan, LOAN_ID, scheduled("a", "2024-03-10", 4 * 10**14 + 1, revision=1), "f", NOW_MS)
    assert (again.verdict, again.dead) == (Verdict.APPLIED, None)
    other = apply(loan, LOAN_ID, scheduled("b", "2024-03-10", 4 * 10**14), "f", NOW_MS)
    assert other.dead is DeadReason.AMOUNT_IMPOSSIBLE
