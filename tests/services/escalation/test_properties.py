"""What holds for every life of a case, judged by a few lines that know nothing of ladders' insides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.escalation.processor import PROCESSOR
from services.escalation.state import EscalationState
from shared.contract.base import Rung
from shared.contract.outcomes import Outcome
from shared.contract.outreach import Answer, ClearanceAnswered
from shared.contract.requests import (
    ClearanceRequested,
    ContactRequested,
    ContactWithdrawn,
    LoanLinked,
    LoanUnlinked,
    StageChanged,
    StageMove,
    WithdrawalReason,
)
from shared.domain.delinquency import Basis, assess
from shared.domain.loan import business_date, in_doubt, is_held, open_promise
from shared.domain.policy import load_policy
from shared.domain.strategy import LADDER
from shared.engine.processor import Fact, Unreadable
from tests.driver import Driver, Turn, fact
from tests.services.escalation.conftest import HOUR, answered, called, clearance, message, person_hold
from tests.services.lending import LOAN, opened, scheduled
from tests.services.timelines import DUES, START, Epoch, Life, interleaved, life_of, shuffled, without_causes

POLICY = load_policy()
EXAMPLES = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 10**9)
THRESHOLDS = {rung.rung: rung for rung in POLICY.strategy.defaults.ladder.rungs}


def start() -> Driver[EscalationState]:
    driver = Driver(PROCESSOR, POLICY, LOAN, POLICY.hash)
    loan = [scheduled(f"i{n}", due) for n, due in enumerate(DUES, 1)]
    driver.tick(START, opened(tolerance_minor=10), *loan)
    return driver


def send_message(life: Life) -> Any:
    name = life.name("m")
    return message(name, life.now - 2 * HOUR, life.dice.choice((Outcome.ATTEMPTED, Outcome.ATTEMPTED, Outcome.BOUNCED)))


def hold_person(life: Life) -> Any:
    until = life.now + life.dice.choice((2, 30, 90)) * HOUR
    return person_hold(f"h{life.dice.randint(1, 2)}", life.now - HOUR, until, life.now)


GATE: dict[Callable[[Life], Any], float] = {
    send_message: 60, hold_person: 3, Life.pay: 4, Life.hold: 2, Life.promise: 2, Life.close: 0.4, Life.lose: 0.7,
}  # fmt: skip
"""Beside the lender's words the gate's, and less money than usual, or no case would climb."""


def replies(turn: Turn, seed: int, now: int) -> list[Fact]:
    """What the gate says to the questions of the last turn, most of the time."""
    said = []
    for n, emit in enumerate(turn.events):
        luck = (seed + n + now // HOUR) % 5
        match emit.data:
            case ClearanceRequested() if luck:
                said.append(fact(clearance(emit.data, now, cleared=luck > 1)))
            case ContactRequested() if luck > 2:
                said.append(fact(called(emit.data, now)))
            case ContactRequested() if luck == 2:
                said.append(fact(answered(emit.data, Answer.REFUSED, now)))
            case _:
                pass
    return said


def lived(seed: int) -> tuple[Driver[EscalationState], list[Epoch]]:
    """A case with a gate that answers at the next tick, and all facts that it got."""
    driver = start()
    epochs = []
    for epoch in life_of(seed, GATE, epochs=60):
        facts = (*epoch.facts, *replies(driver.turns[-1], seed, epoch.at))
        driver.tick(epoch.at, *facts)
        epochs.append(Epoch(epoch.at, facts))
        judge(driver, facts)
    return driver, epochs


def judge(driver: Driver[EscalationState], facts: tuple[Fact | Unreadable, ...]) -> None:
    """The last tick moved the case by the book, and every outstanding call is justified by the facts of now."""
    assert driver.state is not None
    loan, now, turn = driver.state.loan, driver.now, driver.turns[-1]
    view = assess(loan, business_date(loan, now), Basis.CONTACT)
    silent = loan.closed or is_held(loan, now) or in_doubt(loan, now) or open_promise(loan, now)
    changes = turn.of(StageChanged)
    assert len(changes) <= 1, "one rung a tick"
    for change in changes:
        step = LADDER.index(change.rung) - LADDER.index(change.rung_before)
        if change.move is StageMove.RAISED:
            assert step == 1
            assert not silent
            needed = THRESHOLDS[change.rung]
            assert view.treatment_days >= needed.treatment_days
            assert view.amount_overdue_minor >= needed.amount_minor["CNY"]
            answers = [it.data for it in facts if isinstance(it, Fact) and isinstance(it.data, ClearanceAnswered)]
            assert change.rung is not Rung.RESTRICTION or any(answer.cleared for answer in answers)
        else:
            assert step < 0
            assert (change.move is StageMove.CLEARED) == (change.rule != "ladder.no_longer_carried")
    if view.oldest_unpaid_due_date is None:
        assert driver.state.rung is Rung.NONE, "cured, and still on a rung"
    judge_calls(driver, silent=bool(silent))


def judge_calls(driver: Driver[EscalationState], *, silent: bool) -> None:
    state, now = driver.state, driver.now
    assert state is not None
    gone = {withdrawn.request_id for withdrawn in driver.all(ContactWithdrawn)}
    waiting = [it for it in driver.all(ContactRequested) if it.request_id not in gone and it.not_after_ms > now]
    waiting = [it for it in waiting if state.call is not None and it.request_id == state.call.request_id]
    requests = driver.turns[-1].of(ContactRequested)
    assert len(requests) <= 1
    assert set(requests) <= set(waiting)
    rows = {row.instalment_id: row for row in assess(state.loan, business_date(state.loan, now), Basis.CONTACT).rows}
    for request in waiting:
        assert not silent
        assert not [hold for hold in state.person_holds if hold.from_ms <= now < (hold.until_ms or now + 1)]
        owed = sum(rows[name].unpaid_minor for name in request.instalment_ids if name in rows)
        assert owed == request.amount_due_minor > 10
        assert state.rung in {Rung.HUMAN_CALL, Rung.RESTRICTION}


@EXAMPLES
@given(SEEDS)
def test_a_case_moves_by_the_book_and_calls_are_justified_at_every_tick(seed: int) -> None:
    """One rung a tick, up only in the open, late and large enough, restricted only on a yes just read; P5 for calls."""
    driver, _ = lived(seed)
    assert driver.turns


@EXAMPLES
@given(SEEDS)
def test_every_unanswered_call_is_withdrawn_when_its_rung_ends(seed: int) -> None:
    """What a reader of the topics believes outstanding is what the core believes: nothing is forgotten."""
    driver, epochs = lived(seed)
    said = [it.data for epoch in epochs for it in epoch.facts if isinstance(it, Fact)]
    over = {getattr(data, "request_id", None) for data in said}
    over |= {withdrawn.request_id for withdrawn in driver.all(ContactWithdrawn)}
    waiting = [it.request_id for it in driver.all(ContactRequested) if it.not_after_ms > driver.now]
    assert driver.state is not None
    core = {driver.state.call.request_id} if driver.state.call is not None else set()
    assert {request_id for request_id in waiting if request_id not in over} == core - over


@EXAMPLES
@given(SEEDS)
def test_the_order_of_facts_inside_an_epoch_does_not_matter(seed: int) -> None:
    """However lenders' facts and the gate's words meet: same events, causes, skips, state, next wake (rule 11)."""
    _, epochs = lived(seed)
    one, other = start(), start()
    for number, epoch in enumerate(epochs):
        first = one.tick(epoch.at, *epoch.facts, as_given=True)
        second = other.tick(epoch.at, *interleaved(epoch.facts, seed + number), as_given=True)
        assert (first.events, first.skips) == (second.events, second.skips)
        assert (one.state, one.wake_at) == (other.state, other.wake_at)


@EXAMPLES
@given(SEEDS)
@example(32)
@example(732)
@example(1006)
def test_any_order_of_facts_inside_an_epoch_says_the_same(seed: int) -> None:
    """Facts of one epoch in any order at all, revisions and reversals too, say the same: only the causes may differ."""
    _, epochs = lived(seed)
    one, other = start(), start()
    for number, epoch in enumerate(epochs):
        first = one.tick(epoch.at, *epoch.facts, as_given=True)
        second = other.tick(epoch.at, *shuffled(epoch.facts, seed + number), as_given=True)
        assert without_causes(first) == without_causes(second)


@EXAMPLES
@given(SEEDS)
def test_delivering_every_fact_twice_changes_nothing(seed: int) -> None:
    """At-least-once delivery, of the gate's words too, leads to the same events as exactly-once delivery."""
    once, epochs = lived(seed)
    twice = start()
    for epoch in epochs:
        twice.tick(epoch.at, *epoch.facts, *epoch.facts)
    assert [turn.events for turn in once.turns] == [turn.events for turn in twice.turns]


@EXAMPLES
@given(SEEDS)
def test_links_follow_the_life_of_the_loan(seed: int) -> None:
    """One link at the beginning, one unlink at the end if there is one, and ids of requests are never used twice."""
    driver, _ = lived(seed)
    assert driver.state is not None
    assert len(driver.all(LoanLinked)) == 1
    assert len(driver.all(LoanUnlinked)) == (driver.state.loan.closed is not None)
    ids = [it.request_id for it in driver.all(ContactRequested)]
    ids += [it.clearance_id for it in driver.all(ClearanceRequested)]
    assert len(ids) == len(set(ids))


def test_the_lives_are_eventful() -> None:
    """The properties were tried on something: every move, rung, and reason to withdraw a call occurs in sixty lives."""
    seen: Counter[str] = Counter()
    for seed in range(60):
        driver, _ = lived(seed)
        seen.update(f"{change.move.value} {change.rung.value}" for change in driver.all(StageChanged))
        seen.update(withdrawn.reason.value for withdrawn in driver.all(ContactWithdrawn))
        seen.update(reason for turn in driver.turns for reason in turn.reasons)
    for rung in THRESHOLDS:
        assert seen[f"raised {rung.value}"] >= 1, seen
    for reason in (WithdrawalReason.PAID, WithdrawalReason.HOLD, WithdrawalReason.AMOUNT_CHANGED):
        assert seen[reason.value] >= 1, seen
    for skip in ("attempts_missing", "dwelling", "held", "promised", "awaiting_clearance", "not_cleared"):
        assert seen[skip] >= 1, seen
