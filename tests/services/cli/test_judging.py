"""A deployment outlives its policies: each decision is judged by the one that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.errors import UserError
from services.cli.judging import judged
from services.cli.processors import PROCESSORS
from services.cli.sources import Source
from shared.domain.policy import Policy, default_directory, load_policy
from shared.engine.deployment import Deployment
from shared.kernel.zones import DAY_MS
from shared.runtime.log_directory import write_log
from shared.simulation.checkers import Policies
from shared.simulation.scenario import build_scenario
from shared.simulation.world import Setting, World
from tests.shared.simulation.stage import policy

DAYS = 16
LOOSE = (('id = "digital-day"', "limit = 1", "limit = 3"), ('id = "digital-week"', "limit = 3", "limit = 9"))


def _loose(folder: Path) -> Policy:
    """The default policy with more messages a day and a week."""
    for file in default_directory().iterdir():
        text = file.read_text(encoding="utf-8") if file.name.endswith(".toml") else ""
        for rule, former, instead in LOOSE if file.name == "packs.toml" else ():
            before, _, after = text.partition(rule)
            text = before + rule + after.replace(former, instead, 1)
        if text:
            (folder / file.name).write_text(text, encoding="utf-8")
    return load_policy(folder)


@pytest.fixture
def stricter_later(tmp_path: Path) -> tuple[Path, Policy]:
    """A log whose first half was decided under a looser policy than its second, and that policy."""
    folder = tmp_path / "loose"
    folder.mkdir()
    loose = _loose(folder)
    setting = Setting(DAYS, loan_partitions=2, borrower_partitions=2)

    class Changing(World):
        def _tick(self, clock, partition, at, barriers, silent):
            self._policy = (loose if at < setting.start_ms + DAYS // 2 * DAY_MS else policy()).hash
            super()._tick(clock, partition, at, barriers, silent)

    scenario = build_scenario(7, 25, setting)
    known = Deployment(setting.topology(), {one.hash: one for one in (policy(), loose)})
    world = Changing(setting, PROCESSORS, known, scenario.lender(), scenario.gateway())
    world.run()
    write_log(tmp_path / "log", world.log)
    return tmp_path / "log", loose


def _violated(log: Path, policies: Policies) -> set[str]:
    with judged(Source(log, None, ""), policies) as found:
        assert all(verdict.cases for verdict in found.verdicts if verdict.promise != "P6")
        return {verdict.promise for verdict in found.verdicts if verdict.violated}


def test_each_decision_is_judged_by_the_policy_that_it_names(stricter_later: tuple[Path, Policy]) -> None:
    """What the former policy allowed is kept; by the present one alone it would break P3, and the fold P8."""
    log, loose = stricter_later
    assert _violated(log, Policies({policy().hash: policy(), loose.hash: loose})) == set()
    assert _violated(log, Policies({policy().hash: policy(), loose.hash: policy()})) >= {"P3", "P8"}


def test_a_policy_that_was_not_given_is_named(stricter_later: tuple[Path, Policy]) -> None:
    """Nothing is judged by a policy that was not in force: the missing one is named, and how to give it."""
    log, loose = stricter_later
    with pytest.raises(UserError, match=loose.hash), judged(Source(log, None, ""), Policies({policy().hash: policy()})):
        pass
