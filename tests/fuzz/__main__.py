"""`python -m tests.fuzz TARGET [SECONDS]`: search with atheris; new finds of the search go to `.fuzz/TARGET`.

A finding is written as `crash-...` into that folder, and libFuzzer prints what repeats it. What is worth keeping goes
to `tests/fuzz/corpus/TARGET`, where `make test` replays it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["shared", "services"]):
    from tests.fuzz.mutations import mutated
    from tests.fuzz.targets import TARGETS, seeds

CORPUS = Path(__file__).parent / "corpus"
FOUND = Path(".fuzz")
BYTES_MAX = 16 * 1024


def main(name: str, seconds: int) -> None:
    """Search for so long; the process ends with an error code when something was found."""
    found = FOUND / name
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (found / f"seed-{number}").write_bytes(seed)
    kept = CORPUS / name
    options = [f"-max_total_time={seconds}", f"-max_len={BYTES_MAX}", "-timeout=30", f"-artifact_prefix={found}/"]
    folders = [str(found), *([str(kept)] if kept.is_dir() else [])]

    def mutate(data: bytes, size_max: int, seed: int) -> bytes:
        return mutated(name, data, size_max, seed, atheris.Mutate)

    atheris.Setup([sys.argv[0], *options, *folders], TARGETS[name], custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60)
