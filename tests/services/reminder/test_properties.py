"""What holds for every life of a loan, judged by a few lines that know nothing of steps."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.reminder.processor import PROCESSOR
from services.reminder.state import ReminderState
from shared.contract.requests import ContactClass, ContactRequested, ContactWithdrawn, WithdrawalReason
from shared.domain.delinquency import Basis, assess
from shared.domain.loan import business_date, in_doubt, is_held, open_promise
from shared.domain.policy import load_policy
from tests.driver import Driver, Turn
from tests.services.lending import LOAN
from tests.services.timelines import HOUR, START, beginning, interleaved, life_of, shuffled, without_causes

POLICY = load_policy()
EXAMPLES = settings(max_examples=50, deadline=None)
SEEDS = st.integers(0, 10**9)


def start() -> Driver[ReminderState]:
    driver = Driver(PROCESSOR, POLICY, LOAN, POLICY.hash)
    driver.tick(START, *beginning())
    return driver


def outstanding(turns: list[Turn], now: int) -> list[ContactRequested]:
    """What a reader of the topic believes to be outstanding."""
    requests = [request for turn in turns for request in turn.of(ContactRequested)]
    gone = {withdrawn.request_id for turn in turns for withdrawn in turn.of(ContactWithdrawn)}
    return [request for request in requests if request.request_id not in gone and request.not_after_ms > now]


def judge(driver: Driver[ReminderState]) -> None:
    """Everything outstanding is justified at this very tick: unpaid, the amount right, nothing against it."""
    assert driver.state is not None
    loan, now = driver.state.loan, driver.now
    waiting = outstanding(driver.turns, now)
    assert len(waiting) <= 1, "a loan has one outstanding request"
    for request in waiting:
        assert loan.closed is None
        assert not is_held(loan, now)
        assert not in_doubt(loan, now)
        assert open_promise(loan, now) is None
        rows = {row.instalment_id: row for row in assess(loan, business_date(loan, now), Basis.CONTACT).rows}
        owed = sum(rows[name].unpaid_minor for name in request.instalment_ids if name in rows)
        assert owed == request.amount_due_minor == request.amounts.total_minor
        assert owed > 10, "within the tolerance"


@EXAMPLES
@given(SEEDS)
def test_every_outstanding_request_is_justified_after_every_tick(seed: int) -> None:
    """No request is outstanding for money that is paid, held, promised, doubted, closed or of another amount (P5)."""
    driver = start()
    for epoch in life_of(seed):
        turn = driver.tick(epoch.at, *epoch.facts)
        assert len(turn.of(ContactRequested)) <= 1, "missed steps collapse into one, however long the gap (T-10)"
        judge(driver)


@EXAMPLES
@given(SEEDS, st.integers(1, 9))
def test_the_promise_holds_at_ticks_without_facts_too(seed: int, every: int) -> None:
    """Holds begin, promises end and days pass between facts; at each tick what is outstanding is justified."""
    driver = start()
    for epoch in life_of(seed, epochs=20):
        while driver.now + every * HOUR < epoch.at:
            if driver.tick(driver.now + every * HOUR).events:
                judge(driver)
        driver.tick(epoch.at, *epoch.facts)
        judge(driver)


@EXAMPLES
@given(SEEDS)
def test_the_order_of_facts_inside_an_epoch_does_not_matter(seed: int) -> None:
    """However the topics of one epoch meet: the same events, causes, skips, state and next wake (rule 11)."""
    one, other = start(), start()
    for number, epoch in enumerate(life_of(seed)):
        first = one.tick(epoch.at, *epoch.facts, as_given=True)
        second = other.tick(epoch.at, *interleaved(epoch.facts, seed + number), as_given=True)
        assert (first.events, first.skips) == (second.events, second.skips)
        assert (one.state, one.wake_at) == (other.state, other.wake_at)


@EXAMPLES
@given(SEEDS)
@example(122)
@example(533)
def test_any_order_of_facts_inside_an_epoch_says_the_same(seed: int) -> None:
    """Facts of one epoch in any order at all, revisions and reversals too, say the same: only the causes may differ."""
    one, other = start(), start()
    for number, epoch in enumerate(life_of(seed)):
        first = one.tick(epoch.at, *epoch.facts, as_given=True)
        second = other.tick(epoch.at, *shuffled(epoch.facts, seed + number), as_given=True)
        assert without_causes(first) == without_causes(second)


@EXAMPLES
@given(SEEDS)
def test_delivering_every_fact_twice_changes_nothing(seed: int) -> None:
    """At-least-once delivery leads to the same events as exactly-once delivery (T-14)."""
    once, twice = start(), start()
    for epoch in life_of(seed):
        assert once.tick(epoch.at, *epoch.facts).events == twice.tick(epoch.at, *epoch.facts, *epoch.facts).events
        assert once.state == twice.state


@EXAMPLES
@given(SEEDS)
def test_ids_are_never_used_twice_and_every_withdrawal_has_its_request(seed: int) -> None:
    """Request ids are unique over a loan's life; a withdrawal names a request made before, once, and its causes."""
    driver = start()
    for epoch in life_of(seed):
        driver.tick(epoch.at, *epoch.facts)
    made = [request.request_id for request in driver.all(ContactRequested)]
    taken = [withdrawn.request_id for withdrawn in driver.all(ContactWithdrawn)]
    assert len(made) == len(set(made))
    assert len(taken) == len(set(taken))
    assert set(taken) <= set(made)
    assert all(event.caused_by for event in (*driver.all(ContactRequested), *driver.all(ContactWithdrawn)))


def test_the_lives_are_eventful() -> None:
    """The properties were tried on something: every class, and every reason to withdraw, occurs in a hundred lives."""
    seen: Counter[str] = Counter()
    for seed in range(100):
        driver = start()
        for epoch in life_of(seed):
            driver.tick(epoch.at, *epoch.facts)
        seen.update(request.contact_class.value for request in driver.all(ContactRequested))
        seen.update(withdrawn.reason.value for withdrawn in driver.all(ContactWithdrawn))
    for kind in (ContactClass.PRE_DUE, ContactClass.DUE, ContactClass.OVERDUE, ContactClass.RETURNED_PAYMENT):
        assert seen[kind.value] >= 10, seen
    for reason in set(WithdrawalReason) - {WithdrawalReason.RUNG_LEFT}:
        assert seen[reason.value] >= 1, seen
