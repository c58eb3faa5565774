"""The epoch loop of one partition: facts and ticks in, transactions out; pure, so that a fold of the log equals a run.

A partition is worked off epoch by epoch: the facts below the next tick's barriers in a fixed order (topics as
declared, then offset), then the tick: every key whose instant has come is woken, in (time, key) order. Where a
transaction ends (after so many facts and wakes, or ticks, or when the loop must wait) changes no output.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from shared.contract.codec import DeadReason, Envelope, Rejected, decode, decode_key
from shared.contract.ticks import Tick
from shared.contract.topics import DEAD_LETTERS
from shared.engine.aside import PUT_ASIDE, KeysAside, LostWake
from shared.engine.batch import STATE_BYTES_MAX, Batch, Entry, Tally, verdict_of
from shared.engine.dead_letters import InputRecord, coordinates, dead_letter
from shared.engine.deployment import Deployment, Limits
from shared.engine.due import DueIndex
from shared.engine.outputs import event_output
from shared.engine.processor import BrokenInvariant, Fact, Input, Processor, PutAside, Unreadable, Wake
from shared.engine.progress import Progress, encode_progress
from shared.engine.state import StateCodec
from shared.engine.store import PROGRESS_KEY, Changes, Store
from shared.engine.transaction import Emitted, Transaction
from shared.engine.waiting import WAITING_FOR_POLICY, WAITING_FOR_RECORDS, WAITING_FOR_TICK, Waiting
from shared.kernel.step import Emit, Step, Verdict

__all__ = ["BrokenInvariant", "Deployment", "EpochLoop", "Limits"]

S = TypeVar("S")


class EpochLoop(Generic[S]):
    """One partition of one service.

    Call `feed` whenever records were read, `advance` until it returns None, and `committed` for each transaction
    before the next `advance`. To crash is to drop the loop: a new one starts from the store and the committed progress.
    """

    def __init__(
        self, processor: Processor[S], deployment: Deployment, partition: int, store: Store, progress: Progress
    ) -> None:
        self._processor = processor
        self._decide = processor.decide
        self._deployment = deployment
        self._topology = deployment.topology
        self._limits = deployment.limits
        self._store = store
        self._codec: StateCodec[S] = StateCodec(processor.state, processor.upgrades)
        self._due = DueIndex(store)
        self.service = processor.name
        self.partition = partition
        self._owned = frozenset(processor.owns)
        self._writes = frozenset(processor.writes)
        self._quarantined = frozenset((t, o) for t, where, o in deployment.quarantined if where == partition)
        self._aside = KeysAside(deployment, processor.clock, partition, progress)
        self._progress = progress
        self._at = progress.at
        self._n = progress.n
        self._clock_offset = progress.clock_offset
        self._done = {topic: progress.offsets.get(topic, 0) for topic in processor.reads}
        self._read = dict(self._done)
        self._fed = {processor.clock: progress.clock_offset, **self._done}
        self._facts: dict[str, deque[InputRecord]] = {topic: deque() for topic in processor.reads}
        self._ticks: deque[InputRecord] = deque()
        self._tick: Tick | None = None
        self._policy: Any = None
        self._policy_hash = progress.policy
        self._all_inputs = (*processor.reads, processor.clock)
        self._tally = Tally()
        self._spent = Counter(progress.spent)
        self._woken = progress.woken
        self._batch: Batch[S] = self._new_batch()
        self._open: Transaction | None = None
        self._born = progress.n > 0
        self.waiting: Waiting | None = None
        self.in_hand: tuple[str, int, str | None] | None = None
        """Topic and offset of the fact that is being applied, or of the tick, with the key that is being woken."""

    @property
    def progress(self) -> Progress:
        """The progress of what was committed last."""
        return self._progress

    def queued(self, topic: str) -> int:
        """Return how many records of a topic (or ticks) wait in memory."""
        return len(self._ticks if topic == self._processor.clock else self._facts[topic])

    def oldest(self, topic: str) -> InputRecord | None:
        """Return the record of a topic (or the tick) that has waited longest in memory, None where none waits."""
        queue = self._ticks if topic == self._processor.clock else self._facts[topic]
        return queue[0] if queue else None

    def done_offset(self, topic: str) -> int:
        """Return the next offset of a topic (or the clock) that is not applied yet."""
        return self._clock_offset if topic == self._processor.clock else self._done[topic]

    def queued_bytes(self, topic: str) -> int:
        """Return how many bytes of values these are; to count them takes a look at each."""
        return sum(len(record.value or b"") for record in self._facts.get(topic, ()))

    def next_offsets(self) -> dict[str, int]:
        """Return, by topic (the clock's included), the next offset that was not fed yet."""
        return dict(self._fed)

    def feed(self, topic: str, records: Sequence[InputRecord], position: int | None = None) -> None:
        """Take records as read, and the position up to which the reader has seen everything (markers included)."""
        queue = self._ticks if topic == self._processor.clock else self._facts[topic]
        if records:
            expected = self._fed[topic]
            queue.extend(records if records[0].offset >= expected else [r for r in records if r.offset >= expected])
            self._fed[topic] = max(expected, records[-1].offset + 1)
        if topic in self._read:
            self._read[topic] = max(self._read[topic], self._fed[topic], position or 0)

    def advance(self) -> Transaction | None:
        """Compute until a transaction is full or the loop must wait; None when there is nothing to commit or report.

        Raises whatever a core raises, and `BrokenInvariant`: both must end the process before anything is committed.
        """
        if self._open is not None:
            raise BrokenInvariant("the last transaction is still open")
        if not self._born:
            return self._close(self._batch, durable=True)
        batch = self._batch
        while self._next_tick(batch) and self._apply_facts(batch) and self._apply_wakes(batch):
            self._end_epoch(batch)
            if batch.size >= self._limits.facts_and_wakes or batch.ticks >= self._limits.ticks:
                break
        if not (batch.size or batch.ticks or batch.ignored_ticks):
            return None
        return self._close(batch, durable=bool(batch.size or batch.outputs))

    def committed(self, transaction: Transaction, changelog_offset: int | None = None) -> None:
        """Take note that the transaction is committed (or, where it is not durable, may be reported)."""
        if transaction is not self._open:
            raise BrokenInvariant("another transaction was committed than the open one")
        self._store.apply(transaction.changes, changelog_offset)
        self._due.committed(transaction.changes.due_added)
        self._progress = transaction.progress
        self._n = transaction.progress.n
        self._born = True
        self._open = None
        self._batch = self._new_batch()

    def _new_batch(self) -> Batch[S]:
        return Batch(self._store, self._codec, self._due)

    # --- ticks

    def _next_tick(self, batch: Batch[S]) -> bool:
        """Make the next tick that advances `at` the current one, with its policy at hand."""
        while self._tick is None:
            if not self._ticks:
                self.waiting = Waiting(WAITING_FOR_TICK, self._processor.clock, self._clock_offset)
                return False
            tick = self._read_tick(self._ticks[0], batch)
            if tick is not None and tick.at > self._at:
                self._tick = tick
            else:
                self._clock_offset = self._ticks.popleft().offset + 1
                batch.ignored_ticks += 1
        name = self._tick.policy
        if name not in self._deployment.policies:
            self.waiting = Waiting(WAITING_FOR_POLICY, policy=name)
            return False
        self._policy = self._deployment.policies[name]
        self._policy_hash = name
        self.waiting = None
        return True

    def _read_tick(self, record: InputRecord, batch: Batch[S]) -> Tick | None:
        clock = self._processor.clock
        decoded = decode(clock, record.key, record.value, record.headers)
        if isinstance(decoded, Envelope) and isinstance(decoded.data, Tick):
            return decoded.data
        reason = decoded if isinstance(decoded, Rejected) else Rejected(DeadReason.WRONG_TOPIC, "not a tick")
        self._bury(clock, record, reason.reason, reason.detail, batch)
        batch.counted[clock, Verdict.DEAD] += 1
        return None

    def _end_epoch(self, batch: Batch[S]) -> None:
        tick = self._current()
        for topic in self._processor.reads:
            self._done[topic] = max(self._done[topic], tick.barriers.get(topic, 0))
        self._clock_offset = self._ticks.popleft().offset + 1
        self._at = tick.at
        self._tick = None
        self._spent.clear()
        self._woken = 0
        batch.ticks += 1
        summary = self._tally.summary(tick.at)
        if summary.has_content:
            batch.epochs.append(summary)
            self._tally = Tally()

    def _current(self) -> Tick:
        if self._tick is None:
            raise BrokenInvariant("no tick is being applied")
        return self._tick

    # --- facts

    def _apply_facts(self, batch: Batch[S]) -> bool:
        """Apply the facts below the barriers; False when the transaction is full or records are missing."""
        barriers = self._current().barriers
        for topic in self._processor.reads:
            barrier = max(barriers.get(topic, 0), self._done[topic])
            queue = self._facts[topic]
            while queue and queue[0].offset < barrier:
                if batch.size >= self._limits.facts_and_wakes:
                    return False
                record = queue.popleft()
                self._apply_fact(topic, record, batch)
                self._done[topic] = record.offset + 1
                self.in_hand = None
            if self._read[topic] < barrier:
                self.waiting = Waiting(WAITING_FOR_RECORDS, topic, barrier)
                return False
        return True

    def _apply_fact(self, topic: str, record: InputRecord, batch: Batch[S]) -> None:
        batch.facts += 1
        self.in_hand = topic, record.offset, None
        entry = self._entry_of(record.key, batch)
        decoded = self._refused(topic, record, entry, batch) or decode(topic, record.key, record.value, record.headers)
        if isinstance(decoded, Envelope):
            name = entry.name if entry is not None else ""
            fact = Fact(topic, name, decoded.id, decoded.source, decoded.data, decoded.replaces)
            batch.applied.append((decoded.id, topic, record))
            self._aside.release(fact)
            verdict = self._apply_readable(fact, entry, record, batch)
        else:
            verdict = self._apply_unreadable(decoded, topic, entry, record, batch)
        batch.counted[topic, verdict] += 1
        self._tally.facts[verdict] += 1

    def _apply_readable(self, fact: Fact, entry: Entry[S] | None, record: InputRecord, batch: Batch[S]) -> Verdict:
        if entry is None:
            raise BrokenInvariant(f"{fact.topic}: a readable fact without a key")
        step = self._call(entry, fact)
        batch.update(entry, step, step.wake_at)
        if step.dead is not None:
            self._bury(fact.topic, record, step.dead, "impossible for what is known", batch)
            self._doubt(fact.topic, entry, step.dead, record, batch)
        return verdict_of(step)

    def _apply_unreadable(
        self, rejected: Rejected, topic: str, entry: Entry[S] | None, record: InputRecord, batch: Batch[S]
    ) -> Verdict:
        """Bury the record, and let the core doubt the key that it was about, where that key is readable and ours."""
        self._bury(topic, record, rejected.reason, rejected.detail, batch)
        if entry is not None and rejected.reason is not DeadReason.MISROUTED_KEY:
            self._doubt(topic, entry, rejected.reason, record, batch)
        return Verdict.DEAD

    def _doubt(self, topic: str, entry: Entry[S], reason: str, record: InputRecord, batch: Batch[S]) -> None:
        """Tell the core that a record about the key became a dead letter: it may have been a payment or a hold."""
        place = coordinates(topic, self.partition, record.offset)
        step = self._call(entry, Unreadable(topic, entry.name, reason, place))
        batch.update(entry, step, step.wake_at)

    def _call(self, entry: Entry[S], fact: Input) -> Step[S]:
        step = self._decide(entry.state, entry.name, fact, self._current().at, self._policy)
        if step.events:
            raise BrokenInvariant(f"{self._processor.name}: a fact emitted events; only ticks act")
        return step

    def _entry_of(self, key: bytes | None, batch: Batch[S]) -> Entry[S] | None:
        return None if key is None or decode_key(key) is None else batch.entry(key)

    def _refused(self, topic: str, record: InputRecord, entry: Entry[S] | None, batch: Batch[S]) -> Rejected | None:
        """Refuse what no core is to see: only a new key can lie on the wrong partition, a known one was checked."""
        if self._quarantined and (topic, record.offset) in self._quarantined:
            return Rejected(DeadReason.QUARANTINED, "an operator took it out of the way of this service")
        if entry is not None and batch.is_full(entry, record.value):
            return Rejected(
                DeadReason.BOUND_EXCEEDED, f"more is known of the key than {STATE_BYTES_MAX} bytes can hold"
            )
        if entry is None or entry.state is not None:
            return None
        misrouted = self._topology.misrouted(topic, entry.key, self.partition)
        return None if misrouted is None else Rejected(DeadReason.MISROUTED_KEY, misrouted)

    def _bury(
        self, topic: str, record: InputRecord, reason: str, detail: str, batch: Batch[S], place: str | None = None
    ) -> None:
        """Write the dead letter, if this service owns the topic or is alone with it; count it in any case."""
        self._tally.dead[str(reason)] += 1
        batch.buried[topic, str(reason)] += 1
        if topic not in self._owned and reason != DeadReason.QUARANTINED:
            return
        at = self._at if self._tick is None else self._tick.at
        place = place or coordinates(topic, self.partition, record.offset)
        output = dead_letter(place, record, self._processor.name, at, reason, detail)
        batch.publish(DEAD_LETTERS, self._topology.partition_of(DEAD_LETTERS, output.key), output)
        self._tally.outputs[DEAD_LETTERS] += 1

    # --- wakes

    def _apply_wakes(self, batch: Batch[S]) -> bool:
        """Wake every key whose instant has come; False when the transaction is full and more are due."""
        tick = self._current()
        if self._ticks[0].offset < self._progress.born_at_clock_offset:
            return True
        wake = Wake(tick, self._spent)
        while self._due.is_due(tick.at):
            room = self._limits.facts_and_wakes - batch.size
            if room <= 0:
                return False
            for due_at, key in self._due.take(tick.at, room):
                entry = batch.entry(key)
                if entry.wake_at == due_at:
                    self._wake(entry, wake, tick, batch)
        return True

    def _wake(self, entry: Entry[S], wake: Wake, tick: Tick, batch: Batch[S]) -> None:
        batch.wakes += 1
        self._woken += 1
        self._tally.wakes += 1
        until = self._aside.until(entry.name, tick.at)
        if until is not None:
            self._tally.skips[PUT_ASIDE] += 1
            batch.update(entry, Step(entry.state), until)
            return
        given = self._put_aside(entry, tick, batch) or wake
        self.in_hand = self._processor.clock, self._ticks[0].offset, entry.name
        step = self._decide(entry.state, entry.name, given, tick.at, self._policy)
        self.in_hand = None
        # Never again in this tick: else a tick cut into two transactions would wake a key twice (rule 5).
        soonest = self._aside.until(entry.name, tick.at) or tick.at + 1
        batch.update(entry, step, None if step.wake_at is None else max(step.wake_at, soonest))
        self._spent.update(step.spends)
        for skip in step.skips:
            self._tally.skips[skip.reason] += 1
        for ordinal, emit in enumerate(step.events):
            self._emit(emit, entry.name, tick.at, ordinal, batch)

    def _put_aside(self, entry: Entry[S], tick: Tick, batch: Batch[S]) -> PutAside | None:
        """Pass this wake by where an operator said so: a dead letter, and the key is not woken for a while."""
        record = self._ticks[0]
        place = self._aside.put(entry.name, record.offset, tick.at)
        if place is None:
            return None
        lost, clock = LostWake(record.offset, entry.key, record.value, record.headers), self._processor.clock
        self._bury(clock, lost, DeadReason.QUARANTINED, "an operator put its key aside", batch, place)
        return PutAside(clock, place)

    def _emit(self, emit: Emit, cause: str, at: int, ordinal: int, batch: Batch[S]) -> None:
        name = self._processor.name
        if emit.topic not in self._writes:
            raise BrokenInvariant(f"{name} does not write {emit.topic}")
        output = event_output(name, self.partition, cause, at, ordinal, emit)
        batch.publish(emit.topic, self._topology.partition_of(emit.topic, output.key), output)
        batch.emitted.append(Emitted(output.id, at, emit.topic, emit.key, emit.data))
        self._tally.outputs[emit.topic] += 1

    # --- the end of a transaction

    def _close(self, batch: Batch[S], *, durable: bool) -> Transaction:
        progress = replace(
            self._progress,
            n=self._n + 1 if durable else self._n,
            at=self._at,
            clock_offset=self._clock_offset,
            offsets=dict(self._done),
            build=self._deployment.build,
            policy=self._policy_hash,
            counts=batch.counts(self._progress.counts, self._all_inputs),
            spent=dict(self._spent),
            woken=self._woken,
            state_format=self._codec.format,
            aside=self._aside.kept(self._at),
        )
        changes = batch.changes()
        if durable:
            records = {**changes.records, PROGRESS_KEY: encode_progress(progress)}
            changes = Changes(records, changes.due_removed, changes.due_added)
        self._open = Transaction(
            partition=self.partition,
            progress=progress,
            durable=durable,
            changes=changes,
            outputs=batch.outputs,
            epochs=tuple(batch.epochs),
            ticks=batch.ticks,
            ignored_ticks=batch.ignored_ticks,
            facts=batch.facts,
            wakes=batch.wakes,
            counted=batch.counted,
            buried=batch.buried,
            applied=batch.applied,
            emitted=batch.emitted,
        )
        return self._open
