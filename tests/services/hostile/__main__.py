"""Looks for a log that hurts, for as long as one likes: `python -m tests.services.hostile SECONDS [FIRST_SEED]`."""

import sys
import time
import traceback
from collections import Counter

import click

from tests.services.hostile.test_hostile_input import BY_NAME, judge


def main(seconds: float, seed: int) -> int:
    """Try seeds on all services; print each that fails, with the call that repeats it; return how many failed."""
    until, tried, failed = time.monotonic() + seconds, 0, 0
    seen: Counter[str] = Counter()
    while time.monotonic() < until:
        for name in BY_NAME:
            tried += 1
            try:
                seen.update({f"{name} {verdict}": count for verdict, count in judge(name, seed).items()})
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told and the search goes on
                failed += 1
                where = traceback.extract_tb(error.__traceback__)[-1]
                click.echo(f"judge({name!r}, {seed}): {error!r:.200} at {where.filename}:{where.lineno}")
        seed += 1
    click.echo(f"{tried} logs tried, {failed} failed; next seed {seed}; {dict(seen)}")
    return failed


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(min(1, main(float(given[0]) if given else 60, int(given[1]) if len(given) > 1 else 0)))
