"""One owned partition at work: compute, commit, write locally, report, again. All owned partitions run concurrently."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError, ProducerFenced

from shared.engine.epoch import EpochLoop
from shared.engine.state import UnusableState
from shared.engine.transaction import Headers, Transaction
from shared.engine.waiting import WAITING_FOR_TICK
from shared.runtime.crash_points import CrashPoint, CrashPoints
from shared.runtime.delays import origin_header
from shared.runtime.log_redaction import name_of
from shared.runtime.metrics import Metrics
from shared.runtime.partition_producer import PartitionProducer
from shared.runtime.refusals import reason_of_error
from shared.runtime.reporter import Reporter
from shared.runtime.stop import StopReason, stop
from shared.runtime.store import is_of_the_disk
from shared.runtime.system_clock import now_ms

if TYPE_CHECKING:
    from shared.runtime.tracing import Tracing

YIELD_SECONDS: Final = 0.01


class PartitionWorker:
    """Drives one epoch loop. A commit whose outcome is in doubt ends the process: the broker holds the truth."""

    def __init__(
        self,
        partition: int,
        producer: PartitionProducer,
        reporter: Reporter,
        metrics: Metrics,
        crash_points: CrashPoints,
        deadline_seconds: float,
        drained: Callable[[EpochLoop[Any]], None],
    ) -> None:
        self.partition = partition
        self.producer = producer
        self.loop: EpochLoop[Any] | None = None
        self.news = asyncio.Event()
        self.waiting_since: float | None = None
        self.settled_at = monotonic()
        self._reporter = reporter
        self._metrics = metrics
        self._crash_points = crash_points
        self._deadline_seconds = deadline_seconds
        self._drained = drained
        self._accepting = False
        self._task: asyncio.Task[None] | None = None

    def start(self, loop: EpochLoop[Any]) -> None:
        """Go to work on a loop whose inputs were sought to its progress."""
        self.loop = loop
        self.settled_at = monotonic()
        self._accepting = True
        self._task = asyncio.get_running_loop().create_task(self._run(loop), name=f"partition-{self.partition}")

    async def quiesce(self) -> None:
        """Let an open transaction finish, then stand still; what is queued will be read again."""
        self._accepting = False
        self.news.set()
        task, self._task = self._task, None
        if task is not None:
            await asyncio.wait([task])
        self.loop = None

    async def _run(self, loop: EpochLoop[Any]) -> None:
        try:
            await self._work(loop)
        except ProducerFenced as error:
            stop(StopReason.FENCED, f"partition {self.partition}: {name_of(error)}")
        except UnusableState as error:
            stop(StopReason.UNREADABLE_STATE, f"partition {self.partition}: {name_of(error)}")
        except (KafkaError, TimeoutError) as error:
            reason = reason_of_error(error, StopReason.DOUBT)
            stop(reason, f"partition {self.partition}: the outcome of a commit is unknown: {name_of(error)}")
        except Exception as error:
            self._metrics.log.exception("broken invariant", partition=self.partition)
            if is_of_the_disk(error):
                stop(StopReason.DISK_UNUSABLE, f"partition {self.partition}: the local store cannot be written")
            self._stop_at_input(loop, error)
            stop(StopReason.DOUBT, f"partition {self.partition}: {type(error).__name__}")

    def _stop_at_input(self, loop: EpochLoop[Any], error: Exception) -> None:
        """Where the core crashed at a fact or at a key's wake, say which, and how it is taken out of the way."""
        if loop.in_hand is not None:
            topic, offset, key = loop.in_hand
            what = f"{type(error).__name__} at {topic}/{self.partition}/{offset}"
            woken = "" if key is None else f" --key {shlex.quote(key)}"
            command = f"duecourse quarantine {loop.service} {topic} {self.partition} {offset}{woken} --reason TEXT"
            stop(StopReason.CORE_CRASHED, f"{what}: `{command}`")

    async def _work(self, loop: EpochLoop[Any]) -> None:
        last_yield = monotonic()
        while self._accepting:
            self.news.clear()
            started = monotonic()
            transaction = loop.advance()
            self._drained(loop)
            if transaction is None:
                self._note_waiting(loop)
                await self.news.wait()
                last_yield = monotonic()
                continue
            self.waiting_since = None
            await self._settle(loop, transaction, started)
            if monotonic() - last_yield > YIELD_SECONDS:
                await asyncio.sleep(0)
                last_yield = monotonic()

    async def _settle(self, loop: EpochLoop[Any], transaction: Transaction, began: float) -> None:
        offset, started = None, monotonic()
        origins = self._metrics.delays.origins(transaction)
        if transaction.durable:
            await self._reporter.settled(self.partition)
            marked = {event_id: origin_header(origin) for event_id, origin in origins.items()}
            tracing = self._metrics.tracing
            if tracing is None:
                offset = await self._commit(transaction, marked)
            else:
                offset = await self._traced(tracing, transaction, marked, done_in=started - began)
        loop.committed(transaction, offset)
        if transaction.durable:
            self._crash_points.pass_by(CrashPoint.AFTER_STORE)
        self._reporter.note(self.partition, transaction.progress)
        self.settled_at = done = monotonic()
        self._metrics.saw_transaction(transaction, done - started, epoch_seconds=done - began, origins=origins)

    async def _commit(self, transaction: Transaction, marked: Mapping[str, Headers]) -> int:
        return await asyncio.wait_for(self.producer.commit(transaction, marked), self._deadline_seconds)

    async def _traced(
        self, tracing: Tracing, transaction: Transaction, marked: Mapping[str, Headers], *, done_in: float
    ) -> int:
        """Commit with the context of each event beside it; tell the spans when it is done."""
        traced = tracing.begin(transaction, now_ms() - int(done_in * 1000))
        both = {name: (*marked.get(name, ()), *headers) for name, headers in traced.headers.items()}
        offset = await self._commit(transaction, both)
        tracing.end(traced, now_ms())
        return offset

    def _note_waiting(self, loop: EpochLoop[Any]) -> None:
        """Remember since when the loop waits for anything but the next tick."""
        if loop.waiting is None or loop.waiting.what == WAITING_FOR_TICK:
            self.waiting_since = None
        elif self.waiting_since is None:
            self.waiting_since = monotonic()
