"""Why nothing happened: the services' own rules, run again over what the topics say about one key (promise P7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from shared.contract.recorded import Recorded
from shared.engine.aside import PUT_ASIDE
from shared.engine.deployment import Deployment, passing_by
from shared.engine.epoch import EpochLoop
from shared.engine.processor import Decide, Input, Processor, PutAside, Wake
from shared.engine.progress import birth
from shared.engine.quarantine import quarantined
from shared.engine.store import MemoryStore
from shared.engine.topology import Topology
from shared.kernel.step import Step

S = TypeVar("S")

_EVERYTHING: Final = 1 << 60
"""A position beyond every offset: the records at hand are all there are."""


@dataclass(frozen=True, slots=True)
class Looked:
    """At `at_ms` the service looked at the key and published so many events; `skips`: why a due step led to nothing."""

    at_ms: int
    service: str
    key: str
    published: int
    skips: tuple[tuple[str, str], ...]
    wake_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Recomputed:
    """All looks of one service at the keys, in order, and the policies that ticks named but that are not at hand."""

    looks: tuple[Looked, ...]
    lacking: frozenset[str]


def recompute(
    processor: Processor[Any],
    records: Iterable[Recorded],
    keys: frozenset[str],
    topology: Topology,
    policies: Mapping[str, Any],
) -> Recomputed:
    """Fold the recorded inputs of `keys` by the service's own engine and core."""
    records = list(records)
    looks: list[Looked] = []
    lacking: set[str] = set()
    watched = replace(processor, decide=_watching(processor, looks))
    deployment = passing_by(Deployment(topology, policies), quarantined(records, processor.name))
    for partition, inputs in _by_partition(processor, records, keys).items():
        loop = EpochLoop(watched, deployment, partition, MemoryStore(), birth(processor.reads, 0, {}, "explain"))
        for topic in processor.reads:
            loop.feed(topic, inputs.get(topic, ()), _EVERYTHING)
        loop.feed(processor.clock, inputs[processor.clock])
        while (transaction := loop.advance()) is not None:
            loop.committed(transaction)
        if loop.waiting is not None and loop.waiting.policy:
            lacking.add(loop.waiting.policy)
    return Recomputed(tuple(sorted(looks, key=lambda look: (look.at_ms, look.key))), frozenset(lacking))


def _by_partition(
    processor: Processor[Any], records: Iterable[Recorded], keys: frozenset[str]
) -> dict[int, dict[str, Sequence[Recorded]]]:
    """Return, for each partition that holds one of the keys, its ticks and the keys' records, by topic and offset."""
    wanted = {key.encode() for key in keys}
    facts: dict[int, dict[str, list[Recorded]]] = defaultdict(lambda: defaultdict(list))
    ticks: dict[int, list[Recorded]] = defaultdict(list)
    for record in records:
        if record.topic == processor.clock:
            ticks[record.partition].append(record)
        elif record.topic in processor.reads and record.key in wanted:
            facts[record.partition][record.topic].append(record)
    found: dict[int, dict[str, Sequence[Recorded]]] = {}
    for partition, topics in facts.items():
        lists = {**topics, processor.clock: ticks[partition]}
        found[partition] = {topic: sorted(some, key=lambda record: record.offset) for topic, some in lists.items()}
    return found


def _watching(processor: Processor[S], looks: list[Looked]) -> Decide[S]:
    def decide(state: S | None, key: str, given: Input, now: int, policy: object) -> Step[S]:
        step = processor.decide(state, key, given, now, policy)
        if isinstance(given, Wake):
            skips = tuple((skip.reason, skip.subject) for skip in step.skips)
            looks.append(Looked(now, processor.name, key, len(step.events), skips, step.wake_at))
        elif isinstance(given, PutAside):
            aside = ((PUT_ASIDE, given.coordinates),)
            looks.append(Looked(now, processor.name, key, len(step.events), aside, None))
        return step

    return decide
