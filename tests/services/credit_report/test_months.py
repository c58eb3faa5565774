"""Months that need no gate, boarding, endings, and what is corrected."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from services.credit_report.processor import PROCESSOR
from services.credit_report.reasons import CreditSkip, Told
from shared.contract.base import HoldReason
from shared.contract.loans import ClosedReason, FiledMonth, Obligor, Role
from shared.contract.repayments import Payer
from shared.contract.requests import ContactRequested, ReportAction, WithdrawalReason
from shared.domain.reporting import load_reporting
from shared.kernel.zones import DAY_MS, HOUR_MS
from tests.driver import Driver
from tests.services.credit_report.bureau import APRIL, CUTOFF, MARCH, POLICY, RULES, START, Bureau, Way
from tests.services.lending import (
    DUE,
    LOAN,
    at,
    boarded,
    cancelled,
    changed,
    closed,
    held,
    opened,
    paid,
    returned,
    scheduled,
)

MAY = date(2024, 5, 10)


def _opened(*more: object) -> list[tuple[int, object]]:
    return [(START, opened()), (START, scheduled()), *more]


def test_a_paid_month_is_filed_as_normal_at_its_cutoff() -> None:
    """A month without arrears is furnished at the very tick of its cut-off, with its causes and nothing adverse."""
    bureau = Bureau()
    bureau.run(START, CUTOFF + HOUR_MS, _opened((at(0), paid("p1", 100_000))))
    report = bureau.told(MARCH)
    assert (report.code, report.adverse, report.action) == ("N", False, ReportAction.FILED)
    assert (report.decided_ms, report.version, report.reason) == (CUTOFF, 1, Told.CUTOFF)
    assert (report.days_past_due, report.amount_overdue_minor) == (0, 0)
    assert len(report.caused_by) == 2
    assert bureau.asked() == []


def test_every_open_loan_is_furnished_every_month() -> None:
    """A loan on which nothing falls due is told as such, month after month, each once."""
    bureau = Bureau()
    bureau.run(START, at(date(2024, 7, 1)), [(START, opened())])
    assert [(one.month, one.code) for one in bureau.reports()] == [
        ("2024-03", "*"), ("2024-04", "*"), ("2024-05", "*"), ("2024-06", "*"),
    ]  # fmt: skip


def test_nothing_is_told_before_the_loan_was_known() -> None:
    """The first month is the one whose cut-off comes next, to the millisecond."""
    before = Bureau()
    before.run(CUTOFF - 1, CUTOFF + HOUR_MS, [(CUTOFF - 1, opened())])
    after = Bureau()
    after.run(CUTOFF, CUTOFF + HOUR_MS, [(CUTOFF, opened())])
    assert [one.month for one in before.reports()] == [MARCH]
    assert after.reports() == []


def test_missed_cutoffs_are_each_made_good() -> None:
    """After a clock outage over two cut-offs both months are filed, as each of them stood."""
    bureau = Bureau()
    bureau.tick(START, opened(), scheduled("i1"), scheduled("i2", date(2024, 4, 10)), paid("p1", 200_000))
    turn = bureau.tick(at(date(2024, 5, 2)))
    assert [(emit.data.month, emit.data.code) for emit in turn.events] == [(MARCH, "N"), (APRIL, "N")]


def test_a_loan_without_terms_is_skipped_with_a_reason() -> None:
    """A payment that waits for its loan leads to no report."""
    bureau = Bureau()
    turn = bureau.tick(START, paid("p1", 100))
    assert turn.events == ()
    assert bureau.driver.wake_at is None


def test_months_filed_before_boarding_are_not_filed_again() -> None:
    """A boarded loan starts with the first cut-off after its as-of day, and leaves out what the lender filed."""
    bureau = Bureau()
    event = boarded(date(2024, 2, 29), ("i1", DUE, 100_000))
    filed = event.model_copy(update={"months_filed": (FiledMonth(month=MARCH, code="N"),)})
    bureau.run(START, at(date(2024, 5, 1)), [(START, filed), (at(0), paid("p1", 100_000))])
    assert [one.month for one in bureau.reports()] == [APRIL]
    assert CreditSkip.BOARDED_MONTH_FILED in [reason for turn in bureau.driver.turns for reason in turn.reasons]


def test_a_boarded_loan_makes_good_the_months_since_its_day() -> None:
    """Boarding that arrives late files the months whose cut-off came after the as-of day."""
    bureau = Bureau()
    event = boarded(date(2024, 1, 31), ("i1", MAY, 100_000))
    bureau.tick(at(date(2024, 4, 2)), event)
    assert [one.month for one in bureau.reports()] == ["2024-02", MARCH]


def test_t21_a_settled_loan_gets_its_final_code_once() -> None:
    """The month of the settlement is C; no month follows, and a stray fact does not open it again."""
    bureau = Bureau()
    stray = scheduled("i9", date(2024, 5, 1))
    facts = _opened((at(0), paid("p1", 100_000)), (at(1), closed(date(2024, 3, 11))), (at(40), stray))
    bureau.run(START, at(date(2024, 6, 15)), facts)
    assert [(one.month, one.code) for one in bureau.reports()] == [(MARCH, "C")]
    assert bureau.driver.state is not None
    assert bureau.driver.state.loan.gravestone
    assert bureau.driver.wake_at is None


def test_an_end_that_becomes_known_late_corrects_and_withdraws() -> None:
    """The month of the end turns into C, and a month told after it is taken back."""
    bureau = Bureau()
    facts = _opened((at(0), paid("p1", 100_000)), (at(date(2024, 5, 3)), closed(date(2024, 3, 20))))
    bureau.run(START, at(date(2024, 5, 4)), facts)
    assert bureau.codes(MARCH) == ["N", "C"]
    withdrawn = bureau.told(APRIL)
    assert (withdrawn.action, withdrawn.reason, withdrawn.version) == (
        ReportAction.WITHDRAWN, Told.DOES_NOT_BELONG, 2,
    )  # fmt: skip


def test_a_cancelled_loan_takes_back_every_month() -> None:
    """A loan that never was has no record."""
    bureau = Bureau()
    facts = _opened((at(0), paid("p1", 100_000)))
    facts.append((at(date(2024, 5, 3)), closed(date(2024, 5, 3), ClosedReason.CANCELLED)))
    bureau.run(START, at(date(2024, 6, 3)), facts)
    assert [one.action for one in bureau.reports(MARCH)] == [ReportAction.FILED, ReportAction.WITHDRAWN]
    assert [one.action for one in bureau.reports(APRIL)] == [ReportAction.FILED, ReportAction.WITHDRAWN]
    assert bureau.reports("2024-05") == []


def test_t67_a_transferred_loan_is_told_by_its_new_owner_alone() -> None:
    """From the month of the transfer on we are silent: exactly one furnisher per tradeline."""
    bureau = Bureau()
    facts = _opened((at(0), paid("p1", 100_000)))
    facts.append((at(date(2024, 4, 12)), closed(date(2024, 4, 12), ClosedReason.TRANSFERRED)))
    bureau.run(START, at(date(2024, 6, 3)), facts)
    assert [(one.month, one.code) for one in bureau.reports()] == [(MARCH, "N")]


def test_t22_money_of_a_guarantor_has_its_own_code() -> None:
    """A month that a guarantor's payment brought in order is D, and no notice is needed to say so."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    rescue = paid("p1", 100_000, date(2024, 3, 15)).model_copy(update={"payer": Payer.GUARANTOR})
    bureau.run(START, CUTOFF + HOUR_MS, _opened((at(5), rescue)))
    assert (bureau.codes(MARCH), bureau.told(MARCH).adverse) == (["D"], False)


@pytest.mark.parametrize("days_late", [1, 20])
def test_t17_a_payment_with_an_earlier_value_date_corrects_at_once(days_late: int) -> None:
    """The tick that reads the late payment takes the adverse code back, without notice or clearance (T-63)."""
    bureau = Bureau()
    late = CUTOFF + days_late * DAY_MS
    bureau.run(START, late + HOUR_MS, _opened((late, paid("p1", 100_000, date(2024, 3, 9)))))
    assert bureau.codes(MARCH) == ["1", "N"]
    correction = bureau.told(MARCH)
    assert (correction.action, correction.code_before, correction.reason) == (
        ReportAction.CORRECTED, "1", Told.LATE_FACT,
    )  # fmt: skip
    assert correction.decided_ms == late
    assert bureau.clearances == 1


def test_t63_each_affected_month_is_corrected() -> None:
    """One payment from before two cut-offs corrects both months, at one tick, each naming the payment."""
    bureau = Bureau()
    late = at(date(2024, 5, 4), "09:00")
    payment = paid("p1", 100_000, date(2024, 3, 9))
    bureau.run(START, at(date(2024, 5, 4), "08:00"), _opened())
    assert (bureau.codes(MARCH), bureau.codes(APRIL)) == (["1"], ["2"])
    turn = bureau.tick(late, payment)
    corrected = [(emit.data.month, emit.data.code_before, emit.data.code) for emit in turn.events]
    assert corrected == [(MARCH, "1", "N"), (APRIL, "2", "*")]
    assert len({emit.data.caused_by[0] for emit in turn.events}) == 1


def test_a_late_fact_that_makes_it_milder_keeps_its_proof() -> None:
    """Part of the debt paid earlier turns 2 into 1 at once; the notice behind it still counts, if it bounces too."""
    bureau = Bureau()
    second = scheduled("i2", date(2024, 4, 10))
    late = at(date(2024, 5, 8))
    bureau.run(START, late - HOUR_MS, _opened((START, second)))
    assert bureau.codes(APRIL) == ["2"]
    bureau.tick(late, paid("p1", 100_000, date(2024, 4, 1)))
    assert (bureau.codes(APRIL), bureau.told(APRIL).adverse) == (["2", "1"], True)


def test_t62_money_of_after_the_cutoff_changes_nothing_told() -> None:
    """A month shows the state at its cut-off: what is paid later belongs to the next month."""
    bureau = Bureau()
    later = date(2024, 4, 3)
    bureau.run(START, at(date(2024, 5, 1)), _opened((at(later, "12:00"), paid("p1", 100_000, later))))
    assert (bureau.codes(MARCH), bureau.codes(APRIL)) == (["1"], ["*"])


def test_t59_a_new_schedule_does_not_clean_a_month_that_was_told() -> None:
    """Moving an old due date into the future leaves the adverse month, and only eases the months to come."""
    bureau = Bureau()
    moved = changed("i1", date(2024, 8, 10))
    bureau.run(START, at(date(2024, 6, 1)), _opened((at(date(2024, 4, 20)), moved)))
    assert (bureau.codes(MARCH), bureau.codes(APRIL), bureau.codes("2024-05")) == (["1"], ["*"], ["*"])


def test_an_instalment_cancelled_after_it_was_told_corrects_at_once() -> None:
    """An error of the lender is put right: what is not owed was never late."""
    bureau = Bureau()
    bureau.run(START, at(date(2024, 4, 20)), _opened((at(date(2024, 4, 10)), cancelled("i1"))))
    assert bureau.codes(MARCH) == ["1", "*"]


@pytest.mark.parametrize("grace_days", [25, 21])
def test_t12_grace_is_not_adverse(grace_days: int) -> None:
    """Days past due run on in grace, through its last day, but the bureau hears nothing, and nobody is warned."""
    bureau = Bureau()
    facts = [(START, opened(grace_days=grace_days)), (START, scheduled())]
    bureau.run(START, CUTOFF + HOUR_MS, facts)
    assert (bureau.codes(MARCH), bureau.told(MARCH).days_past_due, bureau.asked()) == (["N"], 0, [])


def test_money_of_the_last_moment_takes_the_notice_back() -> None:
    """P5: who pays before the cut-off, and is read at its tick, is told as normal and must not be warned any more."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, CUTOFF, _opened((CUTOFF, paid("p1", 100_000, date(2024, 3, 31)))))
    (notice,) = bureau.asked()
    assert [(it.request_id, it.reason) for it in bureau.withdrawn()] == [(notice.request_id, WithdrawalReason.PAID)]
    assert bureau.codes(MARCH) == ["N"]


def test_t03_a_shortfall_within_tolerance_is_not_adverse() -> None:
    """A few cents short is told as normal, with no amount (T-68)."""
    bureau = Bureau()
    facts = [(START, opened(tolerance_minor=50)), (START, scheduled()), (at(0), paid("p1", 99_960))]
    bureau.run(START, CUTOFF + HOUR_MS, facts)
    assert (bureau.codes(MARCH), bureau.told(MARCH).amount_overdue_minor, bureau.asked()) == (["N"], 0, [])


def test_t32_no_late_mark_after_death() -> None:
    """A death that becomes known later, but came before the cut-off, turns the late mark into unknown at once."""
    bureau = Bureau()
    died = at(date(2024, 3, 20))
    known = at(date(2024, 4, 9))
    bureau.run(START, at(date(2024, 4, 10)), _opened((known, held("h1", died, reason=HoldReason.DECEASED))))
    assert bureau.codes(MARCH) == ["1", "#"]
    assert (bureau.told(MARCH).decided_ms, bureau.told(MARCH).reason) == (known, Told.DECEASED)


def test_reports_name_the_borrower_not_the_guarantor() -> None:
    """The first borrower of the terms is reported on, whoever else answers for the loan."""
    bureau = Bureau()
    joint = (Obligor(borrower_id="ben", role=Role.GUARANTOR), Obligor(borrower_id="ann", role=Role.BORROWER))
    bureau.run(START, CUTOFF + HOUR_MS, [(START, opened(obligors=joint))])
    assert (bureau.told(MARCH).borrower_id, bureau.told(MARCH).loan_id) == ("ann", LOAN)


def test_a_return_known_late_harms_and_passes_the_gate_again() -> None:
    """A payment that had come back before the cut-off makes a good month bad only after notice, waiting, clearance."""
    bureau = Bureau()
    known = CUTOFF + 2 * DAY_MS
    facts = _opened((at(0), paid("p1", 100_000)), (known, returned("p1", date(2024, 3, 20))))
    bureau.run(START, known + 5 * DAY_MS, facts)
    assert bureau.codes(MARCH) == ["N", "1"]
    correction = bureau.told(MARCH)
    assert (correction.code_before, correction.reason, correction.adverse) == ("N", Told.GATE_PASSED, True)
    assert correction.notice_permit_id is not None
    assert correction.clearance_id is not None
    assert correction.decided_ms >= known + 3 * DAY_MS
    assert bureau.held(MARCH) == ["notice_not_sent", "waiting_time"]


@pytest.mark.parametrize(("counts", "codes"), [(True, ["N"]), (False, ["N", "1"])])
def test_the_policy_says_whether_money_that_came_back_was_ever_there(*, counts: bool, codes: list[str]) -> None:
    """A return dated after the cut-off leaves the month, unless the policy reads returned money as never paid."""
    reporting = load_reporting(
        {"defaults": {**RULES.model_dump(mode="json"), "returned_payment_counts": counts}}, "test"
    )
    bureau = Bureau(driver=Driver(PROCESSOR, replace(POLICY, reporting=reporting), LOAN))
    back = date(2024, 4, 3)
    facts = _opened((at(0), paid("p1", 100_000)), (at(back, "09:00"), returned("p1", back)))
    bureau.run(START, at(date(2024, 4, 12)), facts)
    assert bureau.codes(MARCH) == codes


def test_a_harmful_correction_that_is_paid_in_time_becomes_unknown() -> None:
    """Who pays in the waiting time after a late return is not reported late; the month is no longer called good."""
    bureau = Bureau()
    known = CUTOFF + 2 * DAY_MS
    again = paid("p2", 100_000, date(2024, 4, 4))
    facts = _opened((at(0), paid("p1", 100_000)), (known, returned("p1", date(2024, 3, 20))), (known + DAY_MS, again))
    bureau.run(START, known + 5 * DAY_MS, facts)
    assert (bureau.codes(MARCH), bureau.told(MARCH).reason) == (["N", "#"], Told.PAID_IN_WAITING_TIME)


def test_a_harm_that_is_taken_back_leaves_everything_as_it_was() -> None:
    """A harmful fact that a later one makes good again leads to no correction, and its notice is taken back."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    known = CUTOFF + 2 * DAY_MS
    facts = _opened(
        (at(0), paid("p1", 100_000)),
        (known, returned("p1", date(2024, 3, 20))),
        (known + DAY_MS, paid("p2", 100_000, date(2024, 3, 9))),
    )
    bureau.run(START, known + 5 * DAY_MS, facts)
    assert bureau.codes(MARCH) == ["N"]
    assert len(bureau.driver.all(ContactRequested)) == len(bureau.withdrawn()) == 1


def test_history_is_bounded() -> None:
    """No more months are kept than the policy says."""
    bureau = Bureau()
    bureau.tick(START, opened())
    bureau.tick(at(date(2033, 3, 2)))
    assert bureau.driver.state is not None
    assert len(bureau.driver.state.months) == 84
    assert len(bureau.reports()) == 108
