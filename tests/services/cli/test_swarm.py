"""`duecourse swarm`: what it says of a seed that breaks, and what it leaves behind."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli import duecourse
from services.cli.swarm import system
from services.cli.swarm_text import TITLES, written_page
from shared.simulation.swarm.crossings import FAMILIES, IMPOSSIBLE, Crossings, ProcessFault, Step
from shared.simulation.swarm.judge import judge
from shared.simulation.swarm.tally import Swarm
from tests.shared.simulation.swarm.planted import CommitsTwice

BREAKS = 4
"""The first seed at which outputs and progress in two transactions show."""


def test_a_whole_system_ends_with_0_and_its_digest_can_be_asked_for() -> None:
    """One seed played alone says nothing but what was asked."""
    answer = CliRunner().invoke(duecourse, ["swarm", "--seeds", "1", "--from", "7", "--jobs", "1", "--digest"])
    assert answer.exit_code == 0
    assert answer.output.startswith("digest ")
    assert len(answer.output.split()[1]) == 64


def test_a_seed_that_breaks_is_told_with_the_command_that_plays_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The promise, the place and one command; exit code 1."""
    broken = replace(system(), hire=CommitsTwice)
    assert judge(BREAKS, broken).broken
    monkeypatch.setattr("services.cli.swarm.system", lambda: broken)
    answer = CliRunner().invoke(duecourse, ["swarm", "--seeds", "1", "--from", str(BREAKS), "--jobs", "1"])
    assert answer.exit_code == 1
    assert f"seed {BREAKS} is broken: P2 one effect: " in answer.output
    assert f"again: duecourse swarm --seeds 1 --from {BREAKS}" in answer.output


def test_what_was_never_met_is_named_and_fails_if_asked(tmp_path: Path) -> None:
    """Two seeds meet little; the table is written all the same."""
    page = tmp_path / "deeper" / "simulation.md"
    asked = ["swarm", "--seeds", "2", "--jobs", "1", "--all-met", "--write", str(page)]
    answer = CliRunner().invoke(duecourse, asked)
    assert answer.exit_code == 1
    assert "never met: " in answer.output
    written = page.read_text(encoding="utf-8")
    assert "2 seeds from 1 on" in written
    assert "`duecourse swarm --seeds 2 --from 1 --write docs/reliability/simulation.md`" in written


def test_a_crash_is_a_failure_with_its_name() -> None:
    """What a core or the engine does not survive counts as broken, as it would end a process."""
    swarm = Swarm(1)
    swarm.take_crash(1, RuntimeError("no way on"))
    assert swarm.failures == {1: "crashed: RuntimeError: no way on"}
    assert swarm.untried == [f"P{number}" for number in range(1, 9)]


def test_the_page_shows_counts_and_reasons() -> None:
    """Every family has its table; what is impossible is a dash, and said why."""
    swarm = Swarm(1)
    swarm.crossings.note(ProcessFault.KILLED, Step.SENT)
    page = written_page(swarm, 2)
    assert set(TITLES) == set(FAMILIES)
    assert all(f"## {title}" in page for title in TITLES.values())
    assert all(why in page for why in IMPOSSIBLE.values())
    assert "| killed | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 1 | 0 | 0 | 0 | 0 |" in page


def test_an_impossible_crossing_is_a_broken_simulation() -> None:
    """Who counts what cannot be has simulated something else than was meant."""
    with pytest.raises(AssertionError, match="impossible"):
        Crossings.none().note(ProcessFault.EXPIRED, Step.IDLE)
