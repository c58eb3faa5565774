"""Holds: their ends, their revisions, and counting of paused days against a plain set of dates."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.codec import DeadReason
from shared.domain.holds import days_paused, held_within, hold_end, is_held, next_hold_change
from tests.shared.domain.loan_builder import hold, lifted, loan_of, midnight, opened, outcomes

START = date(2024, 3, 1)
SPANS = st.tuples(st.integers(0, 30), st.integers(1, 12))


def iso(offset: int) -> str:
    return (START + timedelta(days=offset)).isoformat()


@settings(max_examples=200, deadline=None)
@given(spans=st.lists(SPANS, max_size=5), after=st.integers(0, 30), days=st.integers(0, 30))
def test_paused_days_are_those_of_a_plain_set(spans: list[tuple[int, int]], after: int, days: int) -> None:
    """Each accounting day of a span that lies in any hold counts once."""
    holds = [hold(f"h{at}", iso(first), iso(first + length)) for at, (first, length) in enumerate(spans)]
    covered = {first + n for first, length in spans for n in range(length)}
    wanted = len(covered & set(range(after + 1, after + days + 1)))
    loan = loan_of(opened(), *holds)
    assert days_paused(loan, START + timedelta(days=after), START + timedelta(days=after + days)) == wanted


def test_a_hold_without_an_end_lasts_until_it_is_lifted() -> None:
    """Nobody knows its end, so it pauses every day, until the lifting sets one."""
    loan = loan_of(opened(), hold("h", "2024-03-05"))
    assert hold_end(loan, loan.holds[0]) is None
    assert is_held(loan, midnight("2030-01-01"))
    assert next_hold_change(loan, midnight("2024-03-06")) is None
    ended = loan_of(opened(), hold("h", "2024-03-05"), lifted("h", "2024-03-08"))
    assert hold_end(ended, ended.holds[0]) == midnight("2024-03-08")
    assert not is_held(ended, midnight("2024-03-08"))


def test_a_lifting_never_prolongs_a_hold() -> None:
    """Lifted after its own end, a hold has ended at its own end."""
    loan = loan_of(opened(), hold("h", "2024-03-05", "2024-03-07"), lifted("h", "2024-03-09"))
    assert hold_end(loan, loan.holds[0]) == midnight("2024-03-07")


def test_a_hold_lifted_before_it_began_never_holds() -> None:
    """It pauses no day and announces no change."""
    loan = loan_of(opened(), lifted("h", "2024-03-01"), hold("h", "2024-03-05", "2024-03-07"))
    assert not is_held(loan, midnight("2024-03-06"))
    assert days_paused(loan, START, date(2024, 3, 31)) == 0
    assert next_hold_change(loan, midnight("2024-02-01")) is None


def test_an_interval_meets_holds_that_begin_inside_it() -> None:
    """An interval is judged whole: a hold that begins before its end meets it, one that begins at its end does not."""
    loan = loan_of(opened(), hold("h", "2024-03-05", "2024-03-07"))
    start = midnight("2024-03-05")
    assert held_within(loan, start - 10, start + 1)
    assert not held_within(loan, start - 10, start)
    assert not held_within(loan, midnight("2024-03-07"), midnight("2024-03-08"))


def test_changes_of_holds_are_announced_in_turn() -> None:
    """Beginning and end of a hold are the next changes, strictly after the asked instant."""
    loan = loan_of(opened(), hold("h", "2024-03-05", "2024-03-07"))
    start, end = midnight("2024-03-05"), midnight("2024-03-07")
    assert [next_hold_change(loan, at) for at in (start - 1, start, end - 1, end)] == [start, end, end, None]


@pytest.mark.parametrize("end", ["2024-03-05", "2024-03-04"])
def test_a_hold_that_ends_before_it_begins_is_dead(end: str) -> None:
    """An interval without an instant in it is a mistake of its producer, not a hold."""
    assert outcomes([opened(), hold("h", "2024-03-05", end)])[-1].dead is DeadReason.DATE_IMPOSSIBLE
