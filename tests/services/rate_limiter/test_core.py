"""The gate decides about one person: granting, deferring, refusing, taking back, and telling the loans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.contract.base import Channel, HoldReason
from shared.contract.outcomes import Direction, Outcome
from shared.contract.outreach import (
    Answer,
    ClearanceAnswered,
    ContactAnswered,
    ContactOutcome,
    PermitDeferred,
    PermitExpired,
    PermitRefused,
    PermitWithdrawn,
    PersonHoldForwarded,
)
from shared.contract.people import ConsentPurpose
from shared.contract.requests import ClearancePurpose, ContactClass, WithdrawalReason
from shared.contract.ticks import OutreachMode, Switch
from shared.engine.processor import Unreadable
from shared.kernel.step import Verdict
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS
from tests.driver import fact
from tests.services.rate_limiter.situations import (
    KOLKATA,
    LONDON,
    MAILBOX,
    NEW_YORK,
    NOON,
    PHOENIX,
    PHONE,
    SHANGHAI,
    blocked_by,
    call,
    cease,
    clearance,
    consent,
    gate,
    hold,
    lifted,
    linked,
    local,
    notice,
    opt_out,
    outcome,
    permits,
    point,
    policy,
    profile,
    taken_back,
    the_permit,
    wish,
)


class TestGranting:
    def test_a_free_wish_becomes_one_permit(self):
        """A permit names point, interval, loans, rules, policy and causes; the loan is told."""
        driver = gate()
        asked = wish("r1", NOON)
        turn = driver.tick(NOON, profile(SHANGHAI), asked)
        permit = the_permit(turn)
        assert (permit.channel, permit.contact_point_id) == (Channel.SMS, "phone")
        assert (permit.valid_from_ms, permit.valid_until_ms) == (NOON, NOON + 15 * MINUTE_MS)
        assert [entry.request_id for entry in permit.loans] == ["r1"]
        assert permit.loans[0].amounts.interest_minor == 10_000
        assert {"hours", "digital-day", "digital-week", "contacts-week", "person_hold"} <= set(permit.rules)
        assert permit.policy == policy().hash
        assert permit.caused_by == (asked.id,)
        answer = turn.of(ContactAnswered)[0]
        assert (answer.loan_id, answer.answer, answer.permit_id) == ("loan-of-r1", Answer.GRANTED, permit.permit_id)
        assert driver.wake_at == permit.valid_until_ms

    def test_t26_several_loans_travel_in_one_permit(self):
        """Wishes of one lender, class and channel are one contact that lists every loan."""
        turn = gate().tick(NOON, profile(SHANGHAI), *(wish(f"r{n}", NOON) for n in range(4)))
        assert {entry.request_id for entry in the_permit(turn).loans} == {"r0", "r1", "r2", "r3"}

    def test_t27_lenders_never_share_a_permit(self):
        """One lender's debt is not told with another's: the second lender waits for the pooled cap."""
        turn = gate().tick(NOON, profile(SHANGHAI), wish("r1", NOON), wish("r2", NOON, lender="lender-2"))
        assert [entry.request_id for entry in the_permit(turn).loans] == ["r1"]
        assert blocked_by(turn) == {"digital-day"}

    def test_the_most_pressing_class_goes_first(self):
        """Priority: class, then age of the debt, then id; four loans and nine wishes become two contacts."""
        wishes = [
            *(wish(f"a{n}", NOON, kind=ContactClass.PRE_DUE) for n in range(3)),
            *(wish(f"b{n}", NOON, days_past_due=n) for n in range(4)),
            *(call(f"c{n}", NOON) for n in range(2)),
        ]
        turn = gate().tick(NOON, profile(SHANGHAI), *wishes)
        assert [[entry.request_id for entry in permit.loans] for permit in permits(turn)] == [
            ["c0", "c1"],
            ["b3", "b2", "b1", "b0"],
        ]
        assert {deferral.request_id for deferral in turn.of(PermitDeferred)} == {"a0", "a1", "a2"}

    def test_a_wish_before_its_time_is_not_looked_at(self):
        """Before `not_before` nothing is decided or published; the gate wakes then."""
        driver = gate()
        turn = driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON, not_before=NOON + HOUR_MS))
        assert (turn.events, turn.reasons, driver.wake_at) == ((), ["not_yet"], NOON + HOUR_MS)
        assert the_permit(driver.to_next_wake(NOON + DAY_MS)).valid_from_ms == NOON + HOUR_MS

    def test_t09_without_profile_or_zone_nobody_is_contacted(self):
        """Unknown person, unknown zone, no point: deferred by name, granted when the fact comes."""
        driver = gate()
        assert blocked_by(driver.tick(NOON, wish("r1", NOON))) == {"profile_unknown"}
        assert blocked_by(driver.tick(NOON + 1000, profile())) == {"zone_unknown"}
        assert blocked_by(driver.tick(NOON + 2000, profile(SHANGHAI, points=(), revision=2))) == {"no_contact_point"}
        assert permits(driver.tick(NOON + 3000, profile(SHANGHAI, revision=3)))

    def test_a_zone_of_the_point_alone_is_enough(self):
        """The contact point's zone is a candidate like those of the profile."""
        assert permits(
            gate().tick(NOON, profile(points=(point("phone", Channel.SMS, zone=SHANGHAI),)), wish("r1", NOON))
        )


class TestHours:
    @pytest.mark.parametrize(
        ("clock", "granted"), [("08:59", False), ("09:00", True), ("19:55", True), ("19:56", False), ("20:00", False)]
    )
    def test_windows_are_half_open(self, clock, granted):
        """A permit lies wholly inside [09:00, 20:00), and is not worth granting for less than five minutes."""
        at = local(f"2024-02-14 {clock}")
        turn = gate().tick(at, profile(SHANGHAI), wish("r1", at))
        assert bool(permits(turn)) is granted
        assert all(permit.valid_until_ms <= local("2024-02-14 20:00") for permit in permits(turn))

    def test_t09_conflicting_zones_intersect(self):
        """With London and Kolkata as candidates, only 09:00 London to 20:00 Kolkata (14:30 London) is allowed.

        The zone of any contact point counts: a number from elsewhere makes the place unclear for e-mail too.
        """
        where = (point("phone", Channel.CALL, zone=KOLKATA), point("mailbox", Channel.EMAIL))
        for clock, granted in (("08:59", False), ("09:00", True), ("14:24", True), ("14:30", False)):
            at = local(f"2024-02-14 {clock}", LONDON)
            assert bool(permits(gate().tick(at, profile(LONDON, points=where), wish("r1", at)))) is granted

    def test_t08_the_day_of_a_clock_change_has_its_own_hours(self):
        """After the clocks of New York went forward, 09:00 local is an hour earlier in UTC; Phoenix stays."""
        for zone, utc_hours in ((NEW_YORK, 13), (PHOENIX, 16)):
            driver = gate()
            at = local("2024-03-10 00:30", zone)
            turn = driver.tick(at, profile(zone), wish("r1", at))
            (deferral,) = turn.of(PermitDeferred)
            (hours,) = deferral.rules
            assert hours.until_ms == local("2024-03-10 00:00", "UTC") + utc_hours * HOUR_MS

    def test_t39_what_waited_for_the_opening_is_spread(self):
        """Deferred to the opening plus the person's own share of the first half hour; consumed nothing meanwhile."""
        driver = gate()
        at = local("2024-02-14 21:00")
        (deferral,) = driver.tick(at, profile(SHANGHAI), wish("r1", at)).of(PermitDeferred)
        opening = local("2024-02-15 09:00")
        assert opening < deferral.earliest_ms < opening + 30 * MINUTE_MS
        assert driver.wake_at == deferral.earliest_ms
        assert the_permit(driver.to_next_wake(at + DAY_MS)).valid_from_ms == deferral.earliest_ms

    def test_what_is_asked_inside_the_hours_is_not_spread(self):
        """Spreading is for what had to wait, not for news."""
        at = local("2024-02-14 09:01")
        assert permits(gate().tick(at, profile(SHANGHAI), wish("r1", at)))

    def test_notices_keep_the_hours(self):
        """Exempt from caps, never from hours (T-48)."""
        at = local("2024-02-14 22:00")
        assert blocked_by(gate().tick(at, profile(SHANGHAI), notice("n1", at))) >= {"hours"}


class TestCaps:
    def test_t40_a_deferral_names_rules_and_the_earliest_instant(self):
        """The second message of the day waits for the next local day; unchanged deferrals are not repeated."""
        driver = gate()
        driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON))
        (deferral,) = driver.tick(NOON + 1000, wish("r2", NOON)).of(PermitDeferred)
        assert [(rule.rule_id, rule.until_ms) for rule in deferral.rules] == [
            ("digital-day", local("2024-02-15 00:00"))
        ]
        assert local("2024-02-15 09:00") <= deferral.earliest_ms < local("2024-02-15 09:30")
        turn = driver.tick(NOON + 2000, linked("loan-9"))
        assert (turn.of(PermitDeferred), turn.reasons) == ([], ["still_blocked"])

    def test_t40_a_deferral_consumes_nothing(self):
        """A wish that was deferred and then taken back leaves all three messages of the week to others."""
        driver = gate()
        assert the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        assert driver.tick(NOON + 1000, wish("r2", NOON)).of(PermitDeferred)
        assert driver.tick(NOON + 2000, taken_back("r2")).of(PermitDeferred) == []
        for day in (1, 2):
            at = NOON + day * DAY_MS
            assert the_permit(driver.tick(at, wish(f"day-{day}", at)))
        at = NOON + 3 * DAY_MS
        assert blocked_by(driver.tick(at, wish("too-many", at))) == {"digital-week"}

    def test_three_messages_in_seven_local_days(self):
        """The fourth message waits until the first has left the window of seven local days."""
        driver = gate()
        driver.tick(NOON - 1000, profile(SHANGHAI))
        for day in range(3):
            at = NOON + day * DAY_MS
            assert permits(driver.tick(at, wish(f"r{day}", at)))
        at = NOON + 3 * DAY_MS
        (deferral,) = driver.tick(at, wish("r9", at, not_after=at + 9 * DAY_MS)).of(PermitDeferred)
        assert [rule.rule_id for rule in deferral.rules] == ["digital-week"]
        assert local("2024-02-21 09:00") <= deferral.earliest_ms < local("2024-02-21 09:30")

    def test_t48_notices_are_neither_capped_nor_counted(self):
        """A notice passes a full cap and takes no room from others."""
        driver = gate()
        assert len(permits(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON), notice("n1", NOON)))) == 2
        driver = gate()
        driver.tick(NOON, profile(SHANGHAI), notice("n1", NOON))
        assert permits(driver.tick(NOON + 1000, wish("r1", NOON)))

    def test_t48_a_notice_passes_a_cap_that_is_full_already_and_a_returned_payment_does_not(self):
        """Only what the law demands is exempt: word of a returned payment waits like any other message."""
        driver = gate()
        assert permits(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        came_back = wish("r2", NOON, kind=ContactClass.RETURNED_PAYMENT)
        turn = driver.tick(NOON + 1000, came_back, notice("n1", NOON))
        assert the_permit(turn).contact_class is ContactClass.STATUTORY_NOTICE
        assert blocked_by(turn) == {"digital-day"}

    def test_an_attempt_outside_of_its_permit_counts_on_the_day_on_which_it_was_made(self):
        """A gateway that acts a day late has used up that day, too."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        late = NOON + DAY_MS
        driver.tick(late, outcome(Outcome.ATTEMPTED, late - 1000, permit=permit))
        assert blocked_by(driver.tick(late + 1000, wish("r2", late))) == {"digital-day"}

    def test_t51_contacts_of_others_count(self):
        """An agency's message of the morning uses up the day."""
        driver = gate()
        seen = outcome(Outcome.ATTEMPTED, NOON - HOUR_MS, channel=Channel.EMAIL, lender="lender-2")
        assert blocked_by(driver.tick(NOON, profile(SHANGHAI), seen, wish("r1", NOON))) == {"digital-day"}

    def test_caps_count_the_days_of_every_zone_where_the_person_may_be(self):
        """At two in London it is yesterday in New York: by London's day the message of the night is today's (T-09)."""
        night, day = local("2024-02-14 02:00", LONDON), local("2024-02-14 14:30", LONDON)
        seen = outcome(Outcome.ATTEMPTED, night, channel=Channel.EMAIL, lender="lender-2")
        turn = gate().tick(day, profile(NEW_YORK, LONDON), seen, wish("r1", day))
        assert blocked_by(turn) == {"digital-day"}

    def test_only_not_attempted_gives_back(self):
        """A bounce counts, an expiry counts (T-42), `not_attempted` frees, even after the expiry."""
        for what, freed in ((Outcome.BOUNCED, False), (Outcome.NOT_ATTEMPTED, True), (None, False)):
            driver = gate()
            permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
            facts = [] if what is None else [outcome(what, NOON + 1, permit=permit)]
            turn = driver.tick(NOON + HOUR_MS, wish("r2", NOON), *facts)
            assert bool(permits(turn)) is freed
            assert bool(turn.of(PermitExpired)) is (what is None)
            if what is None:
                late = driver.tick(NOON + 2 * HOUR_MS, outcome(Outcome.NOT_ATTEMPTED, NOON + 1, permit=permit))
                assert permits(late)

    def test_t30_calls_are_capped_per_number_and_per_loan(self):
        """Three unanswered tries to one number end its day; another number is tried; seven per loan end the week."""
        phones = (point("one", Channel.CALL), point("two", Channel.CALL), point("three", Channel.CALL))
        driver = gate(lenient())
        driver.tick(NOON, profile(SHANGHAI, points=phones))
        used = []
        for n in range(7):
            at = NOON + (n + 1) * 10 * MINUTE_MS
            permit = the_permit(driver.tick(at, call(f"c{n}", at, loan="loan-1")))
            driver.tick(at + MINUTE_MS, outcome(Outcome.NO_ANSWER, at + 1, permit=permit))
            used.append(permit.contact_point_id)
        assert used == ["one", "one", "one", "two", "two", "two", "three"]
        at = NOON + 2 * HOUR_MS
        assert blocked_by(driver.tick(at, call("c8", at, loan="loan-1"))) >= {"calls-loan-week"}
        assert permits(driver.tick(at + 1000, call("c9", at, loan="loan-2")))


def lenient():
    """The default policy without the weekly cap over everything: it would hide the caps of calls."""
    packs = policy().packs
    pack = packs.packs[0]
    caps = tuple(cap for cap in pack.caps if cap.rule.id != "contacts-week")
    return replace(policy(), packs=replace(packs, packs=(replace(pack, caps=caps),)))


class TestConversations:
    def test_after_a_conversation_no_call_that_day(self):
        """A conversation closes calls for the local day, for every loan; messages go on."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), call("c1", NOON)))
        talked = outcome(Outcome.CONVERSATION, NOON + MINUTE_MS, permit=permit)
        turn = driver.tick(NOON + HOUR_MS, talked, call("c2", NOON), wish("r1", NOON))
        assert blocked_by(turn) == {"conversation-day"}
        assert the_permit(turn).channel is Channel.SMS
        (deferral,) = turn.of(PermitDeferred)
        assert deferral.rules[0].until_ms == local("2024-02-15 00:00")

    def test_a_call_in_flight_may_be_a_conversation(self):
        """While nobody has said how a call ended, no second one is begun; `no_answer` frees it."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), call("c1", NOON)))
        assert blocked_by(driver.tick(NOON + 1000, call("c2", NOON))) == {"conversation-day"}
        assert permits(driver.tick(NOON + 2000, outcome(Outcome.NO_ANSWER, NOON + 1500, permit=permit)))

    def test_an_inbound_conversation_counts_as_conversation_only(self):
        """Whoever began it (US-COOLDOWN): calls rest that day, but no attempt is used up."""
        driver = gate()
        talked = outcome(Outcome.CONVERSATION, NOON, channel=Channel.CALL, direction=Direction.INBOUND)
        turn = driver.tick(NOON + 1000, profile(SHANGHAI), talked, call("c1", NOON))
        assert blocked_by(turn) == {"conversation-day"}

    def test_a_conversation_elsewhere_withdraws_an_open_call(self):
        """A branch talks to the person while our permit is open: the call is taken back and waits."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), call("c1", NOON)))
        turn = driver.tick(NOON + 1000, outcome(Outcome.CONVERSATION, NOON + 500, channel=Channel.CALL))
        (withdrawn,) = turn.of(PermitWithdrawn)
        assert (withdrawn.permit_id, withdrawn.reason) == (permit.permit_id, "conversation-day")
        assert blocked_by(turn) == {"conversation-day", "permit_open"}

    def test_t50_calls_that_were_asked_for_are_not_capped(self):
        """Under a callback consent calls pass the call caps; hours stay; after seven days it is over."""
        driver = gate()
        talked = outcome(Outcome.CONVERSATION, NOON - HOUR_MS, channel=Channel.CALL)
        asked = consent(NOON - HOUR_MS, Channel.CALL, purpose=ConsentPurpose.CALLBACK)
        assert permits(driver.tick(NOON, profile(SHANGHAI), talked, asked, call("c1", NOON)))
        night = local("2024-02-14 21:00")
        assert blocked_by(driver.tick(night, call("c2", night))) >= {"hours"}
        assert [callback.until_ms for callback in driver.state.callbacks] == [NOON - HOUR_MS + 7 * DAY_MS]

    def test_t50_a_callback_frees_its_own_channel_until_its_own_end(self):
        """Who wants to be written to is not called for it, and who named an end is not called after it."""
        talked = outcome(Outcome.CONVERSATION, NOON - 2 * HOUR_MS, channel=Channel.CALL)
        for asked in (
            consent(NOON - HOUR_MS, Channel.SMS, purpose=ConsentPurpose.CALLBACK),
            consent(NOON - HOUR_MS, Channel.CALL, purpose=ConsentPurpose.CALLBACK, expires_ms=NOON - 1),
        ):
            turn = gate().tick(NOON, profile(SHANGHAI), talked, asked, call("c1", NOON))
            assert blocked_by(turn) == {"conversation-day"}


class TestRefusal:
    def test_t46_opt_out_of_a_channel_falls_back_to_the_next(self):
        """A refused channel is closed, the next preferred one is used; an opt-out is not a cease."""
        turn = gate().tick(NOON, profile(SHANGHAI), opt_out(NOON - 1, Channel.SMS), wish("r1", NOON))
        assert the_permit(turn).channel is Channel.EMAIL

    def test_where_all_is_refused_the_request_is(self):
        """No channel left by the person's own word: refused at once, naming the rule, and the loan is told."""
        driver = gate()
        turn = driver.tick(
            NOON,
            profile(SHANGHAI),
            opt_out(NOON - 1, Channel.SMS),
            opt_out(NOON - 1, None, "mailbox"),
            wish("r1", NOON),
        )
        (refused,) = turn.of(PermitRefused)
        assert [rule.rule_id for rule in refused.rules] == ["opt_out"]
        assert turn.of(ContactAnswered)[0].answer is Answer.REFUSED
        assert driver.wake_at is None

    def test_notices_respect_an_opt_out(self):
        """A statutory notice takes another medium, and is refused where none is left (T-48)."""
        turn = gate().tick(NOON, profile(SHANGHAI), opt_out(NOON - 1, Channel.SMS), notice("n1", NOON))
        assert the_permit(turn).channel is Channel.EMAIL

    def test_consent_lifts_an_earlier_opt_out_whatever_the_order_of_arrival(self):
        """The later word counts, by when it was given; a yes to a channel does not reach a point refused by name."""
        no, yes = opt_out(NOON - 2, Channel.SMS), consent(NOON - 1, Channel.SMS)
        for facts in ((no, yes), (yes, no)):
            turn = gate().tick(NOON, profile(SHANGHAI), *facts, wish("r1", NOON), as_given=True)
            assert the_permit(turn).channel is Channel.SMS
        by_name = opt_out(NOON - 2, Channel.SMS, "phone")
        turn = gate().tick(NOON, profile(SHANGHAI), by_name, yes, wish("r1", NOON))
        assert the_permit(turn).channel is Channel.EMAIL
        named = consent(NOON - 1, Channel.SMS, "phone")
        turn = gate().tick(NOON, profile(SHANGHAI), by_name, named, wish("r1", NOON))
        assert the_permit(turn).channel is Channel.SMS

    def test_stop_closes_the_channel_at_the_point(self):
        """STOP to an SMS closes SMS at that number; calls to it stay open."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        driver.tick(NOON + 1000, outcome(Outcome.STOP, NOON + 500, permit=permit))
        at = NOON + DAY_MS
        turn = driver.tick(at, wish("r2", at), call("c1", at))
        assert sorted(permit.channel for permit in permits(turn)) == [Channel.CALL, Channel.EMAIL]

    def test_t31_a_wrong_number_closes_the_point(self):
        """Somebody else answers: every channel of the point is closed, the person's other points are not."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), call("c1", NOON)))
        driver.tick(NOON + 1000, outcome(Outcome.WRONG_NUMBER, NOON + 500, permit=permit))
        at = NOON + DAY_MS
        turn = driver.tick(at, wish("r2", at), call("c2", at))
        assert the_permit(turn).contact_point_id == "mailbox"
        assert [rule.rule_id for rule in turn.of(PermitRefused)[0].rules] == ["wrong_number"]

    def test_an_opt_out_takes_back_an_open_permit(self):
        """The word takes effect before the next send: the open permit is withdrawn, the wish takes another channel."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        turn = driver.tick(NOON + 1000, opt_out(NOON + 500, Channel.SMS))
        (withdrawn,) = turn.of(PermitWithdrawn)
        assert (withdrawn.permit_id, withdrawn.reason) == (permit.permit_id, "opt_out")
        assert turn.of(ContactAnswered)[0].answer is Answer.WITHDRAWN
        turn = driver.tick(NOON + 2000, outcome(Outcome.NOT_ATTEMPTED, NOON + 1500, permit=permit))
        assert the_permit(turn).channel is Channel.EMAIL

    @pytest.mark.parametrize(("lender", "refused"), [(None, True), ("lender-1", True), ("lender-2", False)])
    def test_t47_cease_leaves_only_notices(self, lender, refused):
        """A cease refuses all collection contact of the lenders it names; notices go on."""
        turn = gate().tick(NOON, profile(SHANGHAI), cease(NOON - 1, lender), wish("r1", NOON), notice("n1", NOON))
        assert bool(turn.of(PermitRefused)) is refused
        assert len(permits(turn)) == (1 if refused else 2)


class TestHolds:
    def test_a_hold_defers_until_its_end(self):
        """Nothing while a hold is active; the deferral says until when, or nothing where nobody knows (T-60)."""
        end = NOON + 2 * HOUR_MS
        (deferral,) = (
            gate().tick(NOON, profile(SHANGHAI), hold("h", NOON - 1, end), wish("r1", NOON)).of(PermitDeferred)
        )
        assert (deferral.earliest_ms, deferral.rules[0].rule_id) == (end, "person_hold")
        driver = gate()
        (deferral,) = driver.tick(NOON, profile(SHANGHAI), hold("h", NOON - 1), wish("r1", NOON)).of(PermitDeferred)
        assert (deferral.earliest_ms, driver.wake_at) == (None, NOON + 3 * DAY_MS)
        assert permits(driver.tick(NOON + HOUR_MS, lifted("h", NOON + HOUR_MS)))

    def test_a_hold_stops_notices_too(self):
        """No permit reaches into a hold, whatever its class."""
        assert blocked_by(gate().tick(NOON, profile(SHANGHAI), hold("h", NOON - 1), notice("n", NOON))) == {
            "person_hold"
        }

    def test_a_permit_ends_before_a_hold_that_is_known(self):
        """The interval is cut at the start of the next hold; too short an interval waits."""
        turn = gate().tick(NOON, profile(SHANGHAI), hold("h", NOON + 10 * MINUTE_MS), wish("r1", NOON))
        assert the_permit(turn).valid_until_ms == NOON + 10 * MINUTE_MS
        turn = gate().tick(NOON, profile(SHANGHAI), hold("h", NOON + 4 * MINUTE_MS), wish("r1", NOON))
        assert blocked_by(turn) == {"person_hold"}

    def test_holds_are_forwarded_to_all_loans_also_later_ones(self):
        """Placed, changed, lifted: every linked loan hears it; a loan linked later hears what still holds."""
        driver = gate()
        turn = driver.tick(NOON, linked("loan-1"), linked("loan-2"), hold("h", NOON))
        assert [(told.loan_id, told.until_ms) for told in turn.of(PersonHoldForwarded)] == [
            ("loan-1", None),
            ("loan-2", None),
        ]
        turn = driver.tick(NOON + 1000, linked("loan-3"))
        assert [told.loan_id for told in turn.of(PersonHoldForwarded)] == ["loan-3"]
        turn = driver.tick(NOON + 2000, lifted("h", NOON + 1500))
        assert {(told.loan_id, told.until_ms) for told in turn.of(PersonHoldForwarded)} == {
            (f"loan-{n}", NOON + 1500) for n in (1, 2, 3)
        }
        assert not driver.tick(NOON + 3000, linked("loan-4")).of(PersonHoldForwarded)

    def test_revisions_and_lifting_commute(self):
        """The highest revision wins and a lifting is kept, in any order of arrival."""
        facts = (hold("h", NOON, revision=0), hold("h", NOON, NOON + DAY_MS, revision=1), lifted("h", NOON + HOUR_MS))
        states = set()
        for order in (facts, facts[::-1], (facts[1], facts[2], facts[0])):
            driver = gate()
            driver.tick(NOON, *order, as_given=True)
            states.add((driver.state.holds[0].revision, driver.state.holds[0].end_ms))
        assert states == {(1, NOON + HOUR_MS)}

    def test_a_changed_copy_of_a_revision_is_a_dead_letter(self):
        """The same revision with other content contradicts what is known."""
        driver = gate()
        turn = driver.tick(NOON, hold("h", NOON), hold("h", NOON, NOON + DAY_MS))
        assert turn.dead == ("conflicting_duplicate",)


class TestTakingBack:
    def test_p5_a_paid_wish_that_waits_is_dropped(self):
        """Withdrawn before it was granted: nothing is published about it."""
        driver = gate()
        night = local("2024-02-14 22:00")
        driver.tick(night, profile(SHANGHAI), wish("r1", night))
        assert driver.tick(night + HOUR_MS, taken_back("r1")).events == ()
        assert (driver.state.pending, driver.wake_at) == ((), None)

    def test_p5_a_paid_wish_takes_the_whole_permit_back(self):
        """The unused permit is withdrawn as a whole; the other loans wait for its outcome, then try again."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON), wish("r2", NOON)))
        turn = driver.tick(NOON + 1000, taken_back("r1"))
        (withdrawn,) = turn.of(PermitWithdrawn)
        assert (withdrawn.permit_id, withdrawn.reason) == (permit.permit_id, "paid")
        assert {answer.request_id for answer in turn.of(ContactAnswered)} == {"r1", "r2"}
        assert blocked_by(turn) == {"permit_open", "digital-day"}
        turn = driver.tick(NOON + 2000, outcome(Outcome.NOT_ATTEMPTED, NOON + 1500, permit=permit))
        assert [entry.request_id for entry in the_permit(turn).loans] == ["r2"]

    def test_t43_what_a_withdrawn_permit_said_all_the_same_is_not_said_twice(self):
        """The gateway had acted already: the other loans' wishes are fulfilled, not granted again."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), notice("n1", NOON), notice("n2", NOON)))
        driver.tick(NOON + 1000, taken_back("n1", topic="collections.credit-reports"))
        turn = driver.tick(NOON + 2000, outcome(Outcome.ATTEMPTED, NOON + 500, permit=permit))
        assert permits(turn) == []
        assert driver.state.pending == ()
        assert {told.request_id for told in turn.of(ContactOutcome)} == {"n1", "n2"}

    def test_after_its_end_a_withdrawn_permit_holds_nobody_up(self):
        """Without an outcome the others may go on when the permit could no longer be used."""
        driver = gate()
        driver.tick(NOON, profile(SHANGHAI), notice("n1", NOON), notice("n2", NOON))
        driver.tick(NOON + 1000, taken_back("n1", topic="collections.credit-reports"))
        turn = driver.to_next_wake(NOON + DAY_MS)
        assert turn.at == NOON + 15 * MINUTE_MS
        assert [entry.request_id for entry in the_permit(turn).loans] == ["n2"]

    def test_t43_a_permit_for_what_was_said_all_the_same_is_taken_back(self):
        """The report on the first permit comes late, when the wish has a second one: that is withdrawn, not renewed."""
        driver = gate()
        first = the_permit(driver.tick(NOON, profile(SHANGHAI), notice("n1", NOON), notice("n2", NOON)))
        driver.tick(NOON + 1000, taken_back("n1", topic="collections.credit-reports"))
        second = the_permit(driver.to_next_wake(NOON + DAY_MS))
        at = second.valid_from_ms + 1000
        turn = driver.tick(at, outcome(Outcome.ATTEMPTED, NOON + 500, permit=first))
        (withdrawn,) = turn.of(PermitWithdrawn)
        assert (withdrawn.permit_id, withdrawn.reason) == (second.permit_id, "already_said")
        assert [(it.request_id, it.rules[0].rule_id) for it in turn.of(PermitRefused)] == [("n2", "already_said")]
        assert driver.state.pending == ()

    def test_a_used_permit_is_not_withdrawn(self):
        """Payment and attempt in one epoch, in either order: the attempt stands, in good faith."""
        for swap in (False, True):
            driver = gate()
            permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
            facts = [fact(outcome(Outcome.ATTEMPTED, NOON + 500, permit=permit)), taken_back("r1")]
            turn = driver.tick(NOON + 1000, *(facts[::-1] if swap else facts), as_given=True)
            assert turn.of(PermitWithdrawn) == []
            assert len(turn.of(ContactOutcome)) == 1

    def test_a_wish_that_nobody_could_fulfil_in_time_expires(self):
        """At `not_after` the request ends with a reason, and the loan hears that it expired (T-39)."""
        driver = gate()
        night = local("2024-02-14 22:00")
        driver.tick(night, profile(SHANGHAI), wish("r1", night, not_after=night + 2 * HOUR_MS))
        turn = driver.to_next_wake(night + DAY_MS)
        assert turn.at == night + 2 * HOUR_MS
        assert [rule.rule_id for rule in turn.of(PermitRefused)[0].rules] == ["useful_until"]
        assert turn.of(ContactAnswered)[0].answer is Answer.EXPIRED

    def test_a_permit_without_outcome_expires_as_used(self):
        """PermitExpired is told to gateway and loan; the attempt goes on counting (T-42)."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        turn = driver.to_next_wake(NOON + DAY_MS)
        assert (turn.at, turn.of(PermitExpired)[0].permit_id) == (permit.valid_until_ms, permit.permit_id)
        assert turn.of(ContactAnswered)[0].answer is Answer.EXPIRED

    def test_a_move_takes_back_what_the_new_zone_forbids(self):
        """A new profile whose zone is asleep withdraws the open permit (T-53)."""
        driver = gate()
        driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON))
        turn = driver.tick(NOON + 1000, profile(NEW_YORK, revision=2))
        assert turn.of(PermitWithdrawn)[0].reason == "hours"


class TestSwitchesAndSilence:
    def test_a_silent_pair_is_not_served_while_others_are(self):
        """Requests of a service and partition left behind wait by name and are granted when it returns."""
        driver = gate()
        first, other = wish("r1", NOON, partition=3), call("c1", NOON, partition=3)
        turn = driver.tick(NOON, profile(SHANGHAI), first, other, silent=("reminder/3",))
        assert the_permit(turn).channel is Channel.CALL
        assert blocked_by(turn) == {"upstream_behind"}
        assert driver.wake_at == NOON + 5000
        assert the_permit(driver.to_next_wake(NOON + DAY_MS)).channel is Channel.SMS

    @pytest.mark.parametrize(
        ("switch", "rule", "granted"),
        [
            (Switch(mode=OutreachMode.STOPPED), "outreach_stopped", set()),
            (Switch(mode=OutreachMode.SHADOW), "shadow", set()),
            (Switch(mode=OutreachMode.STOPPED, channel=Channel.CALL), "outreach_stopped", {Channel.SMS}),
            (Switch(mode=OutreachMode.SHADOW, lender_id="lender-2"), "shadow", {Channel.SMS}),
            (Switch(mode=OutreachMode.STARTED), None, {Channel.SMS, Channel.CALL}),
        ],
    )
    def test_operators_switch_off_everything_a_channel_or_a_lender(self, switch, rule, granted):
        """Stopped and shadow grant nothing in their scope and say so; the rest goes on."""
        turn = gate().tick(
            NOON,
            profile(SHANGHAI),
            wish("r1", NOON, channels=(Channel.SMS,)),
            call("c1", NOON, lender="lender-2"),
            switches=(switch,),
        )
        assert {permit.channel for permit in permits(turn)} == granted
        assert blocked_by(turn) == ({rule} if rule else set())

    def test_shadow_mode_decides_everything_else(self):
        """In shadow mode a deferral names all rules that block beside `shadow`; alone it means: would be granted."""
        night = local("2024-02-14 22:00")
        turn = gate().tick(night, profile(SHANGHAI), wish("r1", night), switches=(Switch(mode=OutreachMode.SHADOW),))
        assert blocked_by(turn) == {"hours", "shadow"}


class TestBoundsAndBadInput:
    def test_beyond_two_hundred_requests_the_least_pressing_are_refused_by_name(self):
        """A flood for one person is answered with `pending_bound`; the most pressing are kept."""
        night = local("2024-02-14 22:00")
        flood = [wish(f"r{n:03}", night, kind=ContactClass.PRE_DUE if n < 50 else ContactClass.DUE) for n in range(250)]
        turn = gate().tick(night, profile(SHANGHAI), *flood)
        refused = turn.of(PermitRefused)
        assert {rule.rule_id for answer in refused for rule in answer.rules} == {"pending_bound"}
        assert {answer.request_id for answer in refused} == {f"r{n:03}" for n in range(50)}

    def test_beyond_two_hundred_loans_links_are_dead_letters(self):
        """The bound on loans of one person is named."""
        turn = gate().tick(NOON, *(linked(f"loan-{n}") for n in range(201)))
        assert turn.dead == ("bound_exceeded",)

    def test_redelivered_facts_change_nothing(self):
        """Every fact twice: the same permits, the same state, the verdict says duplicate."""
        driver = gate()
        facts = [
            profile(SHANGHAI),
            opt_out(NOON - 1, Channel.CALL),
            hold("h", NOON + DAY_MS),
            linked("l"),
            wish("r1", NOON),
        ]
        first = driver.tick(NOON, *facts)
        before = driver.state
        again = driver.tick(NOON + 1000, *facts, outcome(Outcome.NOT_ATTEMPTED, NOON, channel=Channel.SMS))
        assert again.events == ()
        assert set(again.verdicts) == {Verdict.DUPLICATE}
        assert driver.state == before
        assert len(permits(first)) == 1

    def test_t55_an_outcome_of_next_year_is_a_dead_letter(self):
        """An instant far ahead of the tick is a typing error, not a contact."""
        turn = gate().tick(NOON, outcome(Outcome.ATTEMPTED, NOON + 365 * DAY_MS))
        assert turn.dead == ("date_impossible",)

    def test_an_unreadable_record_about_the_person_means_silence(self):
        """It may have been a refusal: 72 hours of silence, or until it is replayed."""
        garbage = Unreadable("lending.borrowers", "borrower-1", "not_json", "lending.borrowers/0/7")
        driver = gate()
        turn = driver.tick(NOON, profile(SHANGHAI), garbage, wish("r1", NOON))
        (deferral,) = turn.of(PermitDeferred)
        assert (deferral.rules[0].rule_id, deferral.earliest_ms) == ("fact_in_doubt", NOON + 3 * DAY_MS)
        replayed = fact(opt_out(NOON, Channel.EMAIL))
        replayed = type(replayed)(
            replayed.topic, replayed.key, replayed.id, replayed.source, replayed.data, "lending.borrowers/0/7"
        )
        assert permits(driver.tick(NOON + 1000, replayed))

    def test_old_contacts_are_forgotten_notices_kept(self):
        """State is bounded in time: what no window and no late outcome needs is dropped."""
        driver = gate()
        driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON), notice("n1", NOON))
        driver.tick(NOON + 40 * DAY_MS, linked("loan-1"))
        assert [contact.contact_class for contact in driver.state.contacts] == [ContactClass.STATUTORY_NOTICE]


class TestClearance:
    def test_with_nothing_known_it_is_cleared(self):
        """No objection: cleared at the tick that reads the question."""
        (answer,) = gate().tick(NOON, clearance("q1")).of(ClearanceAnswered)
        assert (answer.cleared, answer.rules, answer.answered_ms) == (True, (), NOON)

    def test_a_hold_forbids_every_adverse_act(self):
        """The gate sees the person's holds; the answer says until when."""
        (answer,) = gate().tick(NOON, hold("h", NOON - 1, NOON + DAY_MS), clearance("q1")).of(ClearanceAnswered)
        assert (answer.cleared, answer.rules[0].rule_id, answer.rules[0].until_ms) == (
            False,
            "person_hold",
            NOON + DAY_MS,
        )

    @pytest.mark.parametrize(
        ("purpose", "cleared"),
        [(ClearancePurpose.REFERRAL, False), (ClearancePurpose.RESTRICTION, True)],
    )
    def test_a_cease_forbids_referral(self, purpose, cleared):
        """Who demanded silence is not handed to somebody else who would break it."""
        (answer,) = gate().tick(NOON, cease(NOON - 1), clearance("q1", purpose)).of(ClearanceAnswered)
        assert answer.cleared is cleared

    @pytest.mark.parametrize(
        ("outcomes", "rule"),
        [
            ((), "notice_not_sent"),
            ((Outcome.NOT_ATTEMPTED,), "notice_not_sent"),
            ((Outcome.ATTEMPTED,), None),
            ((Outcome.ATTEMPTED, Outcome.BOUNCED), "notice_bounced"),
        ],
    )
    def test_p6_an_adverse_report_needs_its_notice(self, outcomes, rule):
        """Cleared only where an attempt of the notice is known and none says that it bounced (T-61)."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), notice("n1", NOON)))
        reports = [outcome(what, NOON + 500, permit=permit) for what in outcomes]
        (answer,) = driver.tick(NOON + 1000, *reports, clearance("q1", notice_request="n1")).of(ClearanceAnswered)
        assert [found.rule_id for found in answer.rules] == ([rule] if rule else [])

    def test_in_shadow_mode_nothing_adverse_is_cleared(self):
        """Shadow and stop cover clearances too: no adverse act while nobody may be told."""
        turn = gate().tick(NOON, clearance("q1"), switches=(Switch(mode=OutreachMode.SHADOW),))
        assert turn.of(ClearanceAnswered)[0].cleared is False


class TestEcho:
    def test_outcomes_reach_every_loan_of_the_permit(self):
        """Each loan hears what happened, with the request it had asked for."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON), wish("r2", NOON)))
        turn = driver.tick(NOON + 1000, outcome(Outcome.ATTEMPTED, NOON + 500, permit=permit))
        assert {(told.loan_id, told.request_id, told.permit_id) for told in turn.of(ContactOutcome)} == {
            ("loan-of-r1", "r1", permit.permit_id),
            ("loan-of-r2", "r2", permit.permit_id),
        }

    def test_a_contact_of_others_reaches_the_loans_it_names(self):
        """Without a permit, the loans named in the outcome hear it."""
        seen = outcome(Outcome.CONVERSATION, NOON, channel=Channel.CALL, loans=("loan-1",))
        (told,) = gate().tick(NOON, seen).of(ContactOutcome)
        assert (told.loan_id, told.permit_id, told.contact_class) == ("loan-1", None, None)

    def test_a_hold_reason_travels(self):
        """The reason is forwarded: stage 1 treats some holds differently."""
        (told,) = gate().tick(NOON, linked("loan-1"), hold("h", NOON)).of(PersonHoldForwarded)
        assert told.reason is HoldReason.VULNERABILITY


def test_a_wrong_partner_of_a_withdrawal_is_ignored():
    """A withdrawal of a wish that nobody knows leaves a mark, so that the wish cannot come to life after it."""
    driver = gate()
    driver.tick(NOON, profile(SHANGHAI, points=(PHONE, MAILBOX)), taken_back("r1", WithdrawalReason.HOLD))
    turn = driver.tick(NOON + 1000, wish("r1", NOON))
    assert (turn.events, turn.verdicts) == ((), (Verdict.DUPLICATE,))


class TestAskedAnew:
    """A part payment after a message makes stage 1 ask again, with another amount."""

    def test_what_was_said_is_not_said_again(self):
        """The wish is refused when the one that it replaces became a contact, however early the other was withdrawn."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        driver.tick(NOON + MINUTE_MS, outcome(Outcome.ATTEMPTED, NOON + 500, permit=permit))
        later = NOON + 2 * DAY_MS
        again = wish("r2", later, loan="loan-of-r1", replaces="r1")
        turn = driver.tick(later, taken_back("r1", WithdrawalReason.AMOUNT_CHANGED), again)
        assert [rule.rule_id for rule in turn.of(PermitRefused)[0].rules] == ["already_said"]
        assert permits(turn) == []

    def test_what_was_said_does_not_travel_along_with_another_wish(self):
        """Asked anew beside a more pressing wish of the same lender, class and channel, it is refused all the same."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        driver.tick(NOON + 1000, outcome(Outcome.ATTEMPTED, NOON + 500, permit=permit))
        at = NOON + DAY_MS
        anew, other = wish("r2", at, replaces="r1"), wish("r3", at, days_past_due=9)
        turn = driver.tick(at, taken_back("r1", WithdrawalReason.AMOUNT_CHANGED), anew, other)
        assert [loan.request_id for loan in the_permit(turn).loans] == ["r3"]
        assert [(it.request_id, it.rules[0].rule_id) for it in turn.of(PermitRefused)] == [("r2", "already_said")]

    def test_what_was_said_is_not_said_however_often_it_is_asked_anew(self):
        """A wish that was refused as said already is replaced itself, as by each part payment: that is refused too."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        driver.tick(NOON + MINUTE_MS, outcome(Outcome.ATTEMPTED, NOON + 500, permit=permit))
        for number in (2, 3, 4):
            later = NOON + number * DAY_MS
            former = f"r{number - 1}"
            again = wish(f"r{number}", later, loan="loan-of-r1", replaces=former)
            turn = driver.tick(later, taken_back(former, WithdrawalReason.AMOUNT_CHANGED), again)
            assert [rule.rule_id for rule in turn.of(PermitRefused)[0].rules] == ["already_said"]
            assert permits(turn) == []

    def test_a_chain_of_wishes_waits_for_what_became_of_the_first(self):
        """The one between was taken back while it waited: whether the first was said still decides."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        second = wish("r2", NOON, loan="loan-of-r1", replaces="r1")
        driver.tick(NOON + 1000, taken_back("r1", WithdrawalReason.AMOUNT_CHANGED), second)
        third = wish("r3", NOON, loan="loan-of-r1", replaces="r2")
        turn = driver.tick(NOON + 2000, taken_back("r2", WithdrawalReason.AMOUNT_CHANGED), third)
        assert "permit_open" in blocked_by(turn)
        turn = driver.tick(NOON + MINUTE_MS, outcome(Outcome.ATTEMPTED, NOON + 500, permit=permit))
        assert permits(turn) == []

    def test_it_waits_for_its_own_permit_too(self):
        """Granted after its predecessor's permit had ended, taken back by a move: it waits for the newer of the two."""
        driver = gate()
        driver.tick(NOON, profile(SHANGHAI), notice("n1", NOON))
        again = notice("n2", NOON, loan="loan-of-n1", replaces="n1")
        driver.tick(NOON + 1000, taken_back("n1", topic="collections.credit-reports"), again)
        second = the_permit(driver.to_next_wake(NOON + DAY_MS))
        turn = driver.tick(second.valid_from_ms + 1000, profile(NEW_YORK, revision=2))
        assert turn.of(PermitWithdrawn)[0].permit_id == second.permit_id
        turn = driver.tick(second.valid_from_ms + 2000, profile(SHANGHAI, revision=3))
        assert permits(turn) == []
        assert "permit_open" in blocked_by(turn)

    def test_while_nobody_knows_it_waits(self):
        """A permit that may have been used before its withdrawal holds the new wish back until somebody reports."""
        driver = gate()
        permit = the_permit(driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON)))
        again = wish("r2", NOON, loan="loan-of-r1", replaces="r1")
        turn = driver.tick(NOON + 1000, taken_back("r1", WithdrawalReason.AMOUNT_CHANGED), again)
        assert "permit_open" in blocked_by(turn)
        turn = driver.tick(NOON + MINUTE_MS, outcome(Outcome.NOT_ATTEMPTED, NOON + 2000, permit=permit))
        assert [loan.request_id for loan in the_permit(turn).loans] == ["r2"]

    def test_what_was_never_said_may_be_said(self):
        """A wish whose predecessor only waited is free."""
        driver = gate()
        driver.tick(NOON, profile(SHANGHAI), wish("r1", NOON, not_before=NOON + HOUR_MS))
        again = wish("r2", NOON, loan="loan-of-r1", replaces="r1")
        turn = driver.tick(NOON + 1000, taken_back("r1", WithdrawalReason.AMOUNT_CHANGED), again)
        assert [loan.request_id for loan in the_permit(turn).loans] == ["r2"]
