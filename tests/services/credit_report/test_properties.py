"""Random timelines against a model of a few lines: no adverse report without its gate, no wrong that stays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from services.credit_report.processor import PROCESSOR
from services.credit_report.state import CreditState
from shared.contract.arrangements import HoldLifted, HoldPlaced
from shared.contract.base import Event
from shared.contract.loans import ClosedReason, InstalmentCancelled, InstalmentScheduled, LoanClosed
from shared.contract.outcomes import Outcome
from shared.contract.outreach import ClearanceAnswered, ContactOutcome, PersonHoldForwarded
from shared.contract.repayments import RepaymentReceived, RepaymentReversed
from shared.contract.requests import ClearanceRequested, ContactRequested, ContactWithdrawn, ReportAction, ReportChanged
from shared.kernel.zones import DAY_MS, HOUR_MS
from tests.driver import Driver, Turn, fact
from tests.services.credit_report.bureau import POLICY, RULES, START, Bureau, Way, person_held
from tests.services.lending import (
    LOAN,
    ZONE,
    at,
    cancelled,
    closed,
    held,
    lifted,
    opened,
    paid,
    promised,
    returned,
    scheduled,
)

FIRST = date(2024, 3, 1)
DAYS = 75
STEP_MS = 6 * HOUR_MS
AMOUNT = 1_000
TOLERANCE = 5
TOLD = (ReportAction.FILED, ReportAction.CORRECTED)
NAMES = ("i1", "i2", "i3")


@dataclass
class Model:
    """What is known of the loan, read as simply as possible."""

    schedule: dict[str, date] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    payments: dict[str, RepaymentReceived] = field(default_factory=dict)
    undone: dict[str, date] = field(default_factory=dict)
    holds: dict[str, HoldPlaced] = field(default_factory=dict)
    lifts: dict[str, int] = field(default_factory=dict)
    persons: dict[str, PersonHoldForwarded] = field(default_factory=dict)
    end: LoanClosed | None = None
    attempts: dict[str, int] = field(default_factory=dict)
    bounced: set[str] = field(default_factory=set)
    cleared: dict[str, bool] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        match event:
            case InstalmentScheduled():
                self.schedule[event.instalment_id] = event.due_date
            case InstalmentCancelled():
                self.cancelled.add(event.instalment_id)
            case RepaymentReceived():
                self.payments.setdefault(event.payment_id, event)
            case RepaymentReversed():
                self.undone.setdefault(event.payment_id, event.reversed_on)
            case HoldPlaced():
                self.holds[event.hold_id] = event
            case HoldLifted():
                self.lifts.setdefault(event.hold_id, event.lifted_ms)
            case PersonHoldForwarded():
                self.persons[event.hold_id] = event
            case LoanClosed():
                self.end = self.end or event
            case ContactOutcome(outcome=Outcome.ATTEMPTED):
                self.attempts[str(event.permit_id)] = event.occurred_ms
            case ContactOutcome(outcome=Outcome.BOUNCED):
                self.bounced.add(str(event.permit_id))
            case ClearanceAnswered():
                self.cleared[event.clearance_id] = event.cleared
            case _:
                pass

    @property
    def due(self) -> list[date]:
        return sorted(day for name, day in self.schedule.items() if name not in self.cancelled)

    def days_past_due(self, on: date) -> int:
        stands = self.undone.get
        counting = [p for p in self.payments.values() if p.value_date <= on < stands(p.payment_id, date.max)]
        pool, arrears = sum(one.amount_minor for one in counting), 0
        for due in (due for due in self.due if due < on):
            arrears += AMOUNT - min(pool, AMOUNT)
            pool -= min(pool, AMOUNT)
            if arrears > TOLERANCE:
                return (on - due).days
        return 0

    def known_unpaid(self, before: date) -> int:
        """What fell due before a day and is unpaid by all that is known."""
        pool = sum(one.amount_minor for one in self.payments.values() if one.payment_id not in self.undone)
        return max(0, AMOUNT * sum(1 for due in self.due if due < before) - pool)

    def is_left_alone(self, now: int) -> bool:
        loans = [
            (h.from_ms, min((e for e in (h.until_ms, self.lifts.get(h.hold_id)) if e is not None), default=None))
            for h in self.holds.values()
        ]
        persons = [(h.from_ms, h.until_ms) for h in self.persons.values()]
        return any(since <= now and (until is None or now < until) for since, until in (*loans, *persons))


def severity(days: int) -> int:
    return min(7, -(-days // 30))


@st.composite
def timelines(draw: st.DrawFn) -> list[tuple[int, Event]]:
    """Draw what happens to a loan of three instalments within 75 days."""
    moments = st.integers(0, DAYS * 4 - 1).map(lambda step: START + step * STEP_MS)
    days = st.integers(-5, DAYS).map(lambda n: FIRST + timedelta(days=n))
    facts: list[tuple[int, Event]] = [(START, opened(tolerance_minor=TOLERANCE))]
    facts += [(draw(st.one_of(st.just(START), moments)), scheduled(name, draw(days), AMOUNT)) for name in NAMES]
    for n in range(draw(st.integers(0, 4))):
        amount = draw(st.sampled_from([300, 996, AMOUNT, 3 * AMOUNT]))
        value, known = draw(days), draw(moments)
        facts.append((known, paid(f"p{n}", amount, value)))
        if draw(st.booleans()):
            back = max(value, value + timedelta(days=draw(st.integers(0, 10))))
            facts.append((draw(moments), returned(f"p{n}", back)))
    if draw(st.booleans()):
        since, length = draw(moments), draw(st.sampled_from([2 * DAY_MS, 20 * DAY_MS]))
        facts.append((draw(moments), held("h1", since, draw(st.sampled_from([None, since + length])))))
        if draw(st.booleans()):
            facts.append((draw(moments), lifted("h1", draw(moments))))
    if draw(st.booleans()):
        since = draw(moments)
        facts.append((draw(moments), person_held(since, since + 9 * DAY_MS, since)))
    if draw(st.booleans()):
        made = draw(days)
        facts.append((draw(moments), promised("t1", made + timedelta(days=6), made, AMOUNT)))
    if draw(st.integers(0, 4)) == 0:
        facts.append((draw(moments), cancelled(draw(st.sampled_from(NAMES)))))
    if draw(st.integers(0, 4)) == 0:
        reason = draw(st.sampled_from([ClosedReason.SETTLED, ClosedReason.CANCELLED, ClosedReason.TRANSFERRED]))
        facts.append((draw(moments), closed(draw(days), reason)))
    return sorted(facts, key=lambda pair: pair[0])


GATES = st.tuples(
    st.lists(st.sampled_from(list(Way)), min_size=1, max_size=5),
    st.lists(st.sampled_from([True, True, False, None]), min_size=1, max_size=4),
)
KINDLY_GATES = st.just(([Way.MADE], [True]))


class World:
    """A bureau whose inputs the model sees too."""

    def __init__(self, timeline: list[tuple[int, Event]], gate: tuple[list[Way], list[bool | None]]) -> None:
        ways, answers = gate
        self.bureau = Bureau(notice=lambda n: ways[n % len(ways)], clears=lambda n: answers[n % len(answers)])
        self.model = Model()
        self.waiting = list(timeline)

    def ticks(self) -> Iterable[Turn]:
        """Run to the end, one tick every six hours, and past it so that everything that waits is decided."""
        for now in range(START, START + (DAYS + 45) * DAY_MS, STEP_MS):
            facts = [event for when, event in self.waiting if when <= now]
            self.waiting = self.waiting[len(facts) :]
            replies = [event for when, event in self.bureau.replies if when <= now]
            for event in (*facts, *replies):
                self.model.take(event)
            if facts or self.bureau.has_work(now):
                yield self.bureau.tick(now, *facts)


@settings(max_examples=60, deadline=None)
@given(timelines(), st.one_of(GATES, KINDLY_GATES))
def test_p6_nothing_adverse_without_its_gate(timeline: list[tuple[int, Event]], gate: object) -> None:
    """Each adverse report has its notice made and not bounced, waiting time, clearance, open debt, and no hold."""
    world = World(timeline, gate)
    for turn in world.ticks():
        for report in turn.of(ReportChanged):
            if report.adverse:
                permit, cutoff = str(report.notice_permit_id), RULES.cutoff_date(report.month)
                assert report.action in TOLD
                assert report.code == str(severity(world.model.days_past_due(cutoff)))
                assert turn.at - world.model.attempts[permit] >= RULES.waiting_ms
                assert permit not in world.model.bounced
                assert world.model.cleared[str(report.clearance_id)]
                assert turn.at >= RULES.cutoff_ms(report.month, ZONE)
                if severity_of(report.code) > severity_of(report.code_before or ""):
                    assert not world.model.is_left_alone(turn.at)
                    assert world.model.end is None
                    assert world.model.known_unpaid(cutoff) > TOLERANCE


@settings(max_examples=60, deadline=None)
@given(timelines(), st.one_of(GATES, KINDLY_GATES))
def test_p6_no_wrong_that_is_known_stands(timeline: list[tuple[int, Event]], gate: object) -> None:
    """After every tick no month stands harsher than the facts say, and none was called good that was not."""
    world = World(timeline, gate)
    standing: dict[str, ReportChanged] = {}
    for turn in world.ticks():
        for report in turn.of(ReportChanged):
            known = standing.get(report.month)
            if report.action is not ReportAction.HELD:
                standing[report.month] = report
            good = report.action in TOLD and report.code in "N*"
            assert not good or world.model.days_past_due(RULES.cutoff_date(report.month)) == 0
            if report.action is ReportAction.CORRECTED and known is not None:
                assert report.code_before == known.code != report.code
        for month, report in standing.items():
            if report.adverse and report.action in TOLD:
                cutoff, end = RULES.cutoff_date(month), world.model.end
                over = end is not None and (end.closed_on <= cutoff or end.reason is ClosedReason.CANCELLED)
                assert severity_of(report.code) <= (0 if over else severity(world.model.days_past_due(cutoff)))


def severity_of(code: str) -> int:
    return int(code) if code.isdigit() else 0


@settings(max_examples=40, deadline=None)
@given(timelines(), GATES)
def test_versions_rise_and_every_month_is_decided(timeline: list[tuple[int, Event]], gate: object) -> None:
    """Versions of a month count up by one; no month of an open loan waits beyond its bound."""
    world = World(timeline, gate)
    for _ in world.ticks():
        pass
    versions: dict[str, int] = {}
    for report in world.bureau.reports():
        assert report.version == versions.get(report.month, 0) + 1
        versions[report.month] = report.version
    if world.model.end is None:
        decided = {report.month for report in world.bureau.reports() if report.action in TOLD}
        assert {"2024-03", "2024-04", "2024-05"} <= decided


@settings(max_examples=40, deadline=None)
@given(timelines(), GATES)
def test_p5_no_notice_outlives_its_debt(timeline: list[tuple[int, Event]], gate: object) -> None:
    """A wish for a notice that was not made stands only while the money is owed and the loan need not be left alone."""
    world = World(timeline, gate)
    open_wishes: dict[str, ContactRequested] = {}
    for turn in world.ticks():
        for emit in turn.events:
            if isinstance(emit.data, ContactRequested):
                assert emit.data.request_id not in open_wishes
                open_wishes[emit.data.request_id] = emit.data
            elif isinstance(emit.data, ContactWithdrawn):
                del open_wishes[emit.data.request_id]
        state = world.bureau.driver.state
        assert state is not None
        still_open = {n.request_id for case in state.cases for n in case.notices if n.is_open}
        assert still_open <= set(open_wishes)
        if still_open:
            assert world.model.known_unpaid(FIRST + timedelta(days=400)) > TOLERANCE
            assert not world.model.is_left_alone(turn.at)
            assert world.model.end is None


def _fold(epochs: list[tuple[int, list[Event]]], order: Random | None) -> tuple[CreditState | None, list[object]]:
    driver = Driver(PROCESSOR, POLICY, LOAN)
    for now, events in epochs:
        facts = [fact(event, fact_id=f"f{now}-{n}") for n, event in enumerate(events)]
        driver.tick(now, *(facts if order is None else _interleaved(facts, order)), as_given=order is not None)
    return driver.state, [emit for turn in driver.turns for emit in turn.events]


def _interleaved(facts: list, order: Random) -> list:
    """Mix the topics at random; records of one topic keep their order, as in one partition."""
    queues: dict[str, list] = {}
    for one in facts:
        queues.setdefault(one.topic, []).append(one)
    mixed = []
    while queues:
        topic = order.choice(sorted(queues))
        mixed.append(queues[topic].pop(0))
        if not queues[topic]:
            del queues[topic]
    return mixed


@settings(max_examples=40, deadline=None)
@given(timelines(), st.one_of(GATES, KINDLY_GATES), st.integers(0, 2**32), st.integers(1, 12))
def test_interleaving_inside_an_epoch_makes_no_difference(
    timeline: list[tuple[int, Event]], gate: object, seed: int, coarse: int
) -> None:
    """Facts of lenders and of the gate may mix in any order within an epoch: same state, same events."""
    world = World(timeline, gate)
    epochs: dict[int, list[Event]] = {}
    for now in range(START, START + DAYS * DAY_MS, STEP_MS):
        facts = [event for when, event in world.waiting if when <= now]
        world.waiting = world.waiting[len(facts) :]
        replies = [event for when, event in world.bureau.replies if when <= now]
        world.bureau.tick(now, *facts)
        # Several ticks' facts under one tick: an outage makes epochs long, and the order within them matters most.
        epochs.setdefault(START + (now - START) // (coarse * STEP_MS) * coarse * STEP_MS, []).extend((*facts, *replies))
    given_epochs = sorted(epochs.items())
    assert _fold(given_epochs, None) == _fold(given_epochs, Random(seed))


@settings(max_examples=30, deadline=None)
@given(timelines(), GATES)
def test_a_redelivery_changes_nothing(timeline: list[tuple[int, Event]], gate: object) -> None:
    """Each lender's fact delivered twice leads to the same reports and requests."""
    again = sorted([*timeline, *timeline], key=lambda pair: pair[0])
    once, twice = World(timeline, gate), World(again, gate)
    assert [turn.at for turn in once.ticks()] == [turn.at for turn in twice.ticks()]
    for kind in (ReportChanged, ContactRequested, ContactWithdrawn, ClearanceRequested):
        assert once.bureau.driver.all(kind) == twice.bureau.driver.all(kind)


def test_the_model_knows_the_edges() -> None:
    """The yardstick itself: severities at the PBOC edges, days from the day after the due date."""
    model = Model()
    model.take(scheduled("i1", FIRST, AMOUNT))
    assert [severity(days) for days in (0, 1, 30, 31, 180, 181)] == [0, 1, 1, 2, 6, 7]
    assert [model.days_past_due(FIRST + timedelta(days=n)) for n in (0, 1, 31)] == [0, 1, 31]
    assert at(FIRST) == START
