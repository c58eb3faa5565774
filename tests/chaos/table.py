"""The matrix as a table, with counts: `python -m tests.chaos.table` prints it in Markdown."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import tests.chaos.cells  # noqa: F401 - registers all cells
from tests.chaos.cell import CELLS, Group
from tests.chaos.ledger import Count, Ledger, read_ledger

WANTED = 30


def lines(ledger: Ledger) -> Iterator[str]:
    """Yield the table: every registered cell by group, met or not; then what was tried."""
    yield "| cell | what happens | how it heals | met | failures | last seed |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for group in Group:
        for one in (one for one in CELLS.values() if one.group is group):
            count = ledger.cells.get(one.name, Count())
            seed = "" if count.last_seed is None else str(count.last_seed)
            row = (f"`{one.name}`", one.does, one.heals, str(count.met), str(count.failures), seed)
            yield f"| {' | '.join(row)} |"
    enough = sum(ledger.cells.get(name, Count()).met >= WANTED for name in CELLS)
    tried = ", ".join(f"{promise} {cases:,}" for promise, cases in sorted(ledger.tried.items()))
    yield ""
    yield f"{enough} of {len(CELLS)} cells were met at least {WANTED} times. Apache Kafka {ledger.kafka},"
    yield f"{ledger.rounds} rounds. Cases tried by promise: {tried or 'none'}."


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines(read_ledger())) + "\n")
