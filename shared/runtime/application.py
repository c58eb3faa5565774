"""A service as a Faust app: `create_app` puts the shell around a processor, `run_app` runs it until told to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final, NoReturn

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.sensors import Monitor

from shared.contract.ticks import TimeMode
from shared.engine.census import Count
from shared.engine.processor import Processor
from shared.runtime.assignor import WholeAssignor
from shared.runtime.census import Census
from shared.runtime.consumer import SCHEME
from shared.runtime.faust_credentials import faust_credentials
from shared.runtime.health import HealthListener
from shared.runtime.local_disk import LocalDisk
from shared.runtime.log_lines import configure, count_lines_with, tell_the_uncaught
from shared.runtime.membership import require_group
from shared.runtime.metric_catalogue import ENDS
from shared.runtime.metrics import CLEAN_END, KILLED_END
from shared.runtime.past_ends import PastEnds
from shared.runtime.private_attributes import shorten_concurrent_backoff
from shared.runtime.readiness import obstacle
from shared.runtime.recovery import EpochTable, EpochTableManager
from shared.runtime.refusals import reason_of_error
from shared.runtime.settings import Settings
from shared.runtime.shell import Shell
from shared.runtime.startup_checks import require_assertions, require_topics, stop_where_refused
from shared.runtime.stop import StopReason, before_stop, stop
from shared.runtime.visibility import WATCH_SECONDS, RecoveryWatch, WaitWatch, once_answered, watch_outputs
from shared.runtime.vital_signs import VitalSigns

CONCURRENT_BACKOFF_SECONDS: Final = 0.002
HEARTBEAT_SECONDS: Final = 1.0
STILL_SECONDS: Final = 30.0
CANCELLED_SECONDS_MAX: Final = 1.0
# Each partition has a store of its own, with a cache and up to three write buffers: what is generous here is taken as
# often as there are partitions. A state is read once per transaction, and the page cache of the system helps.
STORE_OPTIONS: Final = {
    "block_cache_size": 8 * 1024 * 1024,
    "write_buffer_size": 4 * 1024 * 1024,
    "max_open_files": 256,
    "bloom_filter_size": 10,
}


class SilentMonitor(Monitor):  # type: ignore[misc]
    """Faust's monitor without its table of messages: records do not pass through Faust."""

    def on_message_in(self, tp: Any, offset: int, message: Any) -> None:
        """Take note of nothing."""


class PromptWorker(faust.Worker):  # type: ignore[misc]
    """Faust's worker, which does not rest when everything has ended."""

    async def _sentinel_task(self) -> None:
        """Wait for what was cancelled to end: Faust waits a second, whether there is anything or not."""
        cancelled = asyncio.all_tasks() - {asyncio.current_task()}
        if cancelled:
            await asyncio.wait(cancelled, timeout=CANCELLED_SECONDS_MAX)


class ServiceApp(faust.App):  # type: ignore[misc]
    """A Faust app that runs one processor's partitions through a shell."""

    shell: Shell
    state_table: EpochTable
    disk: LocalDisk
    health: HealthListener | None = None
    vitals: VitalSigns
    census: Census
    ends: PastEnds
    beat_at: float = 0.0
    beating: asyncio.Task[None] | None = None
    has_started: bool = False

    async def on_first_start(self) -> None:
        """Tell from now on how it goes, and check everything before joining the group.

        Faust's own tasks begin after the recovery: one that takes long, or never ends, must be seen.
        """
        self.beating = asyncio.get_running_loop().create_task(self._beat(), name="heartbeat")
        self.add_future(self.vitals.watch())
        await require_topics(self.shell.settings, self.shell.processor)
        await require_group(self.shell.settings, self.shell.processor.name)
        await super().on_first_start()

    async def on_shutdown(self) -> None:
        """Let the heartbeat end last; a worker waits a second for tasks that go on."""
        await super().on_shutdown()
        if self.beating is not None:
            self.beating.cancel()

    async def _beat(self) -> None:
        """Tell the health listener's thread that the event loop goes round, from before the first question on."""
        while True:
            self.beat_at = monotonic()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def not_alive(self) -> str | None:
        """Return why the process should be killed, None when it is alive."""
        silent = monotonic() - self.beat_at
        return f"the event loop has stood still for {silent:.0f} s" if silent > STILL_SECONDS else None

    def not_started(self) -> str | None:
        """Return why the service was never ready yet, None from its first readiness on: recovery may take long."""
        return None if self.has_started else self.not_ready()

    def not_ready(self) -> str | None:
        """Return why the service makes no progress, None when it does."""
        reason = self._obstacle()
        self.has_started = self.has_started or reason is None
        return reason

    def _obstacle(self) -> str | None:
        if self.should_stop:
            return "draining: told to end"
        if not self.shell.accepting:
            return "partitions are being assigned or recovered"
        now, true_time = monotonic(), self.shell.settings.mode is TimeMode.WALL
        for worker in list(self.shell.workers.values()):
            loop, since = worker.loop, worker.waiting_since
            waiting, waited = (None, None) if loop is None else (loop.waiting, None if since is None else now - since)
            found = obstacle(worker.partition, waiting, waited, now - worker.settled_at, true_time=true_time)
            if found is not None:
                return found
        return None


def create_app(
    processor: Processor[Any], settings: Settings, policies: Mapping[str, Any], census: Count | None = None
) -> ServiceApp:
    """Return the service as a Faust app. `policies` are all that it knows, by hash; ticks say which one decides.

    `census` says what to count of each state that is kept.
    """
    require_assertions()
    shorten_concurrent_backoff(CONCURRENT_BACKOFF_SECONDS)
    disk = LocalDisk(settings.data_directory / processor.name / (settings.instance or "any"))
    partitions = settings.topology.partitions[processor.clock]
    logging_config = configure(
        json=settings.log_json,
        level=settings.log_level,
        decisions_per_second=settings.log_decisions_per_second,
        service=processor.name,
    )
    wiped = disk.open()
    structlog.get_logger("service").info("starting", wiped_store=wiped, build=settings.build, mode=settings.mode.value)
    app = ServiceApp(
        settings.group(processor.name),
        broker=f"{SCHEME}://{settings.broker}",
        broker_credentials=faust_credentials(settings.security),
        datadir=str(disk.directory),
        consumer_group_instance_id=settings.instance or None,
        topic_partitions=partitions,
        topic_replication_factor=settings.replication_factor,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=min(3.0, settings.session_timeout_seconds / 4),
        consumer_max_fetch_size=settings.fetch_bytes_max,
        logging_config=logging_config,
        **_FAUST,
    )
    app.disk = disk
    app.state_table = app.tables.add(
        EpochTable(
            app,
            name="state",
            key_type=bytes,
            value_type=bytes,
            partitions=partitions,
            changelog_topic=app.topic(
                settings.changelog(processor.name),
                key_type=bytes,
                value_type=bytes,
                partitions=partitions,
                compacting=True,
            ),
            options=dict(STORE_OPTIONS),
        )
    )
    app.shell = Shell(app, processor, settings, policies)
    if not app.shell.pseudonyms.of_deployment:
        structlog.get_logger("service").warning("no log key", why="names of borrowers and loans hold for this process")
    _measure(app, census, policies)
    _subscribe(app)
    _attend(app)
    return app


_FAUST: Final[dict[str, Any]] = {
    "TableManager": EpochTableManager,
    "Monitor": SilentMonitor,
    "PartitionAssignor": WholeAssignor,
    "store": "rocksdb://",
    "key_serializer": "raw",
    "value_serializer": "raw",
    "topic_disable_leader": True,
    "topic_allow_declare": False,
    "web_enabled": False,
    "table_standby_replicas": 0,
    "processing_guarantee": "at_least_once",
    "broker_commit_interval": 3600.0,
    "stream_wait_empty": True,
    "worker_redirect_stdouts": False,
}


def _subscribe(app: ServiceApp) -> None:
    """Make Faust subscribe to all inputs; their records never enter this stream."""
    topics = [app.shell.settings.topic(topic) for topic in app.shell.inputs]

    async def idle(stream: AsyncIterator[Any]) -> None:
        async for _ in stream:
            stop(StopReason.DOUBT, "a record has strayed into Faust's stream")

    app.agent(app.topic(*topics), name="epochs")(idle)


def _attend(app: ServiceApp) -> None:
    """Start what runs beside the partitions: census, waiting watch, a look at the outputs, the health listener."""
    settings, shell = app.shell.settings, app.shell

    @app.task  # type: ignore[untyped-decorator]
    async def take_census() -> None:
        await app.census.run()

    @app.task  # type: ignore[untyped-decorator]
    async def watch_waiting() -> None:
        watch = WaitWatch(settings)

        async def look() -> None:
            workers = list(shell.workers.values())
            await watch.look([(w.loop, w.waiting_since) for w in workers if w.loop is not None])

        while not app.should_stop:
            await app.sleep(WATCH_SECONDS)
            await once_answered(look)

    @app.task  # type: ignore[untyped-decorator]
    async def watch_recovery() -> None:
        watch = RecoveryWatch()
        while not app.should_stop:
            await app.sleep(WATCH_SECONDS)
            recovery = app.tables.recovery
            watch.look(at_work=shell.accepting, owned=recovery.active_tps, read=recovery.active_offsets)

    @app.task  # type: ignore[untyped-decorator]
    async def watch_entrance() -> None:
        while not app.should_stop:
            await app.sleep(settings.refused_seconds)
            if app.not_ready() is not None:
                await stop_where_refused(settings)
                await require_group(settings, shell.processor.name)

    @app.task  # type: ignore[untyped-decorator]
    async def look_at_outputs() -> None:
        await once_answered(partial(watch_outputs, settings, shell.processor.writes))


def _measure(app: ServiceApp, count: Count | None, policies: Mapping[str, Any]) -> None:
    """Give the app what measures it: vital signs, census, and the note of how former processes ended."""
    shell, directory = app.shell, app.disk.directory
    board = shell.metrics.board
    app.ends = PastEnds(directory)
    for reason, count_of in app.ends.opened(KILLED_END).items():
        board.add(ENDS, count_of, reason)
    before_stop(app.ends.note)
    count_lines_with(board.count_line, board.count_cut_line)
    app.census = Census(shell, board, count, policies)
    app.vitals = VitalSigns(
        shell,
        board,
        directory,
        ready=app.not_ready,
        ends=lambda: app.consumer.thread.ends,
        recovering=lambda: app.tables.recovery.active_remaining() if app.in_recovery else {},
    )


def _listen(app: ServiceApp) -> None:
    """Answer health questions from before the first connection on."""
    settings, registry = app.shell.settings, app.shell.metrics.registry
    if settings.health_address:
        app.beat_at = monotonic()
        app.health = HealthListener(
            settings.health_address, registry, live=app.not_alive, ready=app.not_ready, started=app.not_started
        )
        app.health.start()
        structlog.get_logger("health").info("listening", port=app.health.port)


def _note_clean_end(app: ServiceApp) -> None:
    """Note that the store can be trusted; on a full disk it will be recovered, and the end is as clean as asked."""
    try:
        app.disk.mark_clean()
        app.ends.note(CLEAN_END)
    except OSError as error:
        structlog.get_logger("service").warning("clean end not noted", why=error.strerror)


def doubt_the_silent(end: SystemExit) -> None:
    """Stop by name where Faust's worker ends because the broker did not answer one of its own parts.

    It ends with exit code 1 for any error, and that code is for mistakes of ours.
    """
    if isinstance(end.__context__, KafkaError):
        reason = reason_of_error(end.__context__, StopReason.DOUBT)
        stop(reason, f"the broker did not answer: {type(end.__context__).__name__}")


def run_app(app: ServiceApp) -> NoReturn:
    """Run the service until it is told to end; only a clean end makes its local store trusted at the next start."""
    tell_the_uncaught()
    _listen(app)
    worker = PromptWorker(app, quiet=True, loglevel=app.shell.settings.log_level)
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        if not end.code:
            _note_clean_end(app)
        doubt_the_silent(end)
        raise
    finally:
        if app.health is not None:
            app.health.stop()
        if app.shell.metrics.tracing is not None:
            app.shell.metrics.tracing.close()
    raise SystemExit(0)
