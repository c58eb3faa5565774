"""Drives an epoch loop over logs in memory: cuts the feed anywhere, crashes anywhere, collects what was committed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from shared.engine.epoch import Deployment, EpochLoop
from shared.engine.processor import Processor
from shared.engine.progress import Progress, birth, decode_progress
from shared.engine.store import PROGRESS_KEY, STATE_PREFIX, MemoryStore
from shared.engine.transaction import Transaction
from tests.shared.engine.fold import Folded, LogRecord
from tests.shared.engine.toy import GATE, START_MS, due, repayment, tick, wish


class Harness:
    """One partition of a service over logs in memory; `run` works everything off."""

    def __init__(
        self,
        processor: Processor[Any],
        deployment: Deployment,
        partition: int,
        logs: Mapping[str, Sequence[LogRecord]],
        seed: int = 0,
        crash: float = 0.0,
        born: int = 0,
    ) -> None:
        self.processor, self.deployment, self.partition, self.logs = processor, deployment, partition, logs
        self.random = random.Random(seed)
        self.crash = crash
        self.store = MemoryStore()
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.outputs: dict[tuple[str, int], list[tuple[bytes, bytes]]] = defaultdict(list)
        self.transactions: list[Transaction] = []
        self.crashes = 0
        self._start(birth(processor.reads, born, {}, deployment.build))

    def _start(self, progress: Progress) -> None:
        self.loop = EpochLoop(self.processor, self.deployment, self.partition, self.store, progress)
        self.next = {**progress.offsets, self.processor.clock: progress.clock_offset}
        for topic, log in self.logs.items():
            if not self._unread(topic, log):
                self.loop.feed(topic, (), self.next[topic] + 5)

    def restart(self, *, wiped: bool) -> None:
        """Drop loop and queues; start again from the store, or from the changelog where the disk was lost."""
        self.crashes += 1
        progress = self.loop.progress
        if wiped:
            self.store = MemoryStore()
            for offset, (key, value) in enumerate(self.changelog):
                self.store.restore(key, value, offset)
        stored = self.store.get(PROGRESS_KEY)
        self._start(progress if stored is None else decode_progress(stored))

    def feed_some(self) -> bool:
        """Feed a random slice of one input; False when everything was read."""
        left = [topic for topic, log in self.logs.items() if self._unread(topic, log)]
        if not left:
            return False
        topic = self.random.choice(left)
        unread = self._unread(topic, self.logs[topic])
        taken = unread[: self.random.randint(1, max(1, len(unread)))]
        self.next[topic] = taken[-1].offset + 1
        end = len(unread) == len(taken)
        self.loop.feed(topic, taken, self.next[topic] + (5 if end else 0))
        return True

    def _unread(self, topic: str, log: Sequence[LogRecord]) -> list[LogRecord]:
        return [record for record in log if record.offset >= self.next[topic]]

    def commit(self, transaction: Transaction) -> None:
        """Commit to log and changelog, then, unless a crash comes in between, to the store."""
        offset = None
        if transaction.durable:
            for place, outputs in transaction.outputs.items():
                self.outputs[place].extend((output.key, output.value) for output in outputs)
            self.changelog.extend(transaction.changes.records.items())
            offset = len(self.changelog) - 1
        self.transactions.append(transaction)
        if self.random.random() < self.crash and transaction.durable:
            self.restart(wiped=True)
        else:
            self.loop.committed(transaction, offset)

    def run(self) -> None:
        """Feed, compute, commit and crash until nothing is left to do."""
        while True:
            fed = self.feed_some()
            while (transaction := self.loop.advance()) is not None:
                if self.random.random() < self.crash:
                    self.restart(wiped=self.random.random() < 0.5)
                    fed = True
                    break
                self.commit(transaction)
                fed = True
            if not fed:
                return

    def states(self) -> dict[bytes, bytes]:
        """Return the stored states by key."""
        return {key[1:]: value for key, value in self.store.snapshot().items() if key[:1] == STATE_PREFIX}


def assert_equal(harness: Harness, folded: Folded) -> None:
    """Compare outputs byte for byte, states and wake instants with the plain fold."""
    codec = harness.loop._codec
    assert dict(folded.outputs) == {place: values for place, values in harness.outputs.items() if values}
    assert {key: codec.encode(state, folded.wakes.get(key)) for key, state in folded.states.items()} == harness.states()
    counts = harness.loop.progress.counts
    total = {v: sum(getattr(counts[t], v) for t in harness.processor.reads) for v in ("applied", "duplicate", "dead")}
    assert {v: folded.verdicts.get(v, 0) for v in total} == total


def random_logs(
    processor: Processor[Any], deployment: Deployment, partition: int, seed: int, facts: int = 200, ticks: int = 40
) -> dict[str, list[LogRecord]]:
    """Return logs of one partition: facts, duplicates, garbage, misrouted keys, gaps, ticks that go nowhere."""
    rnd = random.Random(seed)
    names = [f"L{i}" for i in range(60)]
    mine = [n for n in names if deployment.topology.partition_of(processor.reads[0], n.encode()) == partition]
    logs: dict[str, list[LogRecord]] = {topic: [] for topic in (*processor.reads, processor.clock)}
    ends = dict.fromkeys(processor.reads, 0)
    at = START_MS
    for number in range(ticks):
        for _ in range(rnd.randrange(2 * facts // ticks + 1)):
            topic = processor.reads[rnd.randrange(2)]
            logs[topic].append(_random_record(rnd, topic == processor.reads[0], mine, names, ends[topic]))
            ends[topic] += rnd.choice((1, 1, 1, 2))
        barriers = {topic: max(0, end - rnd.randrange(3)) for topic, end in ends.items()}
        at += rnd.choice((1, 3_600_000, 3_600_000, 7_200_000, 0, -5))
        clock = logs[processor.clock]
        value = b"{" if rnd.random() < 0.03 else tick(at, barriers)[1]
        clock.append(LogRecord(number + (clock[-1].offset // 3 if clock else 0), None, value))
    clock.append(LogRecord(clock[-1].offset + 1, None, tick(at + 50 * 3_600_000, ends)[1]))
    return logs


def gate_logs(seed: int) -> dict[str, list[LogRecord]]:
    """Return logs of the gate's one partition: many wishes at once, so that the lines of a tick run out."""
    rnd = random.Random(seed)
    wishes = [LogRecord(i, *wish(f"B{rnd.randrange(25)}", i)) for i in range(80)]
    ticks, at, barrier = [], START_MS, 0
    for number in range(12):
        barrier = min(80, barrier + rnd.randrange(30))
        at += rnd.choice((1000, 3_600_000))
        silent = ("reminder/1",) if rnd.random() < 0.2 else ()
        ticks.append(LogRecord(number, *tick(at, {GATE.reads[0]: barrier}, silent=silent)))
    ticks.append(LogRecord(12, *tick(at + 90_000_000, {GATE.reads[0]: 80})))
    return {GATE.reads[0]: wishes, GATE.reads[1]: [], GATE.clock: ticks}


def _random_record(rnd: random.Random, first: bool, mine: list[str], names: list[str], offset: int) -> LogRecord:
    kind = rnd.random()
    name = rnd.choice(names if kind < 0.05 else mine)
    if kind > 0.97:
        return LogRecord(offset, name.encode(), rnd.choice((None, b"", b"{}", b"\xff", b'{"a":1}')))
    if kind > 0.95:
        return LogRecord(offset, rnd.choice((None, b"\xff\xfe")), b"{}")
    number = rnd.randrange(40)
    make = due(name, number, rnd.choice((100, 70, 13)), rnd.randrange(3)) if first else repayment(name, number)
    return LogRecord(offset, make[0], make[1], (("trace", b"1"),))
