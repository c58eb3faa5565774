"""One person with a hundred thousand loans: what the neighbours in the same partition of the gate feel of it.

The gate in true time with the clock, and a reminder that has nothing to do. Requests are written as a loan service
writes them, for quiet people who all lie in one partition. Four phases: alone, beside one person in that partition who
is linked to a hundred thousand loans that all ask, beside as many people with one loan each, and alone again. What is
too much is refused by name; what is measured is the neighbours' way from request to permit. The crowd tells what of the
harm comes from one person having it all, and what from so many loans asking in a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import count as numbers
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contract.base import Amounts, Channel, Event
from shared.contract.codec import Envelope, decode, encode
from shared.contract.loans import Role
from shared.contract.outreach import OUTREACH, PermitGranted
from shared.contract.people import BorrowerProfile, ContactPoint
from shared.contract.requests import ESCALATIONS, REMINDERS, ContactClass, ContactRequested, LoanLinked
from shared.contract.topics import CLOCK, DEAD_LETTERS, RATE_LIMITER, REMINDER
from shared.domain.policy import load_policy
from shared.kernel.zones import DAY_MS, local_date
from shared.runtime.settings import Settings
from shared.runtime.system_clock import now_ms
from tests.bench.latency import zone_of_today
from tests.bench.portfolio import feeder
from tests.bench.processes import House, broker, load

LOANS: Final = 100_000
LOANS_QUICK: Final = 5_000
LOUD_PER_SECOND: Final = 1_000
"""Loans of the one person, or of the crowd, per second, each of them linked and asking."""
QUIET_PER_SECOND: Final = 20
PATIENCE_SECONDS: Final = 30.0
LOUD: Final = "loud"


def names_beside(settings: Settings, count: int) -> list[str]:
    """Return people who share the loud one's partition."""
    where = settings.topology
    home = where.partition_of(REMINDERS, LOUD.encode())
    names = (f"q{number}" for number in numbers())
    return list(islice((name for name in names if where.partition_of(REMINDERS, name.encode()) == home), count))


def profile(person: str, zone: str) -> BorrowerProfile:
    """Return the profile of somebody who can be reached by message."""
    point = ContactPoint(contact_point_id=f"{person}-phone", channels=(Channel.PUSH, Channel.SMS))
    return BorrowerProfile(
        borrower_id=person, revision=0, zones=(zone,), jurisdictions=("CN",), contact_points=(point,)
    )


def wish(person: str, loan_id: str, zone: str, policy: str) -> ContactRequested:
    """Return a request about one loan, good for a day."""
    now = now_ms()
    return ContactRequested(
        borrower_id=person,
        request_id=f"r-{loan_id}",
        loan_id=loan_id,
        lender_id="bench",
        contact_class=ContactClass.DUE,
        step="reminder+0",
        channels=(Channel.PUSH, Channel.SMS),
        template="due_today",
        currency="CNY",
        amount_due_minor=91_000,
        amounts=Amounts(principal_minor=90_000, interest_minor=1_000),
        instalment_ids=(f"{loan_id}-0",),
        oldest_due_date=local_date(now, zone),
        days_past_due=0,
        local_date=local_date(now, zone),
        not_before_ms=now,
        not_after_ms=now + DAY_MS,
        policy=policy,
    )


def link(person: str, loan_id: str) -> LoanLinked:
    """Return that a person answers for a loan."""
    return LoanLinked(borrower_id=person, loan_id=loan_id, lender_id="bench", role=Role.BORROWER)


class Stage:
    """Writes to the gate's inputs, and notes when quiet people asked and were granted."""

    def __init__(self, settings: Settings, zone: str) -> None:
        self.settings = settings
        self.zone = zone
        self.policy = load_policy(None).hash
        self.asked: dict[str, float] = {}
        self.granted: dict[str, float] = {}
        self.news = asyncio.Event()

    async def send(self, producer: Any, topic: str, person: str, event: Event, number: str) -> Any:
        """Hand one event over, in the name of the reminder."""
        value = encode(Envelope(f"{event.TYPE}-{number}", "/duecourse/reminder/0", event.TYPE, event, time_ms=now_ms()))
        where = self.settings.topology.partition_of(topic, person.encode())
        return await producer.send(self.settings.topic(topic), value, key=person.encode(), partition=where)

    async def quiet(self, producer: Any, people: list[str]) -> None:
        """Let one person after the other ask, at an even pace."""
        started = monotonic()
        for number, person in enumerate(people):
            await asyncio.sleep(max(0.0, started + number / QUIET_PER_SECOND - monotonic()))
            asking = wish(person, f"l-{person}", self.zone, self.policy)
            sent = await self.send(producer, REMINDERS, person, asking, person)
            sent.add_done_callback(lambda _, person=person: self.asked.setdefault(person, monotonic()))

    async def loud(self, producer: Any, borrowers: Sequence[str]) -> None:
        """Link a loan to each of these borrowers, who may all be one, and let it ask, at an even pace."""
        started = monotonic()
        for number, person in enumerate(borrowers):
            if number % 50 == 0:
                await asyncio.sleep(max(0.0, started + number / LOUD_PER_SECOND - monotonic()))
            loan_id = f"x{number}-{person}"
            await self.send(producer, ESCALATIONS, person, link(person, loan_id), loan_id)
            await self.send(producer, REMINDERS, person, wish(person, loan_id, self.zone, self.policy), loan_id)

    async def observe(self) -> None:
        """Read permits as a gateway does, for ever."""
        consumer: Any = AIOKafkaConsumer(
            bootstrap_servers=self.settings.broker, isolation_level="read_committed", fetch_max_wait_ms=100
        )
        await consumer.start()
        try:
            name = self.settings.topic(OUTREACH)
            consumer.assign([TopicPartition(name, p) for p in range(self.settings.borrower_partitions)])
            await consumer.seek_to_end()
            while True:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for record in records:
                        found = decode(OUTREACH, record.key, record.value, record.headers)
                        if isinstance(found, Envelope) and isinstance(found.data, PermitGranted):
                            self.granted.setdefault(found.data.borrower_id, monotonic())
                            self.news.set()
        finally:
            await consumer.stop()

    def row(self, phase: str, people: list[str]) -> tuple[str, float]:
        """Return a phase's row and its p99 in milliseconds."""
        delays = sorted(1000 * (self.granted[p] - self.asked[p]) for p in people if p in self.granted)
        if not delays:
            raise RuntimeError(f"{phase}: no permit came")
        p50, p99 = (delays[min(len(delays) - 1, int(len(delays) * share))] for share in (0.5, 0.99))
        text = f"{phase:<34} p50 {p50:6.0f} ms   p99 {p99:6.0f} ms   {len(delays)} of {len(people)}; {load()}"
        return text, p99


async def refused(settings: Settings) -> int:
    """Return how many dead letters there are."""
    consumer: Any = AIOKafkaConsumer(bootstrap_servers=settings.broker)
    await consumer.start()
    try:
        place = TopicPartition(settings.topic(DEAD_LETTERS), 0)
        count = 0
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        while await consumer.position(place) < end:
            found = await consumer.getmany(place, timeout_ms=500)
            count += sum(len(records) for records in found.values())
        return count
    finally:
        await consumer.stop()


async def phase(stage: Stage, producer: Any, asking: list[str], loud: Sequence[str]) -> None:
    """Let people ask beside those who are loud, and wait for their permits."""
    await asyncio.gather(stage.quiet(producer, asking), stage.loud(producer, loud))
    until = monotonic() + PATIENCE_SECONDS
    while monotonic() < until and not stage.granted.keys() >= set(asking):
        stage.news.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(stage.news.wait(), 1)


async def measure(settings: Settings, folder: Path, loans: int) -> str:
    """Start everything, go through the four phases, and report."""
    each = QUIET_PER_SECOND * loans // LOUD_PER_SECOND
    names = names_beside(settings, 4 * each + loans)
    people, crowd = names[: 4 * each], names[4 * each :]
    phases = {"alone": (), "beside the one": (LOUD,) * loans, "beside the crowd": crowd, "alone again": ()}
    stage, house = Stage(settings, zone_of_today()), House(settings, folder)
    try:
        await house.create_topics()
        gate = house.start(RATE_LIMITER, "--log-level", "warning")
        services = (house.start(REMINDER, "--log-level", "warning"), house.start(CLOCK, "--gate-on", REMINDER))
        await house.ready(gate, *services)
        async with feeder(settings) as bulk:
            await bulk.send_all(profile(person, stage.zone) for person in (LOUD, *names))
        await house.applied(RATE_LIMITER, now_ms() + 1000)
        observer = asyncio.create_task(stage.observe())
        rows, p99, peaks = [], [], []
        async with feeder(settings, linger_ms=2) as out:
            for number, (name, loud) in enumerate(phases.items()):
                asking = people[number * each :][:each]
                await phase(stage, out.producer, asking, loud)
                text, slowest = stage.row(name, asking)
                rows.append(text)
                p99.append(slowest)
                peaks.append(gate.memory_mib("VmHWM"))
        observer.cancel()
        await asyncio.wait([observer])
        dead = await refused(settings)
    finally:
        house.close()
    before, beside, in_crowd, after = p99
    return "\n".join(
        [
            f"{loans:,} loans of one person, {LOUD_PER_SECOND:,} a second; {QUIET_PER_SECOND} neighbours a second",
            *rows,
            f"p99 beside the one: {beside / before:.2f} times that before, {beside / after:.2f} times that after",
            f"p99 beside the one: {beside / in_crowd:.2f} times that beside the crowd",
            f"refused by name (dead letters and their source): {dead:,}; the gate's peak {peaks[1]:.0f} MiB",
        ]
    )


def run(folder: Path, *, quick: bool) -> str:
    """Measure in `folder` and return the report."""
    with broker(folder) as address:
        settings = Settings(broker=address, prefix="giant")
        return asyncio.run(measure(settings, folder / "giant", LOANS_QUICK if quick else LOANS))
