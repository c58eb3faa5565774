"""P8 replayable: the recorded inputs folded again give the same bytes, per source and destination partition.

A repetition of an output is P2's business: here each output counts once, so that each promise has one judge.
"""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256

from shared.contract.topics import DEAD_LETTERS
from shared.simulation.checkers.chronicle import Chronicle
from shared.simulation.checkers.refold import Place, Refold
from shared.simulation.checkers.verdict import Findings, Verdict

Said = tuple[bytes | None, bytes | None]


def check(chronicle: Chronicle, refold: Refold) -> Verdict:
    """Compare what was said with what the fold says."""
    findings = Findings("P8", "replayable")
    recorded = recorded_outputs(chronicle)
    for place in sorted(recorded.keys() | refold.outputs.keys()):
        said = list(dict.fromkeys(recorded.get(place, [])))
        folded: list[Said] = [(output.key, output.value) for output in refold.outputs.get(place, [])]
        findings.tried(len(folded))
        if said != folded:
            findings.violated("/".join(map(str, place)), _difference(said, folded))
    return findings.verdict()


def recorded_outputs(chronicle: Chronicle) -> dict[Place, list[Said]]:
    """Return what each partition of each service said, by destination, in order."""
    found: dict[Place, list[Said]] = defaultdict(list)
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


def digest(chronicle: Chronicle) -> str:
    """Return the sha256 of all outputs: equal for equal runs, however partitions interleaved on the broker."""
    total = sha256()
    for place, said in sorted(recorded_outputs(chronicle).items()):
        total.update(repr(place).encode())
        for key, value in said:
            for part in (key or b"", value or b""):
                total.update(len(part).to_bytes(4, "big") + part)
    return total.hexdigest()


def _difference(said: list[Said], folded: list[Said]) -> str:
    for number, (one, other) in enumerate(zip(said, folded, strict=False)):
        if one != other:
            return f"output {number} differs from the fold's"
    return f"{len(said)} outputs were said, the fold says {len(folded)}"
