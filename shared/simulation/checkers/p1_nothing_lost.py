"""P1 nothing lost: every record below a service's progress was applied, was a duplicate, or is a dead letter.

Counts and state are the changelog's word; the log is counted and folded again beside it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from shared.contract.topics import DEAD_LETTERS, TOPICS
from shared.engine.progress import Progress
from shared.simulation.checkers.chronicle import Chronicle
from shared.simulation.checkers.refold import Refold
from shared.simulation.checkers.verdict import Findings, Verdict


def check(chronicle: Chronicle, refold: Refold) -> Verdict:
    """Compare each service's counts with the log, its dead letters with its counts, its state with the fold."""
    findings = Findings("P1", "nothing lost")
    letters = _letters(chronicle)
    for (service, partition), progress in sorted(refold.stored.items()):
        where = f"{service}/{partition}"
        _check_counts(chronicle, partition, progress, where, findings)
        _check_dead_letters(service, partition, progress, letters, findings)
        _check_state(chronicle, refold, service, partition, findings)
    return findings.verdict()


def _letters(chronicle: Chronicle) -> Counter[tuple[str, str, int]]:
    """Count dead letters by the service that wrote them, and by topic and partition where they lay."""
    found: Counter[tuple[str, str, int]] = Counter()
    for (topic, _), records in chronicle.records.items():
        for record in records if topic == DEAD_LETTERS else ():
            headers = dict(record.headers)
            source, partition, _ = (record.key or b"//").decode().rsplit("/", 2)
            found[(headers.get("duecourse-service") or b"").decode(), source, int(partition or -1)] += 1
    return found


def _check_counts(chronicle: Chronicle, partition: int, progress: Progress, where: str, findings: Findings) -> None:
    for topic, offset in sorted(progress.offsets.items()):
        records = chronicle.records[topic, partition]
        logged = bisect_left(records, offset, key=lambda record: record.offset)
        counted = progress.counts[topic].total
        findings.tried(logged)
        if counted != logged:
            what = f"{logged} records lie below offset {offset}, {counted} are accounted for"
            findings.violated(f"{where} {topic}", what)


def _check_dead_letters(
    service: str, partition: int, progress: Progress, letters: Counter[tuple[str, str, int]], findings: Findings
) -> None:
    for topic in sorted(progress.offsets):
        if TOPICS[topic].dead_letters_by != service:
            continue
        dead, written = progress.counts[topic].dead, letters[service, topic, partition]
        what = f"{dead} records counted as dead, {written} dead letters written"
        findings.require(that=dead == written, where=f"{service}/{partition} {topic}", what=what)


def _check_state(chronicle: Chronicle, refold: Refold, service: str, partition: int, findings: Findings) -> None:
    stored = {key: value for key, value in chronicle.changelogs[service, partition].items() if key[:1] == b"s"}
    folded = refold.states.get((service, partition), {})
    findings.tried(len(folded))
    for key in sorted(stored.keys() | folded.keys()):
        if stored.get(key) != folded.get(key):
            findings.violated(f"{service}/{partition}", f"the state of {key[1:].decode()} differs from the fold")
