"""Time as an input: the ticks of the two clock topics, and the operators' switches that ride on them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from shared.contract.base import INSTANT_MS_MIN, Channel, Event, InstantMs, LenderId, PolicyHash, Record

LOAN_CLOCK: Final = "collections.loan-clock"
BORROWER_CLOCK: Final = "collections.borrower-clock"
CONTROL: Final = "collections.control"
PROBE_AT: Final = INSTANT_MS_MIN
"""The earliest instant never advances time. A clock writes it to learn the broker's time; everybody ignores it."""


class OutreachMode(StrEnum):
    """What the gate may do: `shadow` decides everything and grants nothing."""

    STARTED = "started"
    STOPPED = "stopped"
    SHADOW = "shadow"


class Switch(Record):
    """An operator's word for everything, a channel, a lender, or one of both; the strictest that fits applies."""

    mode: OutreachMode
    channel: Channel | None = None
    lender_id: LenderId | None = None


class Tick(Event):
    """An instant, and how far every input topic of the partition must be applied before it."""

    TYPE: ClassVar = "collections.clock.ticked.v1"
    TOPICS: ClassVar = (LOAN_CLOCK, BORROWER_CLOCK)
    KEY: ClassVar = None
    BUSINESS_KEY: ClassVar = ("at",)
    ORDERING: ClassVar = "`at` rises strictly in each partition; a tick that does not advance it is ignored."
    EFFECT: ClassVar = "Facts below the barriers are applied, then every key whose instant has come is woken."

    at: InstantMs
    barriers: Annotated[dict[str, Annotated[int, Field(ge=0)]], Field(max_length=16)]
    policy: PolicyHash
    silent: Annotated[tuple[str, ...], Field(max_length=4096, description="`service/partition` left behind.")] = ()
    switches: Annotated[tuple[Switch, ...], Field(max_length=256)] = ()


class OutreachSwitched(Event):
    """An operator stopped or started outreach, or put it in shadow mode."""

    TYPE: ClassVar = "collections.outreach.switched.v1"
    TOPICS: ClassVar = (CONTROL,)
    KEY: ClassVar = None
    BUSINESS_KEY: ClassVar = ("switch",)
    ORDERING: ClassVar = "The newest record of one scope wins."
    EFFECT: ClassVar = "The next tick of the clock carries it to every partition of stage 2."

    switch: Switch
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    operator: Annotated[str, Field(min_length=1, max_length=64)]


class PolicyActivated(Event):
    """An operator put a policy in force."""

    TYPE: ClassVar = "collections.policy.activated.v1"
    TOPICS: ClassVar = (CONTROL,)
    KEY: ClassVar = None
    BUSINESS_KEY: ClassVar = ("policy",)
    ORDERING: ClassVar = "The newest record wins."
    EFFECT: ClassVar = "Ticks name it from now on; an instance that lacks it waits and says so."

    policy: PolicyHash
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    operator: Annotated[str, Field(min_length=1, max_length=64)]


class FactQuarantined(Event):
    """An operator took one fact, or one key's wake at one tick, out of the way of one service, which it has crashed."""

    TYPE: ClassVar = "collections.fact.quarantined.v1"
    TOPICS: ClassVar = (CONTROL,)
    KEY: ClassVar = None
    BUSINESS_KEY: ClassVar = ("service", "topic", "partition", "offset", "key")
    EFFECT: ClassVar = (
        "When the service starts again, the fact is a dead letter (`quarantined`) for it and its loan or person is "
        "left alone; without any effect where the service has applied it before. With a `key`, the topic is the "
        "service's clock topic: that key is not woken at this tick nor for `hours` after it, and what was asked for "
        "it is taken back."
    )

    service: Annotated[str, Field(pattern=r"^(reminder|escalation|credit_report|rate_limiter)$")]
    topic: Annotated[str, Field(min_length=1, max_length=100, description="The logical topic.")]
    partition: Annotated[int, Field(ge=0, le=4095)]
    offset: Annotated[int, Field(ge=0)]
    key: Annotated[str | None, Field(max_length=256, description="The loan or person that is not woken.")] = None
    hours: Annotated[int, Field(ge=1, le=8760, description="How long a key is put aside.")] = 72
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    operator: Annotated[str, Field(min_length=1, max_length=64)]


class TimeMode(StrEnum):
    """Whether a topic set lives in true time or in a simulation."""

    WALL = "wall"
    SIMULATED = "simulated"


class DeploymentStamped(Event):
    """Written once when the topics are made: what kind of time this topic set lives in."""

    TYPE: ClassVar = "collections.deployment.stamped.v1"
    TOPICS: ClassVar = (CONTROL,)
    KEY: ClassVar = None
    BUSINESS_KEY: ClassVar = ()
    EFFECT: ClassVar = "Clock and services of the other kind refuse to start."

    mode: TimeMode
    partitioner: Annotated[str, Field(pattern=r"^(murmur2|crc32)$")] = "murmur2"
    loan_partitions: Annotated[int, Field(ge=1, le=4096)]
    borrower_partitions: Annotated[int, Field(ge=1, le=4096)]
    name: Annotated[str, Field(max_length=64, description="Of the deployment, where its owner gave it one.")] = ""
