"""Edges of what is said about a loan: the exact tolerance, the last allowed time, what is kept and what forgotten."""

from __future__ import annotations

from datetime import timedelta

from services.reminder.state import ReminderState
from shared.contract.codec import DeadReason
from shared.contract.loans import DUE_DATES
from shared.contract.requests import ContactClass, ContactRequested
from shared.engine.processor import Unreadable
from tests.driver import Driver
from tests.services.lending import DUE, LOAN, at, cancelled, charged, held, opened, paid, returned, scheduled
from tests.services.reminder.conftest import HOUR

Reminder = Driver[ReminderState]


def test_a_returned_payment_is_announced_anew_a_bounded_number_of_times(driver: Reminder) -> None:
    """Each new charge makes the notice wrong; after the strategy's number of revisions it stays unsaid."""
    driver.tick(at(-21), opened(), scheduled(), paid("p1", 100_000, DUE))
    driver.tick(at(2), returned("p1", DUE + timedelta(days=2)))
    for n in range(10):
        driver.tick(at(2) + (n + 1) * HOUR, charged(f"c{n}", 10, DUE + timedelta(days=2)))
    notices = [it for it in driver.all(ContactRequested) if it.contact_class is ContactClass.RETURNED_PAYMENT]
    assert len(notices) == driver.policy.strategy.defaults.reminder.revisions_max + 1
    assert [turn.at for turn in driver.turns if "revised_too_often" in turn.reasons] == [at(2, "06:00")]


def test_a_returned_payment_within_the_tolerance_is_not_announced(driver: Reminder) -> None:
    """What came back leaves as much unpaid as the lender lets pass: no notice; one fen more is announced."""
    driver.tick(at(-21), opened(tolerance_minor=10), scheduled())
    driver.tick(at(-20), paid("p1", 99_990, DUE), paid("p2", 10, DUE))
    turn = driver.tick(at(2), returned("p2", DUE + timedelta(days=2)))
    assert turn.events == ()
    assert ("within_tolerance", "p2/returned") in [(skip.reason, skip.subject) for skip in turn.skips]
    driver.tick(at(2, "01:00"), paid("p3", 10, DUE), charged("c1", 1, DUE + timedelta(days=2)))
    (request,) = driver.tick(at(2, "02:00"), returned("p3", DUE + timedelta(days=2))).of(ContactRequested)
    assert (request.contact_class, request.amount_due_minor) == (ContactClass.RETURNED_PAYMENT, 11)


def test_of_two_overdue_steps_at_one_instant_the_later_one_speaks(driver: Reminder) -> None:
    """A week and a day overdue: one message in the words of the week, about both."""
    driver.tick(at(-21), opened(), scheduled("i1"), scheduled("i2", DUE + timedelta(days=6)))
    driver.run(at(7, "09:00"), HOUR)
    (request,) = driver.tick(at(7, "10:00")).of(ContactRequested)
    assert (request.step, request.template, request.instalment_ids) == ("reminder+7", "overdue_week", ("i1", "i2"))


def test_a_paid_instalment_is_not_looked_at_again(driver: Reminder) -> None:
    """Once a step has found it paid, nothing wakes the loan for the steps that would follow."""
    driver.tick(at(-21), opened(), scheduled())
    driver.tick(at(-10), paid("p1", 100_000, DUE))
    turns = driver.run(at(60), HOUR)
    assert [(turn.at, turn.reasons) for turn in turns] == [(at(-3, "10:00"), ["paid"])]
    assert driver.wake_at is None


def test_what_no_step_can_concern_any_more_is_forgotten(driver: Reminder) -> None:
    """A cancelled instalment, and one whose last message has lost its sense, leave nothing behind."""
    driver.tick(at(-21), opened(), scheduled("i1"), scheduled("i2", DUE + timedelta(days=31)))
    driver.run(at(30, "11:00"), HOUR)
    assert driver.state is not None
    assert [course.instalment_id for course in driver.state.courses] == ["i1", "i2"]
    driver.tick(at(31), cancelled("i2"))
    assert [course.instalment_id for course in driver.state.courses] == ["i1"]
    driver.tick(at(46), scheduled("i3", DUE + timedelta(days=90)))
    assert driver.state.courses == ()


def test_what_is_kept_does_not_show_which_instalment_was_spoken_of_first(driver: Reminder) -> None:
    """Courses stand by the ids of their instalments, whatever the order of the due dates."""
    driver.tick(at(-21), opened(), scheduled("late"), scheduled("early", DUE + timedelta(days=4)))
    driver.run(at(1, "11:00"), HOUR)
    assert driver.state is not None
    assert [course.instalment_id for course in driver.state.courses] == ["early", "late"]


def test_an_impossible_fact_about_an_unknown_loan_leaves_nothing(driver: Reminder) -> None:
    """A hold that ends before it begins is a dead letter; no loan is made up for it, and nobody is woken."""
    turn = driver.tick(at(-21), held("h1", at(2), at(1)))
    assert turn.dead == (DeadReason.DATE_IMPOSSIBLE,)
    assert (driver.state, driver.wake_at) == (None, None)


def test_a_lost_due_date_of_an_unknown_loan_leaves_nothing(driver: Reminder) -> None:
    """What could not be read is no reason to leave anybody alone: no state, no wake."""
    driver.tick(at(-21), Unreadable(DUE_DATES, LOAN, "not_json", "lending.due-dates/0/7"))
    assert (driver.state, driver.wake_at) == (None, None)


def test_a_loan_put_aside_is_left_alone_though_nothing_was_asked(driver: Reminder) -> None:
    """Its look crashed before the first request: no step is said for 72 hours, then the one that still makes sense."""
    driver.tick(at(-21), opened(), scheduled())
    assert driver.put_aside(at(1, "09:00")).events == ()
    turns = driver.run(at(4, "09:00"), HOUR)
    said = [(turn.at, request.step) for turn in turns for request in turn.of(ContactRequested)]
    assert said == [(at(4, "09:00"), "reminder+3")]
    assert "fact_in_doubt" in {reason for turn in turns for reason in turn.reasons}
