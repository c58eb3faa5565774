"""A small deployment in true time: processes to start and hurt, lenders that publish, gateways that act on permits."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal as signals
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from shared.contract.base import Amounts, Channel, Event
from shared.contract.loans import InstalmentScheduled, LoanOpened, LoanTerms, Obligor, Role
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import OUTREACH, PermitGranted, PermitWithdrawn
from shared.contract.people import BorrowerProfile, ContactPoint
from shared.contract.repayments import REPAYMENTS, RepaymentReceived, RepaymentReversed, ReversalReason
from shared.contract.ticks import BORROWER_CLOCK
from shared.contract.topics import CLOCK, SERVICES
from shared.domain.policy import default_directory
from shared.kernel.ids import derive_id
from shared.runtime.local_kafka.process import dying_with_starter
from shared.runtime.participant import Participant
from shared.runtime.records import Deployment, publisher
from shared.runtime.settings import Settings
from shared.runtime.system_clock import now_ms
from shared.simulation.desk import publication
from shared.simulation.log import Publication
from tests.drills.voice import Voice

PLACES = (
    ("America/New_York", "US-NY", "USD"),
    ("America/Phoenix", "US-AZ", "USD"),
    ("Europe/London", "GB", "KWD"),
    ("Asia/Shanghai", "CN", "CNY"),
    ("Asia/Kolkata", "IN", "JPY"),
    ("Pacific/Auckland", "NZ", "USD"),
)
"""Around the world, so that somebody may be called whenever it runs, and somebody else may not."""
HEALTH_PORT = 18_080
ACTS_AFTER_MS = 15_000
"""Gateways take their time, so that some permits are withdrawn before they are used."""


@dataclass
class Member:
    """One process of the deployment."""

    name: str
    arguments: list[str]
    disk: Path
    log: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    group: int | None = None
    """Its group of users, where the machine's filters shall tell it from others."""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        command = dying_with_starter([sys.executable, "-m", "services.cli", *self.arguments])
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment}, group=self.group,
            )  # fmt: skip

    def signal(self, how: int) -> None:
        """Send it a signal."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)

    def end(self, how: int = signals.SIGTERM, seconds: float = 30.0) -> None:
        """End it and wait."""
        if self.process is None:
            return
        self.signal(signals.SIGCONT)
        self.signal(how)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def runs(self) -> bool:
        """Whether it is alive."""
        return self.process is not None and self.process.poll() is None


@dataclass
class House:
    """All processes of one deployment in true time."""

    settings: Settings
    folder: Path
    first_port: int = HEALTH_PORT
    policy: Path = field(default_factory=lambda: Path(str(default_directory())))
    members: dict[str, Member] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)

    def add(self, name: str, *arguments: str) -> Member:
        """Name a process; it is started by `start`."""
        port = self.first_port + len(self.members)
        where = ["--broker", self.settings.broker, "--prefix", self.settings.prefix, "--policy", str(self.policy)]
        member = Member(
            name, [*arguments, *where, "--health", f"127.0.0.1:{port}"], self.folder / "disks" / name,
            self.folder / f"{name}.log", port,
        )  # fmt: skip
        self.members[name] = member
        return member

    def start(self) -> None:
        """Start every service, the clock and the auditor; a guest, a second reminder, waits."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for service in SERVICES:
            self.add_service(service)
        self.add(CLOCK, "run", CLOCK)
        self.add("auditor", "check", "--every-minutes", "1")
        self.add_service("reminder", "guest")
        self.down.add("guest")
        for member in self.members.values():
            if member.name not in self.down:
                member.start()

    def add_service(self, service: str, name: str = "") -> Member:
        """Name one more instance of a service."""
        own = name or service
        return self.add(own, "run", service, "--instance", own, "--data", str(self.folder / "disks" / own))

    def mend(self) -> None:
        """Start again what ended by itself, as a process manager does."""
        for member in self.members.values():
            if not member.runs and member.name not in self.down:
                member.start()

    def wipe(self, name: str) -> None:
        """Lose a process's disk."""
        shutil.rmtree(self.members[name].disk, ignore_errors=True)

    def close(self) -> None:
        """End everything."""
        self.down = set(self.members)
        for member in self.members.values():
            member.signal(signals.SIGCONT)
            member.signal(signals.SIGTERM)
        for member in self.members.values():
            member.end()


class Lenders:
    """Publishes loans that are due or overdue, and what their borrowers pay."""

    def __init__(self, deployment: Deployment, seed: int = 7) -> None:
        self._deployment = deployment
        self._random = Random(seed)
        self._number = 0
        self._unpaid: list[tuple[str, int, str]] = []
        self._unsaid: list[Publication] = []
        self._run = f"{os.getpid()}"

    async def run(self, *, first: int, per_second: float) -> None:
        """Publish `first` loans at once, then go on for ever; what could not be said is said first the next time."""
        for _ in range(first):
            self._lend()
        async with Voice(self._deployment) as voice:
            while True:
                if not self._unsaid:
                    self._lend()
                    if self._unpaid and self._random.random() < 0.9:
                        self._pay()
                await voice.say(self._unsaid)
                self._unsaid.clear()
                await asyncio.sleep(1 / per_second)

    def _lend(self) -> None:
        self._number += 1
        roll = self._random
        loan, person = f"l{self._run}-{self._number}", f"b{self._run}-{self._number // 2}"
        zone, jurisdiction, currency = PLACES[(self._number // 2) % len(PLACES)]
        overdue_days = roll.choice((0, 1, 1, 3, 7, 15, 30, 34, 62))
        due = datetime.now(UTC).date() - timedelta(days=overdue_days)
        point = ContactPoint(contact_point_id=f"{person}-p", channels=(Channel.SMS, Channel.CALL), zone=zone)
        amount = roll.randrange(100, 900) * 1000
        terms = LoanTerms(
            lender_id="acme", obligors=(Obligor(borrower_id=person, role=Role.BORROWER),), currency=currency,
            product="term", accounting_zone=zone, jurisdiction=jurisdiction,
        )  # fmt: skip
        self._say(
            BorrowerProfile(
                borrower_id=person, revision=1, zones=(zone,), jurisdictions=(jurisdiction,), contact_points=(point,)
            ),
        )
        self._say(LoanOpened(loan_id=loan, terms=terms))
        amounts = Amounts(principal_minor=amount, interest_minor=0, fee_minor=0, penalty_minor=0)
        self._say(
            InstalmentScheduled(loan_id=loan, instalment_id=f"{loan}-i", due_date=due, amounts=amounts),
        )
        self._unpaid.append((loan, amount, currency))
        self._unpaid = self._unpaid[-200:]

    def _pay(self) -> None:
        loan, amount, currency = self._unpaid.pop(self._random.randrange(len(self._unpaid)))
        paid = RepaymentReceived(
            loan_id=loan, payment_id=f"{loan}-p", amount_minor=amount, currency=currency,
            value_date=datetime.now(UTC).date(),
        )  # fmt: skip
        self._say(paid)
        if self._random.random() < 0.1:
            day = datetime.now(UTC).date()
            back = RepaymentReversed(
                loan_id=loan, payment_id=f"{loan}-p", reversed_on=day, reason=ReversalReason.RETURNED
            )
            self._say(back)

    def _say(self, event: Event) -> None:
        self._unsaid.append(publication(event, derive_id("drill", event.TYPE, repr(event)), "/lenders/drill", now_ms()))


async def gateways(settings: Settings) -> None:
    """Act on permits by the written contract, for ever."""
    withdrawn: set[str] = set()
    held: list[tuple[int, PermitGranted]] = []
    async with Participant(settings, "drill-gateways", BORROWER_CLOCK, reads=(OUTREACH,)) as gateway:
        async for moment in gateway.moments():
            events = [record.decode() for record in moment.records[OUTREACH]]
            found = [event.data for event in events if hasattr(event, "data")]
            withdrawn |= {event.permit_id for event in found if isinstance(event, PermitWithdrawn)}
            granted = [event for event in found if isinstance(event, PermitGranted)]
            held += [(max(now_ms(), permit.valid_from_ms) + ACTS_AFTER_MS, permit) for permit in granted]
            while held and held[0][0] <= now_ms():
                _, permit = held.pop(0)
                await _act(gateway, permit, used=permit.permit_id not in withdrawn)
            await gateway.answer(moment)


async def _act(gateway: Participant, permit: PermitGranted, *, used: bool) -> None:
    now = now_ms()
    in_time = used and permit.valid_from_ms <= now < permit.valid_until_ms
    outcome = Outcome.ATTEMPTED if in_time else Outcome.NOT_ATTEMPTED
    event = OutreachOutcome(
        borrower_id=permit.borrower_id, outcome_id=derive_id("drill", permit.permit_id), permit_id=permit.permit_id,
        outcome=outcome, occurred_ms=now, channel=permit.channel, contact_point_id=permit.contact_point_id,
        lender_id=permit.lender_id, loan_ids=tuple(loan.loan_id for loan in permit.loans),
    )  # fmt: skip
    said = publication(event, event.outcome_id, "/gateways/drill", now)
    assert said.key is not None
    await gateway.publish(said.topic, said.key, said.value, said.headers)


async def garbage(deployment: Deployment, loans: Sequence[str]) -> None:
    """Publish repayments that nobody can read."""
    async with publisher(deployment) as sender:
        for loan in loans:
            await sender.send(REPAYMENTS, loan.encode(), b"{")


async def until_cancelled(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks and wait for them."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
