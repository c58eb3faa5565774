"""Edges of the ladder: what a boarded or ended case starts from, what a rung begins anew, what leaves no trace."""

from __future__ import annotations

from datetime import timedelta

from services.escalation.census import count
from shared.contract.base import Rung
from shared.contract.codec import DeadReason
from shared.contract.requests import (
    ClearanceRequested,
    ContactRequested,
    ContactWithdrawn,
    StageChanged,
    StageMove,
    WithdrawalReason,
)
from shared.engine.census import Counted
from shared.kernel.step import Verdict
from tests.driver import fact
from tests.services.escalation.conftest import HOUR, Escalation, call, called, clearance, person_hold
from tests.services.escalation.test_core import begin, moves, to_calls, to_clearance, to_restriction
from tests.services.lending import DUE, at, boarded, closed, held, opened, paid, scheduled


def test_a_boarded_loan_dwells_on_its_rung_from_the_day_it_came(driver: Escalation) -> None:
    """What it stood there before was elsewhere: late and tried enough, it is restricted a week after it came."""
    driver.tick(at(30), boarded(DUE + timedelta(days=29), ("i1", DUE, 100_000), rung=Rung.HUMAN_CALL))
    driver.tick(at(31), call("c1", at(30, "11:00")), call("c2", at(30, "12:00")))
    assert driver.turns[-1].reasons == ["dwelling"]
    driver.run(at(40), HOUR)
    assert next(turn.at for turn in driver.turns if turn.of(ClearanceRequested)) == at(37)


def test_the_end_of_a_boarded_loan_is_said_once(driver: Escalation) -> None:
    """Cleared when it is closed; a stray fact afterwards does not put it on its old rung to clear it again."""
    driver.tick(at(30), boarded(DUE + timedelta(days=29), ("i1", DUE, 100_000), rung=Rung.HUMAN_CALL))
    driver.tick(at(31), closed(DUE + timedelta(days=31)))
    assert driver.tick(at(32), scheduled("i2", DUE + timedelta(days=60))).events == ()
    assert moves(driver) == [(StageMove.CLEARED, Rung.NONE)]


def test_a_redelivered_fact_asks_for_no_look(driver: Escalation) -> None:
    """The second delivery is a duplicate: the loan is not looked at, and nothing is kept of it (T-14)."""
    begin(driver)
    driver.run(at(2), HOUR)
    before, looks = driver.state, driver.wakes
    turn = driver.tick(at(2, "01:00"), scheduled())
    assert turn.verdicts == (Verdict.DUPLICATE,)
    assert (driver.state, driver.wakes) == (before, looks)


def test_an_impossible_fact_about_an_unknown_loan_leaves_nothing(driver: Escalation) -> None:
    """A hold that ends before it begins is a dead letter; no loan is made up for it, and nobody is woken."""
    turn = driver.tick(at(-21), held("h1", at(2), at(1)))
    assert turn.dead == (DeadReason.DATE_IMPOSSIBLE,)
    assert (driver.state, driver.wake_at) == (None, None)


def test_a_cure_has_the_money_as_its_cause_not_a_refusal_before_it(driver: Escalation) -> None:
    """The gate said no to a restriction; when the loan is paid, the payment alone explains why the case is cleared."""
    asked = to_clearance(driver)
    driver.tick(at(20, "02:00"), clearance(asked, at(20, "01:00"), cleared=False, until=at(26)))
    payment = paid("p1", 100_000)
    (change,) = driver.tick(at(20, "03:00"), payment).of(StageChanged)
    assert (change.move, change.caused_by) == (StageMove.CLEARED, (fact(payment).id,))


def test_each_rung_counts_its_own_calls(driver: Escalation) -> None:
    """However many calls were asked for on the rung below, the next one begins with its first."""
    to_restriction(driver)
    driver.run(at(40), HOUR // 2)
    steps = [request.step for request in driver.all(ContactRequested)]
    assert steps.count("human_call/1") == 1
    assert [step for step in steps if step.startswith("restriction")] == [f"restriction/{n}" for n in (1, 2, 3)]


def test_a_case_put_aside_is_left_alone_for_three_days(driver: Escalation) -> None:
    """Its call is taken back, and though its time lasts, nobody is called and the case does not climb meanwhile."""
    first = to_calls(driver)
    aside = driver.put_aside(at(8, "11:30"))
    assert [(it.request_id, it.reason) for it in aside.of(ContactWithdrawn)] == [
        (first.request_id, WithdrawalReason.FACT_IN_DOUBT)
    ]
    driver.tick(at(8, "12:00"), called(first, at(8, "11:10")), call("c2", at(8, "11:20")))
    assert driver.run(at(11, "11:00"), HOUR // 2) != []
    assert driver.all(ContactRequested) == [first]
    driver.run(at(11, "12:00"), HOUR // 2)
    assert len(driver.all(ContactRequested)) == 2


def test_a_hold_on_a_person_counts_from_its_first_instant_and_its_word_once(driver: Escalation) -> None:
    """It begins at the very tick: the call is taken back there; the same word again asks for no look."""
    to_calls(driver)
    word = person_hold("h1", at(8, "11:30"), None, at(8, "11:20"))
    turn = driver.tick(at(8, "11:30"), word)
    assert [it.reason for it in turn.of(ContactWithdrawn)] == [WithdrawalReason.HOLD]
    driver.run(at(8, "12:00"), HOUR // 2)
    before, looks = driver.state, driver.wakes
    driver.tick(at(8, "12:10"), word)
    assert (driver.state, driver.wakes) == (before, looks)


def counted(driver: Escalation) -> list[Counted]:
    assert driver.state is not None
    return list(count(driver.state, driver.now, driver.policy))


def test_a_case_in_arrears_is_counted_by_rung_and_amount(driver: Escalation) -> None:
    """One loan on the rung of messages, with CNY 1,000 overdue in the first bucket."""
    begin(driver)
    driver.run(at(2), HOUR)
    assert counted(driver) == [Counted("loans", ("message",)), Counted("overdue_amount", ("CNY", "M1"), 1_000)]


def test_a_loan_without_terms_is_counted_without_an_amount(driver: Escalation) -> None:
    """In what currency it would be overdue nobody knows yet; it counts as a loan all the same."""
    driver.tick(at(1), scheduled())
    assert counted(driver) == [Counted("loans", ("none",))]
    driver.tick(at(2), opened(currency="JPY"))
    assert Counted("overdue_amount", ("JPY", "M1"), 100_000) in counted(driver)


def test_a_loan_in_doubt_is_counted_and_a_closed_one_is_not(driver: Escalation) -> None:
    """A loan that was put aside is in doubt for its time; one that has ended counts nowhere."""
    begin(driver)
    driver.put_aside(at(-10))
    assert counted(driver) == [Counted("loans", ("none",)), Counted("loans_in_doubt")]
    driver.tick(at(-7))
    assert counted(driver) == [Counted("loans", ("none",))]
    driver.tick(at(-6), closed(DUE))
    assert counted(driver) == []
