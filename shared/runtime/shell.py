"""What stands between Faust and the epoch loops of one service: fence, place, feed, quiesce."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from faust.types import TP

from shared.engine.deployment import passing_by
from shared.engine.epoch import Deployment, EpochLoop, Limits
from shared.engine.processor import Processor
from shared.engine.progress import (
    ChangelogLost,
    HistoryLost,
    Progress,
    Reported,
    StateTooNew,
    UnusableProgress,
    birth,
    decode_progress,
    parse_metadata,
    require_history,
    require_readable,
    resume,
)
from shared.engine.store import PROGRESS_KEY
from shared.runtime.control import read_control
from shared.runtime.crash_points import CrashPoint, CrashPoints
from shared.runtime.kafka_offsets import LogEnds
from shared.runtime.log_redaction import name_of
from shared.runtime.metric_catalogue import REBALANCE_SECONDS, RECOVERY_SECONDS
from shared.runtime.metrics import Metrics
from shared.runtime.partition_producer import PartitionProducer
from shared.runtime.partition_worker import PartitionWorker
from shared.runtime.private_attributes import buffered_partitions
from shared.runtime.pseudonyms import Pseudonyms, deployment_key
from shared.runtime.published import read_published
from shared.runtime.records import deployment_of
from shared.runtime.reporter import Reporter
from shared.runtime.settings import Settings
from shared.runtime.stop import StopReason, stop
from shared.runtime.store import RocksStore
from shared.runtime.trace_export import tracing_from
from shared.runtime.visibility import require_places, require_visible

RESUME_FRACTION: Final = 2


@dataclass(frozen=True, slots=True)
class Logs:
    """Where the logs of some partitions begin and end, and what the group has committed, with metadata."""

    starts: Mapping[tuple[str, int], int]
    ends: Mapping[tuple[str, int], int]
    committed: Mapping[TP, tuple[int, str]]


class Shell:
    """The owned partitions of one process. Between `quiesce` and `resume` nothing is accepted."""

    def __init__(self, app: Any, processor: Processor[Any], settings: Settings, policies: Mapping[str, Any]) -> None:
        self._app = app
        self.processor = processor
        self.settings = settings
        limits = Limits(settings.facts_and_wakes_max, settings.ticks_max)
        self.deployment = Deployment(settings.topology, policies, settings.build, limits)
        self.inputs = (*processor.reads, processor.clock)
        self._physical = {topic: settings.topic(topic) for topic in self.inputs}
        self._logical = {name: topic for topic, name in self._physical.items()}
        self.crash_points = CrashPoints()
        self.pseudonyms = Pseudonyms(deployment_key(settings))
        self.metrics = Metrics(processor, policies, settings.build, self.pseudonyms)
        self.metrics.tracing = tracing_from(os.environ, processor.name, settings, self.pseudonyms)
        self.reporter = Reporter(self._commit, processor.clock, self._physical, self.crash_points)
        self.workers: dict[int, PartitionWorker] = {}
        self._placed: dict[int, EpochLoop[Any]] = {}
        self._accepting = False
        self._revocations = 0
        self._fenced_at = -1
        self._reporting: asyncio.Task[None] | None = None
        self._left_at = self._fenced_since = monotonic()

    @property
    def accepting(self) -> bool:
        """Whether the owned partitions are at work."""
        return self._accepting

    def store_of(self, partition: int) -> RocksStore:
        """Return the store of an owned partition."""
        store: RocksStore = self._app.state_table.store_of(partition)
        return store

    # --- assignment

    async def fence(self, partitions: Sequence[int]) -> None:
        """Become the only writer of these partitions, and make sure that nothing in their changelogs hangs."""
        self._fenced_at = self._revocations
        self._fenced_since = monotonic()
        former, self.workers, self._placed = list(self.workers.values()), {}, {}
        self.reporter.forget()
        await asyncio.gather(*(worker.producer.close() for worker in former))
        workers = [self._new_worker(partition) for partition in partitions]
        topics = [self.settings.topic(topic) for topic in self.processor.writes]
        await asyncio.gather(*(worker.producer.fence(topics) for worker in workers))
        self.workers = {worker.partition: worker for worker in workers}
        changelog = self.settings.changelog(self.processor.name)
        await require_visible(self.settings, [TP(changelog, partition) for partition in partitions])

    def _new_worker(self, partition: int) -> PartitionWorker:
        producer = PartitionProducer(self.settings, self.processor.name, partition, self.crash_points)
        return PartitionWorker(
            partition,
            producer,
            self.reporter,
            self.metrics,
            self.crash_points,
            self.settings.deadline_seconds,
            self._resume_drained,
        )

    async def place(self, partitions: Iterable[int]) -> None:
        """Find out where each partition goes on, and seek its inputs there."""
        self.crash_points.pass_by(CrashPoint.AFTER_RECOVERY)
        owned = list(partitions)
        logs, control = await asyncio.gather(self._read_logs(owned), read_control(self.settings))
        self.metrics.board.observe(RECOVERY_SECONDS, monotonic() - self._fenced_since)
        self.deployment = passing_by(self.deployment, control.quarantined(self.processor.name))
        try:
            await self._require_unborn(owned, logs)
            self._placed = {p: self._new_loop(p, logs) for p in owned if p in self.workers}
        except ChangelogLost as error:
            await self._require_owner(owned)
            stop(StopReason.CHANGELOG_LOST, str(error))
        await require_places(self.settings, self._next_places(self._placed))
        await self._seek(self._placed)

    async def _read_logs(self, owned: Iterable[int]) -> Logs:
        """Ask where the inputs begin and end, and what the group has committed: all at the same time."""
        tps = [TP(name, partition) for name in self._logical for partition in owned]
        async with LogEnds(self.settings.access, uncommitted=False) as ends:
            committed = self._app.consumer.thread.committed(tps)
            return Logs(*await asyncio.gather(ends.starts(tps), ends.ends(tps), committed))

    def _new_loop(self, partition: int, logs: Logs) -> EpochLoop[Any]:
        store = self.store_of(partition)
        try:
            value = store.get(PROGRESS_KEY)
            stored = None if value is None else decode_progress(value)
            progress = resume(stored, self._reported(partition, logs))
            if progress is None:
                progress = self._birth(partition, logs)
            starts = {t: logs.starts.get(TP(name, partition), 0) for t, name in self._physical.items()}
            require_history(progress, self.processor.clock, starts)
            require_readable(progress, len(self.processor.upgrades) + 1)
        except ChangelogLost as error:
            raise ChangelogLost(f"partition {partition}: {error}") from error
        except HistoryLost as error:
            stop(StopReason.HISTORY_LOST, f"partition {partition}: {error}")
        except StateTooNew as error:
            stop(StopReason.UNREADABLE_STATE, f"partition {partition}: {error}")
        except UnusableProgress as error:
            stop(StopReason.UNREADABLE_STATE, f"partition {partition}: {name_of(error)}")
        return EpochLoop(self.processor, self.deployment, partition, store, progress)

    def _reported(self, partition: int, logs: Logs) -> Reported | None:
        clock_offset, text = logs.committed.get(TP(self._physical[self.processor.clock], partition), (0, ""))
        parsed = parse_metadata(text)
        if parsed is None:
            return None
        offsets = {
            topic: logs.committed[TP(name, partition)][0]
            for topic, name in self._physical.items()
            if TP(name, partition) in logs.committed
        }
        return Reported(parsed[0], parsed[1], clock_offset, offsets)

    async def _require_unborn(self, owned: Iterable[int], logs: Logs) -> None:
        """Refuse a second birth: who has said something has lost its memory, if neither log nor group has it."""
        new = {p for p in owned if self.store_of(p).get(PROGRESS_KEY) is None and self._reported(p, logs) is None}
        if not new:
            return
        where = deployment_of(self.settings)
        for partition, published in (await read_published(where, self.processor)).items():
            if partition in new and published.said:
                raise ChangelogLost(f"partition {partition} has said {len(published.said)} things and knows of none")

    async def _require_owner(self, owned: Iterable[int]) -> None:
        """Stop as fenced where a changelog has grown since it was recovered: what others know there we cannot know."""
        recovered = self._app.tables.recovery.active_highwaters
        changelogs = [TP(self.settings.changelog(self.processor.name), partition) for partition in owned]
        async with LogEnds(self.settings.access, uncommitted=True) as ends:
            found = await ends.ends(changelogs)
        taken = [tp.partition for tp in changelogs if found[tp] - 1 > recovered.get(tp, -1)]
        if taken:
            stop(StopReason.FENCED, f"partitions {taken} were taken over before this process knew where to go on")

    def _birth(self, partition: int, logs: Logs) -> Progress:
        """Return the progress of a first start; refuse inputs whose history is cut off, unless loans were boarded."""
        starts = {topic: logs.starts.get(TP(self._physical[topic], partition), 0) for topic in self.processor.reads}
        cut = {topic: offset for topic, offset in starts.items() if offset > 0}
        if cut and not self.settings.boarded:
            stop(StopReason.HISTORY_CUT, f"partition {partition}: first start, but logs begin at {cut}")
        clock = TP(self._physical[self.processor.clock], partition)
        return birth(
            self.processor.reads, logs.ends.get(clock, 0), starts, self.settings.build, logs.starts.get(clock, 0)
        )

    def resume(self, partitions: Sequence[int]) -> bool:
        """Go to work; False when the partitions were revoked since they were fenced: another assignment follows."""
        if self._fenced_at != self._revocations or set(partitions) != set(self._placed):
            return False
        self._accepting = True
        for partition, loop in self._placed.items():
            self.workers[partition].start(loop)
            if loop.progress.n:
                self.reporter.note(partition, loop.progress)
        self._placed = {}
        if self._reporting is None:
            self._reporting = asyncio.get_running_loop().create_task(self.reporter.run(), name="reporter")
        self.metrics.saw_assignment(partitions)
        self.metrics.board.observe(REBALANCE_SECONDS, monotonic() - self._left_at)
        return True

    async def quiesce(self) -> None:
        """Accept nothing more, let open transactions finish, report them."""
        if self._accepting:
            self._left_at = monotonic()
        self._accepting = False
        self._revocations += 1
        if self.workers:
            await asyncio.gather(*(worker.quiesce() for worker in self.workers.values()))
        await self.reporter.report()

    async def close(self) -> None:
        """Close the producers."""
        former, self.workers = list(self.workers.values()), {}
        await asyncio.gather(*(worker.producer.close() for worker in former))
        if self._reporting is not None:
            self._reporting.cancel()
            self._reporting = None

    # --- records

    def feed(self, tp: TP, records: Sequence[Any], position: int | None) -> None:
        """Hand records to their partition's loop; a full queue pauses the partition of that topic."""
        worker = self.workers.get(tp.partition)
        if worker is None or worker.loop is None or not self._accepting:
            return  # a seek follows in each case
        topic = self._logical[tp.topic]
        worker.loop.feed(topic, records, position)
        loop, settings = worker.loop, self.settings
        if loop.queued(topic) >= settings.queue_records_max or loop.queued_bytes(topic) >= settings.queue_bytes_max:
            self._app.consumer.on_buffer_full(tp)
        worker.news.set()

    def _resume_drained(self, loop: EpochLoop[Any]) -> None:
        paused = buffered_partitions(self._app.consumer)
        if not paused:
            return
        enough = self.settings.queue_records_max // RESUME_FRACTION
        bytes_enough = self.settings.queue_bytes_max // RESUME_FRACTION
        for topic, name in self._physical.items():
            tp = TP(name, loop.partition)
            if tp in paused and loop.queued(topic) <= enough and loop.queued_bytes(topic) <= bytes_enough:
                self._app.consumer.on_buffer_drop(tp)

    def paused(self) -> set[TP]:
        """Return the inputs that are not read because their queue is full."""
        return set(buffered_partitions(self._app.consumer))

    async def seek(self) -> None:
        """Seek all inputs to what the loops have not been fed yet."""
        loops = {p: worker.loop for p, worker in self.workers.items() if worker.loop is not None}
        await self._seek(loops)

    async def _seek(self, loops: Mapping[int, EpochLoop[Any]]) -> None:
        positions = self._next_places(loops)
        if positions:
            await self._app.consumer.thread.seek_to(positions)

    def _next_places(self, loops: Mapping[int, EpochLoop[Any]]) -> dict[TP, int]:
        return {
            TP(self._physical[topic], partition): offset
            for partition, loop in loops.items()
            for topic, offset in loop.next_offsets().items()
        }

    async def _commit(self, offsets: Mapping[TP, tuple[int, str]]) -> None:
        await self._app.consumer.thread.commit_with_metadata(offsets)
