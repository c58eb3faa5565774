"""What must hold before a service does anything: otherwise it stops and says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka.errors import KafkaError

from shared.contract.ticks import CONTROL
from shared.contract.topics import DEAD_LETTERS
from shared.engine.processor import Processor
from shared.runtime.knocking import why_refused
from shared.runtime.log_redaction import name_of
from shared.runtime.refusals import ACCESS_DENIED
from shared.runtime.settings import Settings
from shared.runtime.stop import StopReason, stop
from shared.runtime.topics import ACCESS_IS_DENIED, TopicAdmin, TopicFault


def require_assertions(*, enabled: bool = __debug__) -> None:
    """Stop when Python was told to leave out assertions: invariants are checked while running."""
    if not enabled:
        stop(StopReason.ASSERTIONS_OFF, "Python runs with -O")


async def require_topics(settings: Settings, processor: Processor[Any]) -> None:
    """Stop unless all topics of this service are as they must be, and live in the same kind of time.

    A broker that is just coming up, or going away, answers without an answer: that is a stop of its own.
    """
    topics = {*processor.reads, *processor.writes, processor.clock, CONTROL, DEAD_LETTERS}
    names = [settings.topic(topic) for topic in sorted(topics)]
    try:
        async with TopicAdmin(settings) as admin:
            faults = await admin.check([*names, settings.changelog(processor.name)])
    except KafkaError as error:
        await stop_where_refused(settings, error)
        stop(StopReason.FENCE_FAILED, f"the topics cannot be looked at: {type(error).__name__}")
    if not faults:
        return
    stop(reason_of(faults), "; ".join(map(str, faults)))


async def stop_where_refused(settings: Settings, error: Exception | None = None) -> None:
    """Stop by name over a right that is missing, or a refusal behind an error that says only that nobody answers."""
    if isinstance(error, ACCESS_DENIED):
        stop(StopReason.ACCESS_DENIED, name_of(error))
    refusal = await why_refused(settings.access)
    if refusal is not None:
        stop(refusal.reason, refusal.problem)


def reason_of(faults: Sequence[TopicFault]) -> StopReason:
    """Return why to stop for these faults; what is kept too seldom is mended otherwise than the rest."""
    if any(fault.what == ACCESS_IS_DENIED for fault in faults):
        return StopReason.ACCESS_DENIED
    if any("stamped name" in fault.what for fault in faults):
        return StopReason.FOREIGN_DEPLOYMENT
    if any("stamped mode" in fault.what for fault in faults):
        return StopReason.WRONG_TIME
    if all(fault.of_replication for fault in faults):
        return StopReason.REPLICATION_LOW
    return StopReason.TOPICS_WRONG
