"""Chaos in three minutes: a fixed choice of cells under fixed seeds, and a broken build that must not pass."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random
from signal import SIGKILL

import pytest

import tests.chaos.cells  # noqa: F401 - registers all cells
from shared.contract.ticks import TimeMode
from shared.contract.topics import REMINDER
from tests.chaos.cell import Cell, Group, chosen
from tests.chaos.cells.process import AGAIN
from tests.chaos.ground import Ground
from tests.chaos.member import CRASH_AT
from tests.chaos.round import play
from tests.chaos.system import PARTITIONS, START_SECONDS, System

pytestmark = pytest.mark.kafka

SIMULATED = ("kill-at-any-moment", "die-before-commit+die-after-commit", "swapped-stores+clock-killed")


@pytest.mark.parametrize(("mode", "names"), [(TimeMode.SIMULATED, SIMULATED)])
def test_faults_change_no_output(kafka, kafka_broker, tmp_path, mode, names):
    """After each strike everybody is at work again, and in the end all promises hold and all bytes are the fold's."""
    outcome = asyncio.run(play(Ground(kafka, kafka_broker), tmp_path / "round", 4711, mode, chosen(names)))
    assert outcome.failures == [], outcome.command
    assert outcome.met.total() + outcome.unmet.total() == len(outcome.cells)
    assert outcome.met.total() > 1


async def die_in_the_gap(system: System, dice: Random) -> None:
    """Let the broken build die between its two transactions."""
    member = system.members[REMINDER]
    member.once = {CRASH_AT: f"after_fence:{PARTITIONS + dice.randint(1, 3)}"}
    await member.end(SIGKILL)
    await system.until(lambda: [code for _, code in member.ends] == [-SIGKILL] * 2, START_SECONDS, "it dies in the gap")


def test_a_build_that_commits_in_two_steps_is_caught(kafka, kafka_broker, tmp_path):
    """A crash between outputs and progress says outputs twice; the verdict of the round names the promise."""
    gap = Cell("gap", "The broken build dies between its two transactions.", AGAIN, Group.PROCESS, die_in_the_gap)
    broken = {REMINDER: ["-m", "tests.chaos.broken"]}
    strike = partial(play, Ground(kafka, kafka_broker), tmp_path / "round", 4712, TimeMode.SIMULATED, [(gap,)])
    outcome = asyncio.run(strike(builds=broken))
    assert outcome.met == {"gap": 1}, outcome.failures
    assert {text[:2] for name, text in outcome.failures if name == "verdict"} >= {"P2"}
