"""P2 one effect: every output is there exactly once, and none of its siblings is missing.

The ids tell: each is derived from service, key, tick, type and its place among what one decision said. So the events
of one decision must be the places 0 to n - 1, each once, whatever crashed between.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from shared.contract.base import Event
from shared.contract.recorded import Recorded
from shared.contract.topics import DEAD_LETTERS, RATE_LIMITER
from shared.engine.quarantine import SERVICE_HEADER
from shared.kernel.ids import derive_id
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.verdict import Findings, Verdict


def check(chronicle: Chronicle) -> Verdict:
    """Look for repeated, missing and foreign outputs, and for time that goes back."""
    findings = Findings("P2", "one effect")
    decisions: dict[tuple[str, str, int], list[Entry[Event]]] = defaultdict(list)
    latest: dict[tuple[str, str, int], tuple[int, int]] = {}
    for entry in chronicle.outputs():
        service = entry.source.split("/")[2]
        key = "borrower_id" if service == RATE_LIMITER else "loan_id"
        decisions[service, str(getattr(entry.data, key)), entry.at].append(entry)
    for (service, key, at), entries in decisions.items():
        _check_decision(service, key, at, entries, findings)
    for (topic, partition), records in sorted(chronicle.records.items()):
        if topic == DEAD_LETTERS:
            for (coordinates, by), count in Counter(map(_burial, records)).items():
                what = f"{coordinates!r} was buried {count} times by {by!r}"
                findings.require(that=count == 1, where=f"{topic}/{partition}", what=what)
    _check_order(chronicle, latest, findings)
    return findings.verdict()


def _burial(record: Recorded) -> tuple[bytes | None, bytes | None]:
    """A record may be buried by each service that reads it, where it was quarantined for each."""
    return record.key, dict(record.headers).get(SERVICE_HEADER)


def _check_decision(service: str, key: str, at: int, entries: list[Entry[Event]], findings: Findings) -> None:
    places: Counter[int | None] = Counter()
    for entry in entries:
        place = _place(service, key, at, entry, len(entries))
        places[place] += 1
        what = "its id is not one of this decision: a sibling is missing, or it was said by somebody else"
        findings.require(that=place is not None, where=entry.record.coordinates, what=what)
    for place, count in places.items():
        if place is not None and count > 1:
            findings.violated(f"{service} at {at}", f"output {place} of key {key} was said {count} times")


def _place(service: str, key: str, at: int, entry: Entry[Event], siblings: int) -> int | None:
    kind = entry.data.TYPE
    return next((n for n in range(siblings) if derive_id(service, key, at, kind, n) == entry.id), None)


def _check_order(chronicle: Chronicle, latest: dict[tuple[str, str, int], tuple[int, int]], findings: Findings) -> None:
    """What one source partition says on one partition never goes back in time."""
    for entry in sorted(chronicle.outputs(), key=lambda entry: entry.record.offset):
        stream = (entry.source, entry.record.topic, entry.record.partition)
        before = latest.get(stream, (0, -1))
        what = f"said at {entry.at} after something said at {before[0]}"
        findings.require(that=entry.at >= before[0], where=entry.record.coordinates, what=what)
        latest[stream] = (entry.at, entry.record.offset)
