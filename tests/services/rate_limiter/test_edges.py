"""Edges of the gate's rules: the last instant of a window, a thing said twice, an order that must not matter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.rate_limiter.caps import Asking, full, is_callback, is_exceeded
from services.rate_limiter.census import NEAR_MS, count
from services.rate_limiter.state import Callback, Contact
from shared.contract.base import Channel
from shared.contract.outcomes import Outcome
from shared.contract.outreach import ClearanceAnswered, PermitDeferred, PermitRefused, PermitWithdrawn
from shared.contract.people import ConsentPurpose
from shared.contract.requests import ContactClass
from shared.domain.packs import Per, Unit
from shared.engine.census import Counted
from shared.engine.processor import Unreadable
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS
from tests.services.rate_limiter.situations import (
    NOON,
    SHANGHAI,
    call,
    cease,
    clearance,
    consent,
    gate,
    hold,
    linked,
    notice,
    opt_out,
    outcome,
    permits,
    policy,
    profile,
    taken_back,
    the_permit,
    wish,
)

GARBAGE = Unreadable("lending.borrowers", "borrower-1", "not_json", "lending.borrowers/0/7")


def cap(name):
    """A cap of the default policy that applies in China."""
    (found,) = [it for it in policy().packs.rules_for(("CN",)).caps if it.rule.id == name]
    return found


def contact(number, at, **more):
    """A call that an agency made and told of."""
    told = {
        "id": f"contact-{number}", "is_permit": False, "channel": Channel.CALL, "point": "phone",
        "lender_id": "lender-1", "contact_class": None, "asked": (), "loan_ids": (), "valid_from_ms": at,
        "valid_until_ms": at + 1, "from_ms": at, "until_ms": at + 1, "outcomes": (Outcome.NO_ANSWER,),
    }  # fmt: skip
    return Contact(**{**told, **more})


def test_each_permit_of_a_person_takes_one_of_the_channels_capacity():
    """Room for two texts, three lenders' notices at one tick: two go out, the third waits for room by name."""
    packs = policy().packs
    terms = replace(packs.channels[Channel.SMS], grants_per_tick=2)
    driver = gate(replace(policy(), packs=replace(packs, channels={**packs.channels, Channel.SMS: terms})))
    asked = [notice(f"n{n}", NOON, channels=(Channel.SMS,), lender=f"lender-{n}") for n in range(3)]
    turn = driver.tick(NOON, profile(SHANGHAI), *asked)
    assert len(permits(turn)) == 2
    assert [rule.rule_id for (it,) in [turn.of(PermitDeferred)] for rule in it.rules] == ["channel_capacity"]


@pytest.mark.parametrize(("left_ms", "granted"), [(5 * MINUTE_MS, True), (5 * MINUTE_MS - 1, False)])
def test_a_wish_that_is_good_for_five_minutes_more_is_granted(left_ms, granted):
    """The least time in which a gateway can use a permit is enough; a millisecond less is not."""
    turn = gate().tick(NOON, profile(SHANGHAI), wish("r1", NOON, not_after=NOON + left_ms))
    assert bool(permits(turn)) is granted


def test_a_doubt_is_over_at_its_last_instant():
    """After 72 hours, to the millisecond, what could not be read holds nobody back any more."""
    driver = gate()
    driver.tick(NOON, profile(SHANGHAI), GARBAGE, wish("r1", NOON, not_after=NOON + 5 * DAY_MS))
    assert not permits(driver.tick(NOON + 3 * DAY_MS - 1))
    assert permits(driver.tick(NOON + 3 * DAY_MS))


@pytest.mark.parametrize("days", [(1, 2), (2, 1)])
def test_of_two_holds_the_one_that_lasts_longer_counts(days):
    """A wish waits, and an adverse act is forbidden, until both are over."""
    driver = gate()
    two = [hold(f"h{n}", NOON - 1, NOON + lasting * DAY_MS) for n, lasting in enumerate(days)]
    turn = driver.tick(NOON, profile(SHANGHAI), *two, wish("r1", NOON), clearance("q1"))
    for told in (*turn.of(PermitDeferred), *turn.of(ClearanceAnswered)):
        assert [(rule.rule_id, rule.until_ms) for rule in told.rules] == [("person_hold", NOON + 2 * DAY_MS)]
    assert len(turn.events) == 2


def test_a_wish_that_is_taken_back_twice_is_one_cause():
    """Of two withdrawals of one wish the first counts, and nothing of either is kept once the permit is taken back."""
    driver = gate()
    permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
    twice = [replace(taken_back("r1"), id=f"w{n}") for n in (1, 2)]
    (withdrawn,) = driver.tick(NOON + 1000, *twice).of(PermitWithdrawn)
    assert (withdrawn.permit_id, withdrawn.caused_by) == (permit.permit_id, ("w1",))
    (kept,) = driver.state.contacts
    assert (kept.withdrawals, kept.requests, kept.is_open(NOON + 1001)) == ((), (), False)


def test_of_two_demands_to_stop_the_earlier_counts_alone():
    """A demand that was given before the known one takes its place: one entry for each lender."""
    driver = gate()
    driver.tick(NOON, cease(NOON - DAY_MS, "lender-1"), cease(NOON - 3 * DAY_MS, "lender-1"))
    assert [it.given_ms for it in driver.state.ceases] == [NOON - 3 * DAY_MS]


def test_the_order_in_which_words_and_reports_arrive_leaves_no_trace():
    """Two callbacks of one hour to two numbers, two reports about one call: either order leaves the same state."""
    asked = [
        consent(NOON - MINUTE_MS, Channel.CALL, where, purpose=ConsentPurpose.CALLBACK) for where in ("one", "two")
    ]
    told = [outcome(what, NOON - 1, channel=Channel.CALL) for what in (Outcome.ATTEMPTED, Outcome.NO_ANSWER)]
    states = []
    for order in (1, -1):
        driver = gate()
        driver.tick(NOON, *asked[::order], *told[::order])
        states.append(driver.state)
    assert len(states[0].callbacks) == 2
    assert states[0].callbacks == states[1].callbacks
    assert states[0].contacts == states[1].contacts


@pytest.mark.parametrize("what", [Outcome.ATTEMPTED, Outcome.NO_ANSWER])
def test_a_contact_of_others_lasts_an_instant(what):
    """Nobody says how long an agency's call took: it counts where it began, on the last millisecond of a day too."""
    driver = gate()
    driver.tick(NOON, outcome(what, NOON - 1, channel=Channel.CALL))
    (seen,) = driver.state.contacts
    assert (seen.valid_from_ms, seen.valid_until_ms, seen.from_ms, seen.until_ms) == (NOON - 1, NOON, NOON - 1, NOON)


@pytest.mark.parametrize("asked", [wish("r1", NOON), notice("n1", NOON), call("c1", NOON)])
def test_a_permit_names_the_caps_that_could_have_blocked_it_and_no_others(asked):
    """Those of its channel from which its class is not exempt: a call is not asked for the caps of messages."""
    permit = the_permit(gate().tick(NOON, profile(SHANGHAI), asked))
    caps = policy().packs.rules_for(("CN",)).caps
    concerned = {
        it.rule.id for it in caps if permit.channel in it.blocks and permit.contact_class not in it.exempt_classes
    }
    assert {it.rule.id for it in caps} & set(permit.rules) == concerned
    assert concerned < {it.rule.id for it in caps}


def test_a_contact_about_no_known_loan_is_held_against_every_loan_of_its_lender():
    """Seven calls about loans of one lender fill the week for a call about which nobody says for what loan."""
    week = replace(cap("contacts-week"), per=Per.LOAN, limit=2)
    made = [contact(n, NOON - DAY_MS + n, loan_ids=(f"loan-{n}",)) for n in (1, 2)]
    asking = Asking(Channel.CALL, "phone", "lender-1", (), None, NOON, NOON + 1)
    assert full(week, asking, (SHANGHAI,), made, ()) is not None
    assert full(week, replace(asking, lender_id="lender-2"), (SHANGHAI,), made, ()) is None


@pytest.mark.parametrize(
    ("days_before", "limit", "exceeded"),
    [((1, 2), 3, False), ((1, 2), 2, True), ((7,), 1, False), ((6,), 1, True), ((-7,), 1, False), ((-6,), 1, True)],
)
def test_what_is_made_beyond_a_cap_is_counted_in_every_window_and_in_no_other(days_before, limit, exceeded):
    """Each other contact counts once, within six days of this one: not on the seventh before or after."""
    week = replace(cap("contacts-week"), limit=limit)
    assert (week.days, week.unit) == (7, Unit.ATTEMPT)
    others = [contact(n, NOON - n * DAY_MS) for n in days_before]
    assert is_exceeded(week, contact(0, NOON), (SHANGHAI,), others, ()) is exceeded


@pytest.mark.parametrize(
    "made",
    [
        {"is_inbound": True},
        {"outcomes": (Outcome.NOT_ATTEMPTED,)},
        {"channel": Channel.LETTER},
        {"contact_class": ContactClass.STATUTORY_NOTICE},
    ],
)
def test_what_no_cap_forbids_exceeds_none(made):
    """Who calls us, what was not made, a channel that the cap does not block, and an exempt class: each alone."""
    exempt = (ContactClass.STATUTORY_NOTICE,)
    week = replace(cap("contacts-week"), limit=1, blocks=(Channel.CALL,), exempt_classes=exempt)
    others = [contact(1, NOON - DAY_MS)]
    assert is_exceeded(week, contact(0, NOON), (SHANGHAI,), others, ())
    assert not is_exceeded(week, contact(0, NOON, **made), (SHANGHAI,), others, ())


def test_a_call_back_is_asked_for_at_one_number():
    """Somebody who wants to be called at one number did not ask to be called at the other."""
    asked = (Callback(Channel.CALL, "phone", NOON, NOON + DAY_MS),)
    at = Channel.CALL, "phone", NOON, NOON + DAY_MS
    assert is_callback(asked, *at)
    assert is_callback((replace(asked[0], point=None),), *at)
    for other in ((Channel.SMS, *at[1:]), (at[0], "office", *at[2:]), (*at[:3], at[3] + 1), (*at[:2], NOON - 1, at[3])):
        assert not is_callback(asked, *other)


def test_conversations_of_one_permit_are_kept_in_their_order():
    """Reports of several talks come in any order; which was the last decides for how long the contact is kept."""
    driver = gate()
    permit = the_permit(driver.tick(NOON, profile(SHANGHAI), call("c1", NOON)))
    talks = [NOON + minutes * MINUTE_MS for minutes in (5, 2, 9, 1, 7)]
    driver.tick(NOON + 10 * MINUTE_MS, *[outcome(Outcome.CONVERSATION, at, permit=permit) for at in talks])
    assert driver.state.contacts[0].conversations_ms == tuple(sorted(talks))


def test_a_refused_wish_is_known_for_as_long_as_it_may_be_asked():
    """Delivered once more two days later, a wish that was refused for three days leads to nothing."""
    driver = gate()
    asked = wish("r1", NOON)
    assert driver.tick(NOON, profile(SHANGHAI), opt_out(NOON - 1), asked).of(PermitRefused)
    assert driver.tick(NOON + 2 * DAY_MS, asked).events == ()


def test_a_permit_is_remembered_for_five_weeks():
    """Though no cap looks further back than a week, an outcome that comes a month late finds its permit."""
    driver = gate()
    driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON))
    for days, kept in ((34, 1), (36, 0)):
        driver.tick(NOON + days * DAY_MS, linked(f"loan-{days}"))
        assert len(driver.state.contacts) == kept


@pytest.mark.parametrize(("left_ms", "near"), [(NEAR_MS, False), (NEAR_MS - 1, True)])
def test_what_waits_is_counted_by_class_and_notices_near_their_deadline_apart(left_ms, near):
    """Before anything is known of the person all wait; a demand is never near a deadline, however little is left."""
    driver = gate()
    asked = notice("n1", NOON, not_after=NOON + left_ms), wish("r1", NOON, not_after=NOON + HOUR_MS)
    driver.tick(NOON, *asked)
    counted = list(count(driver.state, NOON, driver.policy))
    waiting = [Counted("requests_pending", (kind,)) for kind in ("overdue", "statutory_notice")]
    assert sorted(counted, key=lambda one: (one.what != "requests_pending", one.labels)) == [
        *waiting, *[Counted("notices_near_deadline")] * near,
    ]  # fmt: skip


def test_an_open_permit_is_counted_until_it_has_run_out():
    """What was let through counts by its channel while it may be used, and nothing waits any more."""
    driver = gate()
    permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
    last = permit.valid_until_ms
    assert list(count(driver.state, last - 1, driver.policy)) == [Counted("permits_open", (permit.channel.value,))]
    assert list(count(driver.state, last, driver.policy)) == []
