"""Facts in doubt: who is left alone because of a dead letter, for how long, and what ends it."""

from __future__ import annotations

import pytest

from shared.contract.arrangements import DeadLetterDiscarded
from shared.domain.doubt import DOUBT_MS, doubt, in_doubt, lift_doubt
from shared.domain.loan import apply, compact, next_change_at
from shared.domain.loan_state import DOUBTS_MAX, Loan
from tests.shared.domain.loan_builder import LOAN_ID, NOW_MS, closed, loan_of, opened, paid

AT = "lending.repayments/0/7"


def doubted(loan: Loan | None, topic: str = "lending.repayments", at: str = AT, now_ms: int = NOW_MS) -> Loan:
    after = doubt(loan, LOAN_ID, topic, at, now_ms)
    assert after is not None
    return after


@pytest.mark.parametrize("topic", ["lending.repayments", "lending.arrangements"])
def test_a_dead_letter_that_may_have_helped_puts_the_loan_in_doubt_for_72_hours(topic: str) -> None:
    """From the instant on, for exactly 72 hours; `next_change_at` names the end."""
    loan = doubted(loan_of(opened()), topic)
    assert [bool(in_doubt(loan, NOW_MS + ms)) for ms in (-1, 0, DOUBT_MS - 1, DOUBT_MS)] == [False, True, True, False]
    assert next_change_at(loan, NOW_MS) == NOW_MS + DOUBT_MS


def test_a_dead_letter_about_due_dates_puts_nobody_in_doubt() -> None:
    """An unreadable instalment is no reason to believe that somebody paid."""
    loan = loan_of(opened())
    assert doubt(loan, LOAN_ID, "lending.due-dates", AT, NOW_MS) is loan
    assert doubt(None, LOAN_ID, "lending.due-dates", AT, NOW_MS) is None


def test_a_quarantined_fact_puts_its_loan_in_doubt_on_any_topic() -> None:
    """It is true, and unknown to this service alone: it may be a cancellation of what we would ask for."""
    loan = doubt(loan_of(opened()), LOAN_ID, "lending.due-dates", AT, NOW_MS, quarantined=True)
    assert loan is not None
    assert in_doubt(loan, NOW_MS)


def test_an_unknown_loan_can_be_in_doubt() -> None:
    """A dead letter may come before anything else about its loan."""
    assert in_doubt(doubted(None), NOW_MS)


def test_the_same_dead_letter_counts_once() -> None:
    """Seen again later, it does not begin its 72 hours anew."""
    loan = doubted(loan_of(opened()))
    assert doubted(loan, now_ms=NOW_MS + 5) is loan


def test_replay_and_discard_lift_the_doubt() -> None:
    """The replayed record names the dead letter; so does the operator who discards it; other doubts stay."""
    loan = doubted(doubted(loan_of(opened())), at="lending.repayments/0/8")
    replayed = apply(loan, LOAN_ID, paid("p", "2024-05-01", 5), "f", NOW_MS, replaces=AT).loan
    discarded = apply(
        loan, LOAN_ID, DeadLetterDiscarded(loan_id=LOAN_ID, coordinates=AT, reason="a test"), "f", NOW_MS
    ).loan
    for after in (replayed, discarded):
        assert after is not None
        assert [item.coordinates for item in in_doubt(after, NOW_MS)] == ["lending.repayments/0/8"]


def test_a_replay_that_is_dead_again_lifts_nothing() -> None:
    """Only what was understood ends the doubt."""
    loan = doubted(loan_of(opened()))
    again = apply(loan, LOAN_ID, paid("p", "2024-05-01", 5, "USD"), "f", NOW_MS, replaces=AT)
    assert again.loan == loan
    assert in_doubt(loan, NOW_MS)


def test_a_replayed_duplicate_lifts_the_doubt_too() -> None:
    """Where the payment had come another way, the replay changes nothing but the doubt."""
    loan = doubted(loan_of(opened(), paid("p", "2024-05-01", 5)))
    after = apply(loan, LOAN_ID, paid("p", "2024-05-01", 5), "f", NOW_MS, replaces=AT).loan
    assert after is not None
    assert in_doubt(after, NOW_MS) == ()


def test_a_doubt_lifted_before_it_is_known_never_arises() -> None:
    """An instance that reads the discard first ends where the others do."""
    lifted = lift_doubt(loan_of(opened()), AT, NOW_MS)
    assert in_doubt(doubted(lifted), NOW_MS) == ()
    assert lift_doubt(lifted, AT, NOW_MS + 1) is lifted


def test_doubts_are_bounded_and_the_newest_stay() -> None:
    """A flood of dead letters cannot grow a loan, and cannot end its doubt early."""
    loan = loan_of(opened())
    for number in range(DOUBTS_MAX + 10):
        loan = doubted(loan, at=f"lending.repayments/0/{number}", now_ms=NOW_MS + number)
    assert len(loan.doubts) == DOUBTS_MAX
    assert in_doubt(loan, NOW_MS + DOUBT_MS + DOUBTS_MAX + 5)


def test_ended_doubts_are_forgotten_at_a_tick() -> None:
    """What can hold nobody any more is not kept."""
    loan = doubted(loan_of(opened()))
    assert compact(loan, NOW_MS + DOUBT_MS - 1).doubts == loan.doubts
    assert compact(loan, NOW_MS + DOUBT_MS).doubts == ()


def test_a_gravestone_knows_no_doubt() -> None:
    """An ended loan of which nothing is left is not chased, whatever cannot be read."""
    stone = compact(loan_of(opened(), closed("2024-01-01")), NOW_MS)
    assert stone.gravestone
    assert doubted(stone) is stone
