"""What a round proved, from its recorded topics alone: each service's outputs equal the fold, and P1 to P8.

`python -m tests.chaos.verdict FOLDER` judges a recorded round again, as the harness did.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from services.cli.processors import PROCESSORS
from services.cli.sources import topology_of
from shared.contract.recorded import Recorded
from shared.domain.policy import load_policy
from shared.engine.epoch import Deployment
from shared.runtime.log_directory import read_log
from shared.simulation.checkers import Build, check_spool, spooled

ALWAYS_TRIED = ("P1", "P2", "P7", "P8")
"""A round in which nothing was found to judge by these proves nothing; the others need a longer story."""
SHOWN_MAX = 5
LESS_URGENT = 5


@dataclass(frozen=True)
class Judged:
    """How often each promise was tried, and what was found broken, in words."""

    tried: dict[str, int]
    broken: tuple[str, ...]


def judge(records: list[Recorded]) -> Judged:
    """Judge all promises; P8 is the byte comparison with the fold of the recorded inputs.

    A round that failed was broken off: nobody is accused of what he had not come to, as in a log that still grows.
    """
    policy = load_policy()
    deployment = Deployment(topology_of(records), {policy.hash: policy})
    with spooled(records) as spool:
        verdicts = check_spool(spool, Build(PROCESSORS, deployment))
    broken = [
        f"{verdict}; {violation.where}: {violation.what}"
        for verdict in verdicts
        for violation in verdict.violations[:SHOWN_MAX]
    ]
    tried = {verdict.promise: verdict.cases for verdict in verdicts}
    broken += [f"{promise} was never tried" for promise in ALWAYS_TRIED if not tried.get(promise)]
    return Judged(tried, tuple(broken))


async def judge_elsewhere(folder: Path) -> Judged:
    """Judge a recorded round in a process of its own, so that rounds beside it go on; the dump stays in the folder."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.verdict", str(folder), stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    if process.returncode != 0:
        return Judged({}, (f"the judge ended with {process.returncode}; the log is {folder}",))
    found = json.loads(told)
    return Judged(found["tried"], tuple(found["broken"]))


if __name__ == "__main__":
    os.nice(LESS_URGENT)
    result = judge(list(read_log(Path(sys.argv[1]))))
    sys.stdout.write(json.dumps({"tried": result.tried, "broken": result.broken}, indent=2) + "\n")
