"""The checkers' own ledger beside the domain's: two hands, one answer."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.arrangements import HoldLifted, HoldPlaced
from shared.contract.base import Amounts, Component, Event, HoldReason
from shared.contract.loans import (
    BoardedInstalment,
    ChargeAssessed,
    DueDateConvention,
    InstalmentCancelled,
    InstalmentChanged,
    InstalmentScheduled,
    LoanBoarded,
    LoanOpened,
    LoanTerms,
    Obligor,
    Role,
)
from shared.contract.repayments import Allocation, RepaymentReceived, RepaymentReversed, ReversalReason
from shared.domain.delinquency import Basis, assess
from shared.domain.loan_facts import apply
from shared.kernel.zones import HOUR_MS, start_of_day
from shared.simulation.checkers.ledger import Position, business_day
from tests.shared.simulation.stage import policy

FIRST = date(2024, 2, 1)
FIRST_MS = start_of_day(FIRST, "Asia/Shanghai")
TERMS = LoanTerms(
    lender_id="lender",
    obligors=(Obligor(borrower_id="ann", role=Role.BORROWER),),
    currency="CNY",
    product="term",
    accounting_zone="Asia/Shanghai",
    jurisdiction="CN",
    tolerance_minor=50,
)
days = st.integers(0, 80).map(lambda n: FIRST + timedelta(days=n))
minor = st.integers(1, 900)


def _charge(draw: st.DrawFn, charge_id: str, names: list[str]) -> ChargeAssessed:
    return ChargeAssessed(
        loan_id="loan",
        charge_id=charge_id,
        instalment_id=draw(st.sampled_from(names)),
        component=Component.PENALTY,
        amount_minor=draw(st.integers(0, 99)),
        assessed_on=draw(days),
    )


def _allocated(draw: st.DrawFn, amount_minor: int, names: list[str]) -> tuple[Allocation, ...]:
    """What the lender says of some of a payment: at times more than the component ever was."""
    parts: list[Allocation] = []
    for name in draw(st.lists(st.sampled_from(names), max_size=2)):
        part = draw(st.integers(1, amount_minor))
        component = draw(st.sampled_from([Component.PRINCIPAL, Component.PENALTY]))
        if sum(it.amount_minor for it in parts) + part <= amount_minor:
            parts.append(Allocation(instalment_id=name, component=component, amount_minor=part))
    return tuple(parts)


@st.composite
def facts(draw: st.DrawFn) -> list[Event]:
    """Some instalments, changes, charges, payments and reversals of one loan, in any order."""
    told: list[Event] = [LoanOpened(loan_id="loan", terms=TERMS)]
    names = [f"i{n}" for n in range(draw(st.integers(1, 4)))]
    for name in names:
        amounts = Amounts(principal_minor=draw(minor), interest_minor=draw(st.integers(0, 50)))
        told.append(InstalmentScheduled(loan_id="loan", instalment_id=name, due_date=draw(days), amounts=amounts))
        match draw(st.sampled_from(["stays", "stays", "changed", "cancelled"])):
            case "changed":
                amounts = Amounts(principal_minor=draw(minor))
                due = draw(days)
                told.append(
                    InstalmentChanged(loan_id="loan", instalment_id=name, revision=1, due_date=due, amounts=amounts)
                )
            case "cancelled":
                told.append(InstalmentCancelled(loan_id="loan", instalment_id=name, revision=1))
    told += [_charge(draw, f"c{number}", names) for number in range(draw(st.integers(0, 2)))]
    for number in range(draw(st.integers(0, 5))):
        payment = RepaymentReceived(
            loan_id="loan", payment_id=f"p{number}", amount_minor=draw(minor), currency="CNY", value_date=draw(days)
        )
        told.append(payment.model_copy(update={"allocations": _allocated(draw, payment.amount_minor, names)}))
        if draw(st.integers(0, 3)) == 0:
            told.append(
                RepaymentReversed(
                    loan_id="loan",
                    payment_id=payment.payment_id,
                    reversed_on=payment.value_date + timedelta(days=draw(st.integers(0, 9))),
                    reason=ReversalReason.RETURNED,
                )
            )
    return draw(st.permutations(told))


@given(facts(), days)
@settings(max_examples=300, deadline=None)
def test_days_past_due_agree_with_the_domain(told: list[Event], on: date) -> None:
    """Whatever the facts and their order, both ledgers find the same age by the books."""
    position, loan = Position(), None
    for number, event in enumerate(told):
        position.take(event)
        loan = apply(loan, "loan", event, f"f{number}", 0).loan
    assert loan is not None
    assert position.days_past_due(on) == assess(loan, on, Basis.BOOKS).days_past_due


@st.composite
def boardings(draw: st.DrawFn) -> LoanBoarded:
    """A loan that moves in with one unpaid instalment, or with none."""
    as_of = draw(days)
    due = as_of - timedelta(days=draw(st.integers(0, 40)))
    unpaid = BoardedInstalment(instalment_id="old", due_date=due, unpaid=Amounts(principal_minor=draw(minor)))
    instalments = draw(st.sampled_from([(), (unpaid,)]))
    return LoanBoarded(loan_id="loan", revision=1, terms=TERMS, as_of=as_of, instalments=instalments)


@given(facts(), boardings(), st.integers(0, 30), days)
@settings(max_examples=300, deadline=None)
def test_days_past_due_agree_for_a_loan_that_moved_in(
    told: list[Event], boarded: LoanBoarded, place: int, on: date
) -> None:
    """What lies in what was settled at boarding counts for neither ledger, whether it came before or after."""
    told.insert(place % (len(told) + 1), boarded)
    position, loan = Position(), None
    for number, event in enumerate(told):
        outcome = apply(loan, "loan", event, f"f{number}", 0)
        loan = outcome.loan
        if outcome.dead is None:
            position.take(event)
    assert loan is not None
    assert position.days_past_due(on) == assess(loan, on, Basis.BOOKS).days_past_due


@given(facts(), days, st.sampled_from(DueDateConvention), st.sampled_from([None, "cn", "US", "nowhere"]))
@settings(max_examples=300, deadline=None)
def test_days_past_due_agree_where_due_dates_move(
    told: list[Event], on: date, convention: DueDateConvention, calendar: str | None
) -> None:
    """Under every convention and with every table, named or not, both ledgers count from the same days."""
    calendars = policy().calendars
    moving = {"due_date_convention": convention, "business_calendar": calendar}
    terms = TERMS.model_copy(update=moving)
    position, loan = Position(calendars=calendars), None
    for number, event in enumerate(told):
        changed = event.model_copy(update={"terms": terms}) if isinstance(event, LoanOpened) else event
        position.take(changed)
        loan = apply(loan, "loan", changed, f"f{number}", 0).loan
    assert loan is not None
    assert position.judged
    assert position.days_past_due(on) == assess(loan, on, Basis.BOOKS, calendars).days_past_due


@given(facts())
@settings(max_examples=300, deadline=None)
def test_what_is_unpaid_agrees_with_the_domain(told: list[Event]) -> None:
    """Whatever the facts and their order, both ledgers find the same open amount by instalment."""
    position, loan = Position(), None
    for number, event in enumerate(told):
        position.take(event)
        loan = apply(loan, "loan", event, f"f{number}", 0).loan
    assert loan is not None
    rows = assess(loan, FIRST + timedelta(days=200), Basis.CONTACT).rows
    assert position.unpaid() == {row.instalment_id: row.unpaid_minor for row in rows}


@st.composite
def holds(draw: st.DrawFn) -> list[Event]:
    """Up to three holds on the loan, some of them lifted, before or after they would end."""
    found: list[Event] = []
    for number in range(draw(st.integers(0, 3))):
        from_ms = FIRST_MS + draw(st.integers(0, 80 * 24)) * HOUR_MS
        lasts = draw(st.one_of(st.none(), st.integers(1, 30 * 24)))
        until = None if lasts is None else from_ms + lasts * HOUR_MS
        found.append(
            HoldPlaced(loan_id="loan", hold_id=f"h{number}", reason=HoldReason.DISPUTE, from_ms=from_ms, until_ms=until)
        )
        if draw(st.booleans()):
            lifted = from_ms + draw(st.integers(0, 40 * 24)) * HOUR_MS
            found.append(HoldLifted(loan_id="loan", hold_id=f"h{number}", lifted_ms=lifted))
    return found


@given(facts(), holds(), days)
@settings(max_examples=300, deadline=None)
def test_what_may_be_demanded_today_agrees_with_the_domain(told: list[Event], held: list[Event], on: date) -> None:
    """Both ledgers find the same overdue instalments, the same days, and the same days paused by holds."""
    position, loan = Position(), None
    for number, event in enumerate([*told, *held]):
        position.take(event)
        loan = apply(loan, "loan", event, f"f{number}", 0).loan
    assert loan is not None
    view = assess(loan, on, Basis.CONTACT)
    assert [amount for _, _, amount in position.overdue(on)] == [row.unpaid_minor for row in view.rows_overdue]
    since = position.late_since(on)
    assert since == view.oldest_unpaid_due_date
    if since is not None:
        assert max(0, (on - since).days - position.paused_days(since, on)) == view.treatment_days


def test_an_accounting_day_begins_at_its_cutoff() -> None:
    """At 22:00 local time the next accounting day has begun, a millisecond before it has not."""
    ten_in_the_evening = 1_707_919_200_000
    assert business_day(ten_in_the_evening - 1, "Asia/Shanghai", "22:00") == date(2024, 2, 14)
    assert business_day(ten_in_the_evening, "Asia/Shanghai", "22:00") == date(2024, 2, 15)
    assert business_day(ten_in_the_evening, "Asia/Shanghai", "00:00") == date(2024, 2, 14)
