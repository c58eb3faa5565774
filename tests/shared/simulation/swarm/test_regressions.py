"""Seeds that once broke something."""

import tomllib
from pathlib import Path

import pytest

from services.cli.swarm import play

LIST = Path(__file__).parents[1] / "regressions.toml"
SEEDS = tomllib.loads(LIST.read_text(encoding="utf-8"))["seed"]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: str(seed["number"]))
def test_what_was_broken_once_stays_whole(seed: dict[str, object]) -> None:
    """Each seed of the list, which says what it found, is played again and nothing breaks."""
    assert play(int(str(seed["number"]))).broken == ()
    assert len(str(seed["found"])) > 20
