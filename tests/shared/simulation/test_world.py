"""The world: one seed gives one run, whatever crashes."""

import os
import subprocess
import sys

import pytest

from shared.contract.outreach import PermitDeferred, PermitGranted
from shared.contract.requests import ContactRequested
from shared.contract.topics import ESCALATION
from shared.engine.conductor import PlannedSilence
from shared.engine.epoch import Limits
from shared.kernel.zones import DAY_MS, HOUR_MS
from shared.simulation.checkers.p8_replayable import digest
from shared.simulation.faults import Fault, Faults, drawn
from shared.simulation.portfolio import START_MS
from tests.shared.simulation.stage import play, twenty_days

ONE_RUN = """
from tests.shared.simulation.stage import play
from shared.simulation.checkers.p8_replayable import digest
print(digest(play(loans=4, days=6).chronicle))
"""


def _digest_under(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", ONE_RUN], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_same_seed_gives_the_same_bytes_under_any_hash_seed() -> None:
    """Two processes with different salts for their hashes publish the same outputs."""
    first = _digest_under("1")
    assert len(first) == 64
    assert first == _digest_under("4242")


def test_another_seed_gives_another_run() -> None:
    """The digest tells runs apart."""
    assert digest(play(loans=4, days=6).chronicle) != digest(play(loans=4, days=6, seed=12).chronicle)


def test_every_promise_is_tried_and_kept_in_an_undisturbed_world() -> None:
    """All checkers find cases, and none of them a violation; the first end of a month lies inside."""
    verdicts = twenty_days().verdicts()
    assert [verdict for verdict in verdicts if verdict.violated] == []
    assert all(verdict.cases > 0 for verdict in verdicts)


@pytest.mark.parametrize("limits", [Limits(1, 1), Limits(7, 3), Limits(1000, 512)])
def test_crashes_change_no_byte(limits: Limits) -> None:
    """Crashes before and after commits, lost stores, a second clock and odd transaction sizes leave no trace."""
    faults = Faults(5, crash=0.15, lost_store=0.4, second_clock=0.3, limits=limits)
    disturbed = play(faults=faults)
    assert {Fault.BEFORE_COMMIT, Fault.AFTER_COMMIT, Fault.LOST_STORE, Fault.SECOND_CLOCK} <= faults.met.keys()
    assert digest(disturbed.chronicle) == digest(twenty_days().chronicle)
    assert disturbed.broken() == set()


def test_duplicates_change_no_decision() -> None:
    """Records that come twice change no output but the counts."""
    faults = Faults(6, duplicate=0.2)
    disturbed = play(faults=faults)
    assert faults.met[Fault.DUPLICATE] > 10
    assert disturbed.broken() == set()
    for kind in (ContactRequested, PermitGranted):
        said = [[entry.data for entry in one.chronicle.of(kind)] for one in (disturbed, twenty_days())]
        assert said[0] == said[1]


def test_a_service_that_is_down_is_silence_and_no_burst() -> None:
    """While escalation is down its requests wait; when it is back, no promise is broken and nobody is flooded."""
    down = PlannedSilence(ESCALATION, START_MS + 15 * DAY_MS, START_MS + 15 * DAY_MS + 30 * HOUR_MS)
    played = play(faults=Faults(7, silences=(down,)), days=24)
    assert played.broken() == set()
    asked = [entry.source for entry in played.chronicle.of(ContactRequested)]
    assert any(source.startswith(f"/duecourse/{ESCALATION}") for source in asked)
    silent = [entry.at for entry in played.chronicle.of(PermitDeferred) if "upstream_behind" in str(entry.data.rules)]
    assert all(down.from_at <= at < down.until_at for at in silent)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_promise_breaks_under_a_swarm_of_faults(seed: int) -> None:
    """Whatever faults a seed draws, no promise is broken."""
    faults = drawn(seed, START_MS, 20)
    assert play(loans=10, days=20, faults=faults, seed=seed).broken() == set()
    assert faults.met
