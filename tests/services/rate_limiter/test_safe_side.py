"""Where nobody says, the gate takes the side that disturbs a person less (docs/decisions/0011)."""

from __future__ import annotations

from shared.contract.base import Channel
from shared.contract.outcomes import Outcome
from shared.contract.outreach import ContactAnswered, PermitRefused
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS
from tests.services.rate_limiter.situations import (
    NOON,
    SHANGHAI,
    blocked_by,
    call,
    consent,
    gate,
    hold,
    lifted,
    notice,
    opt_out,
    outcome,
    permits,
    point,
    profile,
    the_permit,
    wish,
)

PHONES = (point("one", Channel.CALL), point("two", Channel.CALL))


def test_stop_at_an_unknown_point_closes_the_channel():
    """An agency forwards STOP without saying from which number: SMS is closed everywhere."""
    said = outcome(Outcome.STOP, NOON - 1, channel=Channel.SMS)
    turn = gate().tick(NOON, profile(SHANGHAI), said, wish("r1", NOON, channels=(Channel.SMS,)))
    assert [rule.rule_id for rule in turn.of(PermitRefused)[0].rules] == ["opt_out"]


def test_of_two_liftings_the_later_counts():
    """The person is left alone for longer, whichever word came first."""
    for order in ((1, 2), (2, 1)):
        driver = gate()
        ends = [lifted("h", NOON + hours * HOUR_MS) for hours in order]
        driver.tick(NOON, hold("h", NOON - 1), *ends)
        assert driver.state.holds[0].end_ms == NOON + 2 * HOUR_MS


def test_a_call_to_an_unknown_number_counts_for_every_number():
    """Three tries of an agency that names no number use up the day of both."""
    tries = [outcome(Outcome.NO_ANSWER, NOON - n * MINUTE_MS, channel=Channel.CALL) for n in (1, 2, 3)]
    turn = gate().tick(NOON, profile(SHANGHAI, points=PHONES), *tries, call("c1", NOON))
    assert blocked_by(turn) == {"calls-number-day"}


def test_calls_about_unknown_loans_count_for_the_lenders_loans():
    """Seven calls of one lender that names no loan fill the week of each of its loans, not of another lender's."""
    week = [
        outcome(Outcome.NO_ANSWER, NOON - n * DAY_MS + k, channel=Channel.CALL, where=f"old-{k}", lender="lender-1")
        for n in (1, 2, 3, 4)
        for k in (1, 2)
    ]
    turn = gate().tick(
        NOON, profile(SHANGHAI, points=PHONES), *week, call("c1", NOON), call("c2", NOON, lender="lender-2")
    )
    assert "calls-loan-week" in blocked_by(turn)
    by_request = {
        deferral.request_id: {rule.rule_id for rule in deferral.rules}
        for deferral in (emit.data for emit in turn.events)
        if hasattr(deferral, "earliest_ms")
    }
    assert "calls-loan-week" in by_request["c1"]
    assert "calls-loan-week" not in by_request["c2"]


def test_a_conversation_in_a_notice_call_opens_the_pause():
    """Notices are exempt as attempts, not as conversations: who was talked to was talked to."""
    driver = gate()
    permit = the_permit(driver.tick(NOON, profile(SHANGHAI), notice("n1", NOON, channels=(Channel.CALL,))))
    talked = outcome(Outcome.CONVERSATION, NOON + MINUTE_MS, permit=permit)
    assert blocked_by(driver.tick(NOON + HOUR_MS, talked, call("c1", NOON))) == {"conversation-day"}


def test_what_a_gateway_did_not_attempt_is_not_granted_again():
    """The attempt is free again, the request is done: a gateway that always fails is not asked for ever."""
    driver = gate()
    permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
    turn = driver.tick(NOON + MINUTE_MS, outcome(Outcome.NOT_ATTEMPTED, NOON + 1, permit=permit))
    assert (permits(turn), turn.of(ContactAnswered), driver.state.pending) == ([], [], ())
    assert permits(driver.tick(NOON + 2 * MINUTE_MS, wish("r2", NOON)))


def test_a_refusal_and_a_consent_of_one_instant_mean_no():
    """Two words at once: the no counts."""
    both = opt_out(NOON - 1, Channel.SMS), wish("r1", NOON)
    turn = gate().tick(NOON, profile(SHANGHAI), consent(NOON - 1, Channel.SMS), *both)
    assert the_permit(turn).channel is Channel.EMAIL
