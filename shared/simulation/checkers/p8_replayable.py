"""P8 replayable: the recorded inputs folded again give the same bytes, per source and destination partition.

A repetition of an output is P2's business: here each output counts once, so that each promise has one judge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256

from shared.contract.topics import DEAD_LETTERS
from shared.engine.transaction import Output
from shared.simulation.checkers.chronicle import Chronicle
from shared.simulation.checkers.refold import Fold
from shared.simulation.checkers.spool import Spool
from shared.simulation.checkers.spool_rows import Said
from shared.simulation.checkers.standing import Share
from shared.simulation.checkers.verdict import Findings, Verdict

Place = tuple[str, int, str, int]
"""Service, its partition, and topic and partition written to."""


class Judge:
    """Compares what was said with what the fold says, output by output, as the fold goes along."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._findings = Findings("P8", "replayable")
        self._places = set(spool.authors())

    def take(self, fold: Fold) -> None:
        """Fold one partition of one service, and judge what it says."""
        service, source = fold.processor.name, fold.partition
        said: dict[Place, Iterator[Said]] = {}
        differs: set[Place] = set()
        for topic, target, output in fold.outputs():
            place = (service, source, topic, target)
            if place not in said:
                said[place] = self._said(place)
            self._findings.tried()
            found = next(said[place], None) if place not in differs else None
            if place not in differs and (found is None or (found.key, found.value) != (output.key, output.value)):
                differs.add(place)
                self._findings.violated(_where(place, found, output), _difference(found, output))
        for place in sorted({place for place in self._places if place[:2] == (service, source)} | said.keys()):
            self._places.discard(place)
            rest = next(said[place] if place in said else self._said(place), None)
            if rest is not None and place not in differs and not self._is_later((service, source), rest):
                self._findings.violated(_where(place, rest, None), _difference(rest, None))

    def verdict(self) -> Verdict:
        """Return what was found; a service that spoke and has no changelog was not folded at all."""
        for place in sorted(self._places):
            rest = next(self._said(place), None)
            self._findings.violated(_where(place, rest, None), _difference(rest, None))
        return self._findings.verdict()

    def _is_later(self, share: Share, said: Said) -> bool:
        """Whether it was said after the changelog had been read; what follows it was so too."""
        if said.at is not None:
            return self._spool.standing().is_later(share, said.at)
        topic, _, offset = (said.key or b"//").decode(errors="replace").rsplit("/", 2)
        return offset.isdigit() and self._spool.standing().is_buried_later(share, topic, int(offset))

    def _said(self, place: Place) -> Iterator[Said]:
        return self._spool.said(*place, once=True)


def _where(place: Place, said: Said | None, folded: Output | None) -> str:
    """Return the record that differs, or the stream in which one is missing; and the id of the event, if it has one."""
    lies = "/".join(map(str, place)) if said is None else said.coordinates
    event_id = (said.event_id if said is not None else None) or (folded.id if folded is not None else None)
    return f"{lies} {event_id}" if event_id else lies


def _difference(said: Said | None, folded: Output | None) -> str:
    """Tell the first difference, with the ids of both events; a dead letter is named by what it buried."""
    there = "nothing" if said is None else f"{said.event_id or (said.key or b'').decode()} at {said.coordinates}"
    wanted = "nothing" if folded is None else folded.id or folded.key.decode()
    if said is not None and folded is not None and (said.event_id or "") == folded.id:
        return f"{there} differs from the fold's"
    return f"{there} was said where the fold says {wanted}"


def digest(chronicle: Chronicle) -> str:
    """Return the sha256 of all outputs: equal for equal runs, however partitions interleaved on the broker."""
    total = sha256()
    for place, said in sorted(_recorded_outputs(chronicle).items()):
        total.update(repr(place).encode())
        for key, value in said:
            for part in (key or b"", value or b""):
                total.update(len(part).to_bytes(4, "big") + part)
    return total.hexdigest()


def _recorded_outputs(chronicle: Chronicle) -> dict[Place, list[tuple[bytes | None, bytes | None]]]:
    """Return what each partition of each service said, by destination, in order."""
    found: dict[Place, list[tuple[bytes | None, bytes | None]]] = defaultdict(list)
    for entry in sorted(chronicle.outputs(), key=lambda entry: entry.record.offset):
        _, _, service, partition = entry.source.split("/")
        record = entry.record
        found[service, int(partition), record.topic, record.partition].append((record.key, record.value))
    for (topic, target), records in chronicle.records.items():
        for record in records if topic == DEAD_LETTERS else ():
            service = (dict(record.headers).get("duecourse-service") or b"").decode()
            partition = (record.key or b"/-1/").decode().rsplit("/", 2)[1]
            found[service, int(partition), topic, target].append((record.key, record.value))
    return found
