"""Whatever happens to a person, the gate keeps P3, P4 and P5, answers everybody, and does not care who spoke first."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.rate_limiter.processor import PROCESSOR
from shared.contract.base import Channel
from shared.contract.outcomes import Direction, Outcome
from shared.contract.outreach import PermitDeferred, PermitExpired, PermitGranted, PermitRefused, PermitWithdrawn
from shared.contract.people import ConsentPurpose
from shared.contract.requests import CREDIT_REPORTS, ESCALATIONS, REMINDERS, ClearancePurpose, ContactClass
from shared.contract.ticks import OutreachMode, Switch
from shared.engine.processor import Fact
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS
from tests.driver import fact
from tests.services.rate_limiter.brute_force import Observer
from tests.services.rate_limiter.situations import (
    KOLKATA,
    LONDON,
    NEW_YORK,
    NOON,
    PHOENIX,
    SHANGHAI,
    cease,
    clearance,
    consent,
    gate,
    hold,
    lifted,
    linked,
    opt_out,
    outcome,
    point,
    policy,
    profile,
    taken_back,
    wish,
)

ZONES = (SHANGHAI, NEW_YORK, LONDON, KOLKATA, PHOENIX)
PARTITIONS = 3
CHANNELS = (Channel.SMS, Channel.EMAIL, Channel.CALL, Channel.PUSH, Channel.LETTER)


class Life:
    """A random life of one person around a clock change: what the world says, and what gateways make of permits."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.start = NOON + self.random.choice((0, 24, 45)) * DAY_MS + self.random.randrange(24) * HOUR_MS
        self.number = 0
        self.revision = 0
        self.wishes: list[Fact] = []
        self.open: list[PermitGranted] = []
        self.busy = self.random.choice((0.3, 0.6, 0.9))
        self.refuses = self.random.choice((0.0, 0.02, 0.08))

    def name(self, kind: str) -> str:
        self.number += 1
        return f"{kind}-{self.number:04}"

    def facts(self, at: int) -> list[Fact]:
        """What becomes known before the tick at `at`."""
        rnd = self.random
        found = [fact(item) for item in self._about_the_person(at)]
        found.extend(self._wish(at) for _ in range(3) if rnd.random() < self.busy)
        for asked in self.wishes:
            if rnd.random() < 0.03:
                source = asked.source.rsplit("/", 1)[1]
                name = asked.data.request_id
                found.append(taken_back(name, loan=asked.data.loan_id, topic=asked.topic, partition=int(source)))
        found.extend(fact(report) for report in self._outcomes(at))
        return found

    def _about_the_person(self, at: int) -> list:
        rnd = self.random
        found = []
        if self.revision == 0 or rnd.random() < 0.03:
            self.revision += 1
            zones = rnd.sample(ZONES, rnd.choice((0, 1, 1, 1, 2)))
            points = tuple(
                point(f"p{n}", *rnd.sample(CHANNELS, rnd.randint(1, 3)), zone=rnd.choice((None,) * 15 + ZONES))
                for n in range(rnd.randint(0, 4))
            )
            found.append(profile(*zones, points=points, revision=self.revision))
        if rnd.random() < self.refuses:
            found.append(
                opt_out(at - rnd.randrange(HOUR_MS), rnd.choice((None, *CHANNELS)), rnd.choice((None, "p0", "p1")))
            )
        if rnd.random() < self.refuses:
            found.append(consent(at - rnd.randrange(HOUR_MS), rnd.choice(CHANNELS), rnd.choice((None, "p0", "p1"))))
        if rnd.random() < self.refuses / 4:
            found.append(cease(at - 1, rnd.choice((None, "lender-1", "lender-2"))))
        if rnd.random() < 0.03:
            begin = at + rnd.randrange(-2, 6) * 10 * MINUTE_MS
            found.append(hold(rnd.choice("abc"), begin, rnd.choice((None, begin + HOUR_MS)), revision=self.number))
        if rnd.random() < 0.05:
            found.append(lifted(rnd.choice("abc"), at))
        if rnd.random() < 0.02:
            found.append(linked(f"loan-{rnd.randrange(4)}"))
        return found

    def _wish(self, at: int) -> Fact:
        rnd = self.random
        kind = rnd.choice(tuple(ContactClass))
        topic = {ContactClass.STATUTORY_NOTICE: CREDIT_REPORTS, ContactClass.HUMAN_CALL: ESCALATIONS}.get(
            kind, REMINDERS
        )
        begin = at + rnd.choice((0, 0, 0, HOUR_MS))
        asked = wish(
            self.name("wish"),
            at,
            kind=kind,
            channels=tuple(rnd.sample(CHANNELS, rnd.randint(1, 3))),
            loan=f"loan-{rnd.randrange(4)}",
            lender=rnd.choice(("lender-1", "lender-2")),
            topic=topic,
            partition=rnd.randrange(PARTITIONS),
            not_before=begin,
            not_after=begin + rnd.choice((4 * MINUTE_MS, HOUR_MS, DAY_MS, 3 * DAY_MS)),
            days_past_due=rnd.randrange(40),
        )
        self.wishes.append(asked)
        return asked

    def _outcomes(self, at: int) -> list:
        rnd = self.random
        found = []
        for permit in self.open:
            what = rnd.choice((*Outcome, None))
            if what is not None:
                when = min(at, permit.valid_from_ms + rnd.randrange(permit.valid_until_ms - permit.valid_from_ms))
                found.append(outcome(what, when, permit=permit, name=self.name("outcome")))
                if what is not Outcome.NOT_ATTEMPTED and rnd.random() < 0.5:
                    found.append(outcome(Outcome.ATTEMPTED, when, permit=permit, name=self.name("outcome")))
        self.open = []
        if rnd.random() < 0.05:
            found.append(
                outcome(
                    rnd.choice(tuple(Outcome)),
                    at - rnd.choice((0, HOUR_MS, 2 * DAY_MS)),
                    name=self.name("outcome"),
                    channel=rnd.choice(CHANNELS),
                    where=rnd.choice((None, "p0", "p1")),
                    direction=rnd.choice((Direction.OUTBOUND, Direction.OUTBOUND, Direction.INBOUND)),
                    lender=rnd.choice((None, "lender-1")),
                    loans=rnd.choice(((), ("loan-1",))),
                )
            )
        return found


def live(seed: int, ticks: int, shuffle: random.Random | None = None):
    """Run a life; return the driver and the observer that judged every epoch."""
    life, driver, observer = Life(seed), gate(), Observer()
    at = life.start
    for _ in range(ticks):
        at += life.random.choice((1000, 10 * MINUTE_MS, HOUR_MS, HOUR_MS, 6 * HOUR_MS, 26 * HOUR_MS))
        facts = life.facts(at)
        silent = ("reminder/0",) if life.random.random() < 0.1 else ()
        switches = (Switch(mode=OutreachMode.STOPPED, channel=Channel.SMS),) if life.random.random() < 0.1 else ()
        for item in facts:
            observer.hear(item.data)
        if shuffle is not None:
            facts = reordered(facts, shuffle)
        turn = driver.tick(at, *facts, silent=silent, switches=switches, as_given=shuffle is not None)
        observer.judge(at, [emit.data for emit in turn.events])
        life.open.extend(turn.of(PermitGranted))
        assert not (silent and any(_asked_by(life, permit, "reminder/0") for permit in turn.of(PermitGranted)))
        assert not (switches and any(permit.channel is Channel.SMS for permit in turn.of(PermitGranted)))
    return life, driver, observer


def _asked_by(life: Life, permit: PermitGranted, pair: str) -> bool:
    sources = {asked.data.request_id: asked.source for asked in life.wishes}
    return any(sources[entry.request_id].endswith(pair) for entry in permit.loans)


def reordered(facts: list[Fact], rnd: random.Random) -> list[Fact]:
    """Interleave the facts of different source partitions anew; each source keeps its own order."""
    queues: dict[tuple[str, str], list[Fact]] = {}
    for item in facts:
        queues.setdefault((item.topic, item.source), []).append(item)
    found = []
    while queues:
        place = rnd.choice(sorted(queues))
        found.append(queues[place].pop(0))
        if not queues[place]:
            del queues[place]
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_no_life_makes_the_gate_break_a_promise(seed):
    """P3, P4, P5 by brute force over every permit of a random life, and no permit is granted twice."""
    _, _, observer = live(seed, ticks=60)
    assert observer.violations == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_within_an_epoch_nobody_cares_who_spoke_first(seed, order):
    """Facts of different source partitions in any order: the same events, skips and state, tick by tick."""
    _, plain, _ = live(seed, ticks=40)
    _, mixed, _ = live(seed, ticks=40, shuffle=random.Random(order))
    assert [(turn.events, turn.skips) for turn in mixed.turns] == [(turn.events, turn.skips) for turn in plain.turns]
    assert mixed.state == plain.state


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_every_wish_is_answered(seed):
    """When all is over, each wish was granted, refused, expired or withdrawn, and nothing is left to wake for."""
    life, driver, observer = live(seed, ticks=30)
    while driver.wake_at is not None:
        driver.to_next_wake(driver.now + 400 * DAY_MS)
    granted = {entry.request_id for permit in driver.all(PermitGranted) for entry in permit.loans}
    refused = {answer.request_id for answer in driver.all(PermitRefused)}
    assert {asked.data.request_id for asked in life.wishes} == granted | refused | observer.gone
    assert driver.state is not None
    assert driver.state.pending == ()
    permits = {permit.permit_id for permit in driver.all(PermitGranted)}
    ended = [it.permit_id for kind in (PermitExpired, PermitWithdrawn) for it in driver.all(kind)]
    assert len(set(ended)) == len(ended)
    assert set(ended) <= permits


def test_the_lives_are_worth_living():
    """The random lives reach what they are meant to reach: every class, many rules, breaches and withdrawals."""
    seen, rules = Counter(), set()
    tried = 0
    for seed in range(30):
        _, driver, observer = live(seed, ticks=60)
        tried += observer.tried
        for turn in driver.turns:
            rules.update(rule.rule_id for refusal in turn.of(PermitRefused) for rule in refusal.rules)
            seen.update(type(emit.data).__name__ for emit in turn.events)
            rules.update(rule.rule_id for deferral in turn.of(PermitDeferred) for rule in deferral.rules)
    assert tried > 100
    assert {"PermitGranted", "PermitDeferred", "PermitRefused", "PermitWithdrawn", "PermitExpired"} <= set(seen)
    assert {"BreachRecorded", "PersonHoldForwarded", "ContactOutcome", "ContactAnswered"} <= set(seen)
    assert {"hours", "spread", "digital-day", "digital-week", "contacts-week", "conversation-day"} <= rules
    assert {"person_hold", "upstream_behind", "outreach_stopped", "zone_unknown", "permit_open", "cease"} <= rules


def test_clearances_and_callbacks_commute_with_everything_else():
    """A question, a hold and a consent of one epoch, in any order: one answer."""
    facts = [
        fact(profile(SHANGHAI)),
        fact(hold("h", NOON - 1)),
        clearance("q1", ClearancePurpose.RESTRICTION),
        fact(consent(NOON - 1, Channel.CALL, purpose=ConsentPurpose.CALLBACK)),
        fact(linked("loan-1")),
    ]
    answers = []
    for seed in range(20):
        driver = gate()
        turn = driver.tick(NOON, *random.Random(seed).sample(facts, len(facts)), as_given=True)
        answers.append((turn.events, driver.state))
    assert all(answer == answers[0] for answer in answers)
    assert PROCESSOR.name == "rate_limiter"


@pytest.mark.parametrize("rule", ["digital-day", "contacts-week"])
def test_the_brute_force_evaluator_finds_what_a_broken_gate_does(rule):
    """A gate that has lost a cap is caught: the evaluator is not blind."""
    packs = policy().packs
    pack = packs.packs[0]
    caps = tuple(cap for cap in pack.caps if cap.rule.id != rule)
    found = set()
    for seed in range(15):
        life, observer = Life(seed), Observer()
        driver = gate(replace(policy(), packs=replace(packs, packs=(replace(pack, caps=caps),))))
        at = life.start
        for _ in range(60):
            at += HOUR_MS
            facts = life.facts(at)
            for item in facts:
                observer.hear(item.data)
            turn = driver.tick(at, *facts)
            observer.judge(at, [emit.data for emit in turn.events])
            life.open.extend(turn.of(PermitGranted))
        found.update(violation.split(" at ")[0] for violation in observer.violations)
    assert found == {f"P3: {rule}"}
