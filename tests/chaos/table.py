"""The matrix as a table, with counts: `python -m tests.chaos.table` writes `docs/reliability/chaos.md`."""

from __future__ import annotations

from collections.abc import Iterator

import tests.chaos.cells  # noqa: F401 - registers all cells
from tests.chaos.cell import CELLS, Group
from tests.chaos.ledger import COUNTS, Count, Ledger, Played, read_ledger

WANTED = 30
PAGE = COUNTS.with_name("chaos.md")
_HEAD = """# The fault matrix, and how often each fault was met

Generated: `python -m tests.chaos.table` writes this page from `counts.json`, to which `python -m tests.chaos
--record` adds; a test fails where they differ.

A fault is counted where it was really met: "killed during recovery" counts only if the process was recovering at that
moment. Faults of different processes are put in at the same time, up to three in a strike, and a broker that is
killed counts for each office that it had. After each strike the deployment must be at work again within its bound,
and every end must have had a documented exit code. After each round of some strikes all outputs must equal the fold
of the recorded inputs byte by byte, and the checkers must find nothing. Met cleanly is what passed all of that. A
strike that fails ends its round and takes from each of its cells every meet of that round; what was recorded until
then is judged all the same. Any other failure of a round counts against every cell met in it. A failure stays counted
when its cause has been mended.
"""


def lines(ledger: Ledger) -> Iterator[str]:
    """Yield the table: every registered cell by group, met or not; then what was tried."""
    yield "| cell | what happens | how it heals | met | met cleanly | failures | last seed |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: |"
    for group in Group:
        for one in (one for one in CELLS.values() if one.group is group):
            count = ledger.cells.get(one.name, Count())
            seed = "" if count.last_seed is None else str(count.last_seed)
            numbers = (str(count.met), str(count.clean), str(count.failures))
            yield f"| {' | '.join((f'`{one.name}`', one.does, one.heals, *numbers, seed))} |"
    enough = sum(ledger.cells.get(name, Count()).clean >= WANTED for name in CELLS)
    tried = ", ".join(f"{promise} {cases:,}" for promise, cases in sorted(ledger.tried.items()))
    yield ""
    yield f"{enough} of {len(CELLS)} cells were met cleanly at least {WANTED} times. Apache Kafka {ledger.kafka},"
    yield f"{ledger.rounds} rounds. Cases tried by promise: {tried or 'none'}."
    if ledger.played.rounds:
        yield ""
        yield from where_and_when(ledger.played, ledger.rounds)


def where_and_when(played: Played, rounds: int) -> Iterator[str]:
    """Yield on what machine the rounds were played, when, and under which load."""
    load, minutes = played.load_seconds / played.seconds, played.seconds / 60
    yield f"From {played.first} to {played.last} UTC {played.rounds} rounds took {minutes:,.0f} minutes in sum,"
    yield f"several beside each other and their brokers on the same machine, under a load average of {load:.1f}."
    yield f"Machine: {'; '.join(played.machines)}."
    if rounds > played.rounds:
        yield f"Of {rounds - played.rounds} earlier rounds time and load are not known."


def page(ledger: Ledger) -> str:
    """Return the page of the matrix."""
    return "\n".join([_HEAD, *lines(ledger)]) + "\n"


def write_page() -> None:
    """Write the page of the matrix from what is recorded."""
    PAGE.write_text(page(read_ledger()), encoding="utf-8")


if __name__ == "__main__":
    write_page()
