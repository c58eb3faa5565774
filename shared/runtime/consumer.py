"""Faust's consumer, with fetched record lists going straight to the partition loops: that is where the speed is."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.errors import OffsetOutOfRangeError
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from shared.runtime.consumer_thread import EpochConsumerThread
from shared.runtime.kafka_offsets import LogEnds
from shared.runtime.membership import require_own_name
from shared.runtime.private_attributes import is_stopped
from shared.runtime.refusals import ACCESS_DENIED
from shared.runtime.stop import StopReason, stop
from shared.runtime.visibility import stop_out_of_range

POLL_SECONDS: Final = 0.25
POLL_BUSY_SECONDS: Final = 0.05
NOTHING_ACTIVE_SECONDS: Final = 0.02
SCHEME: Final = "epochs"


class EpochConsumer(driver.Consumer):  # type: ignore[misc]
    """Delivers to the shell; offsets are never committed by Faust, whose commit paths are answered here."""

    _member = ""

    def _new_consumer_thread(self) -> EpochConsumerThread:
        return EpochConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def thread(self) -> EpochConsumerThread:
        """The thread of aiokafka's consumer."""
        return self._thread  # type: ignore[no-any-return]

    async def highwaters(self, *partitions: TP) -> dict[TP, int]:
        """Return the visible ends of logs, by a connection of its own: the consumer's is busy waiting for records."""
        if not partitions:
            return {}
        async with LogEnds(self.app.shell.settings.access, uncommitted=False) as logs:
            return {TP(*tp): end for tp, end in (await logs.ends(partitions)).items()}

    async def earliest_offsets(self, *partitions: TP) -> dict[TP, int]:
        """Return the starts of logs."""
        if not partitions:
            return {}
        async with LogEnds(self.app.shell.settings.access, uncommitted=False) as logs:
            return {TP(*tp): start for tp, start in (await logs.starts(partitions)).items()}

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002
        """Answer Faust's commit timer: progress is reported by the shell."""
        return False

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: FBT001, FBT002
        """Answer Faust's forced commit in the same way."""
        return False

    async def wait_empty(self) -> None:
        """Let open transactions finish, on revocation and shutdown."""
        await self.app.shell.quiesce()

    async def on_stop(self) -> None:
        """Let open transactions finish and close the producers."""
        await self.app.shell.quiesce()
        await self.app.shell.close()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Remember under which name the broker has just given us these partitions."""
        self._member = self.thread.member
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish what is open first, forget afterwards; but stop where somebody else has our name."""
        shell = self.app.shell
        if revoked and shell.settings.instance and not self.thread.member:
            await require_own_name(shell.settings, shell.processor.name, self._member)
        if self._active_partitions is not None:
            self._active_partitions.difference_update(revoked)
        self._paused_partitions.difference_update(revoked)
        await self.app.shell.quiesce()
        self.thread.expect_new_places()  # from here on nobody seeks until the next partitions are placed
        await self._on_partitions_revoked(revoked)

    async def perform_seek(self) -> None:
        """Seek every input to where its partition's progress stands."""
        await self.app.shell.seek()

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (is_stopped(self) or is_stopped(fetcher)):
                await self._poll()
        except OffsetOutOfRangeError as error:
            await stop_out_of_range(self.app.shell.settings, error.args[0])
        except ACCESS_DENIED as error:
            stop(StopReason.ACCESS_DENIED, type(error).__name__)
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    async def _poll(self) -> None:
        app = self.app
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
            return
        active = self._get_active_partitions()
        if not active:
            await asyncio.sleep(NOTHING_ACTIVE_SECONDS)
            return
        busy = app.in_recovery or bool(self._buffered_partitions)
        fetched = await self._getmany(active_partitions=active, timeout=POLL_BUSY_SECONDS if busy else POLL_SECONDS)
        if self.should_stop:
            return
        if not self.flow_active:
            if fetched:
                await self.perform_seek()  # what is dropped here must be read again
            return
        await self._deliver(fetched or {})

    async def _deliver(self, fetched: Any) -> None:
        app, thread = self.app, self.thread
        generation = app.consumer_generation_id
        recovery, changelogs = app.tables.recovery, app.tables.changelog_topics
        for tp, found in fetched.items():
            if found.seeks != thread.seeks[tp] or app.consumer_generation_id != generation or not self.flow_active:
                continue
            if tp.topic in changelogs:
                if tp in self._get_active_partitions() and found.records:
                    recovery.restore(tp, found.records)
                    await asyncio.sleep(0)
            elif tp in self._get_active_partitions() or tp in self._buffered_partitions:
                app.shell.feed(tp, found.records, found.position)
        known = list(thread.changelog_positions.items())
        recovery.reached({tp: position for tp, (seeks, position) in known if seeks == thread.seeks[tp]})


class EpochTransport(driver.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with our consumer."""

    Consumer = EpochConsumer


TRANSPORTS.aliases[SCHEME] = "shared.runtime.consumer:EpochTransport"
