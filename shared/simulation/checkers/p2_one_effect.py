"""P2 one effect: every output is there exactly once, and none of its siblings is missing.

The ids tell: each is derived from service, key, tick, type and its place among what one decision said. So the events
of one decision must be the places 0 to n - 1, each once, whatever crashed between.
"""

from __future__ import annotations

from collections import defaultdict

from shared.contract.base import Event
from shared.contract.topics import DEAD_LETTERS, RATE_LIMITER
from shared.kernel.ids import derive_id
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.spool import Spool
from shared.simulation.checkers.verdict import Findings, Verdict


def check(chronicle: Chronicle) -> Verdict:
    """Look for repeated, missing and foreign outputs of each decision."""
    findings = Findings("P2", "one effect")
    decisions: dict[tuple[str, str, int], list[Entry[Event]]] = defaultdict(list)
    for entry in chronicle.outputs():
        service = entry.source.split("/")[2]
        key = "borrower_id" if service == RATE_LIMITER else "loan_id"
        if chronicle.judges(entry.at):
            decisions[service, str(getattr(entry.data, key, "")), entry.at].append(entry)
    for (service, key, at), entries in decisions.items():
        _check_decision(service, key, at, entries, findings)
    return findings.verdict()


def check_streams(spool: Spool, since: int | None = None) -> Verdict:
    """Look for records that were buried twice, and for streams in which time goes back."""
    findings = Findings("P2", "one effect")
    for key, service, count in spool.letters():
        what = f"{(key or b'').decode(errors='replace')} was buried {count} times by {service}"
        findings.require(that=count == 1, where=DEAD_LETTERS, what=what)
    for place in spool.authors():
        before = 0
        for said in spool.said(*place):
            if said.at is not None and (since is None or said.at >= since):
                what = f"said at {said.at} after something said at {before}"
                findings.require(that=said.at >= before, where=said.coordinates, what=what)
            before = before if said.at is None else said.at
    return findings.verdict()


def _check_decision(service: str, key: str, at: int, entries: list[Entry[Event]], findings: Findings) -> None:
    places: dict[int | None, list[Entry[Event]]] = defaultdict(list)
    for entry in entries:
        place = _place(service, key, at, entry, len(entries))
        places[place].append(entry)
        what = "its id is not one of this decision: a sibling is missing, or it was said by somebody else"
        findings.require(that=place is not None, where=entry.where, what=what)
    for place, same in places.items():
        if place is not None and len(same) > 1:
            what = f"output {place} of key {key} at {at} was said {len(same)} times by {service}"
            findings.violated(same[-1].where, what)


def _place(service: str, key: str, at: int, entry: Entry[Event], siblings: int) -> int | None:
    kind = entry.data.TYPE
    return next((n for n in range(siblings) if derive_id(service, key, at, kind, n) == entry.id), None)
