"""The same bytes under every Python, whatever salt its hashes have."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

from tests.pythons import ROOT, prepared, supported

SEEDS = range(1, 9)
HASH_SEEDS = ("1", "4242")
ASK = f"""
from services.cli.swarm import play
print(*(play(seed).digest for seed in {SEEDS!r}))
"""


def _said(python: Path, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    asked = subprocess.run([python, "-c", ASK], env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    return asked.stdout.strip()


def test_every_python_and_every_hash_seed_says_the_same() -> None:
    """What the first seeds say is one under two salts and all supported Pythons; those that are missing are named."""
    missing = [version for version in supported() if version not in prepared()]
    if missing:
        warnings.warn(f"NOT RUN under Python {', '.join(missing)}: `make pythons` prepares them", stacklevel=1)
    # Each Python with one salt, and one of them with both.
    asked = {(python, HASH_SEEDS[number % 2]) for number, python in enumerate(prepared().values())}
    asked |= {(Path(sys.executable), salt) for salt in HASH_SEEDS}
    said = {where: _said(*where) for where in sorted(asked)}
    assert len(said) >= 2
    assert {len(digests.split()) for digests in said.values()} == {len(SEEDS)}
    assert len(set(said.values())) == 1, said
