"""`python -m tests.bench [--quick] [PART ...]`: measure on this machine, now, and print the rows."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final

from tests.bench import floods, giant, latency, memory, outage, restart, takeover, throughput
from tests.bench.processes import load

PARTS: Final[dict[str, tuple[str, Callable[..., str]]]] = {
    "throughput": ("facts per second and CPU per fact, beside a naive stock-Faust app", throughput.run),
    "latency": ("from a fact to a permit, all five services, true time", latency.run),
    "memory": ("half a million facts under one tick", memory.run),
    "restart": ("a service with the state of 20,000 loans comes back", restart.run),
    "restart-large": ("the same with 100,000 loans", restart.run_large),
    "takeover": ("one of two instances dies, the other takes over", takeover.run),
    "outage": ("ten hours of ticks are worked off", outage.run),
    "floods": ("a million facts for one loan, a person with 100,000 loans: the cores alone", floods.run),
    "giant": ("neighbours of a person with 100,000 loans", giant.run),
}


def main() -> None:
    """Measure the parts asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="a short look: fewer facts, fewer rounds")
    given = parser.parse_args()
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    say(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {load()}; other work on the machine shows in load"
    )
    for name in given.parts or PARTS:
        title, run = PARTS[name]
        say(f"\n== {name}: {title}")
        started = monotonic()
        with TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            say(run(Path(folder), quick=given.quick))
        say(f"({monotonic() - started:.0f} s)")


def say(text: str) -> None:
    """Print at once, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
