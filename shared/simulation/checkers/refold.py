"""The recorded inputs folded again, with the same build and policy: what each service should hold and have said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.contract.ticks import CONTROL
from shared.contract.topics import DEAD_LETTERS, SERVICES
from shared.engine.epoch import Deployment, EpochLoop
from shared.engine.processor import Processor
from shared.engine.progress import Progress, birth, decode_progress
from shared.engine.quarantine import quarantined
from shared.engine.store import PROGRESS_KEY, STATE_PREFIX, MemoryStore
from shared.engine.transaction import Output
from shared.simulation.checkers.chronicle import Chronicle

Place = tuple[str, int, str, int]
"""Service, its partition, and topic and partition written to."""


@dataclass(slots=True)
class Refold:
    """What a fold of the log gives, beside what the changelogs say."""

    stored: dict[tuple[str, int], Progress] = field(default_factory=dict)
    states: dict[tuple[str, int], dict[bytes, bytes]] = field(default_factory=dict)
    outputs: dict[Place, list[Output]] = field(default_factory=lambda: defaultdict(list))


def refold(chronicle: Chronicle, processors: Iterable[Processor[Any]], deployment: Deployment) -> Refold:
    """Fold every partition of every service up to the tick that its changelog names."""
    found = Refold()
    by_name: Mapping[str, Processor[Any]] = {processor.name: processor for processor in processors}
    said = [r for (topic, _), log in chronicle.records.items() if topic in (CONTROL, DEAD_LETTERS) for r in log]
    for (service, partition), records in sorted(chronicle.changelogs.items()):
        if PROGRESS_KEY in records and service in SERVICES:
            stored = decode_progress(records[PROGRESS_KEY])
            found.stored[service, partition] = stored
            known = replace(deployment, quarantined=quarantined(said, service))
            _fold(chronicle, by_name[service], known, partition, stored, found)
    return found


def _fold(
    chronicle: Chronicle,
    processor: Processor[Any],
    deployment: Deployment,
    partition: int,
    stored: Progress,
    found: Refold,
) -> None:
    store = MemoryStore()
    start = birth(processor.reads, stored.born_at_clock_offset, {}, deployment.build)
    loop: EpochLoop[Any] = EpochLoop(processor, deployment, partition, store, start)
    _feed(loop, chronicle, processor, partition, stored)
    while (transaction := loop.advance()) is not None:
        for (topic, target), outputs in transaction.outputs.items():
            found.outputs[processor.name, partition, topic, target].extend(outputs)
        loop.committed(transaction)
    snapshot = store.snapshot()
    found.states[processor.name, partition] = {k: v for k, v in snapshot.items() if k[:1] == STATE_PREFIX}


def _feed(
    loop: EpochLoop[Any], chronicle: Chronicle, processor: Processor[Any], partition: int, stored: Progress
) -> None:
    """Feed everything below the ticks that the service has applied."""
    ticks = chronicle.records[processor.clock, partition]
    applied: Sequence[Any] = [record for record in ticks if record.offset < stored.clock_offset]
    loop.feed(processor.clock, applied)
    for topic in processor.reads:
        records = chronicle.records[topic, partition]
        end = max(stored.offsets.get(topic, 0), records[-1].offset + 1 if records else 0)
        loop.feed(topic, records, end)
