"""A key whose wake crashes a core is put aside: nothing that was asked or granted for it stands any more."""

import random
from dataclasses import replace

import pytest

from services.escalation.processor import PROCESSOR as ESCALATION
from services.reminder.processor import PROCESSOR as REMINDER
from shared.contract.outreach import PermitDeferred, PermitGranted, PermitWithdrawn
from shared.contract.requests import ContactRequested, ContactWithdrawn
from shared.contract.ticks import FactQuarantined
from shared.engine.deployment import passing_by
from shared.engine.processor import PutAside, Wake
from shared.kernel.zones import HOUR_MS
from tests.driver import Driver
from tests.services.credit_report.bureau import CUTOFF, START, Bureau, Way
from tests.services.escalation.test_core import to_calls
from tests.services.hostile.logs import hostile_logs
from tests.services.hostile.test_hostile_input import BY_NAME, POLICY, deployment
from tests.services.lending import LOAN, at, opened, paid, scheduled
from tests.services.rate_limiter.situations import NOON, SHANGHAI, gate, profile, wish
from tests.shared.engine.fold import fold
from tests.shared.engine.harness import Harness, assert_equal

HOURS = 300
SEEDS = 5


class Crash(Exception):
    """What a core does that meets a state it was never made for."""


def test_a_reminder_is_taken_back_and_may_be_said_anew():
    """The request is withdrawn at the tick; when the loan is looked at again it is asked for anew, or not if paid."""
    driver = Driver(REMINDER, POLICY, LOAN, POLICY.hash)
    driver.tick(at(-21), opened(), scheduled())
    (request,) = [r for turn in driver.run(at(0, "10:00"), HOUR_MS) for r in turn.of(ContactRequested)][-1:]
    (withdrawn,) = driver.put_aside(at(0, "11:00")).of(ContactWithdrawn)
    again = driver.tick(at(0, "12:00"))
    assert withdrawn.request_id == request.request_id
    assert driver.state.asked is None
    assert again.reasons == ["fact_in_doubt"], "the loan is left alone for 72 hours even if it is looked at"
    assert driver.put_aside(at(0, "13:00")).events == ()


def test_a_call_is_taken_back_and_the_case_stays_on_its_rung():
    """What the gate has answered already needs no word; what it may still grant is withdrawn."""
    driver = Driver(ESCALATION, POLICY, LOAN, POLICY.hash)
    request = to_calls(driver)
    rung = driver.state.rung
    (withdrawn,) = driver.put_aside(driver.now + 1).of(ContactWithdrawn)
    assert (withdrawn.request_id, driver.state.rung, driver.state.call) == (request.request_id, rung, None)
    assert driver.put_aside(driver.now + 2).events == ()


def test_a_notice_is_taken_back_and_no_month_is_told():
    """A statutory notice that was not made yet is withdrawn."""
    bureau = Bureau(notice=lambda _: Way.SILENT)
    bureau.run(START, CUTOFF - HOUR_MS, [(START, opened()), (START, scheduled())])
    (notice,) = bureau.asked()
    (withdrawn,) = bureau.driver.put_aside(CUTOFF - HOUR_MS + 1).of(ContactWithdrawn)
    assert withdrawn.request_id == notice.request_id
    assert not any(one.is_open for case in bureau.driver.state.cases for one in case.notices)
    assert bureau.driver.put_aside(CUTOFF - HOUR_MS + 2).events == ()


def test_a_permit_is_taken_back_and_nothing_is_granted():
    """The open permit is withdrawn and its wish waits; the person is in doubt for three days."""
    driver = gate()
    (permit,) = driver.tick(NOON, profile(SHANGHAI), wish("w1", NOON)).of(PermitGranted)
    aside = driver.put_aside(NOON + 1000)
    turn = driver.tick(NOON + 2000)
    assert [it.permit_id for it in aside.of(PermitWithdrawn)] == [permit.permit_id]
    assert [request.id for request in driver.state.pending] == ["w1"]
    assert turn.of(PermitGranted) == []
    assert "fact_in_doubt" in {rule.rule_id for deferral in turn.of(PermitDeferred) for rule in deferral.rules}


def test_what_is_paid_meanwhile_is_not_asked_for_again():
    """Put aside, paid, looked at again after the 72 hours: silence (P5)."""
    driver = Driver(REMINDER, POLICY, LOAN, POLICY.hash)
    driver.tick(at(-21), opened(), scheduled())
    driver.run(at(0, "10:00"), HOUR_MS)
    driver.put_aside(at(0, "11:00"))
    driver.tick(at(0, "12:00"), paid("p1", 100_000))
    turns = driver.run(at(10), HOUR_MS)
    assert [request for turn in turns for request in turn.of(ContactRequested)] == []


def crashing_at(processor, key, instant):
    """Return the service with a core that cannot bear to look at the key from that tick on."""

    def decide(state, name, given, now, policy):
        if isinstance(given, Wake) and name == key and instant <= now < instant + HOURS * HOUR_MS:
            raise Crash
        return processor.decide(state, name, given, now, policy)

    return replace(processor, decide=decide)


def wakes_of(processor, where, logs):
    """Return the keys and ticks of all wakes of a quiet run."""
    found = []

    def decide(state, name, given, now, policy):
        step = processor.decide(state, name, given, now, policy)
        if isinstance(given, Wake):
            found.append((name, now))
        return step

    Harness(replace(processor, decide=decide), where, 0, logs).run()
    return found


@pytest.mark.parametrize("name", BY_NAME)
def test_a_crash_at_any_wake_of_any_core_can_be_passed_by(name):
    """It is named by tick and key; quarantined, the service goes on, and the fold that knows of it agrees (P8)."""
    tried = 0
    for seed in range(SEEDS):
        rnd, where = random.Random(seed), deployment()
        logs = hostile_logs(BY_NAME[name], where, 0, seed)
        wakes = wakes_of(BY_NAME[name], where, logs)
        for key, instant in rnd.sample(wakes, min(1, len(wakes))):
            processor = crashing_at(BY_NAME[name], key, instant)
            crashing = Harness(processor, where, 0, logs)
            with pytest.raises(Crash):
                crashing.run()
            clock, offset, woken = crashing.loop.in_hand
            word = FactQuarantined(
                service=name, topic=clock, partition=0, offset=offset, key=woken, hours=HOURS, reason="r", operator="o"
            )
            harness = Harness(processor, passing_by(where, {word}), 0, logs, seed, 0.2)
            harness.run()
            policies = where.policies
            assert_equal(harness, fold(processor, where.topology, 0, logs, policies=policies, quarantined={word}))
            assert (clock, woken) == (processor.clock, key)
            tried += 1
    assert tried > SEEDS // 2


@pytest.mark.parametrize("name", BY_NAME)
def test_a_key_of_which_nothing_is_known_can_be_put_aside(name):
    """Whatever the state is, the means are simple: none is made, none is needed."""
    step = BY_NAME[name].decide(None, "K1", PutAside("clock", "clock/0/1/K1"), 5, POLICY)
    assert step.events == ()
