"""Every topic of a deployment, changelogs included: made once by the deploy step, checked at every start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code

from shared.contract.codec import Envelope, encode
from shared.contract.ticks import CONTROL, DeploymentStamped
from shared.contract.topics import DEAD_LETTERS, SERVICES, TOPICS
from shared.kernel.ids import derive_id
from shared.runtime.control import read_control
from shared.runtime.kafka_clients import new_admin, new_producer
from shared.runtime.settings import Settings

FOREVER: Final = "-1"
DAY_MS: Final = 86_400_000
CLOCK_RETENTION_MS: Final = 30 * DAY_MS
"""Longer than any outage that is to be worked off tick by tick."""
VALUE_BYTES_MAX: Final = 1024 * 1024
DEAD_LETTER_BYTES_MAX: Final = 2 * 1024 * 1024
ACCESS_IS_DENIED: Final = "access is denied"
GROUPS_LOG: Final = "__consumer_offsets"
TRANSACTIONS_LOG: Final = "__transaction_state"
"""The brokers' own topics: a deployment survives the loss of a broker only if these do."""
OF_REPLICATION: Final = frozenset({"min.insync.replicas", "unclean.leader.election.enable"})


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How a topic must be: its name on the broker, partitions, and the configuration that promises rest on."""

    name: str
    partitions: int
    config: Mapping[str, str]


def specs(settings: Settings) -> tuple[TopicSpec, ...]:
    """Return what every topic of the deployment must be like."""
    common = {"min.insync.replicas": str(settings.min_insync_replicas), "unclean.leader.election.enable": "false"}
    found = []
    counts = settings.topology.partitions
    for topic in TOPICS.values():
        config = {
            **common,
            "message.timestamp.type": "LogAppendTime",
            "cleanup.policy": "delete",
            # Facts and what was made of them are the record; ticks too: an output is explained by its inputs.
            "retention.ms": FOREVER,
            "retention.bytes": FOREVER,
            "max.message.bytes": str(DEAD_LETTER_BYTES_MAX if topic.name == DEAD_LETTERS else VALUE_BYTES_MAX),
        }
        found.append(TopicSpec(settings.topic(topic.name), counts[topic.name], config))
    for service in SERVICES:
        clock = next(t for t in TOPICS.values() if service in t.readers and t.writers == ("clock",))
        config = {**common, "message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact"}
        found.append(TopicSpec(settings.changelog(service), counts[clock.name], config))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class TopicFault:
    """One thing about a topic that is not as it must be, and what puts it right.

    `of_replication`: the topic may be lost, or lost from, too easily.
    """

    topic: str
    what: str
    remedy: str
    of_replication: bool = False

    def __str__(self) -> str:
        return f"{self.topic}: {self.what}"


class TopicProblem(RuntimeError):
    """The broker refuses to make a topic; the text says which and why."""


class TopicAdmin:
    """Makes and judges the topics of a deployment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: Any = new_admin(settings.access)

    async def __aenter__(self) -> Self:
        await self._admin.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._admin.close()

    async def create(self) -> tuple[str, ...]:
        """Make the topics that do not exist, stamp the deployment, and return the names of the new ones."""
        wanted = [
            NewTopic(
                name=spec.name,
                num_partitions=spec.partitions,
                replication_factor=self._settings.replication_factor,
                topic_configs=dict(spec.config),
            )
            for spec in specs(self._settings)
        ]
        response = await self._admin.create_topics(wanted)
        made = []
        for name, code, *text in response.topic_errors:
            error = for_code(code)
            if code == 0:
                made.append(name)
            elif error is not TopicAlreadyExistsError:
                raise TopicProblem(f"{name}: {error.__name__} {(text[0] or '') if text else ''}".rstrip())
        await self._stamp()
        return tuple(sorted(made))

    async def check(self, names: Iterable[str] | None = None) -> tuple[TopicFault, ...]:
        """Return what is wrong with the topics (all, or those named); empty when they are as they must be.

        The brokers' own topics are looked at in any case, as far as they exist: before the first group or transaction
        they do not; nor for who may not look at them.
        """
        chosen = None if names is None else frozenset(names)
        wanted = [spec for spec in specs(self._settings) if chosen is None or spec.name in chosen]
        described = await self._admin.describe_topics([*(spec.name for spec in wanted), GROUPS_LOG, TRANSACTIONS_LOG])
        found = {topic["topic"]: topic for topic in described if topic["error_code"] == 0}
        codes = {topic["topic"]: topic["error_code"] for topic in described}
        denied = {spec.name for spec in wanted if for_code(codes.get(spec.name, 0)) is TopicAuthorizationFailedError}
        faults = [_denied(name) for name in sorted(denied)]
        wanted = [spec for spec in wanted if spec.name not in denied]
        faults += [fault for spec in wanted for fault in self._shape(spec, found.get(spec.name))]
        present = [spec for spec in wanted if spec.name in found]
        for name in (GROUPS_LOG, TRANSACTIONS_LOG):
            if name in found:
                faults += self._replicas(name, found[name])
                enough = {"min.insync.replicas": str(self._settings.min_insync_replicas)}
                present += [TopicSpec(name, 0, enough)] if name == TRANSACTIONS_LOG else []
        faults += await self._configuration(present)
        if self._settings.topic(CONTROL) in found:
            faults += await self._stamp_faults()
        return tuple(faults)

    def _shape(self, spec: TopicSpec, found: Mapping[str, Any] | None) -> Iterable[TopicFault]:
        if found is None:
            yield TopicFault(spec.name, "does not exist", "`duecourse topics create`")
            return
        partitions = found["partitions"]
        if len(partitions) != spec.partitions:
            what = f"has {len(partitions)} partitions, the settings say {spec.partitions}"
            yield TopicFault(spec.name, what, "correct the settings; where partitions were added, a new topic set")
        yield from self._replicas(spec.name, found)

    def _replicas(self, name: str, found: Mapping[str, Any]) -> Iterable[TopicFault]:
        fewest, wanted = min(len(partition["replicas"]) for partition in found["partitions"]), self._settings
        if fewest < wanted.replication_factor:
            what = f"has {fewest} replicas, the settings say {wanted.replication_factor}"
            yield TopicFault(name, what, "kafka-reassign-partitions adds replicas", of_replication=True)

    async def _configuration(self, wanted: Iterable[TopicSpec]) -> list[TopicFault]:
        by_name = {spec.name: spec for spec in wanted}
        if not by_name:
            return []
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in by_name]
        alter = f"kafka-configs --bootstrap-server {self._settings.broker} --alter --topic"
        faults = []
        for response in await self._admin.describe_configs(asked):
            for code, _, _, name, entries in response.resources:
                if for_code(code) is TopicAuthorizationFailedError and name != TRANSACTIONS_LOG:
                    faults.append(_denied(name))
                values = {entry[0]: entry[1] for entry in entries}
                faults += [
                    TopicFault(
                        name,
                        f"{key} is {values.get(key)}, must be {value}",
                        f"`{alter} {name} --add-config {key}={value}`",
                        of_replication=key in OF_REPLICATION,
                    )
                    for key, value in by_name[name].config.items()
                    if key in values and not _satisfies(key, values[key], value)
                ]
        return faults

    async def _stamp(self) -> None:
        settings = self._settings
        if (await read_control(settings)).stamp is not None:
            return
        stamp = DeploymentStamped(
            mode=settings.mode,
            partitioner=settings.partitioner.value,
            loan_partitions=settings.loan_partitions,
            borrower_partitions=settings.borrower_partitions,
            name=settings.deployment,
        )
        event_id = derive_id("stamp", settings.prefix, settings.mode)
        producer: Any = new_producer(settings.access, enable_idempotence=True)
        await producer.start()
        try:
            value = encode(Envelope(event_id, "/duecourse/topics", stamp.TYPE, stamp))
            await producer.send_and_wait(settings.topic(CONTROL), value, partition=0)
        finally:
            await producer.stop()

    async def _stamp_faults(self) -> list[TopicFault]:
        settings = self._settings
        control = settings.topic(CONTROL)
        try:
            stamp = (await read_control(settings)).stamp
        except KafkaError as error:
            return [TopicFault(control, f"cannot be read: {type(error).__name__}", "look at the broker's log")]
        if stamp is None:
            return [TopicFault(control, "the deployment is not stamped", "`duecourse topics create`")]
        wanted = {
            "mode": settings.mode.value,
            "partitioner": settings.partitioner.value,
            "loan_partitions": settings.loan_partitions,
            "borrower_partitions": settings.borrower_partitions,
            "name": settings.deployment or stamp.name,
        }
        remedy = "give the settings that the topics are stamped with, or another --prefix"
        return [
            TopicFault(
                control, f"the deployment is stamped {name} {getattr(stamp, name)}, the settings say {value}", remedy
            )
            for name, value in wanted.items()
            if getattr(stamp, name) != value
        ]


def _denied(name: str) -> TopicFault:
    return TopicFault(name, ACCESS_IS_DENIED, "`duecourse topics rights` lists what each process needs")


def _satisfies(key: str, actual: str, wanted: str) -> bool:
    if key in {"max.message.bytes", "min.insync.replicas"}:
        return int(actual) >= int(wanted)
    return actual == wanted
