from services.clock.core import BORROWER_INPUTS, LOAN_INPUTS, borrower_ticks, loan_ticks
from shared.contract.arrangements import ARRANGEMENTS
from shared.contract.loans import DUE_DATES
from shared.contract.outcomes import OUTCOMES
from shared.contract.outreach import LOAN_CONTACTS
from shared.contract.people import BORROWERS
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import CREDIT_REPORTS, ESCALATIONS, REMINDERS
from shared.contract.ticks import OutreachMode, Switch
from shared.engine.conductor import BorrowerTick, LoanTick

AT = 1_700_000_000_000
STOPPED = (Switch(mode=OutreachMode.STOPPED),)


def test_ticks_carry_barriers_of_everything_that_their_stage_reads():
    """A topic without a barrier would never be applied."""
    assert set(LOAN_INPUTS) == {DUE_DATES, REPAYMENTS, ARRANGEMENTS, LOAN_CONTACTS}
    assert set(BORROWER_INPUTS) == {BORROWERS, OUTCOMES, REMINDERS, ESCALATIONS, CREDIT_REPORTS}


def test_a_loan_tick_tells_each_partition_its_own_barriers_and_the_switches():
    """What operators said takes effect at one instant, and is part of the record."""
    ticks = dict(loan_ticks(LoanTick(AT, (0, 2)), {0: {DUE_DATES: 5}, 2: {DUE_DATES: 7}}, "a1", STOPPED))
    assert {p: t.barriers for p, t in ticks.items()} == {0: {DUE_DATES: 5}, 2: {DUE_DATES: 7}}
    assert {(t.at, t.policy, t.switches, t.silent) for t in ticks.values()} == {(AT, "a1", STOPPED, ())}


def test_a_borrower_tick_tells_each_partition_what_operators_said():
    """The gate learns of a switch from its own ticks and from nowhere else."""
    ticks = dict(borrower_ticks(BorrowerTick(AT, (0, 1)), {0: {}, 1: {}}, {}, "a1", STOPPED))
    assert {p: (t.at, t.policy, t.switches) for p, t in ticks.items()} == dict.fromkeys((0, 1), (AT, "a1", STOPPED))


def test_a_frozen_topic_keeps_the_barrier_of_the_tick_before():
    """In a planned silence nothing that the silent service wrote is seen, however late it was stopped."""
    due = BorrowerTick(AT, (0, 1), ("escalation/0",), frozenset({ESCALATIONS}))
    now = {p: {REMINDERS: 9, ESCALATIONS: 9} for p in (0, 1)}
    ticks = dict(borrower_ticks(due, now, {0: {REMINDERS: 3, ESCALATIONS: 4}}, "a1", ()))
    assert ticks[0].barriers == {REMINDERS: 9, ESCALATIONS: 4}
    assert ticks[1].barriers == {REMINDERS: 9, ESCALATIONS: 0}
    assert ticks[0].silent == ("escalation/0",)
