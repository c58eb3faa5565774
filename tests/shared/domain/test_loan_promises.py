"""Promises to pay: how long they pause outreach, and when they are kept."""

from __future__ import annotations

import pytest

from shared.domain.loan_promises import open_promise, promise_view
from tests.shared.domain.loan_builder import closed, day, loan_of, midnight, opened, outcomes, paid, promised, reversed_

PROMISE = promised("q", "2024-03-01", "2024-03-10", 500, tolerance_days=2)


@pytest.mark.parametrize(
    ("on", "is_open"),
    [("2024-02-29", False), ("2024-03-01", True), ("2024-03-10", True), ("2024-03-12", True), ("2024-03-13", False)],
)
def test_a_promise_pauses_from_its_day_to_the_end_of_its_tolerance(on: str, is_open: bool) -> None:
    """Both ends are accounting days of the loan, the last of them included."""
    loan = loan_of(opened(), PROMISE)
    assert bool(open_promise(loan, midnight(on))) is is_open


@pytest.mark.parametrize(
    ("money", "status", "received"),
    [
        ([], "broken", 0),
        ([paid("p", "2024-03-05", 200)], "partly_kept", 200),
        ([paid("p", "2024-03-05", 200), paid("r", "2024-03-12", 400)], "kept", 500),
        ([paid("p", "2024-03-13", 500)], "broken", 0),
        ([paid("p", "2024-02-29", 500)], "broken", 0),
        ([paid("p", "2024-03-05", 500), reversed_("p", "2024-03-14")], "broken", 0),
    ],
)
def test_what_becomes_of_a_promise(money: list, status: str, received: int) -> None:
    """Money valued between promise and end of tolerance keeps it; a reversal un-keeps it."""
    (view,) = promise_view(loan_of(opened(), PROMISE, *money), day("2024-03-20"))
    assert (view.status, view.received_minor) == (status, received)


def test_a_promise_is_open_until_its_time_is_over() -> None:
    """On its last day it can still be kept."""
    (view,) = promise_view(loan_of(opened(), PROMISE), day("2024-03-12"))
    assert (view.status, view.ends_on) == ("open", day("2024-03-12"))


def test_no_payment_keeps_two_promises() -> None:
    """Money serves promises in the order in which they fall due, each unit once."""
    later = promised("a", "2024-03-01", "2024-03-20", 500)
    views = promise_view(loan_of(opened(), PROMISE, later, paid("p", "2024-03-05", 700)), day("2024-03-05"))
    assert [(view.promise.promise_id, view.received_minor) for view in views] == [("q", 500), ("a", 200)]


def test_the_longest_promise_pauses() -> None:
    """Of several open promises the one that lasts longest is named."""
    loan = loan_of(opened(), PROMISE, promised("a", "2024-03-01", "2024-03-20", 5))
    found = open_promise(loan, midnight("2024-03-05"))
    assert found is not None
    assert found.promise_id == "a"


def test_a_closed_loan_has_no_promise() -> None:
    """There is nothing left to promise."""
    assert open_promise(loan_of(opened(), PROMISE, closed("2024-03-02")), midnight("2024-03-05")) is None


def test_a_promise_in_another_currency_is_none() -> None:
    """Before the terms it waits and then counts for nothing, after them it is dead."""
    dollars = PROMISE.model_copy(update={"currency": "USD"})
    assert open_promise(loan_of(dollars, opened()), midnight("2024-03-05")) is None
    assert outcomes([opened(), dollars])[-1].dead == "currency_mismatch"
