"""From a fact to a permit: the five real services as processes, ticks of one second in true time.

Every fact is an instalment that falls due today, at an hour at which it may be said, of a borrower who has no other
loan: each leads to one reminder and one permit. Time runs from the broker's acknowledgement of the fact to the moment
when a `read_committed` consumer, as a gateway is one, holds the permit.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contract.base import Channel, Event
from shared.contract.codec import Envelope, decode
from shared.contract.loans import LoanOpened
from shared.contract.outreach import OUTREACH, PermitGranted
from shared.contract.people import BorrowerProfile, ContactPoint
from shared.contract.requests import REMINDERS, ContactRequested
from shared.contract.ticks import BORROWER_CLOCK, Tick
from shared.contract.topics import CLOCK, SERVICES
from shared.kernel.zones import local_date, to_local
from shared.runtime.settings import Settings
from shared.runtime.system_clock import now_ms
from tests.bench.portfolio import Feeder, feeder, instalment, terms
from tests.bench.processes import House, Member, broker, load

FACTS_PER_SECOND: Final = 200
SECONDS: Final = 60
SECONDS_QUICK: Final = 15
PATIENCE_SECONDS: Final = 30.0
REST_SECONDS: Final = 10.0
FETCH_WAIT_MS: Final = 100
ZONES: Final = (
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Europe/London",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Los_Angeles",
    "Pacific/Honolulu",
    "Pacific/Auckland",
)
PROTOTYPE: Final = "prototype, another machine: fact to request 575 / 1084 ms, fact to permit 650 / 1186 ms (p50 / p99)"


def zone_of_today() -> str:
    """Return the zone in which it is nearest to 14:00: steps are due from 10:00, and the hours end at 20:00."""
    now = now_ms()

    def away(zone: str) -> float:
        local = to_local(now, zone)
        return abs(local.hour + local.minute / 60 - 14)

    return min(ZONES, key=away)


LEGS: Final = (
    "wait for the tick",
    "tick to request appended",
    "request to stage-2 tick appended",
    "stage-2 tick to permit appended",
    "permit appended to permit seen",
)


@dataclass(slots=True)
class Watch:
    """When facts were appended, and when requests and permits about their loans were seen; monotonic seconds.

    `stations` are, by loan, instants of the way in epoch milliseconds, by the broker's and the tick's clock: fact
    appended, tick, request appended, permit appended, permit seen.
    """

    wanted: int
    appended: dict[str, float] = field(default_factory=dict)
    requested: dict[str, float] = field(default_factory=dict)
    permitted: dict[str, float] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    stations: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    second_ticks: dict[tuple[int, int], int] = field(default_factory=dict)

    def saw(self, envelope: Envelope, record: Any, at: float) -> None:
        """Take note of a request, a permit or a tick of stage 2."""
        data = envelope.data
        if isinstance(data, ContactRequested):
            self.requested.setdefault(data.loan_id, at)
            self.stations[data.loan_id] |= {"tick": envelope.time_ms or 0, "request": record.timestamp}
        elif isinstance(data, PermitGranted):
            for loan in data.loans:
                self.permitted.setdefault(loan.loan_id, at)
                second = self.second_ticks.get((record.partition, envelope.time_ms or 0), 0)
                self.stations[loan.loan_id] |= {"second": second, "permit": record.timestamp, "seen": now_ms()}
            if len(self.permitted) == self.wanted:
                self.complete.set()
        elif isinstance(data, Tick):
            self.second_ticks[record.partition, data.at] = record.timestamp

    def sent(self, loan_id: str, done: Any) -> None:
        """Take note that the broker has a fact."""
        self.appended.setdefault(loan_id, monotonic())
        self.stations[loan_id]["fact"] = done.result().timestamp

    def legs(self) -> str:
        """Return how long each leg of the way took, of those loans whose whole way was seen."""
        names = ("fact", "tick", "request", "second", "permit", "seen")
        whole = [[way[name] for name in names] for way in self.stations.values() if all(way.get(n) for n in names)]
        rows = []
        for number, leg in enumerate(LEGS):
            took = sorted(way[number + 1] - way[number] for way in whole)
            if took:
                p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
                rows.append(f"  {leg:<34} p50 {median(took):6.0f} ms   p99 {p99:6.0f} ms")
        return "\n".join(rows)

    def milliseconds(self, seen: Mapping[str, float]) -> list[float]:
        """Return the delays of what was seen, sorted."""
        return sorted(1000 * (at - self.appended[loan]) for loan, at in seen.items() if loan in self.appended)


def people(count: int, zone: str) -> Iterator[Event]:
    """Yield a profile and an open loan for each borrower."""
    for number in range(count):
        borrower = f"b{number}"
        point = ContactPoint(contact_point_id=f"{borrower}-phone", channels=(Channel.PUSH, Channel.SMS))
        yield BorrowerProfile(
            borrower_id=borrower, revision=0, zones=(zone,), jurisdictions=("CN",), contact_points=(point,)
        )
        yield LoanOpened(loan_id=f"l{number}", terms=terms(borrower, zone))


async def feed(feed_to: Feeder, watch: Watch, zone: str) -> None:
    """Publish the instalments at their even pace, and take note of when the broker had each."""
    started = monotonic()
    sent = []
    for number in range(watch.wanted):
        await asyncio.sleep(max(0.0, started + number / FACTS_PER_SECOND - monotonic()))
        loan_id = f"l{number}"
        future = await feed_to.send(instalment(loan_id, 0, local_date(now_ms(), zone)))
        future.add_done_callback(lambda done, loan_id=loan_id: watch.sent(loan_id, done))
        sent.append(future)
    await asyncio.gather(*sent)


async def observe(settings: Settings, watch: Watch) -> None:
    """Read requests and permits as a gateway does, for ever."""
    consumer: Any = AIOKafkaConsumer(
        bootstrap_servers=settings.broker, isolation_level="read_committed", fetch_max_wait_ms=FETCH_WAIT_MS
    )
    await consumer.start()
    try:
        names = {settings.topic(topic): topic for topic in (REMINDERS, OUTREACH, BORROWER_CLOCK)}
        consumer.assign([TopicPartition(name, p) for name in names for p in range(settings.borrower_partitions)])
        await consumer.seek_to_end()
        while True:
            for place, records in (await consumer.getmany(timeout_ms=FETCH_WAIT_MS)).items():
                seen_at = monotonic()
                for record in records:
                    envelope = decode(names[place.topic], record.key, record.value, record.headers)
                    if isinstance(envelope, Envelope):
                        watch.saw(envelope, record, seen_at)
    finally:
        await consumer.stop()


async def measure(settings: Settings, folder: Path, seconds: int) -> str:
    """Start everything, feed it, and report."""
    count, zone = FACTS_PER_SECOND * seconds, zone_of_today()
    house, watch = House(settings, folder), Watch(count)
    try:
        await house.create_topics()
        members = [house.start(service) for service in (*SERVICES, CLOCK)]
        await house.ready(*members)
        async with feeder(settings) as bulk:
            await bulk.send_all(people(count, zone))
        known = now_ms() + 1000
        for service in SERVICES:
            await house.applied(service, known)
        observer = asyncio.create_task(observe(settings, watch))
        before, started = {m.name: m.cpu_seconds for m in members}, monotonic()
        await asyncio.sleep(REST_SECONDS)
        at_rest = cores(members, before, monotonic() - started)
        before, started = {m.name: m.cpu_seconds for m in members}, monotonic()
        async with feeder(settings, linger_ms=2) as one_by_one:
            await feed(one_by_one, watch, zone)
        used = cores(members, before, monotonic() - started)
        with suppress(TimeoutError):
            await asyncio.wait_for(watch.complete.wait(), PATIENCE_SECONDS)
        spent = {m.name: 1e6 * (m.cpu_seconds - before[m.name]) / count for m in members}
        observer.cancel()
        await asyncio.wait([observer])
    finally:
        house.close()
    each = ", ".join(f"{name} {microseconds:.0f}" for name, microseconds in spent.items())
    return report(watch, zone, f"{used}\nat rest: {at_rest}\nus of CPU per fact, until the last permit: {each}")


def cores(members: Iterable[Member], before: Mapping[str, float], seconds: float) -> str:
    """Return how much of a core each process used meanwhile."""
    return ", ".join(f"{m.name} {100 * (m.cpu_seconds - before[m.name]) / seconds:.0f} %" for m in members)


def report(watch: Watch, zone: str, used: str) -> str:
    """Return the rows."""
    lines = [
        f"{FACTS_PER_SECOND} facts/s for {watch.wanted // FACTS_PER_SECOND} s, ticks of 1 s, people in {zone}; {load()}"
    ]
    for what, seen in (("request", watch.requested), ("permit", watch.permitted)):
        delays = watch.milliseconds(seen)
        if not delays:
            raise RuntimeError(f"no {what} came")
        p50, p99 = (delays[min(len(delays) - 1, int(len(delays) * share))] for share in (0.5, 0.99))
        row = f"fact to {what:<8} p50 {p50:6.0f} ms   p99 {p99:6.0f} ms   max {delays[-1]:6.0f} ms"
        lines.append(f"{row}   {len(delays)} of {watch.wanted}")
    lines += [watch.legs(), f"of a core: {used}", PROTOTYPE]
    return "\n".join(lines)


def run(folder: Path, *, quick: bool) -> str:
    """Measure in `folder` and return the report."""
    with broker(folder) as address:
        settings = Settings(broker=address, prefix="latency")
        return asyncio.run(measure(settings, folder / "latency", SECONDS_QUICK if quick else SECONDS))
