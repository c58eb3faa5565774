"""What the doctor finds, line by line, on a real broker: each kind of line once well and once with what to do."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata

from shared.contract.codec import Envelope, encode
from shared.contract.loans import DUE_DATES
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK, Tick
from shared.contract.topics import RATE_LIMITER, SERVICES
from shared.runtime import examination, kafka_offsets
from shared.runtime.examination import Examination, Finding
from shared.runtime.settings import Settings
from shared.runtime.system_clock import now_ms
from shared.runtime.topics import TopicAdmin

POLICY, UNKNOWN = "0123456789abcdef", "f" * 16
Found = dict[str, list[Finding]]
_numbers = count(1)


def _deployment(kafka: str) -> Settings:
    """A deployment of one test's own, with all topics and nobody at work."""
    made = Settings(broker=kafka, prefix=f"examined-{next(_numbers)}", loan_partitions=2, borrower_partitions=2)
    asyncio.run(_create(made))
    return made


async def _create(settings: Settings) -> None:
    async with TopicAdmin(settings) as admin:
        await admin.create()


def found(settings: Settings, until: str = "", **more: Any) -> Found:
    """What the doctor finds, by what it looked at: everything, or until it has looked at what is named."""

    async def look() -> list[Finding]:
        findings: list[Finding] = []
        async with aclosing(Examination(settings, (POLICY,), **more).findings()) as all_findings:
            async for finding in all_findings:
                if until and findings and findings[-1].what == until != finding.what:
                    break
                findings.append(finding)
        return findings

    lines: Found = {}
    for finding in asyncio.run(look()):
        lines.setdefault(finding.what, []).append(finding)
    return lines


async def _tick(settings: Settings, at: int, policy: str = POLICY) -> None:
    """Write a tick to all partitions, as a clock does."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.broker)
    await producer.start()
    for clock in (LOAN_CLOCK, BORROWER_CLOCK):
        event = encode(Envelope(str(at), "/duecourse/clock/0", Tick.TYPE, Tick(at=at, barriers={}, policy=policy)))
        for partition in range(settings.topology.partitions[clock]):
            await producer.send_and_wait(settings.topic(clock), event, partition=partition)
    await producer.stop()


async def _report(settings: Settings, service: str, at: int, partitions: tuple[int, ...] = (0, 1)) -> None:
    """Report progress, as a service does."""
    clock = settings.topic(BORROWER_CLOCK if service == RATE_LIMITER else LOAN_CLOCK)
    group = settings.group(service)
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.broker, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([TopicPartition(clock, partition) for partition in partitions])
    told = OffsetAndMetadata(1, f"{at}@1")
    await consumer.commit({TopicPartition(clock, partition): told for partition in partitions})
    await consumer.stop()


def test_a_deployment_where_everything_works_is_well_line_by_line(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fresh ticks and all services up to date, each line that an operator is promised is there, and well."""
    settings = _deployment(kafka)
    at = now_ms()
    asyncio.run(_tick(settings, at))
    for service in SERVICES:
        asyncio.run(_report(settings, service, at))
    # It is looked at a second later, however long all this took, and on a disk with room.
    monkeypatch.setattr(examination, "now_ms", lambda: at + 1_000)
    monkeypatch.setattr(examination, "DISK_FREE_MIN", 0.0)
    lines = found(settings)
    before = ("broker", "broker version", "topics", "replication", "clock", "policy", "transactions")
    assert tuple(lines) == (*before, *SERVICES, "lag", "disk", "versions")
    assert [finding for of_one in lines.values() for finding in of_one if not finding.is_well] == []
    assert "Kafka 4.2 on" in lines["broker version"][0].found
    assert "duecourse" in lines["versions"][0].found


def _silence_coordinators(patched: pytest.MonkeyPatch, questions: int) -> None:
    """Let nobody know the coordinator of any group, for so many questions."""
    asked, find = count(1), AIOKafkaAdminClient.find_coordinator

    async def unknown_at_first(admin: Any, *arguments: Any, **more: Any) -> Any:
        if next(asked) <= questions:
            raise GroupCoordinatorNotAvailableError
        return await find(admin, *arguments, **more)

    patched.setattr(AIOKafkaAdminClient, "find_coordinator", unknown_at_first)
    patched.setattr(kafka_offsets, "LOOK_SECONDS", 0.02)


def test_a_coordinator_that_is_slow_to_answer_is_asked_again(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has reported is not said to have never done so because a broker was busy when it was asked."""
    settings = _deployment(kafka)
    at = now_ms()
    asyncio.run(_tick(settings, at))
    asyncio.run(_report(settings, "reminder", at))
    _silence_coordinators(monkeypatch, 3)
    assert found(settings, until="reminder")["reminder"] == [
        Finding("reminder", "has applied the newest ticks on 2 partitions")
    ]


def test_a_coordinator_that_never_answers_is_told_as_that(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody says is told as unknown, with what to look at; other lines are there all the same."""
    settings = _deployment(kafka)
    asyncio.run(_tick(settings, now_ms()))
    _silence_coordinators(monkeypatch, 10**6)
    monkeypatch.setattr(examination, "DISK_FREE_MIN", 0.0)
    lines = found(settings)
    for name in (*SERVICES, "lag"):
        (unknown,) = lines[name]
        assert "nobody says" in unknown.found
        assert "brokers are up" in unknown.advice
    assert lines["disk"][0].is_well


async def _cut_retention(settings: Settings, topic: str) -> None:
    """Let a topic forget what is older than a minute."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.broker)
    await admin.start()
    changed = ConfigResource(ConfigResourceType.TOPIC, settings.topic(topic), {"retention.ms": "60000"})
    await admin.alter_configs([changed])
    await admin.close()


async def _publish(settings: Settings, records: int) -> None:
    """Publish what nobody will apply."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.broker)
    await producer.start()
    for number in range(records):
        await producer.send(settings.topic(DUE_DATES), b"{", key=b"l", partition=number % 2)
    await producer.stop()


@pytest.fixture(scope="module")
def ill(kafka: str) -> Found:
    """What is found where much has gone wrong at once."""
    settings = _deployment(kafka)
    at = now_ms() - 60_000
    asyncio.run(_tick(settings, at, policy=UNKNOWN))
    for service, reported, partitions in (
        ("reminder", at - 60_000, (0, 1)), ("escalation", at, (0,)), ("credit_report", at, (0, 1)),
    ):  # fmt: skip
        asyncio.run(_report(settings, service, reported, partitions))
    asyncio.run(_publish(settings, 30))
    asyncio.run(_cut_retention(settings, DUE_DATES))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(examination, "DISK_FREE_MIN", 1.01)
        return found(replace(settings, replication_factor=3), records_per_second=1.0)


def test_a_topic_whose_retention_was_cut_is_named_with_the_command_that_mends_it(ill: Found) -> None:
    """What a stranger changed on a topic is a line of its own: topic, setting, what it must be."""
    (cut,) = [finding for finding in ill["topic"] if "retention.ms" in finding.found]
    assert "lending.due-dates: retention.ms is 60000, must be -1" in cut.found
    assert re.search(
        r"`kafka-configs --bootstrap-server 127\.0\.0\.1:\d+ --alter --topic \S*lending.due-dates --add-config"
        r" retention.ms=-1`",
        cut.advice,
    )


def test_too_few_brokers_are_something_to_do(ill: Found) -> None:
    """One broker cannot keep three replicas; the line says how many lack, and each topic that it has one."""
    assert "start 2 more" in ill["broker"][0].advice
    assert any("has 1 replicas" in finding.found and "reassign" in finding.advice for finding in ill["topic"])


def test_a_policy_that_nobody_gave_is_named(ill: Found) -> None:
    """The hash that ticks name is compared with the policies at hand."""
    (policy,) = ill["policy"]
    assert UNKNOWN in policy.found
    assert "--policy" in policy.advice


def test_a_clock_that_stands_is_told_with_the_age_of_its_tick(ill: Found) -> None:
    """Old ticks mean a clock that is gone at stage 1, and something that holds it back at stage 2."""
    loan_clock, borrower_clock = ill["clock"]
    assert int(loan_clock.found.removeprefix("stage 1: the newest tick is ").removesuffix(" s old")) >= 60
    assert loan_clock.advice == "start a clock"
    assert "rate limiter" in borrower_clock.advice


def test_a_clock_that_runs_ahead_is_a_machine_whose_time_is_wrong(kafka: str) -> None:
    """Ticks of the future are told by how far they lie ahead."""
    settings = _deployment(kafka)
    asyncio.run(_tick(settings, now_ms() + 60_000))
    loan_clock, _ = found(settings, until="clock")["clock"]
    assert "s ahead of this machine's time" in loan_clock.found
    assert "put this machine's time right" in loan_clock.advice


def test_silent_and_missing_pairs_are_told_by_service_and_partition(ill: Found) -> None:
    """Who never reported and who is behind are named, each with the command that starts the service."""
    assert ill["reminder"][0].found.startswith("silent on partitions [0, 1]")
    assert ill["escalation"][0].found == "never reported on partitions [1]"
    assert "duecourse run escalation" in ill["escalation"][0].advice
    assert ill["credit_report"][0].is_well
    assert ill["rate_limiter"][0].found == "never reported on partitions [0, 1]"


def test_what_waits_is_told_in_seconds(ill: Found) -> None:
    """Records that nobody has applied are a lag, by the rate of the machine; too many mean silence."""
    (lag,) = ill["lag"]
    assert "records wait before" in lag.found
    assert "the gate is silent for them" in lag.found
    assert "add instances" in lag.advice


def test_a_disk_that_is_nearly_full_is_something_to_do(ill: Found) -> None:
    """Below the share that must be free the line asks for room."""
    assert ill["disk"][0].advice == "make room"
