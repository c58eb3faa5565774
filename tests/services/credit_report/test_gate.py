"""The way of an adverse month: notice, waiting time, clearance, and everything that shuts the gate."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from services.credit_report.reasons import Shut, Told
from shared.contract.arrangements import ARRANGEMENTS
from shared.contract.base import HoldReason
from shared.contract.loans import ClosedReason
from shared.contract.outcomes import Outcome
from shared.contract.outreach import Answer
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import (
    ClearancePurpose,
    ContactClass,
    ContactWithdrawn,
    ReportAction,
    WithdrawalReason,
)
from shared.engine.processor import Unreadable
from shared.kernel.zones import DAY_MS, HOUR_MS
from tests.driver import fact
from tests.services.credit_report.bureau import (
    APRIL,
    CUTOFF,
    DEADLINE,
    LEAD,
    MARCH,
    START,
    Bureau,
    Way,
    answered,
    granted,
    outcome,
    permit_of,
    person_held,
)
from tests.services.lending import (
    DUE,
    LOAN,
    at,
    boarded,
    charged,
    closed,
    held,
    lifted,
    opened,
    paid,
    promised,
    scheduled,
)


def _opened(*more: object) -> list[tuple[int, object]]:
    return [(START, opened()), (START, scheduled()), *more]


def test_t61_the_borrower_is_warned_before_the_cutoff() -> None:
    """A late loan gets one statutory notice at the lead before the cut-off, with amount, due date and consequence."""
    bureau = Bureau()
    bureau.run(START, CUTOFF - HOUR_MS, _opened())
    (notice,) = bureau.asked()
    assert (notice.contact_class, notice.month) == (ContactClass.STATUTORY_NOTICE, MARCH)
    assert (notice.not_before_ms, notice.not_after_ms) == (LEAD, DEADLINE - 3 * DAY_MS)
    assert (notice.amount_due_minor, notice.oldest_due_date, notice.days_past_due) == (100_000, DUE, 12)
    assert (notice.instalment_ids, notice.consequences) == (("i1",), ("credit_record",))
    assert notice.caused_by != ()
    assert bureau.reports() == []
    assert bureau.clearances == 0


def test_a_warned_month_is_filed_just_after_its_cutoff() -> None:
    """Clearance is asked at the cut-off, and the month is filed at the tick that reads the answer."""
    bureau = Bureau()
    bureau.run(START, CUTOFF + DAY_MS, _opened())
    (report,) = bureau.reports()
    (asked,) = bureau.asked()
    assert (report.code, report.adverse, report.action) == ("1", True, ReportAction.FILED)
    assert (report.decided_ms, report.reason) == (CUTOFF + HOUR_MS, Told.GATE_PASSED)
    assert (report.days_past_due, report.amount_overdue_minor) == (21, 100_000)
    assert report.notice_permit_id == permit_of(asked)
    assert report.clearance_id is not None


def test_clearance_names_its_purpose_and_the_notice() -> None:
    """The gate can check the notice itself: the question names it."""
    bureau = Bureau(clears=lambda _: None)
    bureau.run(START, CUTOFF, _opened())
    clearances = [emit.data for emit in bureau.driver.turns[-1].events]
    assert [(one.purpose, one.month) for one in clearances] == [(ClearancePurpose.ADVERSE_REPORT, MARCH)]
    assert clearances[0].notice_request_id == bureau.asked()[0].request_id


def test_one_day_late_at_the_cutoff_waits_for_notice_and_time() -> None:
    """Late only on the last day: held for the notice, then for the waiting time, then filed, with versions rising."""
    bureau = Bureau()
    facts = [(START, opened()), (START, scheduled("i1", date(2024, 3, 30)))]
    bureau.run(START, CUTOFF + 4 * DAY_MS, facts)
    assert bureau.held(MARCH) == [Shut.WAITING_TIME]
    assert [(one.version, one.code) for one in bureau.reports(MARCH)] == [(1, "#"), (2, "1")]
    sent = at(date(2024, 3, 31)) + 10 * 60_000
    assert sent + 3 * DAY_MS <= bureau.told(MARCH).decided_ms < sent + 3 * DAY_MS + 3 * HOUR_MS


def test_held_months_name_nothing_adverse() -> None:
    """What is withheld is not said: a held month carries the unknown code and no adverse mark."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, CUTOFF + DAY_MS, _opened())
    (month,) = bureau.reports(MARCH)
    assert (month.action, month.code, month.adverse, month.reason) == (
        ReportAction.HELD, "#", False, Shut.NOTICE_NOT_SENT,
    )  # fmt: skip


def test_t61_a_payment_in_the_waiting_time_cancels_the_report() -> None:
    """Paid after the notice and before the cut-off: the month is good, nothing adverse is ever told."""
    bureau = Bureau()
    payday = date(2024, 3, 23)
    bureau.run(START, CUTOFF + DAY_MS, _opened((at(payday, "12:00"), paid("p1", 100_000, payday))))
    assert bureau.codes(MARCH) == ["N"]
    assert bureau.clearances == 0


def test_t61_a_payment_after_the_cutoff_but_before_the_report_cancels_it() -> None:
    """Paid while the month waits: never adverse, and never called good either."""
    bureau = Bureau()
    payday = date(2024, 4, 2)
    facts = [(START, opened()), (START, scheduled("i1", date(2024, 3, 30)))]
    facts.append((at(payday, "12:00"), paid("p1", 100_000, payday)))
    bureau.run(START, DEADLINE + DAY_MS, facts)
    assert bureau.codes(MARCH) == ["#"]
    assert (bureau.told(MARCH).reason, bureau.told(MARCH).adverse) == (Told.PAID_IN_WAITING_TIME, False)
    assert bureau.told(MARCH).decided_ms == at(payday, "12:00")


def test_a_part_payment_in_the_waiting_time_does_not_cancel() -> None:
    """Money that leaves arrears beyond the tolerance leaves the month as it stood at the cut-off."""
    bureau = Bureau()
    payday = date(2024, 3, 23)
    bureau.run(START, CUTOFF + DAY_MS, _opened((at(payday), paid("p1", 40_000, payday))))
    assert (bureau.codes(MARCH), bureau.told(MARCH).amount_overdue_minor) == (["1"], 60_000)


def test_a_payment_before_the_notice_was_made_takes_it_back() -> None:
    """A notice that is only asked for is withdrawn at the tick that reads the payment (promise P5)."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, LEAD + HOUR_MS, _opened())
    turn = bureau.tick(LEAD + 2 * HOUR_MS, paid("p1", 100_000, date(2024, 3, 22)))
    assert [emit.data.reason for emit in turn.events] == [WithdrawalReason.PAID]


@pytest.mark.parametrize(
    ("news", "reason"),
    [
        (paid("p1", 40_000, date(2024, 3, 22)), WithdrawalReason.AMOUNT_CHANGED),
        (charged("c1", 500, date(2024, 3, 22)), WithdrawalReason.AMOUNT_CHANGED),
    ],
)
def test_a_notice_with_a_wrong_amount_is_taken_back_and_asked_anew(news: object, reason: WithdrawalReason) -> None:
    """Nobody is told an amount that is known to be wrong."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, LEAD + HOUR_MS, _opened())
    bureau.tick(LEAD + 2 * HOUR_MS, news)
    assert [one.reason for one in bureau.withdrawn()] == [reason]
    first, second = bureau.asked()
    assert (second.replaces_request_id, first.replaces_request_id) == (first.request_id, None)
    assert first.request_id != second.request_id
    assert second.amount_due_minor != first.amount_due_minor


@pytest.mark.parametrize(
    ("news", "withdrawal", "shut"),
    [
        (held("h1", START), WithdrawalReason.HOLD, Shut.HOLD),
        (held("h1", START, reason=HoldReason.DISPUTE), WithdrawalReason.HOLD, Shut.DISPUTE),
        (held("h1", START, reason=HoldReason.ARMED_FORCES), WithdrawalReason.HOLD, Shut.HOLD),
        (person_held(START, None, START), WithdrawalReason.HOLD, Shut.PERSON_HOLD),
        (person_held(START, None, START, HoldReason.DISPUTE), WithdrawalReason.HOLD, Shut.DISPUTE),
        (promised("t1", date(2024, 5, 1), date(2024, 3, 20)), WithdrawalReason.PROMISE, Shut.PROMISE),
    ],
)
def test_t64_what_protects_a_person_stops_notice_and_report(
    news: object, withdrawal: WithdrawalReason, shut: Shut
) -> None:
    """A hold, dispute or promise takes back the notice at once, holds the month with its reason, then unknown."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, DEADLINE + DAY_MS, _opened((LEAD + HOUR_MS, news)))
    assert [one.reason for one in bureau.withdrawn()] == [withdrawal]
    assert bureau.held(MARCH) == [shut]
    assert bureau.codes(MARCH) == ["#"]
    assert (bureau.told(MARCH).decided_ms, bureau.told(MARCH).reason) == (DEADLINE, shut)
    assert bureau.clearances == 0


@pytest.mark.parametrize(
    "news",
    [
        held("h1", START, reason=HoldReason.DECEASED),
        person_held(START, None, START, HoldReason.DECEASED),
    ],
)
def test_t32_a_death_takes_the_notice_back_at_once(news: object) -> None:
    """Nobody is warned of a mark that will never be made; the month is unknown."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, LEAD + HOUR_MS, _opened())
    turn = bureau.tick(LEAD + 2 * HOUR_MS, news)
    assert [emit.data.reason for emit in turn.events] == [WithdrawalReason.HOLD]
    bureau.run(LEAD + 3 * HOUR_MS, CUTOFF + DAY_MS)
    assert (len(bureau.asked()), bureau.codes(MARCH)) == (1, ["#"])


def test_a_notice_is_taken_back_when_what_is_left_is_not_late_enough() -> None:
    """The older of two instalments is paid, the younger lies in its grace: the notice names what is owed no more."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    two = [(START, opened(grace_days=3)), (START, scheduled()), (START, scheduled("i2", date(2024, 3, 20)))]
    bureau.run(START, LEAD + HOUR_MS, two)
    turn = bureau.tick(LEAD + 2 * HOUR_MS, paid("p1", 100_000, date(2024, 3, 22)))
    assert [emit.data.reason for emit in turn.events] == [WithdrawalReason.AMOUNT_CHANGED]
    bureau.run(LEAD + 3 * HOUR_MS, at(date(2024, 3, 25)))
    assert [wish.amount_due_minor for wish in bureau.asked()] == [200_000, 100_000]


@pytest.mark.parametrize("lift", [lifted("h1", CUTOFF + 2 * DAY_MS), person_held(START, CUTOFF, CUTOFF + DAY_MS)])
def test_a_hold_that_ends_in_time_lets_the_month_go_on(lift: object) -> None:
    """After the hold the month passes the rest of the gate, with a clearance asked after the hold."""
    bureau = Bureau()
    hold = held("h1", START) if lift == lifted("h1", CUTOFF + 2 * DAY_MS) else person_held(START, None, START)
    end = CUTOFF + 2 * DAY_MS
    bureau.run(START, DEADLINE, _opened((CUTOFF - DAY_MS, hold), (end, lift)))
    assert bureau.codes(MARCH) == ["1"]
    assert bureau.told(MARCH).decided_ms == end + HOUR_MS
    assert bureau.clearances == 1


def test_a_hold_between_question_and_answer_makes_the_clearance_stale() -> None:
    """A clearance is used at the tick that reads it or not at all: after the hold it is asked for again."""
    bureau = Bureau()
    hold = held("h1", CUTOFF + HOUR_MS, CUTOFF + 2 * DAY_MS)
    bureau.run(START, DEADLINE, _opened((CUTOFF + HOUR_MS, hold)))
    assert bureau.clearances == 2
    assert (bureau.codes(MARCH), bureau.held(MARCH)) == (["1"], [Shut.HOLD])
    assert bureau.told(MARCH).decided_ms == CUTOFF + 2 * DAY_MS + HOUR_MS


def test_a_bounced_notice_is_tried_again_and_then_given_up() -> None:
    """Two bounced notices are as many as the policy makes: the month ends as unknown."""
    bureau = Bureau(notice=lambda _: Way.BOUNCES)
    bureau.run(START, DEADLINE + DAY_MS, _opened())
    march = [notice for notice in bureau.asked() if notice.month == MARCH]
    assert len(march) == 2
    assert (bureau.held(MARCH), bureau.codes(MARCH)) == ([Shut.NOTICE_BOUNCED], ["#"])
    assert bureau.told(MARCH).reason == Shut.NOTICE_BOUNCED


@pytest.mark.parametrize(
    ("way", "shut"),
    [
        (Way.REFUSED, Shut.NOTICE_REFUSED),
        (Way.EXPIRES, Shut.NOTICE_NOT_SENT),
        (Way.NOT_MADE, Shut.NOTICE_NOT_SENT),
        (Way.SILENT, Shut.NOTICE_NOT_SENT),
    ],
)
def test_a_notice_that_is_never_made_leaves_the_month_unknown(way: Way, shut: Shut) -> None:
    """Without an attempt that is known there is no adverse report, whatever the reason."""
    bureau = Bureau(notice=lambda _: way)
    bureau.run(START, DEADLINE, _opened())
    assert (bureau.held(MARCH), bureau.codes(MARCH)) == ([shut], ["#"])
    assert len(bureau.asked()) == (1 if way is Way.SILENT else 2)


def test_a_second_notice_that_is_made_opens_the_way() -> None:
    """The notice that counts is the one that was made and did not bounce; the report names its permit."""
    bureau = Bureau(notice=lambda ordinal: Way.BOUNCES if ordinal == 0 else Way.MADE)
    bureau.run(START, CUTOFF + DAY_MS, _opened())
    assert bureau.codes(MARCH) == ["1"]
    assert bureau.told(MARCH).notice_permit_id == permit_of(bureau.asked()[1])


def test_an_attempt_reported_after_its_permit_ran_out_still_counts() -> None:
    """A late outcome proves the notice; the wish made meanwhile is taken back."""
    bureau = Bureau(notice=lambda ordinal: Way.EXPIRES if ordinal == 0 else Way.SILENT)
    bureau.run(START, LEAD + 6 * HOUR_MS, _opened())
    first, second = bureau.asked()
    turn = bureau.tick(LEAD + 20 * HOUR_MS, outcome(first, Outcome.ATTEMPTED, LEAD + HOUR_MS))
    assert [emit.data.request_id for emit in turn.events] == [second.request_id]
    bureau.run(LEAD + 21 * HOUR_MS, CUTOFF + DAY_MS)
    assert bureau.told(MARCH).notice_permit_id == permit_of(first)


def test_a_bounce_that_comes_after_the_report_voids_it() -> None:
    """The person was not told after all: the filed month becomes unknown at the tick that reads the bounce."""
    bureau = Bureau()
    bureau.run(START, CUTOFF + DAY_MS, _opened())
    late = CUTOFF + DAY_MS + HOUR_MS
    turn = bureau.tick(late, outcome(bureau.asked()[0], Outcome.BOUNCED, late - 1))
    (correction,) = [emit.data for emit in turn.events]
    assert (correction.code, correction.code_before, correction.reason) == ("#", "1", Told.NOTICE_BOUNCED_LATER)


def test_a_refused_clearance_is_asked_again_until_the_time_is_up() -> None:
    """The gate says no each day; nothing adverse leaves, and at the bound the month is unknown."""
    bureau = Bureau(clears=lambda _: False)
    bureau.run(START, DEADLINE, _opened())
    assert 9 <= bureau.clearances <= 11
    assert (bureau.held(MARCH), bureau.codes(MARCH)) == ([Shut.CLEARANCE_REFUSED], ["#"])


def test_a_clearance_given_at_the_second_try_files_the_month() -> None:
    """A refusal is not for ever."""
    bureau = Bureau(clears=lambda ordinal: ordinal == 1)
    bureau.run(START, DEADLINE, _opened())
    assert bureau.codes(MARCH) == ["1"]


def test_a_silent_gate_never_becomes_an_adverse_report() -> None:
    """Without an answer the month is unknown when its time is up, and says what it waited for."""
    bureau = Bureau(clears=lambda _: None)
    bureau.run(START, DEADLINE, _opened())
    assert (bureau.codes(MARCH), bureau.told(MARCH).reason) == (["#"], Shut.AWAITING_CLEARANCE)


@pytest.mark.parametrize("topic", [REPAYMENTS, ARRANGEMENTS])
def test_an_unreadable_fact_holds_the_month(topic: str) -> None:
    """A dead letter may be the payment: for 72 hours nothing adverse is told."""
    bureau = Bureau()
    bureau.run(START, CUTOFF - HOUR_MS, _opened())
    bureau.driver.tick(CUTOFF - HOUR_MS + 1, Unreadable(topic, LOAN, "not_json", f"{topic}/0/7"))
    bureau.run(CUTOFF, DEADLINE)
    assert bureau.held(MARCH) == [Shut.FACT_IN_DOUBT]
    assert bureau.codes(MARCH) == ["1"]
    assert bureau.told(MARCH).decided_ms >= CUTOFF + 3 * DAY_MS - HOUR_MS


def test_an_unreadable_due_date_holds_nothing() -> None:
    """Only a repayment or an arrangement can be a reason to leave somebody alone."""
    bureau = Bureau()
    bureau.run(START, CUTOFF - HOUR_MS, _opened())
    bureau.driver.tick(CUTOFF - HOUR_MS + 1, Unreadable("lending.due-dates", LOAN, "not_json", "lending.due-dates/0/7"))
    bureau.run(CUTOFF, CUTOFF + DAY_MS)
    assert (bureau.held(MARCH), bureau.codes(MARCH)) == ([], ["1"])


def test_a_loan_closed_while_its_notice_waits_takes_it_back() -> None:
    """The end of the loan ends every demand; the month of the end is C."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, CUTOFF + DAY_MS, _opened((LEAD + HOUR_MS, closed(date(2024, 3, 22)))))
    assert [one.reason for one in bureau.withdrawn()] == [WithdrawalReason.PAID]
    assert bureau.codes(MARCH) == ["C"]


def test_t68_a_written_off_loan_is_never_told_as_good() -> None:
    """A loss that nobody was warned of cannot be told as bad debt; the last month is unknown, not normal."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    facts = _opened((LEAD + HOUR_MS, closed(date(2024, 3, 22), ClosedReason.WRITTEN_OFF)))
    bureau.run(START, at(date(2024, 5, 30)), facts)
    assert (bureau.codes(MARCH), bureau.reports(APRIL)) == (["#"], [])


def test_t68_a_written_off_loan_whose_notice_was_made_is_bad_debt() -> None:
    """With notice, waiting and clearance the last month says what happened, and no month follows."""
    bureau = Bureau()
    facts = _opened((LEAD + 2 * DAY_MS, closed(date(2024, 3, 23), ClosedReason.WRITTEN_OFF)))
    bureau.run(START, at(date(2024, 5, 30)), facts)
    assert (bureau.codes(MARCH), bureau.told(MARCH).amount_overdue_minor) == (["B"], 100_000)
    assert bureau.reports(APRIL) == []


def test_each_month_has_its_own_notice() -> None:
    """A person is told before each report, not once for all."""
    bureau = Bureau()
    bureau.run(START, at(date(2024, 6, 2)), _opened())
    assert [notice.month for notice in bureau.asked()] == [MARCH, APRIL, "2024-05"]
    assert [bureau.codes(month) for month in (MARCH, APRIL, "2024-05")] == [["1"], ["2"], ["3"]]
    assert len({notice.request_id for notice in bureau.asked()}) == 3


def test_an_unknown_month_is_never_made_worse() -> None:
    """What was given up as unknown stays so, whatever turns up against the borrower later; what helps is told."""
    bureau = Bureau(notice=lambda ordinal: Way.SILENT if ordinal == 0 else Way.MADE)
    older = (DEADLINE + DAY_MS, scheduled("i0", date(2024, 2, 10)))
    bureau.run(START, DEADLINE + 6 * DAY_MS, _opened(older))
    assert bureau.codes(MARCH) == ["#"]
    assert [notice.month for notice in bureau.asked()] == [MARCH]
    bureau.tick(DEADLINE + 7 * DAY_MS, paid("p1", 200_000, date(2024, 3, 1)))
    assert bureau.codes(MARCH) == ["#", "N"]


def test_foreign_contacts_are_passed_by() -> None:
    """An outcome of a reminder or an agency neither wakes the loan nor counts as a notice."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, LEAD, _opened())
    foreign = outcome(bureau.asked()[0], Outcome.ATTEMPTED, LEAD).model_copy(
        update={"request_id": "another", "permit_id": "another"}
    )
    wake_at = bureau.driver.wake_at
    before = bureau.driver.state
    step = bureau.driver.processor.decide(before, LOAN, fact(foreign), LEAD + 1, bureau.driver.policy)
    assert (step.state, step.wake_at) == (before, wake_at)


def test_p7_a_notice_taken_back_in_doubt_names_its_causes() -> None:
    """What cannot be read has no id of its own: the facts behind the notice are named instead."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, LEAD + HOUR_MS, _opened())
    turn = bureau.driver.tick(LEAD + 2 * HOUR_MS, Unreadable(REPAYMENTS, LOAN, "not_json", f"{REPAYMENTS}/0/7"))
    (taken_back,) = turn.of(ContactWithdrawn)
    assert taken_back.reason is WithdrawalReason.FACT_IN_DOUBT
    assert taken_back.caused_by != ()


def test_p7_a_notice_about_what_was_boarded_names_the_boarding_when_it_is_taken_back_in_doubt() -> None:
    """What was boarded as unpaid has no fact of its own: the boarding is the cause that is named."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    moved_in = boarded(DUE - timedelta(days=5), ("old", DUE - timedelta(days=9), 100_000))
    bureau.run(START, LEAD + HOUR_MS, [(START, moved_in)])
    turn = bureau.driver.tick(LEAD + 2 * HOUR_MS, Unreadable(REPAYMENTS, LOAN, "not_json", f"{REPAYMENTS}/0/7"))
    (taken_back,) = turn.of(ContactWithdrawn)
    loan = bureau.driver.state.loan
    assert loan.boarding is not None
    assert taken_back.caused_by == (loan.boarding.fact_id,)


def test_a_permit_that_was_taken_back_does_not_speak_for_the_one_that_follows_it() -> None:
    """Not attempted because its permit was withdrawn, a notice is still wanted and permitted again, not asked twice.

    Were it given up at that, nobody would withdraw it when the money comes: the new permit would demand what is paid.
    """
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, LEAD + HOUR_MS, _opened())
    (notice,) = bureau.asked()
    first, late, payday = LEAD + 2 * HOUR_MS, LEAD + 4 * HOUR_MS, date(2024, 3, 27)
    again = granted(notice, late).model_copy(update={"permit_id": "the second"})
    bureau.run(
        LEAD + HOUR_MS,
        at(payday) + DAY_MS,
        [
            (first, granted(notice, first)),
            (first + 1, answered(notice, Answer.WITHDRAWN, first + 1)),
            (late, outcome(notice, Outcome.NOT_ATTEMPTED, late)),
            (late, again),
            (at(payday, "12:00"), paid("p1", 100_000, payday)),
        ],
    )
    assert bureau.asked() == [notice]
    assert [one.request_id for one in bureau.withdrawn()] == [notice.request_id]


def test_a_permit_that_is_given_back_ends_the_notice_even_after_an_earlier_one_was_taken_back() -> None:
    """What the gateway says of the permit in force does count: the notice is asked again."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, LEAD + HOUR_MS, _opened())
    (notice,) = bureau.asked()
    first, late = LEAD + 2 * HOUR_MS, LEAD + 4 * HOUR_MS
    again = granted(notice, late).model_copy(update={"permit_id": "the second"})
    back = outcome(notice, Outcome.NOT_ATTEMPTED, late + HOUR_MS).model_copy(update={"permit_id": "the second"})
    taken = answered(notice, Answer.WITHDRAWN, first + 1)
    facts = [(first, granted(notice, first)), (first + 1, taken), (late, again), (late + HOUR_MS, back)]
    bureau.run(LEAD + HOUR_MS, LEAD + DAY_MS, facts)
    assert len(bureau.asked()) == 2
