"""A short swarm: many seeds, every promise tried, nearly every crossing met, nothing broken."""

import os
from collections.abc import Iterator

import pytest

from services.cli.swarm import fly, play
from shared.simulation.swarm.crossings import FAMILIES, IMPOSSIBLE, demanded
from shared.simulation.swarm.draw import draw
from shared.simulation.swarm.tally import Swarm

SEEDS = 160
"""Small enough for every test run; `make nightly` plays thousands and demands every crossing."""
CROSSINGS_MIN = 0.7
"""Of the possible ones, so many must be met by these few seeds."""


@pytest.fixture(scope="module")
def short() -> Swarm:
    """The first seeds of all."""
    swarm = Swarm(1)
    for swarm in fly(1, SEEDS, min(2, os.cpu_count() or 1)):
        assert swarm.seeds <= SEEDS
    return swarm


def test_no_seed_breaks_anything(short: Swarm) -> None:
    """Whatever the seeds chose, every promise was tried and kept, nobody is behind, and no crash left a trace."""
    assert short.failures == {}
    assert short.seeds == SEEDS
    assert short.untried == []


def test_a_short_swarm_meets_most_crossings_and_every_fault_and_phase(short: Swarm) -> None:
    """Each fault and each phase is met somewhere; the single crossings are the nightly run's demand."""
    missing = short.crossings.never_met()
    assert len(missing) <= (1 - CROSSINGS_MIN) * len(list(demanded()))
    met = {part for cell, count in short.crossings.counts.items() if count for part in cell}
    for faults, phases in FAMILIES.values():
        assert {str(fault) for fault in faults} | {str(phase) for phase in phases} <= met


def test_former_owners_are_refused(short: Swarm) -> None:
    """Zombies did try to go on, or their refusal would show nothing."""
    assert short.refused > SEEDS // 10


def test_one_seed_is_one_world() -> None:
    """The same seed gives the same bytes, and another one others."""
    first, again, other = play(7), play(7), play(8)
    assert first == again
    assert first.digest != other.digest


def _cells() -> Iterator[tuple[str, str]]:
    for faults, phases in FAMILIES.values():
        yield from ((str(fault), str(phase)) for fault in faults for phase in phases)


def test_what_is_impossible_has_its_reason() -> None:
    """Every cell excused is a cell of the tables, with a sentence why."""
    assert set(IMPOSSIBLE) <= set(_cells())
    assert all(len(why) > 20 for why in IMPOSSIBLE.values())


def test_a_seed_chooses_before_anything_happens() -> None:
    """The choice of a seed is a value: equal for equal seeds, and no impossible crossing among it."""
    chosen = [draw(seed) for seed in range(300)]
    assert chosen == [draw(seed) for seed in range(300)]
    assert not any((fault, step) in IMPOSSIBLE for one in chosen for (step, _), fault in one.strikes.items())
    assert {one.season for one in chosen} == set(FAMILIES["workload"][1])
