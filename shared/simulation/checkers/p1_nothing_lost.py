"""P1 nothing lost: every record below a service's progress was applied, was a duplicate, or is a dead letter.

Counts and state are the changelog's word; the log is counted and folded again beside it.
"""

from __future__ import annotations

from collections import Counter

from shared.contract.topics import TOPICS
from shared.engine.store import STATE_PREFIX
from shared.simulation.checkers.refold import Fold
from shared.simulation.checkers.spool import Spool
from shared.simulation.checkers.verdict import Findings, Verdict


class Judge:
    """Compares each service's counts with the log, its dead letters with its counts, its state with the fold."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._findings = Findings("P1", "nothing lost")
        self._letters = _letters(spool)

    def take(self, fold: Fold) -> None:
        """Judge one partition of one service, after its outputs were folded."""
        self._check_counts(fold)
        self._check_dead_letters(fold)
        self._check_state(fold)

    def verdict(self) -> Verdict:
        """Return what was found."""
        return self._findings.verdict()

    def _check_counts(self, fold: Fold) -> None:
        for topic, offset in sorted(fold.stored.offsets.items()):
            logged = self._spool.count(topic, fold.partition, offset)
            counted = fold.stored.counts[topic].total
            self._findings.tried(logged)
            if counted != logged:
                what = f"{logged} records lie below offset {offset}, {counted} are accounted for"
                self._findings.violated(f"{fold.name}/{topic}", what)

    def _check_dead_letters(self, fold: Fold) -> None:
        for topic in sorted(fold.stored.offsets):
            if TOPICS[topic].dead_letters_by != fold.processor.name:
                continue
            dead = fold.stored.counts[topic].dead
            written = self._letters[fold.processor.name, topic, fold.partition]
            what = f"{dead} records counted as dead, {written} dead letters written"
            self._findings.require(that=dead == written, where=f"{fold.name}/{topic}", what=what)

    def _check_state(self, fold: Fold) -> None:
        """Compare state by state, in the order of the keys."""
        folded = fold.states()
        self._findings.tried(len(folded))
        for key, value in self._spool.states(fold.processor.name, fold.partition):
            if key[:1] == STATE_PREFIX and folded.pop(key, None) != value:
                self._differs(fold, key)
        for key in sorted(folded):
            self._differs(fold, key)

    def _differs(self, fold: Fold, key: bytes) -> None:
        name = key[len(STATE_PREFIX) :].decode(errors="replace")
        self._findings.violated(fold.name, f"the state of {name} differs from the fold", about=name)


def _letters(spool: Spool) -> Counter[tuple[str, str, int]]:
    """Count dead letters by the service that wrote them, and by topic and partition where they lay.

    Those of records that a changelog does not count yet are left out.
    """
    found: Counter[tuple[str, str, int]] = Counter()
    for key, service, count in spool.letters():
        topic, _, place = (key or b"").decode(errors="replace").partition("/")
        partition, _, offset = place.partition("/")
        if not (partition.isdecimal() and offset.isdecimal()):
            found[service, topic, -1] += count
        elif not spool.standing().is_buried_later((service, int(partition)), topic, int(offset)):
            found[service, topic, int(partition)] += count
    return found
