"""A plain fold of a partition's log, written apart from the engine: the reference for every comparison.

No transactions, no queues, no due index: a dictionary of states and a sort at each tick.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contract.arrangements import DeadLetterDiscarded
from shared.contract.codec import DeadReason, Envelope, Rejected, decode, decode_key, encode
from shared.contract.ticks import PROBE_AT, FactQuarantined, Tick
from shared.contract.topics import DEAD_LETTERS
from shared.engine.batch import STATE_BYTES_MAX
from shared.engine.dead_letters import coordinates, dead_letter
from shared.engine.processor import Fact, Processor, PutAside, Unreadable, Wake
from shared.engine.state import StateCodec
from shared.engine.topology import Topology
from shared.kernel.ids import derive_id

FULL = Rejected(DeadReason.BOUND_EXCEEDED, "")


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as read from a log."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Folded:
    """Outputs per topic and partition, states and wake instants per key, and the number of records by verdict."""

    outputs: dict[tuple[str, int], list[tuple[bytes, bytes]]]
    states: dict[bytes, Any]
    wakes: dict[bytes, int]
    verdicts: dict[str, int]
    at: int = PROBE_AT


def fold(
    processor: Processor[Any],
    topology: Topology,
    partition: int,
    logs: Mapping[str, Sequence[LogRecord]],
    *,
    policies: Mapping[str, Any],
    born: int = 0,
    quarantined: frozenset[FactQuarantined] = frozenset(),
) -> Folded:
    """Fold the records of one partition (by logical topic, the clock's included) as the rules say."""
    run = _Fold(processor, topology, partition, logs, born, quarantined)
    for record in logs[processor.clock]:
        envelope = decode(processor.clock, record.key, record.value, record.headers)
        if isinstance(envelope, Envelope) and isinstance(envelope.data, Tick) and envelope.data.at > run.result.at:
            run.epoch(record.offset, envelope.data, policies[envelope.data.policy])
    return run.result


class _Fold:
    def __init__(
        self,
        processor: Processor[Any],
        topology: Topology,
        partition: int,
        logs: Mapping[str, Sequence[LogRecord]],
        born: int,
        quarantined: frozenset[FactQuarantined],
    ) -> None:
        self.quarantined = {(q.topic, q.partition, q.offset) for q in quarantined if q.key is None}
        self.asleep = {(q.partition, q.offset, q.key): q.hours for q in quarantined if q.key is not None}
        self.aside: dict[str, tuple[int, str]] = {}
        self.codec: Any = StateCodec(processor.state, processor.upgrades)
        self.processor, self.topology, self.partition, self.logs, self.born = (
            processor,
            topology,
            partition,
            logs,
            born,
        )
        self.next = dict.fromkeys(processor.reads, 0)
        self.barrier = dict.fromkeys(processor.reads, 0)
        self.result = Folded(defaultdict(list), {}, {}, defaultdict(int))

    def epoch(self, offset: int, tick: Tick, policy: Any) -> None:
        for topic in self.processor.reads:
            self.barrier[topic] = max(self.barrier[topic], tick.barriers.get(topic, 0))
            log = self.logs[topic]
            while self.next[topic] < len(log) and log[self.next[topic]].offset < self.barrier[topic]:
                self.fact(topic, log[self.next[topic]], tick, policy)
                self.next[topic] += 1
        self.result.at = tick.at
        self.spent: Counter[str] = Counter()
        if offset >= self.born:
            for _, key in sorted((at, key) for key, at in self.result.wakes.items() if at <= tick.at):
                self.wake(key, offset, tick, policy)

    def fact(self, topic: str, record: LogRecord, tick: Tick, policy: Any) -> None:
        name = decode_key(record.key)
        key = record.key or b""
        if (topic, self.partition, record.offset) in self.quarantined:
            self.bury(topic, record, tick.at, "quarantined")
            if name is not None:
                place = coordinates(topic, self.partition, record.offset)
                lost = Unreadable(topic, name, "quarantined", place)
                step = self.processor.decide(self.result.states.get(key), name, lost, tick.at, policy)
                self.keep(key, step.state, step.wake_at)
            return
        if name is not None and key not in self.result.states:
            right = self.topology.partition_of(topic, key)
            if right != self.partition:
                self.bury(topic, record, tick.at, "misrouted_key")
                return
        state = self.result.states.get(key) if name is not None else None
        full = state is not None and len(self.codec.encode(state, None)) > STATE_BYTES_MAX
        decoded = FULL if full else decode(topic, record.key, record.value, record.headers)
        if not isinstance(decoded, Envelope):
            self.bury(topic, record, tick.at, decoded.reason)
            if name is None:
                return
            given: Any = Unreadable(topic, name, decoded.reason, coordinates(topic, self.partition, record.offset))
        else:
            given = Fact(topic, name or "", decoded.id, decoded.source, decoded.data, decoded.replaces)
            if isinstance(decoded.data, DeadLetterDiscarded) and self.aside.get(name or "", (0, ""))[1] == (
                decoded.data.coordinates
            ):
                del self.aside[name or ""]
        step = self.processor.decide(self.result.states.get(key), name or "", given, tick.at, policy)
        self.keep(key, step.state, step.wake_at)
        if isinstance(given, Fact):
            if step.dead is not None:
                self.bury(topic, record, tick.at, step.dead)
                doubted = Unreadable(topic, given.key, step.dead, coordinates(topic, self.partition, record.offset))
                step = self.processor.decide(self.result.states.get(key), given.key, doubted, tick.at, policy)
                self.keep(key, step.state, step.wake_at)
            else:
                self.result.verdicts[step.verdict] += 1

    def wake(self, key: bytes, offset: int, tick: Tick, policy: Any) -> None:
        name = key.decode()
        until, _ = self.aside.get(name, (0, ""))
        if until > tick.at:
            self.result.wakes[key] = until
            return
        given: Any = Wake(tick, self.spent)
        hours = self.asleep.get((self.partition, offset, name))
        if hours is not None:
            given = PutAside(self.processor.clock, f"{self.processor.clock}/{self.partition}/{offset}/{name}")
            until = tick.at + hours * 3_600_000
            self.aside[name] = until, given.coordinates
            original = next(record for record in self.logs[self.processor.clock] if record.offset == offset)
            letter = dead_letter(given.coordinates, original, self.processor.name, tick.at, "quarantined")
            to = DEAD_LETTERS, self.topology.partition_of(DEAD_LETTERS, letter.key)
            self.result.outputs[to].append((letter.key, letter.value))
        step = self.processor.decide(self.result.states[key], name, given, tick.at, policy)
        self.spent.update(step.spends)
        self.keep(key, step.state, None if step.wake_at is None else max(step.wake_at, tick.at + 1, until))
        for ordinal, emit in enumerate(step.events):
            data: Any = emit.data
            name = self.processor.name
            event_id = derive_id(name, key.decode(), tick.at, data.TYPE, ordinal)
            value = encode(Envelope(event_id, f"/duecourse/{name}/{self.partition}", data.TYPE, data, time_ms=tick.at))
            to = emit.key.encode()
            self.result.outputs[emit.topic, self.topology.partition_of(emit.topic, to)].append((to, value))

    def keep(self, key: bytes, state: Any, wake_at: int | None) -> None:
        self.result.states.pop(key, None)
        self.result.wakes.pop(key, None)
        if state is not None:
            self.result.states[key] = state
            if wake_at is not None:
                self.result.wakes[key] = wake_at

    def bury(self, topic: str, record: LogRecord, at: int, reason: str) -> None:
        self.result.verdicts["dead"] += 1
        if topic in self.processor.owns or reason == "quarantined":
            place = coordinates(topic, self.partition, record.offset)
            letter = dead_letter(place, record, self.processor.name, at, reason)
            to = DEAD_LETTERS, self.topology.partition_of(DEAD_LETTERS, letter.key)
            self.result.outputs[to].append((letter.key, letter.value))
