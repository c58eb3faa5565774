"""Given facts and what the gate says, when a tick comes, then who is linked, where the case stands, whom to call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.contract.base import Channel, Rung
from shared.contract.loans import Role
from shared.contract.outcomes import Direction, Outcome
from shared.contract.outreach import Answer
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import (
    ClearancePurpose,
    ClearanceRequested,
    ContactClass,
    ContactRequested,
    ContactWithdrawn,
    LoanLinked,
    LoanUnlinked,
    StageChanged,
    StageMove,
    WithdrawalReason,
)
from shared.engine.processor import Unreadable
from tests.driver import Turn, fact
from tests.services.escalation.conftest import (
    HOUR,
    Escalation,
    answered,
    call,
    called,
    clearance,
    message,
    person_hold,
)
from tests.services.lending import (
    ANN,
    BEN,
    DUE,
    JOINT,
    LOAN,
    at,
    boarded,
    closed,
    held,
    lifted,
    opened,
    paid,
    promised,
    returned,
    scheduled,
)


def begin(driver: Escalation, *facts: Any, **terms: Any) -> Turn:
    """A loan with one instalment of CNY 1,000.00 due on `DUE`, known three weeks before."""
    return driver.tick(at(-21), opened(**terms), *(facts or (scheduled(),)))


def moves(driver: Escalation) -> list[tuple[StageMove, Rung]]:
    return [(change.move, change.rung) for change in driver.all(StageChanged)]


def to_calls(driver: Escalation, **terms: Any) -> ContactRequested:
    """Bring the case to the rung of calls and return its first request, made on day 8 at 10:30."""
    begin(driver, **terms)
    driver.run(at(2), HOUR)
    driver.tick(at(2, "12:00"), message("m1", at(2, "11:00")))
    driver.tick(at(4, "12:00"), message("m2", at(4, "11:00")))
    driver.run(at(8, "11:00"), HOUR // 2)
    assert moves(driver)[-1] == (StageMove.RAISED, Rung.HUMAN_CALL)
    return driver.all(ContactRequested)[-1]


def to_clearance(driver: Escalation) -> ClearanceRequested:
    """Bring the case to where only clearance stands before the restriction: day 20."""
    first = to_calls(driver)
    driver.tick(at(9), called(first, at(8, "12:00")), call("c2", at(8, "18:00")))
    driver.run(at(20), HOUR)
    return driver.all(ClearanceRequested)[-1]


def to_restriction(driver: Escalation) -> Turn:
    """Bring the case onto the rung of restriction, on day 20."""
    asked = to_clearance(driver)
    return driver.tick(at(20, "02:00"), clearance(asked, at(20, "01:00")))


# --- links


def test_everybody_who_answers_for_a_loan_is_linked_at_its_first_tick(driver: Escalation) -> None:
    """The gate learns of borrower and guarantor with their roles, so that holds on them reach the loan."""
    turn = begin(driver, obligors=JOINT)
    linked = [(emit.key, emit.data.role) for emit in turn.events if isinstance(emit.data, LoanLinked)]
    assert linked == [(ANN, Role.BORROWER), (BEN, Role.GUARANTOR)]
    assert {link.caused_by for link in turn.of(LoanLinked)} == {(fact(opened(obligors=JOINT)).id,)}


def test_new_terms_link_whom_they_add_and_unlink_whom_they_drop(driver: Escalation) -> None:
    """Only the difference is published."""
    begin(driver, obligors=JOINT)
    turn = driver.tick(at(-20), opened(revision=1, obligors=JOINT[1:]))
    assert [unlinked.borrower_id for unlinked in turn.of(LoanUnlinked)] == [BEN]
    assert turn.of(LoanLinked) == []


def test_t21_the_end_unlinks_clears_and_withdraws_and_nothing_opens_it_again(driver: Escalation) -> None:
    """A settled loan leaves the ladder at once; stray facts that follow change nothing."""
    first = to_calls(driver)
    turn = driver.tick(at(8, "12:00"), closed(DUE + timedelta(days=8)))
    assert [unlinked.borrower_id for unlinked in turn.of(LoanUnlinked)] == [ANN]
    assert [(it.move, it.rule) for it in turn.of(StageChanged)] == [(StageMove.CLEARED, "ladder.closed")]
    assert [(it.request_id, it.reason) for it in turn.of(ContactWithdrawn)] == [
        (first.request_id, WithdrawalReason.LOAN_CLOSED)
    ]
    driver.tick(at(9), scheduled("i9", DUE), returned("p9", DUE), message("m9", at(9)))
    driver.run(at(60), 6 * HOUR)
    assert driver.turns[-1].events == ()
    assert moves(driver)[-1] == (StageMove.CLEARED, Rung.NONE)
    assert driver.state is not None
    assert driver.state.loan.gravestone


# --- up


def test_a_case_climbs_rung_by_rung_to_a_persons_review_and_no_further(driver: Escalation) -> None:
    """Message on day 1, calls on day 8, restriction on day 20 after clearance, review on day 35; then silence."""
    to_restriction(driver)
    driver.run(at(22, "11:00"), HOUR // 2)
    driver.tick(at(23), called(driver.all(ContactRequested)[-1], at(22, "15:00")))
    driver.run(at(200), 12 * HOUR)
    assert moves(driver) == [
        (StageMove.RAISED, Rung.MESSAGE),
        (StageMove.RAISED, Rung.HUMAN_CALL),
        (StageMove.RAISED, Rung.RESTRICTION),
        (StageMove.RAISED, Rung.CASE_REVIEW),
    ]
    days = [(change.changed_ms - at(0)) // (24 * HOUR) for change in driver.all(StageChanged)]
    assert days == [1, 8, 20, 35]
    assert driver.all(ContactRequested)[-1].local_date < DUE + timedelta(days=36)


def test_a_move_names_rule_amount_age_policy_and_causes(driver: Escalation) -> None:
    """Whoever asks why finds it in the event (P7)."""
    begin(driver)
    driver.run(at(1), HOUR)
    (change,) = driver.all(StageChanged)
    assert (change.borrower_id, change.loan_id, change.lender_id) == (ANN, LOAN, "lender-1")
    assert (change.rung_before, change.rung, change.rule) == (Rung.NONE, Rung.MESSAGE, "ladder.message")
    assert (change.treatment_days, change.days_past_due, change.amount_overdue_minor) == (1, 1, 100_000)
    assert (change.policy, change.changed_ms) == (driver.policy.hash, at(1))
    assert change.caused_by == (fact(scheduled()).id,)


def test_silence_that_we_caused_is_no_failure_to_respond(driver: Escalation) -> None:
    """Caps, hours or an outage kept every message back: the case stays where it is, for as long as it takes."""
    begin(driver)
    turns = driver.run(at(50), HOUR)
    assert moves(driver) == [(StageMove.RAISED, Rung.MESSAGE)]
    assert {reason for turn in turns for reason in turn.reasons} == {"attempts_missing"}


@pytest.mark.parametrize(
    "outcomes",
    [
        (message("m2", at(3), Outcome.NOT_ATTEMPTED),),
        (message("m2", at(3), Outcome.BOUNCED),),
        (message("m2", at(3), Outcome.ATTEMPTED), message("m2", at(3), Outcome.BOUNCED)),
        (message("m2", at(3), Outcome.WRONG_NUMBER),),
        (message("m2", at(3), Outcome.CONVERSATION, direction=Direction.INBOUND),),
        (message("m2", at(3), contact_class=ContactClass.PRE_DUE),),
        (message("m2", at(3), contact_class=ContactClass.STATUTORY_NOTICE),),
        (message("m2", at(3), contact_class=None, permit_id=None),),
        (message("m2", at(0)),),
        (message("m1", at(3), Outcome.STOP), message("m1", at(3), Outcome.ATTEMPTED)),
        (call("c1", at(3)),),
    ],
)
def test_only_attempts_really_made_in_the_way_of_the_rung_count(driver: Escalation, outcomes: tuple[Any, ...]) -> None:
    """One message went out; a second that was not made, failed, came in, was no demand, or lies before, is none."""
    begin(driver)
    driver.run(at(4), HOUR)
    driver.tick(at(4, "01:00"), message("m1", at(2)), *outcomes)
    driver.run(at(12), HOUR)
    assert moves(driver)[-1][1] is Rung.MESSAGE
    driver.tick(at(12, "01:00"), message("m3", at(11)))
    assert moves(driver)[-1][1] is Rung.HUMAN_CALL


def test_a_long_outage_ends_in_one_rung_not_in_four(driver: Escalation) -> None:
    """Forty days late at the first look: the case begins on the lowest rung and dwells there."""
    begin(driver)
    turn = driver.tick(at(40), *(message(f"m{n}", at(5)) for n in range(9)))
    assert [change.rung for change in turn.of(StageChanged)] == [Rung.MESSAGE]
    driver.tick(at(41), message("m10", at(40, "12:00")), message("m11", at(40, "13:00")))
    assert driver.turns[-1].reasons == ["dwelling"]
    driver.run(at(45), HOUR)
    assert moves(driver)[-1] == (StageMove.RAISED, Rung.HUMAN_CALL)


def test_small_amounts_stay_with_messages(driver: Escalation) -> None:
    """CNY 199.99 never becomes a call, however old (proportionality)."""
    begin(driver, scheduled(principal=19_999))
    driver.run(at(2), HOUR)
    driver.tick(at(3), message("m1", at(2)), message("m2", at(2, "01:00")))
    driver.run(at(30), HOUR)
    assert moves(driver) == [(StageMove.RAISED, Rung.MESSAGE)]
    assert "below_threshold" in {reason for turn in driver.turns for reason in turn.reasons}


def test_a_currency_without_thresholds_never_reaches_a_rung(driver: Escalation) -> None:
    """What the strategy does not say about a currency is not guessed."""
    begin(driver, currency="SEK")
    turns = driver.run(at(10), HOUR)
    assert moves(driver) == []
    assert {reason for turn in turns for reason in turn.reasons} == {"no_threshold"}


def test_t12_grace_delays_treatment_not_the_count_of_days(driver: Escalation) -> None:
    """With five days of grace the first rung comes on day 6, and says six days past due, one of treatment."""
    begin(driver, grace_days=5)
    driver.run(at(7), HOUR)
    (change,) = driver.all(StageChanged)
    assert (change.changed_ms, change.days_past_due, change.treatment_days) == (at(6), 6, 1)


def test_t03_arrears_within_tolerance_open_no_case(driver: Escalation) -> None:
    """A shortfall of the tolerance is nothing; what remains after a payment of nearly all clears the case."""
    begin(driver, tolerance_minor=100)
    driver.run(at(2), HOUR)
    turn = driver.tick(at(3), paid("p1", 99_900))
    assert [(it.move, it.rule) for it in turn.of(StageChanged)] == [(StageMove.CLEARED, "ladder.cured")]
    driver.run(at(30), HOUR)
    assert moves(driver)[-1] == (StageMove.CLEARED, Rung.NONE)


# --- down


def test_a_cure_clears_the_case_and_withdraws_the_call_at_once(driver: Escalation) -> None:
    """Paid in full on the rung of calls: cleared, and the call is taken back, at the tick that reads the payment."""
    first = to_calls(driver)
    payment = paid("p1", 100_000)
    turn = driver.tick(at(8, "11:30"), payment)
    (change,) = turn.of(StageChanged)
    assert (change.move, change.rung_before, change.rung) == (StageMove.CLEARED, Rung.HUMAN_CALL, Rung.NONE)
    assert [(it.request_id, it.reason) for it in turn.of(ContactWithdrawn)] == [
        (first.request_id, WithdrawalReason.PAID)
    ]
    assert {change.caused_by, turn.of(ContactWithdrawn)[0].caused_by} == {(fact(payment).id,)}


def test_part_payment_lowers_to_the_highest_rung_that_still_holds(driver: Escalation) -> None:
    """From restriction, with too little left for it but enough for calls: one step down; with less still, messages."""
    to_restriction(driver)
    driver.tick(at(20, "03:00"), paid("p1", 60_000))
    assert moves(driver)[-1] == (StageMove.LOWERED, Rung.HUMAN_CALL)
    driver.tick(at(20, "04:00"), paid("p2", 30_000))
    assert moves(driver)[-1] == (StageMove.LOWERED, Rung.MESSAGE)
    assert driver.all(StageChanged)[-1].rule == "ladder.no_longer_carried"


def test_a_lowered_case_needs_new_attempts_and_days_to_climb_again(driver: Escalation) -> None:
    """Down and up again takes the same patience as the first time."""
    to_restriction(driver)
    driver.tick(at(20, "03:00"), paid("p1", 90_000))
    driver.tick(at(21), returned("p1", DUE + timedelta(days=21)))
    assert moves(driver)[-1] == (StageMove.LOWERED, Rung.MESSAGE)
    driver.run(at(30), HOUR)
    assert moves(driver)[-1] == (StageMove.LOWERED, Rung.MESSAGE)
    driver.tick(at(30, "01:00"), message("m8", at(28)), message("m9", at(29)))
    assert moves(driver)[-1] == (StageMove.RAISED, Rung.HUMAN_CALL)


def test_t16_a_returned_payment_after_a_cure_starts_at_the_bottom(driver: Escalation) -> None:
    """The obligation is old again, the case is not: it begins with messages."""
    to_calls(driver)
    driver.tick(at(9), paid("p1", 100_000))
    driver.tick(at(12), returned("p1", DUE + timedelta(days=12)))
    assert moves(driver)[-1] == (StageMove.RAISED, Rung.MESSAGE)
    assert driver.all(StageChanged)[-1].treatment_days == 12


def test_t11_a_backdated_hold_lowers_what_it_makes_too_young(driver: Escalation) -> None:
    """Five days of hold that become known on day 9 leave four days of treatment: too few for calls."""
    to_calls(driver)
    turn = driver.tick(at(9), held("h1", at(1), at(6)))
    assert [(it.move, it.rung, it.treatment_days) for it in turn.of(StageChanged)] == [
        (StageMove.LOWERED, Rung.MESSAGE, 4)
    ]


# --- clearance


def test_a_restriction_asks_first_and_acts_at_the_tick_that_reads_yes(driver: Escalation) -> None:
    """The question names purpose and person; the answer and nothing else raises the case."""
    asked = to_clearance(driver)
    assert (asked.purpose, asked.borrower_id, asked.loan_id) == (ClearancePurpose.RESTRICTION, ANN, LOAN)
    assert moves(driver)[-1] == (StageMove.RAISED, Rung.HUMAN_CALL)
    answer = clearance(asked, at(20, "01:00"))
    turn = driver.tick(at(20, "01:30"), answer)
    (change,) = turn.of(StageChanged)
    assert (change.rung, change.caused_by[0]) == (Rung.RESTRICTION, fact(answer).id)


def test_no_is_not_asked_again_before_its_rule_ends(driver: Escalation) -> None:
    """A refusal until day 26 is respected; then the question comes again under a new id."""
    asked = to_clearance(driver)
    driver.tick(at(20, "02:00"), clearance(asked, at(20, "01:00"), cleared=False, until=at(26, "09:00")))
    driver.run(at(26, "08:00"), HOUR)
    assert driver.all(ClearanceRequested) == [asked]
    assert "not_cleared" in {reason for turn in driver.turns for reason in turn.reasons}
    driver.run(at(26, "10:00"), HOUR)
    assert len({it.clearance_id for it in driver.all(ClearanceRequested)}) == 2


def test_a_question_without_an_answer_is_asked_again_after_its_patience(driver: Escalation) -> None:
    """A gate that was away gets the question anew after two days, not every hour."""
    to_clearance(driver)
    driver.run(at(24, "12:00"), HOUR)
    instants = [turn.at for turn in driver.turns if turn.of(ClearanceRequested)]
    assert instants == [at(20), at(22), at(24)]


def test_a_yes_that_comes_while_the_loan_must_be_left_alone_is_not_used_later(driver: Escalation) -> None:
    """Cleared, but a hold came first: nothing happens, and after the hold the gate is asked again."""
    asked = to_clearance(driver)
    turn = driver.tick(at(20, "02:00"), held("h1", at(20, "01:30")), clearance(asked, at(20, "01:00")))
    assert (turn.of(StageChanged), turn.reasons) == ([], ["reason_gone"])
    driver.run(at(25), HOUR)
    driver.tick(at(25, "01:00"), lifted("h1", at(25, "01:00")))
    driver.run(at(60), HOUR)
    assert len(driver.all(ClearanceRequested)) > 1
    assert moves(driver)[-1] == (StageMove.RAISED, Rung.HUMAN_CALL)


def test_a_yes_after_the_money_came_restricts_nobody(driver: Escalation) -> None:
    """Payment and answer in one epoch: the case is cleared, the answer is moot."""
    asked = to_clearance(driver)
    turn = driver.tick(at(20, "02:00"), paid("p1", 100_000), clearance(asked, at(20, "01:00")))
    assert [change.move for change in turn.of(StageChanged)] == [StageMove.CLEARED]
    assert "reason_gone" in turn.reasons


# --- leaving alone


@pytest.mark.parametrize(
    ("given", "skip", "reason"),
    [
        (held("h1", at(8, "11:00")), "held", WithdrawalReason.HOLD),
        (person_hold("h1", at(8, "11:00"), None, at(8, "11:00")), "held", WithdrawalReason.HOLD),
        (promised("w1", DUE + timedelta(days=90), DUE + timedelta(days=8)), "promised", WithdrawalReason.PROMISE),
    ],
)
def test_a_case_that_must_be_left_alone_stands_still_and_takes_its_call_back(
    driver: Escalation, given: Any, skip: str, reason: WithdrawalReason
) -> None:
    """Hold on the loan, hold on the person, promise: the call goes at that tick, and the case does not climb."""
    first = to_calls(driver)
    turn = driver.tick(at(8, "11:30"), given)
    assert [(it.request_id, it.reason) for it in turn.of(ContactWithdrawn)] == [(first.request_id, reason)]
    assert turn.of(ContactWithdrawn)[0].caused_by == (fact(given).id,)
    driver.tick(at(9), *(call(f"c{n}", at(8, "11:15")) for n in range(3)))
    turns = driver.run(at(60), HOUR)
    assert moves(driver)[-1] == (StageMove.RAISED, Rung.HUMAN_CALL)
    assert driver.all(ContactRequested) == [first]
    assert skip in {why for one in turns for why in one.reasons}


def test_a_doubt_stops_a_case_for_three_days(driver: Escalation) -> None:
    """A repayment that cannot be read may be the one: no call meanwhile, then the course goes on."""
    to_calls(driver)
    turn = driver.tick(at(8, "11:30"), Unreadable(REPAYMENTS, LOAN, "not_json", "lending.repayments/0/7"))
    assert [it.reason for it in turn.of(ContactWithdrawn)] == [WithdrawalReason.FACT_IN_DOUBT]
    driver.run(at(11, "11:00"), HOUR // 2)
    assert len(driver.all(ContactRequested)) == 1
    driver.run(at(11, "12:00"), HOUR // 2)
    assert len(driver.all(ContactRequested)) == 2


def test_the_newest_word_about_a_hold_on_a_person_wins_in_any_order(driver: Escalation) -> None:
    """Placed, then lifted: read the other way round it is still lifted."""
    to_calls(driver)
    placed = person_hold("h1", at(8), None, at(8, "11:00"))
    ended = person_hold("h1", at(8), at(8, "11:05"), at(8, "11:06"))
    turn = driver.tick(at(8, "11:30"), ended, placed)
    assert turn.of(ContactWithdrawn) == []


def test_a_hold_on_a_guarantor_stops_the_ladder_too(driver: Escalation) -> None:
    """Whoever answers for the loan: while one of them is protected, the case does not climb."""
    begin(driver, obligors=JOINT)
    driver.tick(at(-20), person_hold("h1", at(-20), None, at(-20), borrower=BEN))
    driver.run(at(10), HOUR)
    assert moves(driver) == []


def test_days_of_a_hold_are_not_days_dwelt(driver: Escalation) -> None:
    """After a hold the case dwells anew before it climbs: nobody wakes up to a higher rung."""
    begin(driver)
    driver.run(at(2), HOUR)
    driver.tick(at(2, "12:00"), message("m1", at(2)), message("m2", at(2, "01:00")), held("h1", at(2), at(20)))
    driver.run(at(24, "23:00"), HOUR)
    assert moves(driver)[-1] == (StageMove.RAISED, Rung.MESSAGE)
    driver.run(at(40), HOUR)
    raised = driver.all(StageChanged)[-1]
    assert (raised.rung, raised.changed_ms >= at(25)) == (Rung.HUMAN_CALL, True)


# --- calls


def test_calls_are_asked_for_every_three_days_and_at_most_four_times(driver: Escalation) -> None:
    """The rung's schedule, with the call's class, channel, step and window; then the rung has had its calls."""
    first = to_calls(driver)
    assert (first.contact_class, first.channels, first.step) == (
        ContactClass.HUMAN_CALL,
        (Channel.CALL,),
        "human_call/1",
    )
    assert (first.not_before_ms, first.not_after_ms) == (at(8, "10:30"), at(11))
    driver.run(at(30), HOUR // 2)
    assert [(it.local_date - DUE).days for it in driver.all(ContactRequested)] == [8, 11, 14, 17]
    assert "calls_exhausted" in {reason for turn in driver.turns for reason in turn.reasons}


def test_a_call_that_was_made_is_not_withdrawn_any_more(driver: Escalation) -> None:
    """After the attempt a payment clears the case; there is nothing left to take back."""
    first = to_calls(driver)
    driver.tick(at(8, "11:30"), called(first, at(8, "11:20")))
    turn = driver.tick(at(8, "12:00"), paid("p1", 30_000))
    assert (turn.of(ContactWithdrawn), turn.of(ContactRequested)) == ([], [])


@pytest.mark.parametrize("answer", [Answer.REFUSED, Answer.EXPIRED])
def test_a_call_that_the_gate_ended_comes_again_on_schedule_only(driver: Escalation, answer: Answer) -> None:
    """Refused or expired is an answer: the next call is three days later, not at the next tick."""
    first = to_calls(driver)
    driver.tick(at(8, "11:30"), answered(first, answer, at(8, "11:20")))
    driver.run(at(11, "12:00"), HOUR // 2)
    assert [(it.local_date - DUE).days for it in driver.all(ContactRequested)] == [8, 11]


def test_a_granted_call_stays_outstanding(driver: Escalation) -> None:
    """A permit is not an attempt: the money still withdraws the request."""
    first = to_calls(driver)
    driver.tick(at(8, "11:30"), answered(first, Answer.GRANTED, at(8, "11:20")))
    turn = driver.tick(at(8, "12:00"), paid("p1", 100_000))
    assert [it.reason for it in turn.of(ContactWithdrawn)] == [WithdrawalReason.PAID]


def test_a_part_payment_makes_the_call_anew_with_the_right_amount(driver: Escalation) -> None:
    """The caller never reads yesterday's amount from the screen."""
    first = to_calls(driver)
    turn = driver.tick(at(8, "12:00"), paid("p1", 30_000))
    (request,) = turn.of(ContactRequested)
    assert [it.reason for it in turn.of(ContactWithdrawn)] == [WithdrawalReason.AMOUNT_CHANGED]
    assert (request.amount_due_minor, request.replaces_request_id) == (70_000, first.request_id)
    assert (request.not_after_ms, request.step) == (first.not_after_ms, first.step)


def test_a_lifted_hold_lets_the_call_be_made_after_all(driver: Escalation) -> None:
    """The call that a short hold took back is asked for anew while its time lasts."""
    first = to_calls(driver)
    driver.tick(at(8, "12:00"), held("h1", at(8, "12:00")))
    turn = driver.tick(at(9, "12:00"), lifted("h1", at(9, "12:00")))
    assert [it.replaces_request_id for it in turn.of(ContactRequested)] == [first.request_id]


def test_the_next_rung_takes_the_calls_of_the_last_one_back(driver: Escalation) -> None:
    """On the rung of restriction the words are others: an outstanding call of the rung below is withdrawn."""
    first = to_calls(driver, product="revolving")
    driver.tick(at(9), called(first, at(8, "12:00")), call("c2", at(8, "18:00")))
    driver.run(at(15), HOUR // 2)
    outstanding = driver.all(ContactRequested)[-1]
    turn = driver.tick(at(15, "02:00"), clearance(driver.all(ClearanceRequested)[-1], at(15, "01:00")))
    assert [change.rung for change in turn.of(StageChanged)] == [Rung.RESTRICTION]
    assert [(it.request_id, it.reason) for it in turn.of(ContactWithdrawn)] == [
        (outstanding.request_id, WithdrawalReason.RUNG_LEFT)
    ]
    driver.run(at(18), HOUR // 2)
    assert driver.all(ContactRequested)[-1] == outstanding, "the new rung keeps the distance between two calls"


# --- boarding, waiting facts


def test_a_boarded_loan_stands_where_it_stood(driver: Escalation) -> None:
    """Nothing is published for it; it climbs on from there after dwelling, and is cleared like any other."""
    turn = driver.tick(at(30), boarded(DUE + timedelta(days=29), ("i1", DUE, 100_000), rung=Rung.HUMAN_CALL))
    assert turn.of(StageChanged) == []
    assert [emit.key for emit in turn.events] == [ANN]
    driver.run(at(31, "12:00"), HOUR)
    assert len(driver.all(ContactRequested)) == 1
    driver.tick(at(32), paid("p1", 100_000, DUE + timedelta(days=31)))
    assert [(it.rung_before, it.rung) for it in driver.all(StageChanged)] == [(Rung.HUMAN_CALL, Rung.NONE)]


def test_a_rung_above_our_ladder_is_kept_until_the_amount_falls(driver: Escalation) -> None:
    """A loan that came from a court case is not restricted, called or raised by us; a cure clears it."""
    driver.tick(at(90), boarded(DUE + timedelta(days=89), ("i1", DUE, 500_000), rung=Rung.LEGAL))
    driver.run(at(120), 6 * HOUR)
    assert (driver.all(StageChanged), driver.all(ContactRequested)) == ([], [])
    driver.tick(at(121), paid("p1", 500_000, DUE + timedelta(days=120)))
    assert moves(driver) == [(StageMove.CLEARED, Rung.NONE)]


def test_t15_a_fact_that_waits_in_vain_is_reported_once_after_seven_days(driver: Escalation) -> None:
    """A return whose payment never comes is said so at a tick, and only once."""
    begin(driver)
    driver.tick(at(-15), returned("p1", DUE - timedelta(days=15)))
    turns = driver.run(at(-1), HOUR)
    reports = [(turn.at, skip.subject) for turn in turns for skip in turn.skips if skip.reason == "parked"]
    assert reports == [(at(-8), f"no_payment/{fact(returned('p1', DUE - timedelta(days=15))).id}")]


def test_t15_money_for_a_loan_that_nobody_opened_is_reported_after_seven_days(driver: Escalation) -> None:
    """A payment whose loan never comes is reported once; when the loan comes after all, it counts."""
    driver.tick(at(-20), paid("p1", 100_000, DUE - timedelta(days=20)))
    turns = driver.run(at(-5), HOUR)
    assert [turn.at for turn in turns if "parked" in turn.reasons] == [at(-13)]
    driver.tick(at(-4), opened(), scheduled())
    driver.run(at(10), HOUR)
    assert moves(driver) == []


def test_a_payer_in_time_is_hardly_looked_at(driver: Escalation) -> None:
    """Money for a loan on no rung wakes nobody; over a month and a half a handful of looks is enough."""
    begin(driver)
    driver.tick(at(-3), paid("p1", 100_000, DUE - timedelta(days=3)))
    driver.run(at(25), HOUR)
    assert driver.wakes <= 5
    assert moves(driver) == []
