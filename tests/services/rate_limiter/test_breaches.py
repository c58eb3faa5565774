"""What others did against the rules is shown, never hidden (T-45, T-51)."""

from __future__ import annotations

import pytest

from shared.contract.base import Channel
from shared.contract.outcomes import Direction, Outcome
from shared.contract.outreach import BreachRecorded
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS
from tests.driver import Turn
from tests.services.rate_limiter.situations import (
    NOON,
    SHANGHAI,
    cease,
    gate,
    hold,
    local,
    opt_out,
    outcome,
    profile,
    taken_back,
    the_permit,
    wish,
)


def broken(turn: Turn) -> set[str]:
    """The rules named by the breaches of an epoch."""
    return {rule.rule_id for breach in turn.of(BreachRecorded) for rule in breach.rules}


@pytest.mark.parametrize(
    ("known", "clock", "rules"),
    [
        ((), "11:00", set()),
        ((), "07:00", {"hours"}),
        ((opt_out(NOON - DAY_MS, Channel.CALL),), "11:00", {"opt_out"}),
        ((opt_out(NOON, Channel.CALL),), "11:00", set()),
        ((cease(NOON - DAY_MS, "agency-1"),), "11:00", {"cease"}),
        ((hold("h", NOON - DAY_MS),), "11:00", {"person_hold"}),
        ((hold("h", NOON - DAY_MS, NOON - 2 * HOUR_MS),), "11:00", set()),
    ],
)
def test_a_contact_of_others_is_judged_at_its_own_time(known, clock, rules):
    """Hours, refusals and holds count as they were when the contact was made, not when it became known."""
    seen = outcome(Outcome.ATTEMPTED, local(f"2024-02-14 {clock}"), channel=Channel.CALL, lender="agency-1")
    assert broken(gate().tick(NOON, profile(SHANGHAI), *known, seen)) == rules


def test_an_agency_that_calls_unasked_exceeds_the_cap():
    """The sixth contact within seven local days is recorded with the rule, the outcome and its cause."""
    driver = gate()
    calls = [outcome(Outcome.NO_ANSWER, NOON - n * DAY_MS, channel=Channel.CALL, where="phone") for n in range(6)]
    assert broken(driver.tick(NOON, profile(SHANGHAI), *calls[:5])) == set()
    turn = driver.tick(NOON + 1000, calls[5])
    (breach,) = turn.of(BreachRecorded)
    assert [rule.rule_id for rule in breach.rules] == ["contacts-week"]
    assert (breach.outcome_id, breach.permit_id) == (calls[5].outcome_id, None)


def test_t45_a_late_outcome_reveals_a_breach():
    """Our own message of today was fine when granted; a message of others this morning, known only later, is not."""
    driver = gate()
    the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
    late = outcome(Outcome.ATTEMPTED, NOON - HOUR_MS, channel=Channel.EMAIL, lender="lender-2")
    assert broken(driver.tick(NOON + 20 * MINUTE_MS, late)) == {"digital-day"}


def test_a_call_after_a_conversation_is_a_breach():
    """Whoever calls again on the day of a conversation breaks the pause; the conversation itself does not."""
    driver = gate()
    talked = outcome(Outcome.CONVERSATION, NOON - 2 * HOUR_MS, channel=Channel.CALL, where="phone")
    assert broken(driver.tick(NOON, profile(SHANGHAI), talked)) == set()
    again = outcome(Outcome.NO_ANSWER, NOON - HOUR_MS, channel=Channel.CALL, where="phone")
    assert broken(driver.tick(NOON + 1000, again)) == {"conversation-day"}


def test_what_the_person_begins_is_no_breach():
    """Somebody who calls us at night breaks nothing."""
    seen = outcome(Outcome.CONVERSATION, local("2024-02-14 03:00"), channel=Channel.CALL, direction=Direction.INBOUND)
    assert broken(gate().tick(NOON, profile(SHANGHAI), seen)) == set()


@pytest.mark.parametrize(
    ("late_ms", "rules"), [(1000, set()), (15 * MINUTE_MS + 4000, set()), (16 * MINUTE_MS, {"permit_interval"})]
)
def test_an_attempt_outside_its_permit_is_a_breach(late_ms, rules):
    """A gateway that acts after `valid_until` is shown; five seconds of clock skew are not held against it."""
    driver = gate()
    permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
    turn = driver.tick(NOON + HOUR_MS, outcome(Outcome.ATTEMPTED, NOON + late_ms, permit=permit))
    assert broken(turn) == rules


def test_an_attempt_long_after_a_withdrawal_is_a_breach():
    """Older news than thirty seconds must not be acted upon: the withdrawal was ignored."""
    driver = gate()
    permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
    driver.tick(NOON + 1000, taken_back("r1"))
    turn = driver.tick(NOON + HOUR_MS, outcome(Outcome.ATTEMPTED, NOON + 5 * MINUTE_MS, permit=permit))
    assert broken(turn) == {"permit_withdrawn"}


def test_one_contact_is_one_breach():
    """Attempt and conversation of one foreign call, reported apart, are one contact and recorded once."""
    at = local("2024-02-14 07:00")
    driver = gate()
    turn = driver.tick(
        NOON,
        profile(SHANGHAI),
        outcome(Outcome.ATTEMPTED, at, channel=Channel.CALL),
        outcome(Outcome.CONVERSATION, at, channel=Channel.CALL),
    )
    assert len(turn.of(BreachRecorded)) == 1
    assert len(driver.state.contacts) == 1
