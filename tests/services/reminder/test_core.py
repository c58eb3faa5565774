"""Given facts and ticks, when a tick comes, then what is asked, taken back, or left unsaid."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from services.reminder.state import ReminderState
from shared.contract.base import Amounts, Channel, HoldReason
from shared.contract.codec import DeadReason
from shared.contract.loans import DueDateConvention
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import ContactClass, ContactRequested, ContactWithdrawn, WithdrawalReason
from shared.engine.processor import Unreadable
from shared.kernel.step import Verdict
from tests.driver import Driver, Turn, fact
from tests.services.lending import (
    ANN,
    BEN,
    DUE,
    JOINT,
    LOAN,
    ZONE,
    at,
    boarded,
    cancelled,
    changed,
    charged,
    closed,
    held,
    lifted,
    opened,
    paid,
    promised,
    returned,
    scheduled,
)
from tests.services.reminder.conftest import HOUR

Reminder = Driver[ReminderState]


def asked(turn: Turn) -> ContactRequested:
    """The one request of a turn."""
    (request,) = turn.of(ContactRequested)
    return request


def taken_back(turn: Turn) -> list[WithdrawalReason]:
    return [withdrawn.reason for withdrawn in turn.of(ContactWithdrawn)]


def begin(driver: Reminder, *facts: object, when: int | None = None, **terms: object) -> None:
    """A loan with one instalment of CNY 1,000.00 due on `DUE`, known three weeks before."""
    driver.tick(at(-21) if when is None else when, opened(**terms), *(facts or (scheduled(),)))


def late(driver: Reminder, day: int) -> Turn:
    """Run hour by hour to 10:00 of a day after the due date and return what happened in that hour."""
    driver.run(at(day, "09:00"), HOUR)
    return driver.tick(at(day, "10:00"))


# --- the course


def test_an_unpaid_instalment_is_spoken_of_seven_times_at_ten_in_its_own_zone(driver: Reminder) -> None:
    """Steps fall due at the strategy's local time on their days, in their classes, and nothing is asked between."""
    begin(driver)
    turns = driver.run(at(60), HOUR)
    said = [(turn.at, asked(turn).step, asked(turn).contact_class) for turn in turns]
    assert said == [
        (at(-3, "10:00"), "reminder-3", ContactClass.PRE_DUE),
        (at(0, "10:00"), "reminder+0", ContactClass.DUE),
        (at(1, "10:00"), "reminder+1", ContactClass.OVERDUE),
        (at(3, "10:00"), "reminder+3", ContactClass.OVERDUE),
        (at(7, "10:00"), "reminder+7", ContactClass.OVERDUE),
        (at(15, "10:00"), "reminder+15", ContactClass.OVERDUE),
        (at(30, "10:00"), "reminder+30", ContactClass.OVERDUE),
    ]
    assert len({request.request_id for request in driver.all(ContactRequested)}) == 7
    assert driver.wake_at is None


def test_the_revolving_product_has_the_same_course(driver: Reminder) -> None:
    """A statement of a revolving line is spoken of on the same days."""
    begin(driver, product="revolving")
    driver.run(at(60), HOUR)
    days = [(request.local_date - DUE).days for request in driver.all(ContactRequested)]
    assert days == [-3, 0, 1, 3, 7, 15, 30]


def test_a_request_says_everything_that_the_gate_and_the_gateway_need(driver: Reminder) -> None:
    """Person, lender, itemised amounts, channels by preference, consequences, window, policy and causes are named."""
    begin(driver, scheduled(principal=90_000, interest=10_000), charged("late-fee", 500, DUE + timedelta(days=1)))
    request = asked(late(driver, 1))
    assert (request.borrower_id, request.loan_id, request.lender_id) == (ANN, LOAN, "lender-1")
    assert request.amounts == Amounts(principal_minor=90_000, interest_minor=10_000, penalty_minor=500)
    assert (request.amount_due_minor, request.currency, request.days_past_due) == (100_500, "CNY", 1)
    assert request.channels[0] is Channel.PUSH
    assert (request.template, request.consequences) == ("overdue_first", ("penalty_interest",))
    assert (request.instalment_ids, request.oldest_due_date) == (("i1",), DUE)
    assert (request.local_date, request.not_before_ms) == (DUE + timedelta(days=1), at(1, "10:00"))
    assert request.not_after_ms == at(3)
    assert request.policy == driver.policy.hash
    assert fact(scheduled(principal=90_000, interest=10_000)).id in request.caused_by


def test_t08_the_local_time_holds_on_the_day_on_which_clocks_change(driver: Reminder) -> None:
    """10:00 in New York is 14:00 UTC after the change of 10 March 2024 and 15:00 UTC before it."""
    begin(driver, accounting_zone="America/New_York", currency="USD")
    driver.run(at(2), HOUR)
    instants = [request.not_before_ms for request in driver.all(ContactRequested)]
    assert [instant // HOUR % 24 for instant in instants] == [15, 14, 14]


def test_the_primary_borrower_is_asked_not_the_guarantor(driver: Reminder) -> None:
    """A guarantor who stands first among the obligors gets no reminder (T-29)."""
    begin(driver, obligors=JOINT)
    assert late(driver, -3).events[0].key == ANN


def test_of_several_borrowers_the_first_is_asked(driver: Reminder) -> None:
    """Whoever stands behind the first borrower, a guarantor too, gets no reminder (T-29)."""
    begin(driver, obligors=JOINT[::-1])
    assert late(driver, -3).events[0].key == ANN


def test_t06_a_moved_due_date_moves_its_reminders(driver: Reminder) -> None:
    """An instalment due on a Sunday under `following` is due on Monday, and so are the steps around it."""
    begin(driver, due_date_convention=DueDateConvention.FOLLOWING)
    driver.run(at(2, "11:00"), HOUR)
    assert [(request.local_date - DUE).days for request in driver.all(ContactRequested)] == [-2, 1, 2]


# --- missed steps


def test_t10_missed_steps_collapse_into_the_one_that_fits(driver: Reminder) -> None:
    """After an outage up to day 5 one request comes, that of +3, and says of the others why not."""
    begin(driver)
    turn = driver.tick(at(5, "02:00"))
    request = asked(turn)
    assert (request.step, request.days_past_due, request.local_date) == ("reminder+3", 5, DUE + timedelta(days=5))
    assert turn.reasons == ["collapsed"] * 3
    assert [skip.subject for skip in turn.skips] == ["i1/reminder-3", "i1/reminder+0", "i1/reminder+1"]
    driver.run(at(6, "23:00"), HOUR)
    assert len(driver.all(ContactRequested)) == 1


def test_t10_a_step_missed_for_longer_than_it_is_useful_is_not_said(driver: Reminder) -> None:
    """On the eve of the due date the reminder of three days before is pointless; nothing is said in its place."""
    begin(driver)
    turn = driver.tick(at(-1, "12:00"))
    assert turn.events == ()
    assert turn.reasons == ["too_late"]
    assert asked(late(driver, 0)).step == "reminder+0"


def test_a_service_born_late_judges_a_loan_once(driver: Reminder) -> None:
    """All facts of a long history in one epoch lead to one message, about everything that is overdue."""
    dues = [DUE - timedelta(days=61), DUE - timedelta(days=30), DUE]
    begin(driver, *(scheduled(f"i{n}", due) for n, due in enumerate(dues)), when=at(4, "12:00"))
    assert asked(driver.turns[0]).instalment_ids == ("i0", "i1", "i2")
    assert driver.run(at(6), HOUR) == []


def test_boarding_no_step_dated_on_or_before_the_day_of_boarding_fires(driver: Reminder) -> None:
    """What the old system did or left undone is its own: the first step is the first one after the as-of date."""
    driver.tick(at(4, "12:00"), boarded(DUE + timedelta(days=3), ("i1", DUE, 100_000)))
    assert driver.turns[0].events == ()
    assert set(driver.turns[0].reasons) == {"before_boarding"}
    driver.run(at(60), HOUR)
    assert [request.step for request in driver.all(ContactRequested)] == ["reminder+7", "reminder+15", "reminder+30"]


# --- several instalments


def test_t13_several_overdue_instalments_are_one_message(driver: Reminder) -> None:
    """Two instalments overdue: each message lists both with one sum, and on no day are there two messages."""
    begin(driver, scheduled("i1", DUE, 100_000), scheduled("i2", DUE + timedelta(days=2), 50_000))
    turns = driver.run(at(9, "11:00"), HOUR)
    both = [asked(turn) for turn in turns if turn.at > at(3) and turn.of(ContactRequested)]
    assert [request.instalment_ids for request in both] == [("i1", "i2")] * len(both)
    assert {request.amount_due_minor for request in both} == {150_000}
    days = [request.local_date for request in driver.all(ContactRequested)]
    assert len(days) == len(set(days))
    overdue = [it.local_date for it in driver.all(ContactRequested) if it.contact_class is ContactClass.OVERDUE]
    assert min((after - before).days for before, after in pairwise(overdue)) >= 2


def test_two_messages_about_arrears_keep_their_gap_whatever_instalment_they_are_about(driver: Reminder) -> None:
    """An instalment that falls due a day after another waits with its first message until two days have passed."""
    begin(driver, scheduled("i1"), scheduled("i2", DUE + timedelta(days=1)))
    waiting = late(driver, 2)
    assert (waiting.events, waiting.reasons) == ((), ["asked_lately"])
    driver.run(at(4, "11:00"), HOUR)
    overdue = [it for it in driver.all(ContactRequested) if it.contact_class is ContactClass.OVERDUE]
    assert [it.local_date - DUE for it in overdue] == [timedelta(days=1), timedelta(days=3)]
    assert overdue[-1].instalment_ids == ("i1", "i2")


def test_overdue_speaks_before_what_falls_due_next(driver: Reminder) -> None:
    """While arrears are open no friendly reminder of the next instalment is sent beside them."""
    begin(driver, scheduled("i1"), scheduled("i2", DUE + timedelta(days=12)))
    turn = late(driver, 9)
    assert turn.events == ()
    assert [(skip.reason, skip.subject) for skip in turn.skips] == [("overdue_speaks_first", "i2/reminder-3")]
    driver.run(at(13, "11:00"), HOUR)
    assert driver.all(ContactRequested)[-1].instalment_ids == ("i1", "i2")


def test_two_instalments_due_on_one_day_are_one_reminder(driver: Reminder) -> None:
    """A charge of principal and one of insurance on the same date are one message with both."""
    begin(driver, scheduled("i1"), scheduled("i2", DUE, 700))
    request = asked(late(driver, -3))
    assert (request.instalment_ids, request.amount_due_minor) == (("i1", "i2"), 100_700)
    assert driver.turns[-1].reasons == ["said_with_another"]


# --- money


def test_payment_withdraws_at_the_tick_that_reads_it(driver: Reminder) -> None:
    """P5: the request is gone with the reason `paid` and the payment as its cause, and nothing follows."""
    begin(driver)
    request = asked(late(driver, 1))
    payment = paid("p1", 100_000, DUE)
    turn = driver.tick(at(1, "10:30"), payment)
    (withdrawn,) = turn.of(ContactWithdrawn)
    assert (withdrawn.request_id, withdrawn.reason) == (request.request_id, WithdrawalReason.PAID)
    assert withdrawn.caused_by == (fact(payment).id,)
    driver.run(at(60), HOUR)
    assert len(driver.all(ContactRequested)) == 3
    assert driver.turns[-1].events == ()


def test_payment_withdraws_up_to_the_last_moment_of_the_request(driver: Reminder) -> None:
    """P5: while a permit could still be granted the request stands, and goes with its reason."""
    begin(driver)
    request = asked(late(driver, 7))
    assert taken_back(driver.tick(request.not_after_ms - 1, paid("p1", 100_000, DUE))) == [WithdrawalReason.PAID]


def test_t18_a_payment_known_just_before_the_step_silences_it(driver: Reminder) -> None:
    """Paid at 09:59:59.999, nothing is asked at 10:00, and the due step says why."""
    begin(driver)
    driver.run(at(1, "09:00"), HOUR)
    turn = driver.tick(at(1, "10:00"), paid("p1", 100_000))
    assert turn.of(ContactRequested) == []
    assert ("paid", "i1/reminder+1") in [(skip.reason, skip.subject) for skip in turn.skips]


def test_a_payment_that_nobody_was_asked_for_wakes_nobody(driver: Reminder) -> None:
    """Most money comes unasked; it costs no look at the loan, and the planned step finds it paid."""
    begin(driver)
    looks = driver.wakes
    driver.tick(at(-10), paid("p1", 100_000, DUE - timedelta(days=10)))
    assert driver.wakes == looks
    turn = late(driver, -3)
    assert (turn.events, turn.reasons) == ((), ["paid"])


def test_part_payment_withdraws_and_asks_again_with_the_right_amount(driver: Reminder) -> None:
    """A message with yesterday's amount never goes out: the step is asked anew and names the request it replaces."""
    begin(driver)
    first = asked(late(driver, 1))
    turn = driver.tick(at(1, "15:00"), paid("p1", 30_000))
    second = asked(turn)
    assert taken_back(turn) == [WithdrawalReason.AMOUNT_CHANGED]
    assert (second.step, second.amount_due_minor) == (first.step, 70_000)
    assert (second.replaces_request_id, second.not_after_ms) == (first.request_id, first.not_after_ms)
    assert second.request_id != first.request_id


def test_a_charge_makes_the_message_anew_but_not_for_ever(driver: Reminder) -> None:
    """An amount that changes again and again is asked for a bounded number of times, then the step stays unsaid."""
    begin(driver)
    late(driver, 3)
    for n in range(10):
        driver.tick(at(3, "11:00") + n * HOUR, charged(f"c{n}", 10, DUE + timedelta(days=3)))
    said = [request for request in driver.all(ContactRequested) if request.step == "reminder+3"]
    assert len(said) == driver.policy.strategy.defaults.reminder.revisions_max + 1
    assert "revised_too_often" in [reason for turn in driver.turns for reason in turn.reasons]


def test_part_payment_of_the_oldest_keeps_the_rest_asked_for(driver: Reminder) -> None:
    """When the instalment whose step it was is paid, the message about the others is asked for anew."""
    begin(driver, scheduled("i1", DUE, 100_000), scheduled("i2", DUE + timedelta(days=2), 50_000))
    driver.run(at(3, "11:00"), HOUR)
    assert driver.all(ContactRequested)[-1].instalment_ids == ("i1", "i2")
    turn = driver.tick(at(3, "12:00"), paid("p1", 100_000))
    assert taken_back(turn) == [WithdrawalReason.AMOUNT_CHANGED]
    assert (asked(turn).instalment_ids, asked(turn).amount_due_minor) == (("i2",), 50_000)


def test_t03_a_shortfall_within_tolerance_opens_no_reminder(driver: Reminder) -> None:
    """Ten fen short of an instalment is not worth a message; one fen more than the tolerance is."""
    begin(driver, tolerance_minor=10)
    driver.tick(at(-10), paid("p1", 99_990, DUE - timedelta(days=10)))
    assert driver.run(at(1, "11:00"), HOUR)[-1].reasons == ["within_tolerance"]
    assert driver.all(ContactRequested) == []
    driver.tick(at(2), charged("c1", 1, DUE + timedelta(days=2)))
    assert asked(late(driver, 3)).amount_due_minor == 11


def test_t20_unapplied_cash_covers_the_next_instalment(driver: Reminder) -> None:
    """Somebody who paid two instalments at once is not reminded of the second."""
    begin(driver, scheduled("i1"), scheduled("i2", DUE + timedelta(days=31)))
    driver.tick(at(-5), paid("p1", 200_000, DUE - timedelta(days=5)))
    driver.run(at(60), HOUR)
    assert driver.all(ContactRequested) == []


def test_t17_a_payment_with_an_earlier_value_date_withdraws_what_is_outstanding(driver: Reminder) -> None:
    """Money that had arrived before the due date and becomes known on day 1 ends the chase at once."""
    begin(driver)
    late(driver, 1)
    turn = driver.tick(at(1, "12:00"), paid("p1", 100_000, DUE - timedelta(days=4)))
    assert taken_back(turn) == [WithdrawalReason.PAID]


def test_t14_a_redelivered_payment_changes_nothing(driver: Reminder) -> None:
    """The second delivery is a duplicate: no look, no event, the same state."""
    begin(driver)
    payment = paid("p1", 40_000, DUE - timedelta(days=9))
    driver.tick(at(-9), payment)
    before = driver.state
    turn = driver.tick(at(-8), payment)
    assert turn.verdicts == (Verdict.DUPLICATE,)
    assert (driver.state, turn.events) == (before, ())


def test_t25_an_impossible_payment_is_dead_and_leaves_the_plan_alone(driver: Reminder) -> None:
    """A payment in another currency is no money; the course goes on as planned."""
    begin(driver)
    wake_at = driver.wake_at
    turn = driver.tick(at(-9), paid("p1", 100_000, currency="USD"))
    assert turn.dead == (DeadReason.CURRENCY_MISMATCH,)
    assert driver.wake_at == wake_at


# --- a payment comes back


def test_t16_the_first_message_after_a_return_is_a_notice_of_it(driver: Reminder) -> None:
    """The bounced payment is announced without a word of consequences; overdue tones wait, then go on."""
    begin(driver, scheduled(), paid("p1", 100_000, DUE - timedelta(days=1)))
    driver.run(at(4), HOUR)
    turn = driver.tick(at(4, "16:00"), returned("p1", DUE + timedelta(days=4)))
    notice = asked(turn)
    assert (notice.contact_class, notice.template) == (ContactClass.RETURNED_PAYMENT, "payment_returned")
    assert (notice.consequences, notice.amount_due_minor) == ((), 100_000)
    assert (notice.oldest_due_date, notice.days_past_due) == (DUE, 4)
    assert fact(returned("p1", DUE + timedelta(days=4))).id in notice.caused_by
    driver.run(at(6, "23:00"), HOUR)
    assert driver.all(ContactRequested) == [notice]
    driver.run(at(30, "11:00"), HOUR)
    assert [request.step for request in driver.all(ContactRequested)[1:]] == [
        "reminder+7",
        "reminder+15",
        "reminder+30",
    ]


def test_t16_a_return_ends_an_overdue_message_that_is_still_outstanding(driver: Reminder) -> None:
    """An outstanding demand gives way to the notice: never both."""
    begin(driver, scheduled("i1"), scheduled("i2", DUE - timedelta(days=20)), paid("p1", 100_000, DUE))
    late(driver, 1)
    turn = driver.tick(at(1, "12:00"), returned("p1", DUE + timedelta(days=1)))
    assert len(taken_back(turn)) == 1
    assert asked(turn).contact_class is ContactClass.RETURNED_PAYMENT
    assert asked(turn).instalment_ids == ("i2", "i1")


def test_t16_a_returned_payment_that_is_paid_again_at_once_is_not_announced(driver: Reminder) -> None:
    """Return and new payment in one epoch leave nothing to say."""
    begin(driver, scheduled(), paid("p1", 100_000, DUE - timedelta(days=1)))
    turn = driver.tick(at(4, "16:00"), returned("p1", DUE + timedelta(days=4)), paid("p2", 100_000, DUE))
    assert turn.events == ()
    assert set(turn.reasons) == {"paid"}


def test_t15_a_return_that_comes_before_its_payment_waits_for_it(driver: Reminder) -> None:
    """Nothing is said of a payment that nobody knows; when it comes, the notice does."""
    begin(driver)
    driver.run(at(-1), HOUR)
    before = len(driver.all(ContactRequested))
    assert driver.tick(at(-1, "03:00"), returned("p1", DUE - timedelta(days=1))).events == ()
    turn = driver.tick(at(-1, "04:00"), paid("p1", 100_000, DUE - timedelta(days=2)))
    assert asked(turn).contact_class is ContactClass.RETURNED_PAYMENT
    assert len(driver.all(ContactRequested)) == before + 1


# --- leaving alone


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (held("h1", at(1, "10:00")), WithdrawalReason.HOLD),
        (promised("w1", DUE + timedelta(days=5), DUE + timedelta(days=1)), WithdrawalReason.PROMISE),
        (closed(DUE + timedelta(days=1)), WithdrawalReason.LOAN_CLOSED),
        (cancelled(), WithdrawalReason.INSTALMENT_CHANGED),
        (changed(due=DUE + timedelta(days=20)), WithdrawalReason.INSTALMENT_CHANGED),
        (Unreadable(REPAYMENTS, LOAN, "not_json", "lending.repayments/0/7"), WithdrawalReason.FACT_IN_DOUBT),
    ],
)
def test_whatever_removes_the_reason_withdraws_at_its_tick(
    driver: Reminder, given: object, reason: WithdrawalReason
) -> None:
    """Hold, promise, end, cancellation, a new date, a payment that cannot be read: the request goes, and says why."""
    begin(driver)
    late(driver, 1)
    turn = driver.tick(at(1, "11:00"), given)
    assert taken_back(turn) == [reason]
    assert turn.of(ContactWithdrawn)[0].caused_by != ()
    assert turn.of(ContactRequested) == []


def test_a_hold_silences_due_steps_and_says_so(driver: Reminder) -> None:
    """In a hold nothing is asked; the due step is skipped with its reason, and after the hold the course goes on."""
    begin(driver, scheduled(), held("h1", at(-1), at(5, "14:00")))
    driver.run(at(5, "13:00"), HOUR)
    assert [request.step for request in driver.all(ContactRequested)] == ["reminder-3"]
    assert {reason for turn in driver.turns for reason in turn.reasons} == {"held", "too_late"}
    turn = driver.tick(at(5, "14:00"))
    assert asked(turn).step == "reminder+3"


def test_a_lifted_hold_lets_the_step_be_asked_anew(driver: Reminder) -> None:
    """A request that a hold took back comes again when the hold is lifted in time, under a new id."""
    begin(driver)
    first = asked(late(driver, 3))
    driver.tick(at(3, "11:00"), held("h1", at(3, "11:00")))
    turn = driver.tick(at(4, "11:00"), lifted("h1", at(4, "11:00")))
    assert (asked(turn).step, asked(turn).replaces_request_id) == ("reminder+3", first.request_id)


def test_t56_a_promise_pauses_until_its_tolerance_has_passed(driver: Reminder) -> None:
    """Promised for day 6 with a day's grace: silence to the end of day 7, then the step that fits."""
    begin(driver)
    late(driver, 1)
    made = promised("w1", DUE + timedelta(days=6), DUE + timedelta(days=1), tolerance=1)
    driver.tick(at(1, "11:00"), made)
    quiet = driver.run(at(7, "23:00"), HOUR)
    assert [request for turn in quiet for request in turn.of(ContactRequested)] == []
    assert "promised" in [reason for turn in quiet for reason in turn.reasons]
    turn = driver.tick(at(8))
    assert asked(turn).step == "reminder+7"


def test_a_hold_that_begins_later_withdraws_when_it_begins(driver: Reminder) -> None:
    """A hold published for tomorrow leaves today's request, and takes it back at its first instant."""
    begin(driver)
    late(driver, 3)
    assert driver.tick(at(3, "11:00"), held("h1", at(4, "06:30"), reason=HoldReason.DISASTER)).events == ()
    driver.run(at(4, "06:00"), HOUR)
    assert taken_back(driver.tick(at(4, "07:00"))) == [WithdrawalReason.HOLD]


def test_a_doubt_ends_by_itself_after_72_hours(driver: Reminder) -> None:
    """A dead letter that nobody settles silences the loan for three days, no longer."""
    begin(driver)
    driver.run(at(3, "09:00"), HOUR)
    driver.tick(at(3, "09:30"), Unreadable(REPAYMENTS, LOAN, "not_json", "lending.repayments/0/7"))
    driver.run(at(6, "09:30"), HOUR // 2)
    assert driver.all(ContactRequested)[-1].step == "reminder+3"
    assert driver.all(ContactRequested)[-1].not_before_ms == at(6, "09:30")


def test_t21_stray_facts_do_not_open_a_closed_loan(driver: Reminder) -> None:
    """After the end come a new instalment and a return; nothing is asked, and the loan shrinks to a gravestone."""
    begin(driver)
    driver.tick(at(-5), closed(DUE - timedelta(days=5)))
    driver.tick(at(-4), scheduled("i2", DUE + timedelta(days=3)), returned("p9", DUE))
    driver.run(at(60), HOUR)
    assert driver.all(ContactRequested) == []
    assert driver.state is not None
    assert driver.state.loan.gravestone
    assert driver.wake_at is None


# --- other changes


def test_a_new_primary_borrower_takes_over_the_request(driver: Reminder) -> None:
    """Where the terms name another person, the first one's request is superseded and the second is asked for."""
    begin(driver)
    late(driver, 3)
    turn = driver.tick(at(3, "12:00"), opened(revision=1, obligors=(JOINT[1].model_copy(update={"borrower_id": BEN}),)))
    assert taken_back(turn) == [WithdrawalReason.SUPERSEDED]
    assert [emit.key for emit in turn.events] == [ANN, BEN]


def test_a_due_date_that_moves_begins_its_course_again(driver: Reminder) -> None:
    """Deferred by twenty days on the second day of arrears: the steps come around the new date."""
    begin(driver)
    late(driver, 1)
    driver.tick(at(2), changed(due=DUE + timedelta(days=20)))
    driver.run(at(21, "11:00"), HOUR)
    steps = [(request.local_date - DUE).days for request in driver.all(ContactRequested)]
    assert steps == [-3, 0, 1, 17, 20, 21]


def test_facts_before_the_terms_wait_in_silence(driver: Reminder) -> None:
    """An instalment of an unknown loan is kept; when the terms come, its course begins."""
    driver.tick(at(-10), scheduled())
    assert (driver.wake_at, driver.turns[0].events) == (None, ())
    driver.tick(at(-9), opened())
    assert asked(late(driver, -3)).amount_due_minor == 100_000


def test_a_lost_arrangement_about_an_unknown_loan_is_remembered(driver: Reminder) -> None:
    """The doubt comes before the loan and still protects it."""
    driver.tick(at(2), Unreadable(REPAYMENTS, LOAN, "not_json", "lending.repayments/0/7"))
    turn = driver.tick(at(3, "10:00"), opened(), scheduled())
    assert (turn.of(ContactRequested), "fact_in_doubt" in turn.reasons) == ([], True)


def test_the_zone_of_the_tests_is_the_one_that_they_say() -> None:
    """The builders' clock is Shanghai's, eight hours ahead."""
    assert ZONE == "Asia/Shanghai"
    assert at(date(1970, 1, 2), "08:00") == 24 * HOUR
