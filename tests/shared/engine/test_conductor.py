import pytest

from shared.contract.requests import ESCALATIONS
from shared.engine.conductor import FRESHNESS_MS, BorrowerTick, Conductor, LoanTick, Plan, PlannedSilence, Simulation
from shared.engine.true_time import TOLERANCE_MS, TrueTime

SERVICES = ("reminder", "escalation")
WALL = Plan(2, 1, loan_groups=SERVICES)
T = 1_700_000_000_000


def wall(applied, gate=0, ticks=(T,), elapsed=0):
    """Return a conductor that has seen ticks (one a second) and everybody's progress."""
    conductor = Conductor(WALL)
    for i, at in enumerate(ticks):
        for p in range(2):
            conductor.saw_loan_tick(p, at, elapsed + i * 1000)
    for (group, p), at in applied.items():
        conductor.saw_progress(group, {**{q: conductor.applied(group, q) or 0 for q in range(2)}, p: at})
    conductor.saw_progress("rate_limiter", {0: gate})
    return conductor


def everybody(at):
    """Return progress of all pairs at one tick."""
    return {(group, p): at for group in SERVICES for p in range(2)}


def test_stage_1_is_open_loop_and_never_goes_back():
    """A tick a second whoever listens; with a clock behind what was seen, the next instant is one later."""
    conductor = wall({})
    assert conductor.next_loan_tick(T + 5000) == LoanTick(T + 5000, (0, 1))
    assert conductor.next_loan_tick(T - 5000) == LoanTick(T + 1, (0, 1))


def test_an_older_tick_that_comes_late_takes_nothing_back():
    """What another clock wrote after a pause is seen after newer ticks: time goes on from the newest of all."""
    conductor = wall(everybody(T + 2000), gate=T + 1000, ticks=(T, T + 2000))
    conductor.saw_borrower_tick(0, T + 2000)
    for p in range(2):
        conductor.saw_loan_tick(p, T + 1000, 3000)
    conductor.saw_borrower_tick(0, T + 1000)
    assert (conductor.newest_at, conductor.newest_borrower_at) == (T + 2000, T + 2000)
    assert conductor.next_loan_tick(T + 1500) == LoanTick(T + 2001, (0, 1))
    assert conductor.next_borrower_tick(3000) is None


def test_stage_2_gets_a_tick_when_all_of_stage_1_have_applied_it():
    """The smallest tick applied by every pair is the one."""
    assert wall(everybody(T)).next_borrower_tick(10) == BorrowerTick(T, (0,))
    behind = wall({**everybody(T + 1000), ("escalation", 1): T}, ticks=(T, T + 1000))
    assert behind.next_borrower_tick(1100) == BorrowerTick(T, (0,))


def test_stage_2_gets_nothing_while_one_pair_has_not_answered():
    """Before patience runs out, everybody waits: silence is the safe side."""
    assert wall({**everybody(T), ("escalation", 1): 0}).next_borrower_tick(4000) is None


def test_a_pair_behind_for_longer_than_patience_is_left_behind_and_named():
    """After 5 s the tick is written with the pair as silent."""
    conductor = wall({**everybody(T), ("escalation", 1): 0})
    assert conductor.next_borrower_tick(5001) == BorrowerTick(T, (0,), ("escalation/1",))


def test_only_groups_that_owe_an_answer_are_awaited():
    """Who has answered the newest tick of their clock has no news; who never reported always has."""
    assert wall(everybody(T), gate=0).awaited() == ()
    assert wall({**everybody(T), ("escalation", 1): 0}).awaited() == ("escalation",)
    conductor = wall(everybody(T))
    conductor.saw_borrower_tick(0, T)
    assert conductor.awaited() == ("rate_limiter",)
    assert Conductor(WALL).awaited() == (*SERVICES, "rate_limiter")


def test_in_a_simulation_participants_are_awaited_and_a_planned_silence_is_not():
    """Simulators answer like services; nobody asks a service while its outage is part of the story."""
    silence = PlannedSilence("escalation", T, T + 1)
    plan = Plan(
        1, 1, loan_groups=SERVICES, borrower_participants=("people",), simulation=Simulation(T, T, 1, (silence,))
    )
    conductor = Conductor(plan)
    assert conductor.awaited() == (*SERVICES, "rate_limiter", "people")
    conductor.saw_loan_tick(0, T, 0)
    assert conductor.awaited() == ("reminder", "rate_limiter", "people")


def test_a_silent_pair_that_catches_up_is_waited_for_again():
    """Its return ends the silence."""
    conductor = wall({**everybody(T), ("escalation", 1): 0})
    conductor.saw_progress("escalation", {0: T, 1: T})
    assert conductor.next_borrower_tick(9000) == BorrowerTick(T, (0,))


def test_a_returning_pair_stays_silent_while_it_works_off_old_ticks():
    """What it applies while far behind never becomes a stage-2 tick."""
    ticks = [T + i * 1000 for i in range(60)]
    conductor = wall({**everybody(ticks[-1]), ("escalation", 1): ticks[20]}, gate=ticks[-2], ticks=ticks)
    conductor.saw_borrower_tick(0, ticks[-2])
    assert conductor.next_borrower_tick(59_500) == BorrowerTick(ticks[-1], (0,), ("escalation/1",))


def test_a_clock_that_starts_late_does_not_finish_what_another_began():
    """Stage 2 never gets a tick of an hour ago, though none is newer and all have applied it: permits are for now."""
    conductor = wall(everybody(T))
    assert conductor.next_borrower_tick(10, T + 3_600_000) is None
    assert conductor.next_borrower_tick(10, T + FRESHNESS_MS) == BorrowerTick(T, (0,))


def test_a_tick_is_looked_at_again_before_it_is_written():
    """A clock that was paused between deciding and writing finds its tick too old; simulated time has no such thing."""
    conductor = wall(everybody(T))
    assert conductor.is_current(T, T + FRESHNESS_MS)
    assert not conductor.is_current(T, T + FRESHNESS_MS + 1)
    assert conductor.is_current(T, T - FRESHNESS_MS)
    assert not conductor.is_current(T, T - FRESHNESS_MS - 1), "whose own time is two days back tells no tick of today"
    simulated = Conductor(Plan(1, 1, simulation=Simulation(T, T, 1)))
    assert simulated.is_current(T, T + 3_600_000)


def test_only_a_fresh_tick_reaches_stage_2():
    """Permits are never granted in a long-gone minute: not even when all agree on it."""
    ticks = (T, T + 3_600_000)
    conductor = wall(everybody(T), ticks=ticks, elapsed=10_000)
    assert conductor.next_borrower_tick(11_500) is None
    conductor = wall(everybody(T + 3_600_000), ticks=ticks, elapsed=10_000)
    assert conductor.next_borrower_tick(11_500) == BorrowerTick(T + 3_600_000, (0,))


def test_after_an_outage_of_the_clock_nobody_is_silent_at_once():
    """Patience runs from the first unanswered tick as it was seen, not from its instant."""
    conductor = wall(everybody(T), ticks=(T, T + 3_600_000), elapsed=10_000)
    assert conductor.silent_pairs(12_000) == ()


def test_the_gate_must_have_applied_its_last_tick():
    """Stage 2 is closed loop, per partition."""
    conductor = wall(everybody(T + 1000), gate=T - 1, ticks=(T, T + 1000))
    conductor.saw_borrower_tick(0, T)
    assert conductor.next_borrower_tick(1500) is None
    conductor.saw_progress("rate_limiter", {0: T})
    assert conductor.next_borrower_tick(1500) == BorrowerTick(T + 1000, (0,))


def test_with_everybody_silent_there_is_no_stage_2_tick():
    """Nobody left to listen to: silence."""
    assert wall({}).next_borrower_tick(60_000) is None


HOUR = 3_600_000
SIMULATED = Plan(
    2,
    1,
    loan_groups=SERVICES,
    loan_participants=("lender",),
    borrower_participants=("gateway",),
    simulation=Simulation(T, T + 2 * HOUR, HOUR, (PlannedSilence("escalation", T + HOUR, T + 2 * HOUR),)),
)


def answered(conductor, at, *but):
    """Let all groups but some report a tick."""
    for group in (*SERVICES, "lender"):
        if group not in but:
            conductor.saw_progress(group, {0: at, 1: at})
    for group in ("rate_limiter", "gateway"):
        if group not in but:
            conductor.saw_progress(group, {0: at})


def write(conductor, tick):
    """Write a stage-1 tick."""
    for p in tick.partitions:
        conductor.saw_loan_tick(p, tick.at, 0)


def test_a_simulation_begins_when_everybody_is_there():
    """The first tick waits until all groups have reported their birth."""
    conductor = Conductor(SIMULATED)
    answered(conductor, 0, "gateway")
    assert conductor.next_loan_tick(0) is None
    answered(conductor, 0)
    assert conductor.next_loan_tick(0) == LoanTick(T, (0, 1))


def test_a_simulation_is_lockstep():
    """Each tick waits for services, gate and simulators; the gate's tick waits for the lenders' answer as well."""
    conductor = Conductor(SIMULATED)
    answered(conductor, 0)
    write(conductor, LoanTick(T, (0, 1)))
    answered(conductor, T, "lender", "rate_limiter", "gateway")
    assert conductor.next_borrower_tick(0) is None
    answered(conductor, T, "rate_limiter", "gateway")
    assert conductor.next_borrower_tick(0) == BorrowerTick(T, (0,))
    conductor.saw_borrower_tick(0, T)
    answered(conductor, T, "gateway")
    assert conductor.next_loan_tick(0) is None
    answered(conductor, T)
    assert conductor.next_loan_tick(0) == LoanTick(T + HOUR, (0, 1))


def test_a_simulated_tick_that_a_dead_clock_left_half_written_is_completed():
    """In lockstep a partition without the tick would stop time for ever."""
    conductor = Conductor(SIMULATED)
    conductor.saw_loan_tick(0, T, 0)
    assert conductor.next_loan_tick(0) == LoanTick(T, (1,))


def test_a_planned_silence_freezes_what_the_silent_service_writes():
    """So that the story is the same however late the service was stopped; at its end it is waited for."""
    conductor = Conductor(SIMULATED)
    answered(conductor, 0)
    write(conductor, LoanTick(T, (0, 1)))
    answered(conductor, T)
    write(conductor, conductor.next_loan_tick(0))
    answered(conductor, T + HOUR, "escalation", "rate_limiter", "gateway")
    assert conductor.next_borrower_tick(0) == BorrowerTick(
        T + HOUR, (0,), ("escalation/0", "escalation/1"), frozenset({ESCALATIONS, "collections.dead-letters"})
    )
    answered(conductor, T + HOUR, "escalation")
    write(conductor, conductor.next_loan_tick(0))
    answered(conductor, T + 2 * HOUR, "escalation")
    assert conductor.next_borrower_tick(0) is None
    assert not conductor.finished()
    answered(conductor, T + 2 * HOUR)
    assert conductor.finished()
    assert conductor.next_loan_tick(0) is None


@pytest.mark.parametrize("step", [172_800_000, -172_800_000, 5_001])
def test_a_wall_clock_that_jumps_is_not_believed_until_it_is_back(step):
    """Two days forward, two days back, or a little over the tolerance."""
    time = TrueTime()
    assert time.disagreement(T, 0) is None
    assert "monotonic" in (time.disagreement(T + 1000 + step, 1000) or "")
    assert time.disagreement(T + 2000, 2000) is None


def test_a_wall_clock_far_from_the_brokers_is_not_believed():
    """The broker's append time is the third witness."""
    time = TrueTime()
    time.saw_append(T, 0, 0)
    assert time.disagreement(T + 4000, 0) is None
    assert "broker" in (fresh_witness(T).disagreement(T + 6000, 0) or "")


def fresh_witness(at):
    """Return a fresh witness that has seen one append."""
    time = TrueTime()
    time.saw_append(at, 0, 0)
    return time


def test_the_newest_prompt_answer_of_the_broker_counts():
    """A broker whose time runs away is no longer agreed with, though its first answer was right."""
    time = fresh_witness(T)
    assert time.disagreement(T + 1_000, 1_000) is None
    time.saw_append(T + 2_000 + TOLERANCE_MS + 1, 2_000, 2_000)
    assert "broker" in (time.disagreement(T + 2_000, 2_000) or "")


def test_an_answer_that_was_read_late_is_no_witness_against_the_clock():
    """A clock that stood still before it read the broker's answer goes on: the broker's time is not that of reading."""
    for wrong_ms, believed in ((0, True), (TOLERANCE_MS + 1, False), (-TOLERANCE_MS - 1, False)):
        time = fresh_witness(T)
        time.saw_append(T + 1_000, 1_000, 13_000)
        assert (time.disagreement(T + 13_000 + wrong_ms, 13_000) is None) is believed


def test_even_a_slow_first_answer_tells_a_false_day():
    """Where nothing better is known, the broker's stamp lies somewhere between question and answer."""
    time = TrueTime()
    time.saw_append(T, 0, 12_000)
    assert "broker" in (time.disagreement(T + 172_800_000, 12_000) or "")
    assert "broker" in (time.disagreement(T - TOLERANCE_MS - 1, 12_000) or "")
    assert time.disagreement(T + 12_000, 12_000) is None
