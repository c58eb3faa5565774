"""The known traps of the trade (T-01 to T-25), as far as the loan, its dates and the hours of a day decide them."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from shared.contract.arrangements import HoldPlaced
from shared.contract.base import Amounts, Component, HoldReason
from shared.contract.codec import DeadReason, Rejected, decode
from shared.contract.loans import DueDateConvention
from shared.contract.repayments import Payer, ReversalReason
from shared.domain.loan import (
    METRO2_EDGES,
    PBOC_EDGES,
    SMA_EDGES,
    Basis,
    Loan,
    apply,
    assess,
    bucket,
    business_date,
    days_past_due_on,
    is_held,
    next_change_at,
    overdue_parked,
    parked,
    start_of_business_date,
)
from shared.kernel.business_days import BusinessCalendar, add_months
from shared.kernel.hours import AllowedHours, common_intervals, is_inside, next_allowed, start_of_rolling_days
from shared.kernel.money import format_money
from shared.kernel.step import Verdict
from shared.kernel.zones import DAY_MS, HOUR_MS, at_local, start_of_day
from tests.shared.domain.loan_builder import (
    LOAN_ID,
    NOW_MS,
    cancelled,
    charge,
    closed,
    day,
    directed,
    hold,
    instant,
    lifted,
    loan_of,
    opened,
    outcomes,
    paid,
    reversed_,
    scheduled,
)


def overdue(loan: Loan, on: str, basis: Basis = Basis.BOOKS) -> tuple[int, int]:
    """Days past due and amount overdue."""
    view = assess(loan, day(on), basis)
    return view.days_past_due, view.amount_overdue_minor


# --- delinquency arithmetic


def test_t01_part_payment_lowers_the_amount_and_keeps_the_age() -> None:
    """Age stays with the oldest instalment not fully paid; clearing it moves the age to the next, not to 0."""
    facts = [opened(), scheduled("a", "2024-01-10"), scheduled("b", "2024-02-10")]
    assert overdue(loan_of(*facts), "2024-03-01") == (51, 2_000)
    assert overdue(loan_of(*facts, paid("p", "2024-02-20", 999)), "2024-03-01") == (51, 1_001)
    assert overdue(loan_of(*facts, paid("p", "2024-02-20", 1_000)), "2024-03-01") == (20, 1_000)
    assert overdue(loan_of(*facts, paid("p", "2024-02-20", 2_000)), "2024-03-01") == (0, 0)


def test_t02_waterfall_follows_the_product_or_the_lender() -> None:
    """Within an instalment the product's order decides, oldest instalment first; a lender's word is never redone."""
    owed = {"interest_minor": 100, "penalty_minor": 50, "fee_minor": 10}
    schedule = [scheduled("a", "2024-01-10", 1_000, **owed), scheduled("b", "2024-02-10", 1_000, **owed)]
    money = paid("p", "2024-02-20", 120)
    row = assess(loan_of(opened(), *schedule, money), day("2024-03-01")).rows[0]
    assert row.paid == Amounts(penalty_minor=50, fee_minor=10, interest_minor=60)
    order = (Component.PRINCIPAL, Component.INTEREST, Component.FEE, Component.PENALTY)
    row = assess(loan_of(opened(allocation_order=order), *schedule, money), day("2024-03-01")).rows[0]
    assert row.paid == Amounts(principal_minor=120)
    told = paid("p", "2024-02-20", 120, allocations=(directed("b", 120),))
    first, second = assess(loan_of(opened(), *schedule, told), day("2024-03-01")).rows
    assert (first.paid.total_minor, second.paid) == (0, Amounts(principal_minor=120))


def test_t02_a_later_penalty_does_not_eat_an_earlier_payment() -> None:
    """Money meets what was owed by its value date: what stays unpaid is the penalty that came later, not principal."""
    facts = [opened(), scheduled("a", "2024-01-10"), paid("p", "2024-01-12", 1_000)]
    loan = loan_of(*facts, charge("late-fee", "a", "2024-01-13", 25))
    assert assess(loan, day("2024-01-20")).amount_overdue == Amounts(penalty_minor=25)
    assert assess(loan, day("2024-01-12")).amount_overdue_minor == 0


def test_t02_money_for_a_cancelled_instalment_moves_on() -> None:
    """What the lender allocated to an instalment that is no longer owed pays the oldest of the others."""
    facts = [opened(), scheduled("a", "2024-01-10"), scheduled("b", "2024-02-10")]
    money = paid("p", "2024-02-20", 1_000, allocations=(directed("b", 1_000),))
    assert overdue(loan_of(*facts, money), "2024-03-01") == (51, 1_000)
    assert overdue(loan_of(*facts, money, cancelled("b")), "2024-03-01") == (0, 0)


@pytest.mark.parametrize(("missing", "days"), [(100, 0), (101, 22)])
def test_t03_arrears_up_to_the_tolerance_open_no_case(missing: int, days: int) -> None:
    """A shortfall up to the tolerance has no age, and is still owed to the last unit."""
    loan = loan_of(opened(tolerance_minor=100), scheduled("a", "2024-01-10"), paid("p", "2024-01-10", 1_000 - missing))
    assert overdue(loan, "2024-02-01") == (days, missing)


def test_t03_an_old_remainder_lends_no_age_to_a_new_miss() -> None:
    """A few cents left of January do not make a missed May four months old."""
    facts = [opened(tolerance_minor=100), scheduled("a", "2024-01-10"), paid("p", "2024-01-10", 950)]
    loan = loan_of(*facts, scheduled("b", "2024-05-10"))
    assert overdue(loan, "2024-05-15") == (5, 1_050)


def test_t04_each_regime_has_its_own_edges() -> None:
    """Treatment, PBOC, Metro 2 and RBI cut the same days at different points, each inclusive as its text says."""
    days = (0, 1, 29, 30, 31, 59, 60, 61, 89, 90, 91, 119, 120, 121, 149, 150, 151, 179, 180, 181)
    pboc = "N 1 1 1 2 2 2 3 3 3 4 4 4 5 5 5 6 6 6 7"
    metro2 = "11 11 11 71 71 71 78 78 78 80 80 80 82 82 82 83 83 83 84 84"
    treatment = "current M1 M1 M1 M2 M2 M2 M3 M3 M3" + " M4+" * 10
    assert [bucket(n) for n in days] == treatment.split()
    assert [bucket(n, PBOC_EDGES) for n in days] == pboc.split()
    assert [bucket(n, METRO2_EDGES) for n in days] == metro2.split()
    loan = loan_of(opened(), scheduled("a", "2024-03-31"))
    tags = {on: bucket(days_past_due_on(loan, day(on)), SMA_EDGES) for on in ("2024-04-29", "2024-04-30")}
    assert tags == {"2024-04-29": "SMA-0", "2024-04-30": "SMA-1"}
    assert bucket(days_past_due_on(loan, day("2024-05-30")), SMA_EDGES) == "SMA-2"
    assert bucket(days_past_due_on(loan, day("2024-06-29")), SMA_EDGES) == "NPA"


def test_t05_the_business_date_is_the_lenders_not_utcs() -> None:
    """After the cut-off the next accounting day has begun, in the loan's own zone."""
    loan = loan_of(opened(cutoff="22:00"))
    assert business_date(loan, instant("2024-03-10T21:59:59.999+08:00")) == day("2024-03-10")
    assert business_date(loan, instant("2024-03-10T22:00:00+08:00")) == day("2024-03-11")
    assert business_date(loan_of(opened()), instant("2024-03-10T23:50:00+08:00")) == day("2024-03-10")
    assert business_date(loan_of(opened()), instant("2024-03-10T16:00:00+00:00")) == day("2024-03-11")
    for on in ("2024-03-09", "2024-03-10", "2024-03-11"):
        start = start_of_business_date(loan, day(on))
        assert (business_date(loan, start - 1), business_date(loan, start)) == (day(on) - timedelta(days=1), day(on))


@pytest.mark.parametrize(
    ("convention", "moved"),
    [("none", "2024-03-30"), ("following", "2024-04-01"), ("modified_following", "2024-03-29"),
     ("preceding", "2024-03-29")],
)  # fmt: skip
def test_t06_due_dates_move_off_days_without_business(convention: str, moved: str) -> None:
    """A Saturday at a month's end moves as the product says, and the days count from where it went."""
    loan = loan_of(opened(due_date_convention=DueDateConvention(convention)), scheduled("a", "2024-03-30"))
    view = assess(loan, day("2024-04-05"))
    assert view.oldest_unpaid_due_date == day(moved)
    assert view.days_past_due == (day("2024-04-05") - day(moved)).days
    assert view.rows[0].nominal_due_date == day("2024-03-30")


def test_t06_a_holiday_table_knows_holidays_and_make_up_days() -> None:
    """Labour Day moves a due date beyond the holiday, and a worked Saturday moves none."""
    golden = BusinessCalendar(
        "cn", holidays=frozenset(day(f"2024-05-0{n}") for n in range(1, 6)), working_days=frozenset({day("2024-05-11")})
    )
    loan = loan_of(
        opened(due_date_convention=DueDateConvention.FOLLOWING, business_calendar="cn"),
        scheduled("a", "2024-05-01"),
        scheduled("b", "2024-05-11"),
    )
    rows = assess(loan, day("2024-05-06"), calendars={"cn": golden}).rows
    assert [row.due_date for row in rows] == [day("2024-05-06"), day("2024-05-11")]
    assert [row.due_date for row in assess(loan, day("2024-05-06")).rows] == [day("2024-05-01"), day("2024-05-13")]


def test_t07_a_series_keeps_its_nominal_day() -> None:
    """The 31st becomes the last day of a short month and the 31st again; a leap day has its anniversaries."""
    ends = [add_months(date(2024, 1, 31), months) for months in range(5)]
    assert [end.isoformat()[5:] for end in ends] == ["01-31", "02-29", "03-31", "04-30", "05-31"]
    assert add_months(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert add_months(date(2024, 2, 29), 48) == date(2028, 2, 29)
    assert add_months(date(2024, 1, 31), -2) == date(2023, 11, 30)


@pytest.mark.parametrize(
    ("on", "days"), [("2024-02-29", 0), ("2024-03-01", 1), ("2024-03-31", 31), ("2025-02-28", 365)]
)
def test_t07_days_past_due_cross_leap_days_and_month_ends(on: str, days: int) -> None:
    """Days are calendar days, whatever the lengths of months and years between."""
    assert days_past_due_on(loan_of(opened(), scheduled("a", "2024-02-29")), day(on)) == days


NEW_YORK = "America/New_York"


def test_t08_local_times_that_do_not_exist_or_occur_twice() -> None:
    """A skipped local time is the first instant after the gap; of a repeated hour only the part that is sure counts."""
    gap, fold = day("2024-03-10"), day("2024-11-03")
    assert at_local(gap, time(2, 30), NEW_YORK) == instant("2024-03-10T03:00:00-04:00")
    night = AllowedHours.daily("01:30", "03:00")
    from_ms = start_of_day(fold, NEW_YORK)
    opens = common_intervals(from_ms, from_ms + 12 * HOUR_MS, [NEW_YORK], night)
    assert opens == ((instant("2024-11-03T01:30:00-05:00"), instant("2024-11-03T03:00:00-05:00")),)
    early = AllowedHours.daily("00:30", "01:30")
    closes = common_intervals(from_ms, from_ms + 12 * HOUR_MS, [NEW_YORK], early)
    assert closes == ((instant("2024-11-03T00:30:00-04:00"), instant("2024-11-03T01:30:00-04:00")),)


@pytest.mark.parametrize(("changed_on", "hours"), [("2024-03-10", 167), ("2024-11-03", 169), ("2024-07-07", 168)])
def test_t08_seven_local_days_are_not_168_hours(changed_on: str, hours: int) -> None:
    """A window of local days begins and ends at local midnights, whatever the clocks did in between."""
    last = start_of_day(day(changed_on) + timedelta(days=4), NEW_YORK)
    start = start_of_rolling_days(last - 1, 7, NEW_YORK)
    assert last - start == hours * HOUR_MS


def test_t09_unclear_location_means_the_intersection_and_none_means_never() -> None:
    """Only what is allowed in every candidate zone is allowed; without a zone nothing is."""
    hours = AllowedHours.daily("08:00", "21:00")
    zones = [NEW_YORK, "America/Los_Angeles"]
    at = instant("2024-06-03T08:30:00-04:00")
    assert is_inside(at, at + HOUR_MS, [NEW_YORK], hours)
    assert not is_inside(at, at + HOUR_MS, zones, hours)
    assert next_allowed(at, HOUR_MS, zones, hours) == instant("2024-06-03T11:00:00-04:00")
    assert next_allowed(at, HOUR_MS, [], hours) is None
    assert next_allowed(at, 11 * HOUR_MS, zones, hours) is None


def test_t10_the_view_of_a_day_needs_no_day_before_it() -> None:
    """After an outage of weeks the loan is judged once, as of today: nothing depends on days that nobody looked at."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), scheduled("b", "2024-02-10"))
    before, after = instant("2024-01-09T12:00:00+08:00"), instant("2024-03-01T12:00:00+08:00")
    assert next_change_at(loan, before) == instant("2024-01-10T00:00:00+08:00")
    assert overdue(loan, business_date(loan, after).isoformat()) == (51, 2_000)
    assert next_change_at(loan, after) == instant("2024-03-02T00:00:00+08:00")


@pytest.mark.parametrize(
    ("holds", "days"),
    [
        ([hold("h", "2024-01-15", "2024-01-20")], 16),
        ([hold("h", "2024-01-15", "2024-01-20"), hold("k", "2024-01-18", "2024-01-22")], 14),
        ([hold("h", "2024-01-12", "2024-01-25"), hold("k", "2024-01-15", "2024-01-20")], 8),
        ([hold("h", "2024-01-15", "2024-01-20"), hold("k", "2024-01-20", "2024-01-22")], 14),
        ([hold("h", "2023-12-01", "2023-12-31")], 21),
        ([hold("h", "2024-01-01", "2024-01-14")], 18),
        ([hold("h", "2024-01-29")], 18),
        ([hold("h", "2024-01-15", "2024-01-20"), hold("h", "2024-01-15", "2024-01-16", revision=1)], 20),
        ([hold("h", "2024-01-15"), lifted("h", "2024-01-17")], 19),
        ([lifted("h", "2024-01-17"), hold("h", "2024-01-15", "2024-01-20")], 19),
    ],
)
def test_t11_only_the_part_of_a_hold_that_meets_the_overdue_days_pauses(holds: list, days: int) -> None:
    """Holds that overlap, enclose each other, lie outside, have no end or end early pause each overdue day once."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), *holds)
    view = assess(loan, day("2024-01-31"))
    assert (view.days_past_due, view.treatment_days) == (21, days)


def test_t11_a_hold_is_half_open() -> None:
    """The loan is held from the first instant of a hold up to, not including, its end."""
    loan = loan_of(opened(), hold("h", "2024-01-15", "2024-01-20"))
    start, end = instant("2024-01-15T00:00:00+08:00"), instant("2024-01-20T00:00:00+08:00")
    assert [bool(is_held(loan, at)) for at in (start - 1, start, end - 1, end)] == [False, True, True, False]


def test_t11_a_hold_of_hours_pauses_no_day() -> None:
    """A hold within one accounting day keeps people quiet for its hours and leaves the count of days alone."""
    from_ms = instant("2024-01-15T10:00:00+08:00")
    short = HoldPlaced(
        loan_id=LOAN_ID, hold_id="h", reason=HoldReason.PAYMENT_IN_FLIGHT, from_ms=from_ms, until_ms=from_ms + HOUR_MS
    )
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), short)
    assert assess(loan, day("2024-01-31")).treatment_days == 21


@pytest.mark.parametrize(
    ("on", "past_due", "treated"), [("2024-01-10", 0, 0), ("2024-01-15", 5, 0), ("2024-01-16", 6, 1)]
)
def test_t12_grace_stops_treatment_not_the_count(on: str, past_due: int, treated: int) -> None:
    """During grace the days past due run on for classification while treatment has not begun."""
    view = assess(loan_of(opened(grace_days=5), scheduled("a", "2024-01-10")), day(on))
    assert (view.days_past_due, view.treatment_days) == (past_due, treated)


def test_t13_several_overdue_instalments_are_one_case() -> None:
    """One view names all overdue instalments, their sum and one age."""
    view = assess(
        loan_of(opened(), *(scheduled(name, f"2024-0{n}-10") for n, name in enumerate("abc", 1))), day("2024-03-15")
    )
    assert [row.instalment_id for row in view.rows_overdue] == ["a", "b", "c"]
    assert (view.amount_overdue_minor, view.days_past_due) == (3_000, 65)


# --- payments that arrive badly


def test_t14_a_payment_delivered_twice_counts_once() -> None:
    """The payment's own id decides, whatever event carries it; the same id with another content is quarantined."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), paid("p", "2024-01-12", 400))
    retry = apply(loan, LOAN_ID, paid("p", "2024-01-12", 400), "another-event-id", NOW_MS + 1)
    assert (retry.verdict, retry.loan) == (Verdict.DUPLICATE, loan)
    other = apply(loan, LOAN_ID, paid("p", "2024-01-12", 500), "another-event-id", NOW_MS)
    assert (other.verdict, other.dead, other.loan) == (Verdict.DEAD, DeadReason.CONFLICTING_DUPLICATE, loan)


def test_t15_reversal_before_payment_and_payment_before_loan_wait() -> None:
    """Early facts count for nothing, are reported after 7 days, and take effect when their partner comes."""
    early = loan_of(reversed_("p", "2024-01-14"), paid("q", "2024-01-12", 300))
    assert overdue(early, "2024-02-01") == (0, 0)
    assert {item.reason for item in parked(early)} == {"no_payment", "no_terms"}
    assert overdue_parked(early, NOW_MS + 7 * DAY_MS - 1) == ()
    assert overdue_parked(early, NOW_MS + 7 * DAY_MS) == parked(early)
    assert next_change_at(early, NOW_MS) == NOW_MS + 7 * DAY_MS
    loan = outcomes([opened(), scheduled("a", "2024-01-10"), paid("p", "2024-01-12", 1_000)], early)[-1].loan
    assert loan is not None
    assert overdue(loan, "2024-02-01") == (22, 700)
    assert parked(loan) == ()


@pytest.mark.parametrize("reason", ReversalReason)
def test_t16_a_reversed_payment_restores_the_original_due_date(reason: ReversalReason) -> None:
    """From the reversal on the obligation is as old as if nobody had paid; the days before keep what they were."""
    facts = [opened(), scheduled("a", "2024-01-10"), paid("p", "2024-01-10", 1_000)]
    loan = loan_of(*facts, reversed_("p", "2024-01-20", reason))
    assert overdue(loan, "2024-01-19") == (0, 0)
    assert overdue(loan, "2024-01-20") == (10, 1_000)
    assert overdue(loan, "2024-01-19", Basis.CONTACT) == (9, 1_000)


def test_t17_a_back_dated_payment_changes_past_days() -> None:
    """A payment known late with an earlier value date makes good every day since that date."""
    facts = [opened(), scheduled("a", "2024-01-10")]
    assert [days_past_due_on(loan_of(*facts), day(on)) for on in ("2024-01-31", "2024-02-29")] == [21, 50]
    late = loan_of(*facts, paid("p", "2024-01-12", 1_000))
    assert [days_past_due_on(late, day(on)) for on in ("2024-01-11", "2024-01-12", "2024-02-29")] == [1, 0, 0]


def test_t18_money_silences_from_the_moment_it_is_known() -> None:
    """A payment with a value date in the future stops demands at once and changes the books on its date."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), paid("p", "2024-01-20", 1_000))
    assert overdue(loan, "2024-01-15", Basis.CONTACT) == (0, 0)
    assert overdue(loan, "2024-01-15") == (5, 1_000)
    assert overdue(loan, "2024-01-20") == (0, 0)


def test_t19_a_payment_in_flight_holds_the_loan_for_its_hours() -> None:
    """A short hold keeps the loan quiet from its first instant, and `next_change_at` names its end."""
    from_ms = instant("2024-01-15T10:00:00+08:00")
    flight = HoldPlaced(
        loan_id=LOAN_ID, hold_id="h", reason=HoldReason.PAYMENT_IN_FLIGHT, from_ms=from_ms,
        until_ms=from_ms + 4 * HOUR_MS,
    )  # fmt: skip
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), flight)
    assert [item.reason for item in is_held(loan, from_ms)] == [HoldReason.PAYMENT_IN_FLIGHT]
    assert next_change_at(loan, from_ms) == from_ms + 4 * HOUR_MS
    assert is_held(loan, from_ms + 4 * HOUR_MS) == ()


def test_t20_unapplied_cash_covers_arrears_whenever_they_arise() -> None:
    """Money beyond what is owed waits, and pays the next instalment or charge before anybody could be asked for it."""
    facts = [opened(), scheduled("a", "2024-01-10"), paid("p", "2024-01-05", 2_500)]
    assert assess(loan_of(*facts), day("2024-01-10")).unapplied_minor == 1_500
    more = [*facts, scheduled("b", "2024-02-10"), charge("c", "a", "2024-02-15", 400)]
    view = assess(loan_of(*more), day("2024-03-01"))
    assert (view.amount_overdue_minor, view.days_past_due, view.unapplied_minor) == (0, 0, 100)


def test_t21_a_closed_loan_stays_closed() -> None:
    """Once the end is known nothing is demanded; stray facts are accepted and open nothing again."""
    facts = [opened(), scheduled("a", "2024-01-10"), closed("2024-02-01")]
    stray = [scheduled("b", "2024-02-10"), charge("c", "a", "2024-02-05", 10), reversed_("p", "2024-02-06"), opened(1)]
    loan = loan_of(*facts, *stray)
    assert overdue(loan, "2024-01-20", Basis.CONTACT) == (0, 0)
    assert overdue(loan, "2024-01-31") == (21, 1_000)
    assert overdue(loan, "2024-03-01") == (0, 0)
    assert assess(loan, day("2024-03-01")).rows_overdue == ()


def test_t22_who_paid_is_kept_and_settles_all_the_same() -> None:
    """A guarantor's money pays the debt, and the payer stays known for the bureau's code."""
    loan = loan_of(opened(), scheduled("a", "2024-01-10"), paid("p", "2024-01-12", 1_000, payer=Payer.GUARANTOR))
    assert overdue(loan, "2024-02-01") == (0, 0)
    assert [payment.payer for payment in loan.payments] == [Payer.GUARANTOR]


@pytest.mark.parametrize(
    ("currency", "missing", "text"), [("JPY", 1, "JPY 1"), ("KWD", 1, "KWD 0.001"), ("CNY", 1, "CNY 0.01")]
)
def test_t23_minor_units_follow_the_currency(currency: str, missing: int, text: str) -> None:
    """One minor unit is the smallest amount of a currency with 0, 2 or 3 decimals, and it is counted exactly."""
    schedule = scheduled("a", "2024-01-10", 10**9)
    loan = loan_of(opened(currency=currency), schedule, paid("p", "2024-01-10", 10**9 - missing, currency))
    assert overdue(loan, "2024-01-11") == (1, missing)
    assert format_money(missing, currency) == text


def test_t23_currencies_never_mix() -> None:
    """A payment in another currency is dead after the terms, and parked and reported at once before them."""
    schedule = [opened(), scheduled("a", "2024-01-10")]
    after = outcomes([*schedule, paid("p", "2024-01-10", 1_000, "USD")])[-1]
    assert after.dead is DeadReason.CURRENCY_MISMATCH
    before = loan_of(paid("p", "2024-01-10", 1_000, "USD"), *schedule)
    for loan in (after.loan, before):
        assert loan is not None
        assert overdue(loan, "2024-02-01") == (22, 1_000)
    assert [item.dead for item in overdue_parked(before, NOW_MS)] == [DeadReason.CURRENCY_MISMATCH]


@pytest.mark.parametrize("amount", [0, -5, 10**15 + 1])
def test_t25_an_amount_that_cannot_be_is_unreadable(amount: int) -> None:
    """Nothing, less than nothing and more than the contract's bound never reach a loan."""
    document = (
        '{"specversion":"1.0","id":"1","source":"s","type":"lending.repayment.received.v1","data":{"loan_id":"loan-1",'
        f'"payment_id":"p","amount_minor":{amount},"currency":"CNY","value_date":"2024-01-10"}}}}'
    )
    read = decode("lending.repayments", b"loan-1", document.encode())
    assert isinstance(read, Rejected)
    assert read.reason is DeadReason.INVALID_DATA


def test_t25_a_payment_beyond_what_the_terms_allow_is_dead() -> None:
    """Above the loan's largest payment, or allocated beyond itself, a payment is a dead letter, not money."""
    loan = loan_of(opened(payment_max_minor=5_000), scheduled("a", "2024-01-10"))
    allocations = (directed("a", 80), directed("a", 80))
    results = outcomes([paid("p", "2024-01-10", 5_001), paid("q", "2024-01-10", 100, allocations=allocations)], loan)
    assert [result.dead for result in results] == [DeadReason.AMOUNT_IMPOSSIBLE, DeadReason.AMOUNT_IMPOSSIBLE]
    assert outcomes([paid("r", "2024-01-10", 5_000)], loan)[-1].verdict is Verdict.APPLIED


def test_t25_a_payment_for_an_unknown_loan_waits_and_is_reported() -> None:
    """Money for a loan that nobody has opened is kept, demands nothing, and is reported after its time."""
    loan = loan_of(paid("p", "2024-01-10", 5_000))
    assert assess(loan, day("2024-02-01")).rows == ()
    assert [item.reason for item in overdue_parked(loan, NOW_MS + 8 * DAY_MS)] == ["no_terms"]
