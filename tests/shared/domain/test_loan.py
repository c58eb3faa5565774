"""The fold as a whole: order and deliveries do not matter, state is bounded and survives its encoding."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.arrangements import DeadLetterDiscarded, HoldLifted, HoldPlaced, PromiseMade
from shared.contract.base import Amounts, Component, Event, HoldReason
from shared.contract.codec import DeadReason
from shared.contract.examples import EXAMPLES
from shared.contract.loans import ChargeAssessed, InstalmentCancelled, InstalmentChanged, InstalmentScheduled
from shared.contract.people import BorrowerProfile
from shared.contract.repayments import Allocation, RepaymentReceived, RepaymentReversed, ReversalReason
from shared.domain.loan import FACTS_MAX, LOAN_FACTS, Basis, Loan, apply, assess, compact, next_change_at, parked
from shared.kernel.step import Verdict
from tests.shared.domain.loan_builder import (
    LOAN_ID,
    NOW_MS,
    boarded,
    cancelled,
    changed,
    charge,
    closed,
    day,
    directed,
    fact_id,
    hold,
    lifted,
    loan_of,
    opened,
    outcomes,
    paid,
    promised,
    reversed_,
    scheduled,
)

START = date(2024, 1, 1)
DAYS = st.integers(0, 150).map(lambda days: START + timedelta(days=days))
IDS = st.sampled_from(["a", "b", "c", "d"])
MINOR = st.integers(1, 3_000)
INSTANTS = st.integers(0, 150 * 24).map(lambda hours: 1_704_067_200_000 + hours * 3_600_000)
ENCODER = msgspec.msgpack.Encoder(order="deterministic")
DECODER = msgspec.msgpack.Decoder(Loan)


@st.composite
def amounts(draw: st.DrawFn) -> Amounts:
    return Amounts(
        principal_minor=draw(MINOR), interest_minor=draw(st.integers(0, 200)), fee_minor=draw(st.integers(0, 20))
    )


@st.composite
def instalment_facts(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(["scheduled", "changed", "cancelled", "charge"]))
    name, revision = draw(IDS), draw(st.integers(1, 3))
    if kind == "scheduled":
        return InstalmentScheduled(loan_id=LOAN_ID, instalment_id=name, due_date=draw(DAYS), amounts=draw(amounts()))
    if kind == "changed":
        return InstalmentChanged(
            loan_id=LOAN_ID, instalment_id=name, revision=revision, due_date=draw(DAYS), amounts=draw(amounts())
        )
    if kind == "cancelled":
        return InstalmentCancelled(loan_id=LOAN_ID, instalment_id=name, revision=revision)
    return ChargeAssessed(
        loan_id=LOAN_ID, charge_id=draw(IDS), revision=revision, instalment_id=name,
        component=draw(st.sampled_from(Component)), amount_minor=draw(MINOR), assessed_on=draw(DAYS),
    )  # fmt: skip


@st.composite
def money_facts(draw: st.DrawFn) -> Event:
    name = draw(st.sampled_from(["p1", "p2", "p3", "p4", "p5"]))
    if draw(st.integers(0, 3)) == 0:
        return RepaymentReversed(
            loan_id=LOAN_ID, payment_id=name, reversed_on=draw(DAYS), reason=ReversalReason.RETURNED
        )
    amount = draw(MINOR)
    allocations = ()
    if draw(st.booleans()):
        allocations = (Allocation(instalment_id=draw(IDS), component=Component.PRINCIPAL, amount_minor=amount),)
    return RepaymentReceived(
        loan_id=LOAN_ID, payment_id=name, amount_minor=amount, currency="CNY", value_date=draw(DAYS),
        allocations=allocations,
    )  # fmt: skip


@st.composite
def arrangement_facts(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(["hold", "lift", "promise"]))
    if kind == "hold":
        from_ms = draw(INSTANTS)
        return HoldPlaced(
            loan_id=LOAN_ID, hold_id=draw(IDS), revision=draw(st.integers(0, 2)), reason=HoldReason.DISPUTE,
            from_ms=from_ms, until_ms=draw(st.none() | st.integers(1, 40).map(lambda d: from_ms + d * 86_400_000)),
        )  # fmt: skip
    if kind == "lift":
        return HoldLifted(loan_id=LOAN_ID, hold_id=draw(IDS), lifted_ms=draw(INSTANTS))
    made = draw(DAYS)
    return PromiseMade(
        loan_id=LOAN_ID, promise_id=draw(IDS), revision=draw(st.integers(0, 2)), amount_minor=draw(MINOR),
        currency="CNY", promised_on=made, due_on=made + timedelta(days=draw(st.integers(0, 20))),
    )  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Facts of one loan, each business key with one content: what a lender that keeps its word publishes."""
    drawn = draw(st.lists(instalment_facts() | money_facts() | arrangement_facts(), max_size=25))
    facts = {(fact_id(fact).partition("/")[2], _family(fact)): fact for fact in [opened(grace_days=2), *drawn]}
    return list(facts.values())


def _family(fact: Event) -> str:
    """Facts that share one set of ids and revisions."""
    return (
        "instalment" if isinstance(fact, (InstalmentScheduled, InstalmentChanged, InstalmentCancelled)) else fact.TYPE
    )


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_order_and_number_of_deliveries_do_not_matter(data: st.DataObject) -> None:
    """Any permutation of a history, with any of its facts delivered again, ends in the same bytes."""
    history = data.draw(histories())
    again = data.draw(st.lists(st.sampled_from(history), max_size=10))
    shuffled = data.draw(st.permutations(history + again))
    straight, other = outcomes(history)[-1].loan, outcomes(shuffled)[-1].loan
    assert ENCODER.encode(straight) == ENCODER.encode(other)


@settings(max_examples=100, deadline=None)
@given(history=histories())
def test_state_survives_its_encoding(history: list[Event]) -> None:
    """A loan read back from its bytes is the loan that was written."""
    loan = outcomes(history)[-1].loan
    assert DECODER.decode(ENCODER.encode(loan)) == loan


@settings(max_examples=200, deadline=None)
@given(history=histories(), on=DAYS, basis=st.sampled_from(Basis))
def test_money_is_neither_made_nor_lost(history: list[Event], on: date, basis: Basis) -> None:
    """What counts as received is what rows have received and what is unapplied; no row is paid beyond what it owes."""
    loan = outcomes(history)[-1].loan
    assert loan is not None
    view = assess(loan, on, basis)
    undone = {item.payment_id for item in loan.reversals if basis is Basis.CONTACT or item.reversed_on <= on}
    received = [
        item.amount_minor
        for item in loan.payments
        if item.payment_id not in undone and (basis is Basis.CONTACT or item.value_date <= on)
    ]
    assert sum(received) == sum(sum(row.paid_parts) for row in view.rows) + view.unapplied_minor
    for row in view.rows:
        assert all(0 <= got <= owed for got, owed in zip(row.paid_parts, row.owed_parts, strict=True))
    assert not view.unapplied_minor or not any(row.unpaid_minor for row in view.rows)


def _views(loan: Loan, at_ms: int) -> object:
    today = (date(1970, 1, 1) + timedelta(days=(at_ms + 8 * 3_600_000) // 86_400_000)) if loan.terms else START
    books, contact = assess(loan, today), assess(loan, today, Basis.CONTACT)
    return [
        (view.days_past_due, view.treatment_days, view.overdue_parts, view.oldest_unpaid_due_date)
        for view in (books, contact)
    ]


@settings(max_examples=150, deadline=None)
@given(history=histories(), at_ms=INSTANTS, hours=st.integers(1, 24 * 60))
def test_nothing_changes_before_the_next_change(history: list[Event], at_ms: int, hours: int) -> None:
    """Between now and `next_change_at` no view of the loan changes by the passage of time."""
    loan = outcomes(history)[-1].loan
    assert loan is not None
    change = next_change_at(loan, at_ms)
    later = at_ms + hours * 3_600_000
    assert change is None or change > at_ms
    if change is None or later < change:
        assert _views(loan, later) == _views(loan, at_ms)


@settings(max_examples=150, deadline=None)
@given(history=histories(), folded_at=st.integers(0, 150), ahead=st.integers(0, 400))
def test_folding_history_changes_no_later_day(history: list[Event], folded_at: int, ahead: int) -> None:
    """A loan whose history before the horizon became totals owes on every later day what it owed before."""
    loan = outcomes(history)[-1].loan
    assert loan is not None
    now_ms = 1_704_067_200_000 + folded_at * 86_400_000
    folded = compact(loan, now_ms, horizon_years=0)
    on = START + timedelta(days=folded_at + ahead)
    before, after = assess(loan, on), assess(folded, on)
    assert (after.overdue_parts, after.days_past_due) == (before.overdue_parts, before.days_past_due)
    assert after.unapplied_minor == before.unapplied_minor
    assert compact(folded, now_ms, horizon_years=0) is folded


def test_every_loan_fact_of_the_catalogue_is_folded() -> None:
    """The events that carry the lenders' word on a loan are exactly those that the fold takes."""
    named = {name for name, example in EXAMPLES.items() if name.startswith("lending.") and example.KEY == "loan_id"}
    assert named == {event.TYPE for event in LOAN_FACTS}


def test_a_fact_about_a_person_is_refused_loudly() -> None:
    """An event that is no fact about a loan is a broken invariant of the caller, never ignored."""
    profile = EXAMPLES[BorrowerProfile.TYPE]
    with pytest.raises(KeyError):
        apply(None, LOAN_ID, profile, "f", NOW_MS)


def test_highest_revision_wins_whenever_it_comes() -> None:
    """A change that overtakes what it changes stands; the overtaken one is a duplicate without effect."""
    results = outcomes([opened(), changed("a", "2024-03-01", 700), scheduled("a", "2024-02-01", 1_000)])
    loan = results[-1].loan
    assert loan is not None
    assert results[-1].verdict is Verdict.DUPLICATE
    assert [(row.due_date, row.unpaid_minor) for row in assess(loan, day("2024-03-05")).rows] == [
        (day("2024-03-01"), 700)
    ]


def test_one_revision_with_two_contents_is_a_conflict() -> None:
    """The first content of an id and revision stands, any other is dead, for every kind of fact."""
    pairs: list[tuple[Event, Event]] = [
        (opened(), opened(grace_days=9)),
        (boarded("2024-01-01", {"a": ("2024-01-05", 5)}), boarded("2024-01-01", {"a": ("2024-01-05", 6)})),
        (scheduled("a", "2024-02-01"), scheduled("a", "2024-02-02")),
        (changed("a", "2024-02-01"), cancelled("a")),
        (charge("c", "a", "2024-02-01", 5), charge("c", "a", "2024-02-01", 6)),
        (paid("p", "2024-02-01", 5), paid("p", "2024-02-01", 6)),
        (reversed_("p", "2024-02-01"), reversed_("p", "2024-02-02")),
        (hold("h", "2024-02-01"), hold("h", "2024-02-02")),
        (lifted("h", "2024-02-01"), lifted("h", "2024-02-02")),
        (promised("q", "2024-02-01", "2024-02-09", 5), promised("q", "2024-02-01", "2024-02-09", 6)),
        (closed("2024-02-01"), closed("2024-02-02")),
    ]
    for first, second in pairs:
        one, again, other = outcomes([first, first, second])
        assert (one.verdict, again.verdict, other.verdict) == (Verdict.APPLIED, Verdict.DUPLICATE, Verdict.DEAD)
        assert other.dead is DeadReason.CONFLICTING_DUPLICATE
        assert other.loan == one.loan


def test_a_loan_keeps_no_more_facts_than_its_bound() -> None:
    """Facts beyond the bound are dead letters by name, changes of known facts still get through."""
    loan = loan_of(opened())
    for number in range(FACTS_MAX):
        loan = loan_of_next(loan, scheduled(f"i{number:05}", "2024-02-01", 1))
    beyond = apply(loan, LOAN_ID, paid("p", "2024-02-01", 5), "f", NOW_MS)
    assert (beyond.verdict, beyond.dead) == (Verdict.DEAD, DeadReason.BOUND_EXCEEDED)
    assert apply(loan, LOAN_ID, changed("i00000", "2024-02-01", 2), "f", NOW_MS).verdict is Verdict.APPLIED


def loan_of_next(loan: Loan, fact: Event) -> Loan:
    applied = apply(loan, LOAN_ID, fact, "f", NOW_MS)
    assert applied.loan is not None
    assert applied.dead is None
    return applied.loan


@pytest.mark.parametrize("kind", ["payments", "charges", "holds"])
def test_the_fullest_loan_fits_into_one_changelog_record(kind: str) -> None:
    """At its bound, with the longest ids, a loan leaves room in Kafka's default of a megabyte per record."""
    loan: Loan | None = loan_of(opened())
    for number in range(FACTS_MAX):
        name = f"{number:064}"
        fact: Event = {
            "payments": paid(name, "2024-02-01", 10**15, allocations=(directed("i" * 64, 10**14),) * (number % 3)),
            "charges": charge(name, "i" * 64, "2024-02-01", 10**10),
            "holds": hold(name, "2024-02-01", "2024-03-01", review_on=day("2024-03-01")),
        }[kind]
        loan = apply(loan, LOAN_ID, fact, "f" * 200, NOW_MS).loan
    assert loan is not None
    assert len(getattr(loan, kind)) >= FACTS_MAX // 2
    assert len(ENCODER.encode(loan)) < 950_000


def test_no_sum_leaves_the_contract() -> None:
    """Amounts that are possible one by one but not together are dead letters, so that no view can overflow."""
    huge = 4 * 10**14
    results = outcomes([opened(), scheduled("a", "2024-02-01", huge), scheduled("b", "2024-02-01", huge)])
    assert [result.dead for result in results] == [None, None, DeadReason.AMOUNT_IMPOSSIBLE]
    loan = results[-1].loan
    assert loan is not None
    assert assess(loan, day("2024-02-02")).amount_overdue.total_minor == huge


def test_boarded_loan_stands_as_boarded() -> None:
    """Unpaid instalments of a boarded loan age from their own due dates; what was settled before does not come back."""
    loan = loan_of(
        scheduled("old", "2024-01-15", 1_000),
        paid("before", "2024-02-10", 600),
        boarded("2024-02-20", {"old": ("2024-01-15", 400), "new": ("2024-03-15", 1_000)}),
        paid("after", "2024-02-21", 100),
    )
    view = assess(loan, day("2024-02-25"))
    assert (view.amount_overdue_minor, view.days_past_due) == (300, 41)
    assert [(item.reason, item.dead) for item in parked(loan)] == [("impossible", DeadReason.BEFORE_HORIZON)]
    late = outcomes([paid("late", "2024-02-20", 50), scheduled("gone", "2024-01-10")], loan)
    assert [result.dead for result in late] == [DeadReason.BEFORE_HORIZON, DeadReason.BEFORE_HORIZON]


def test_boarding_again_replaces_the_first_boarding() -> None:
    """A higher revision of a boarding stands alone; an instalment it no longer names is no longer owed."""
    first = boarded("2024-02-20", {"a": ("2024-01-15", 400), "b": ("2024-02-15", 400)})
    second = boarded("2024-02-20", {"b": ("2024-02-15", 300)}, revision=1)
    for order in ([first, second], [second, first]):
        assert assess(loan_of(*order), day("2024-02-25")).amount_overdue_minor == 300


def test_a_correction_under_the_same_id_replaces_a_payment_that_cannot_be_true() -> None:
    """A payment that came before the terms in another currency gives way to the right one with its id."""
    loan = loan_of(paid("p", "2024-02-01", 500, "USD"), opened(), scheduled("a", "2024-02-01", 500))
    assert assess(loan, day("2024-02-05")).amount_overdue_minor == 500
    corrected = loan_of_next(loan, paid("p", "2024-02-01", 500))
    assert assess(corrected, day("2024-02-05")).amount_overdue_minor == 0


def test_discarded_dead_letter_is_a_fact_like_any_other() -> None:
    """A discard may come twice and may come first; either way its dead letter causes no doubt."""
    discard = DeadLetterDiscarded(loan_id=LOAN_ID, coordinates="lending.repayments/0/7", reason="test data")
    assert [result.verdict for result in outcomes([discard, discard])] == [Verdict.APPLIED, Verdict.DUPLICATE]


def test_dead_fact_about_an_unknown_loan_leaves_no_trace() -> None:
    """A fact that is dead by itself does not create a loan."""
    impossible = promised("q", "2024-02-09", "2024-02-01", 5)
    result = apply(None, LOAN_ID, impossible, "f", NOW_MS)
    assert (result.loan, result.dead) == (None, DeadReason.DATE_IMPOSSIBLE)
