"""Faults and cures of the drills, by the names that `deploy/alerts.toml` gives them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer

from shared.contract.base import Channel
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.people import BorrowerProfile
from shared.contract.repayments import REPAYMENTS
from shared.kernel.ids import derive_id
from shared.kernel.zones import DAY_MS, HOUR_MS
from shared.runtime.records import Deployment, publisher
from shared.runtime.system_clock import now_ms
from shared.simulation.desk import publication
from tests.drills.traffic import House, garbage

REASON_SECONDS = 8.0


@dataclass
class Scene:
    """A running deployment, and what a fault left in it."""

    house: House
    left: dict[str, Any] = field(default_factory=dict)

    @property
    def deployment(self) -> Deployment:
        """Where its topics lie."""
        return Deployment(self.house.settings.broker, self.house.settings.prefix)


Act = Callable[[Scene], Awaitable[None]]


def stop(name: str) -> Act:
    """End a process as an operator would, and leave it down."""

    async def act(scene: Scene) -> None:
        scene.house.down.add(name)
        await asyncio.to_thread(scene.house.members[name].end)

    return act


def start(name: str) -> Act:
    """Start it again."""

    async def act(scene: Scene) -> None:
        scene.house.down.discard(name)
        if not scene.house.members[name].runs:
            scene.house.members[name].start()

    return act


def pause(name: str, how: int) -> Act:
    """Let a process stand still, or go on."""

    async def act(scene: Scene) -> None:
        scene.house.members[name].signal(how)

    return act


async def wait(_scene: Scene) -> None:
    """Do nothing: it ends by itself."""


async def kill_four_times(scene: Scene) -> None:
    """Kill a service again and again, each time after it has come up."""
    member = scene.house.members["reminder"]
    for _ in range(4):
        await asyncio.to_thread(member.end, signal.SIGKILL)
        member.start()
        await asyncio.sleep(REASON_SECONDS)


async def throw_garbage(scene: Scene) -> None:
    """Publish repayments that nobody can read."""
    await garbage(scene.deployment, 5)


async def open_transaction(scene: Scene) -> None:
    """Leave a producer's transaction open on an input, so that everything behind it is hidden."""
    producer = AIOKafkaProducer(
        bootstrap_servers=scene.deployment.broker, transactional_id="drill-open", transaction_timeout_ms=600_000
    )
    await producer.start()
    await producer.begin_transaction()
    for partition in range(scene.house.settings.loan_partitions):
        await producer.send_and_wait(scene.deployment.topic(REPAYMENTS), b"{", partition=partition)
    scene.left["transaction"] = producer


async def abort_transaction(scene: Scene) -> None:
    """End it."""
    producer = scene.left.pop("transaction")
    await producer.abort_transaction()
    await producer.stop()


async def call_at_night(scene: Scene) -> None:
    """Report a call that an agency made, unasked, at three in the morning."""
    midnight = now_ms() // DAY_MS * DAY_MS
    outcome = OutreachOutcome(
        borrower_id="drill-night", outcome_id=derive_id("drill-night", now_ms()), outcome=Outcome.CONVERSATION,
        occurred_ms=midnight - 21 * HOUR_MS, channel=Channel.CALL, lender_id="acme",
    )  # fmt: skip
    said = publication(outcome, outcome.outcome_id, "/agencies/drill", now_ms())
    async with publisher(scene.deployment) as sender:
        await sender.send("lending.borrowers", b"drill-night", _profile(), ())
        await asyncio.sleep(3)
        assert said.key is not None
        await sender.send(said.topic, said.key, said.value, said.headers)


def _profile() -> bytes | None:
    profile = BorrowerProfile(
        borrower_id="drill-night", revision=now_ms() // 1000 % 100_000, zones=("UTC",), jurisdictions=("GB",),
        contact_points=(),
    )  # fmt: skip
    return publication(profile, derive_id("drill-profile", now_ms()), "/lenders/drill", now_ms()).value


async def guests(scene: Scene) -> None:
    """Let a second instance join and leave, six times."""
    for number in range(3):
        guest = scene.house.add_service("reminder", f"guest-{number}")
        guest.start()
        await asyncio.sleep(3 * REASON_SECONDS)
        scene.house.down.add(guest.name)
        await asyncio.to_thread(guest.end)
        await asyncio.sleep(2 * REASON_SECONDS)


SERVICES = ("reminder", "escalation", "credit_report", "rate_limiter", "clock", "auditor")
FAULTS: dict[str, Act] = {
    **{f"stop {name}": stop(name) for name in SERVICES},
    **{f"start {name}": start(name) for name in SERVICES},
    "pause credit_report": pause("credit_report", signal.SIGSTOP),
    "resume credit_report": pause("credit_report", signal.SIGCONT),
    "kill reminder four times": kill_four_times,
    "garbage": throw_garbage,
    "open transaction": open_transaction,
    "abort transaction": abort_transaction,
    "agency calls at night": call_at_night,
    "guests come and go": guests,
    "wait": wait,
}
