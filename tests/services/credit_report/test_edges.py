"""Edges of what the bureau is told: which months are ours, which are looked at again, what an answer is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from services.credit_report.census import count
from services.credit_report.processor import PROCESSOR
from services.credit_report.reasons import CreditSkip, Told
from shared.contract.base import Event, HoldReason
from shared.contract.codec import DeadReason
from shared.contract.loans import ClosedReason
from shared.contract.outcomes import Outcome
from shared.contract.outreach import Answer
from shared.contract.requests import ClearanceRequested, ReportAction
from shared.domain.reporting import load_reporting
from shared.engine.census import Counted
from shared.kernel.step import Verdict
from shared.kernel.zones import DAY_MS, HOUR_MS
from tests.driver import Driver, fact
from tests.services.credit_report.bureau import (
    APRIL,
    CUTOFF,
    DEADLINE,
    LEAD,
    MARCH,
    POLICY,
    RULES,
    START,
    Bureau,
    Way,
    cleared,
    granted,
    outcome,
)
from tests.services.lending import (
    DUE,
    LOAN,
    at,
    changed,
    closed,
    held,
    opened,
    paid,
    returned,
    scheduled,
)

MAY = "2024-05"


def _opened(*more: tuple[int, Event]) -> list[tuple[int, Event]]:
    return [(START, opened()), (START, scheduled()), *more]


def _born(*known: tuple[int, Event]) -> Bureau:
    """A service that has read facts of past epochs, and was not woken in them."""
    bureau = Bureau()
    for now, data in known:
        step = PROCESSOR.decide(bureau.driver.state, LOAN, fact(data), now, POLICY)
        bureau.driver.state, bureau.driver.wake_at = step.state, step.wake_at
    return bureau


# --- which months are ours


def test_a_service_born_late_tells_the_months_since_the_loan_was_known() -> None:
    """History told of the loan in March and woke nobody; the first look, in June, makes good what is missing."""
    bureau = _born((START, opened()), (START, scheduled()), (at(0), paid("p1", 100_000)))
    bureau.tick(at(date(2024, 6, 5)))
    assert [(one.month, one.code) for one in bureau.reports()] == [(MARCH, "N"), (APRIL, "*"), (MAY, "*")]


def test_an_ended_loan_has_no_months_after_its_end() -> None:
    """A fact that strays in months later begins none of them, and says why."""
    bureau = Bureau()
    paid_up = (at(9), paid("p1", 100_000)), (at(16), closed(date(2024, 3, 26)))
    bureau.run(START, at(date(2024, 4, 2)), _opened(*paid_up))
    turn = bureau.tick(at(date(2024, 5, 5)), paid("p2", 5, date(2024, 3, 20)))
    assert turn.events == ()
    assert (CreditSkip.LOAN_OVER, APRIL) in [(skip.reason, skip.subject) for skip in turn.skips]
    assert CreditSkip.NOTHING_ADVERSE not in turn.reasons
    assert bureau.driver.state is not None
    assert [month.month for month in bureau.driver.state.months] == [MARCH]


def test_a_loan_that_ends_on_the_cutoff_day_gets_its_final_code_for_that_month() -> None:
    """The last day of March belongs to March: settled there, the loan has no April."""
    bureau = Bureau()
    last = date(2024, 3, 31)
    ended = (at(last, "09:00"), paid("p1", 100_000, last)), (at(last, "10:00"), closed(last))
    bureau.run(START, at(date(2024, 5, 2)), _opened(*ended))
    assert [(one.month, one.code) for one in bureau.reports()] == [(MARCH, "C")]


def test_a_month_that_is_taken_back_names_no_days_and_no_amount() -> None:
    """What does not belong to the loan is withdrawn without a word on how late it was."""
    bureau = Bureau()
    bureau.run(
        START, at(date(2024, 4, 20)), _opened((at(date(2024, 4, 10)), closed(DUE, reason=ClosedReason.CANCELLED)))
    )
    (withdrawn,) = bureau.reports(MARCH, ReportAction.WITHDRAWN)
    assert (withdrawn.code_before, withdrawn.adverse) == ("1", False)
    assert (withdrawn.days_past_due, withdrawn.amount_overdue_minor) == (0, 0)


# --- what cannot be true


def test_an_impossible_fact_about_an_unknown_loan_leaves_nothing() -> None:
    """A hold that ends before it begins is a dead letter; no loan is made up for it, and nobody is woken."""
    bureau = Bureau()
    turn = bureau.tick(START, held("h1", at(2), at(1)))
    assert (turn.verdicts, turn.dead) == ((Verdict.DEAD,), (DeadReason.DATE_IMPOSSIBLE,))
    assert (bureau.driver.state, bureau.driver.wake_at) == (None, None)


def test_an_impossible_fact_leaves_the_plan_alone() -> None:
    """A payment in another currency is no money: what is known, and when it is looked at, stays as it was."""
    bureau = Bureau()
    bureau.run(START, at(5), _opened())
    before, wake_at = bureau.driver.state, bureau.driver.wake_at
    turn = bureau.tick(at(6), paid("p1", 100_000, currency="USD"))
    assert (turn.dead, turn.skips) == ((DeadReason.CURRENCY_MISMATCH,), ())
    assert (bureau.driver.state, bureau.driver.wake_at) == (before, wake_at)


# --- what is looked at again


def test_of_facts_of_one_epoch_the_earliest_decides_from_where_months_are_judged_anew() -> None:
    """Money of March and money of May become known together, in either order: March is corrected."""
    for names in (("p1", "p2"), ("p2", "p1")):
        bureau = Bureau()
        known = at(date(2024, 6, 5))
        money = {"p1": paid("p1", 100_000, date(2024, 3, 9)), "p2": paid("p2", 5, date(2024, 5, 20))}
        bureau.run(START, known, _opened(*((known, money[name]) for name in names)))
        assert (bureau.codes(MARCH), bureau.told(MARCH).decided_ms) == (["1", "N"], known)


def test_a_month_before_all_that_changed_is_not_judged_anew() -> None:
    """Money of April is no reason to look at March: nothing is said of it, not even that it stays."""
    bureau = Bureau()
    bureau.run(START, at(date(2024, 5, 9)), _opened())
    turn = bureau.tick(at(date(2024, 5, 10)), paid("p1", 100_000, date(2024, 4, 9)))
    assert bureau.told(APRIL).decided_ms == turn.at
    assert MARCH not in {skip.subject for skip in turn.skips}


def test_each_instalment_that_moves_is_remembered_where_it_was() -> None:
    """Two are moved to August after March was told; when the older one turns out paid, the other is late still."""
    bureau = Bureau()
    later = [changed("i1", date(2024, 8, 10)), changed("i2", date(2024, 8, 15))]
    facts = _opened((START, scheduled("i2", date(2024, 3, 15))), *((at(date(2024, 4, 10)), it) for it in later))
    bureau.run(START, at(date(2024, 4, 15)), [*facts, (at(date(2024, 4, 12)), paid("p1", 100_000))])
    assert bureau.codes(MARCH) == ["1"]


def test_an_instalment_that_moves_out_of_a_month_is_looked_for_where_it_was() -> None:
    """Due on the last day of March, it was told as a normal month; moved to May, nothing was due in March."""
    bureau = Bureau()
    known = at(date(2024, 4, 3))
    last = date(2024, 3, 31)
    facts = [(START, opened()), (START, scheduled("i1", last)), (START, scheduled("i2", date(2024, 9, 1)))]
    bureau.run(START, known, [*facts, (known, changed("i1", date(2024, 5, 20)))])
    assert bureau.codes(MARCH) == ["N", "*"]


def test_a_loan_that_will_be_late_is_looked_at_on_the_first_late_day() -> None:
    """Nothing is owed at the lead before the cut-off: the next look is when the coming due date has passed."""
    bureau = Bureau()
    bureau.run(START, LEAD + HOUR_MS, [(START, opened()), (START, scheduled("i1", date(2024, 3, 28)))])
    assert bureau.driver.wake_at == at(date(2024, 3, 29))
    bureau.run(LEAD + 2 * HOUR_MS, CUTOFF)
    assert [notice.not_before_ms for notice in bureau.asked()] == [at(date(2024, 3, 29))]


def test_a_few_cents_of_an_older_instalment_do_not_delay_the_warning() -> None:
    """Within the tolerance they open nothing; the instalment that falls due in the last days is warned of at once."""
    bureau = Bureau()
    facts = [(START, opened(tolerance_minor=50)), (START, scheduled()), (at(0), paid("p1", 99_990))]
    bureau.run(START, CUTOFF, [*facts, (START, scheduled("i2", date(2024, 3, 28)))])
    assert [notice.not_before_ms for notice in bureau.asked()] == [at(date(2024, 3, 29))]


# --- the gate


def test_an_answer_about_another_question_opens_nothing() -> None:
    """The gate's yes counts for the clearance that was asked for, and for no other."""
    bureau = Bureau(clears=lambda _: None)
    bureau.run(START, CUTOFF, _opened())
    (asked,) = bureau.driver.all(ClearanceRequested)
    other = asked.model_copy(update={"clearance_id": "another"})
    bureau.tick(CUTOFF + HOUR_MS, cleared(other, CUTOFF + 1))
    assert bureau.codes(MARCH) == []
    bureau.tick(CUTOFF + 2 * HOUR_MS, cleared(asked, CUTOFF + 1))
    assert bureau.codes(MARCH) == ["1"]


def test_a_refused_clearance_is_asked_for_again_when_its_time_is_up() -> None:
    """Counted from the answer, which came at five in the morning: not from a day's beginning, nor when money comes."""
    bureau = Bureau(clears=lambda _: None)
    bureau.run(START, CUTOFF, _opened())
    (asked,) = bureau.driver.all(ClearanceRequested)
    no = CUTOFF + 5 * HOUR_MS
    bureau.run(CUTOFF + HOUR_MS, CUTOFF + 2 * DAY_MS, [(no, cleared(asked, no, yes=False))])
    instants = [turn.at for turn in bureau.driver.turns if turn.of(ClearanceRequested)]
    assert instants == [CUTOFF, no + RULES.clearance_again_ms]


@pytest.mark.parametrize(("until", "codes"), [(CUTOFF, ["1"]), (CUTOFF + 1, ["#"])])
def test_a_death_that_was_told_in_error_spares_no_later_month(until: int, codes: list[str]) -> None:
    """A hold for a death that ended by the cut-off bars nothing; one that covers the cut-off bars the late mark."""
    bureau = Bureau()
    bureau.run(START, DEADLINE, _opened((at(5), held("h1", at(5), until, reason=HoldReason.DECEASED))))
    assert bureau.codes(MARCH) == codes


def test_a_good_month_rests_on_no_notice() -> None:
    """Told as late, corrected to good: that the notice bounced, as comes out now, changes nothing any more."""
    bureau = Bureau()
    bureau.run(START, at(date(2024, 4, 5)), _opened((at(date(2024, 4, 4)), paid("p1", 100_000))))
    assert bureau.codes(MARCH) == ["1", "N"]
    (notice,) = bureau.asked()
    before = bureau.driver.state
    turn = bureau.tick(at(date(2024, 4, 6)), outcome(notice, Outcome.BOUNCED, at(date(2024, 4, 5))))
    assert (turn.events, turn.skips, bureau.driver.state) == ((), (), before)


def test_a_notice_that_is_granted_twice_names_each_cause_once() -> None:
    """Granted, taken back by the gate, and the first word delivered again: the payment's withdrawal names each once."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, LEAD + HOUR_MS, _opened())
    (notice,) = bureau.asked()
    yes = granted(notice, LEAD + HOUR_MS)
    no = yes.model_copy(update={"answer": Answer.WITHDRAWN})
    bureau.tick(LEAD + 2 * HOUR_MS, paid("p1", 100_000, date(2024, 3, 20)), yes, no, yes)
    (withdrawn,) = bureau.withdrawn()
    assert len(withdrawn.caused_by) == len(set(withdrawn.caused_by)) == 3


def test_a_bounce_that_names_the_permit_alone_takes_the_late_mark_back() -> None:
    """A gateway need not know whose wish it was: the notice behind the report is found by its permit."""
    bureau = Bureau()
    bureau.run(START, CUTOFF + DAY_MS, _opened())
    (notice,) = bureau.asked()
    bounced = outcome(notice, Outcome.BOUNCED, CUTOFF + DAY_MS)
    bureau.tick(CUTOFF + 2 * DAY_MS, bounced.model_copy(update={"request_id": None}))
    assert (bureau.codes(MARCH), bureau.told(MARCH).reason) == (["1", "#"], Told.NOTICE_BOUNCED_LATER)


def test_of_two_attempts_at_a_notice_the_first_begins_the_waiting_time() -> None:
    """Reported late or twice, in any order: three days after the first attempt the month may be told."""
    first = at(date(2024, 3, 31), "01:00")
    for attempts in ((first, first + 20 * HOUR_MS), (first + 20 * HOUR_MS, first)):
        bureau = Bureau(notice=lambda _: Way.SILENT)
        bureau.run(START, first, [(START, opened()), (START, scheduled("i1", date(2024, 3, 30)))])
        (notice,) = bureau.asked()
        made = [outcome(notice, Outcome.ATTEMPTED, when) for when in attempts]
        bureau.run(first + HOUR_MS, first + 4 * DAY_MS, [(first + DAY_MS, it) for it in made])
        (asked,) = [turn.at for turn in bureau.driver.turns if turn.of(ClearanceRequested)]
        assert asked == first + RULES.waiting_ms


# --- the policy's word on late payment within the month


def _late_payers(*facts: tuple[int, Event], **terms: object) -> Bureau:
    """A bureau under a policy that tells who paid late within the month, after March."""
    reporting = load_reporting({"defaults": {**RULES.model_dump(mode="json"), "says_paid_late_in_month": True}}, "test")
    bureau = Bureau(driver=Driver(PROCESSOR, replace(POLICY, reporting=reporting), LOAN))
    bureau.run(START, CUTOFF, [(START, opened(**terms)), (START, scheduled()), *facts])
    return bureau


@pytest.mark.parametrize(("day", "code"), [(DUE, "N"), (date(2024, 3, 20), "M")])
def test_a_policy_that_says_so_tells_who_paid_late_within_the_month(day: date, code: str) -> None:
    """Paid on its day is normal, whatever comes later; paid ten days after it, before the cut-off, has its own code."""
    bureau = _late_payers((START, scheduled("i2", date(2024, 9, 1))), (at(day), paid("p1", 100_000, day)))
    assert bureau.codes(MARCH) == [code]


def test_one_instalment_of_several_paid_late_is_enough() -> None:
    """The first of the month was paid on its day, the second five days after it."""
    second = (START, scheduled("i2", date(2024, 3, 15))), (at(10), paid("p2", 100_000, date(2024, 3, 20)))
    assert _late_payers((at(0), paid("p1", 100_000)), *second).codes(MARCH) == ["M"]


def test_what_falls_due_on_the_cutoff_day_is_not_paid_late() -> None:
    """It is not paid, and not late either: the month is normal."""
    bureau = _late_payers((at(0), paid("p1", 100_000)), (START, scheduled("i2", date(2024, 3, 31))))
    assert bureau.codes(MARCH) == ["N"]


def test_a_few_cents_that_came_late_are_not_paid_late() -> None:
    """What the lender's tolerance lets pass opens nothing, and paying it some days later marks nobody (T-03)."""
    bureau = _late_payers((at(0), paid("p1", 99_990)), (at(5), paid("p2", 10, date(2024, 3, 15))), tolerance_minor=10)
    assert bureau.codes(MARCH) == ["N"]


# --- what is counted


def test_a_held_month_is_counted_until_it_is_told() -> None:
    """One month waits for its notice; when its time is up and it is told as unknown, none does."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, CUTOFF + DAY_MS, _opened())
    assert list(count(bureau.driver.state, bureau.driver.now, POLICY)) == [Counted("report_months_held")]
    bureau.run(CUTOFF + DAY_MS + HOUR_MS, DEADLINE)
    assert bureau.told(MARCH).code == "#"
    assert list(count(bureau.driver.state, bureau.driver.now, POLICY)) == []


def test_a_correction_that_waits_is_not_counted_as_a_month_held_back() -> None:
    """The bureau has the month as normal; what is held is the harm that came out later."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    known = CUTOFF + 2 * DAY_MS
    facts = _opened((at(0), paid("p1", 100_000)), (known, returned("p1", date(2024, 3, 20))))
    bureau.run(START, known + DAY_MS, facts)
    assert bureau.held(MARCH) == ["notice_not_sent"]
    assert list(count(bureau.driver.state, bureau.driver.now, POLICY)) == []
