"""Lively worlds: looked at around the edges of hours, minutes apart, with people who react to what they are granted."""

from itertools import pairwise

from services.cli.swarm import system
from shared.contract.outreach import PermitGranted, PermitWithdrawn
from shared.kernel.zones import MINUTE_MS
from shared.simulation.checkers import Chronicle
from shared.simulation.swarm.crossings import LIVELY_TRAITS
from shared.simulation.swarm.draw import draw
from shared.simulation.swarm.trial import Trial

LIVELY = [seed for seed in range(1, 201) if draw(seed).lively]


def test_every_fifth_world_is_lively_and_only_those_have_the_new_traits() -> None:
    """Both kinds are played: rare things meet undisturbed in the quiet ones."""
    assert len(LIVELY) == 40
    quiet = [draw(seed) for seed in range(1, 201) if seed not in LIVELY]
    assert not any(one.traits & frozenset(LIVELY_TRAITS) or one.switch for one in quiet)
    assert frozenset(LIVELY_TRAITS) <= frozenset().union(*(draw(seed).traits for seed in LIVELY))


def test_rounds_of_lively_worlds_lie_minutes_apart_and_rise() -> None:
    """So that a fact can fall between a permit and its end."""
    for seed in LIVELY:
        rounds = draw(seed).rounds
        assert all(one < other for one, other in pairwise(rounds))
        assert any(other - one < 10 * MINUTE_MS for one, other in pairwise(rounds))


def test_permits_are_taken_back_while_they_are_open() -> None:
    """In some worlds somebody reacts in time: the gate withdraws what it has just granted."""
    granted = withdrawn = 0
    for seed in LIVELY[:12]:
        trial = Trial(draw(seed), system())
        trial.run()
        chronicle = Chronicle(trial.log)
        granted += len(chronicle.of(PermitGranted))
        withdrawn += len(chronicle.of(PermitWithdrawn))
    assert granted > withdrawn > 0
