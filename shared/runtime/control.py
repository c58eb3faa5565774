"""What the operators have said: the control topic, read from its beginning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import TopicPartition

from shared.contract.codec import Envelope, decode
from shared.contract.ticks import (
    CONTROL,
    DeploymentStamped,
    FactQuarantined,
    OutreachMode,
    OutreachSwitched,
    PolicyActivated,
    Switch,
)
from shared.runtime.kafka_clients import new_consumer
from shared.runtime.kafka_offsets import READ_COMMITTED, LogEnds
from shared.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Control:
    """What is in force: the deployment's stamp, switches that are not plainly `started`, policy, quarantined facts."""

    stamp: DeploymentStamped | None = None
    policy: str | None = None
    by_scope: dict[tuple[str | None, str | None], Switch] = field(default_factory=dict)

    facts_quarantined: frozenset[FactQuarantined] = frozenset()

    def quarantined(self, service: str) -> frozenset[FactQuarantined]:
        """Return what was taken out of a service's way: facts and wakes."""
        return frozenset(fact for fact in self.facts_quarantined if fact.service == service)

    @property
    def switches(self) -> tuple[Switch, ...]:
        """The switches that a tick must carry, in a fixed order; what was started again is not mentioned."""
        active = [switch for switch in self.by_scope.values() if switch.mode is not OutreachMode.STARTED]
        return tuple(sorted(active, key=lambda switch: (switch.channel or "", switch.lender_id or "")))

    def after(self, record: Any) -> Control:
        """Return what is in force after one more record; one that cannot be read changes nothing."""
        envelope = decode(CONTROL, record.key, record.value, record.headers)
        match envelope:
            case Envelope(data=DeploymentStamped() as stamp):
                return self if self.stamp is not None else replace(self, stamp=stamp)
            case Envelope(data=PolicyActivated() as activated):
                return replace(self, policy=activated.policy)
            case Envelope(data=OutreachSwitched() as switched):
                switch = switched.switch
                return replace(self, by_scope={**self.by_scope, (switch.channel, switch.lender_id): switch})
            case Envelope(data=FactQuarantined() as fact):
                return replace(self, facts_quarantined=self.facts_quarantined | {fact})
            case _:
                return self


def folded(records: Iterable[Any], control: Control | None = None) -> Control:
    """Return what is in force after these records."""
    found = control or Control()
    for record in records:
        found = found.after(record)
    return found


class ControlReader:
    """Follows the control topic; `poll` returns what is in force now."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic(CONTROL)
        self._consumer: Any = new_consumer(
            settings.access, isolation_level=READ_COMMITTED, auto_offset_reset="earliest"
        )
        self.control = Control()

    async def start(self) -> None:
        """Read everything that was said so far."""
        await self._consumer.start()
        tp = TopicPartition(self._topic, 0)
        self._consumer.assign([tp])
        await self._consumer.seek_to_beginning(tp)
        async with LogEnds(self._settings.access, uncommitted=True) as written:
            end = (await written.ends([(self._topic, 0)]))[self._topic, 0]
        while await self._consumer.position(tp) < end:
            await self.poll(timeout_ms=200)

    async def poll(self, timeout_ms: int = 0) -> Control:
        """Take note of what was said meanwhile, and return what is in force."""
        for records in (await self._consumer.getmany(timeout_ms=timeout_ms)).values():
            self.control = folded(records, self.control)
        return self.control

    async def stop(self) -> None:
        """Let go of the connections."""
        await self._consumer.stop()


async def read_control(settings: Settings) -> Control:
    """Return what is in force, once."""
    reader = ControlReader(settings)
    try:
        await reader.start()
        return reader.control
    finally:
        await reader.stop()
