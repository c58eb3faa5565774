"""Faults and cures of the drills, by the names that `deploy/alerts.toml` gives them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from time import monotonic, sleep

from aiokafka import AIOKafkaProducer

from shared.contract.base import Channel, Event
from shared.contract.codec import Rejected
from shared.contract.loans import LoanOpened, LoanTerms, Obligor, Role
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import OUTREACH, PermitGranted
from shared.contract.people import BorrowerProfile
from shared.contract.repayments import REPAYMENTS
from shared.kernel.ids import derive_id
from shared.kernel.zones import DAY_MS, HOUR_MS
from shared.runtime.records import publisher, read_records
from shared.runtime.system_clock import now_ms
from shared.simulation.desk import publication
from tests.drills.lending import LENDING
from tests.drills.limits import ProcessorLimit
from tests.drills.scene import Act, Scene, bring_gateways_back, end_background, silence_gateways, start, stop
from tests.drills.surroundings import SURROUNDINGS
from tests.drills.traffic import House, Member, garbage

LIVES_SECONDS = 8.0
JOINS_SECONDS = 20.0
SETTLES_SECONDS = 15.0
SHARE_OF_A_CORE = 0.06
LOOKS_SECONDS = 1.0
IMPORTED = 80_000
INTERVAL_MS = 37_000
"""Nearly four times as long as an answer may take, longer than a tick counts as fresh, and no stopped clock yet."""


def crash_loop(name: str) -> Act:
    """Let a process end again and again before it does any work, as at a fact that it cannot bear."""

    async def go_on(member: Member) -> None:
        while True:
            await asyncio.to_thread(member.end, signal.SIGKILL)
            member.start()
            await asyncio.to_thread(_wait_for_work, member.port)

    async def act(scene: Scene) -> None:
        scene.house.down.add(name)
        scene.go_on(go_on(scene.house.members[name]))

    return act


def _wait_for_work(port: int) -> None:
    """Wait until a process is about to work, or has answered for a while that it is not."""
    answering_since: float | None = None
    while answering_since is None or monotonic() - answering_since < LIVES_SECONDS:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except urllib.error.HTTPError:
            answering_since = answering_since or monotonic()
        except OSError:
            """Nobody listens yet."""
        sleep(0.2)


async def end_crash_loop(scene: Scene) -> None:
    """Take away what made it end."""
    await end_background(scene)
    await start("escalation")(scene)


def slow_import(name: str, facts: Callable[[int], Event]) -> Act:
    """Give a process a sixteenth of a core, and import more than it can then apply in minutes."""

    async def slow(member: Member) -> None:
        with ProcessorLimit(name, SHARE_OF_A_CORE) as limit:
            while True:
                if member.process is not None and member.runs:
                    limit.hold(member.process.pid)
                await asyncio.sleep(LOOKS_SECONDS)

    async def act(scene: Scene) -> None:
        scene.go_on(slow(scene.house.members[name]))
        async with publisher(scene.deployment) as sender:
            for number in range(IMPORTED):
                event = facts(number)
                said = publication(event, derive_id("drill-import", name, number), "/lenders/import", now_ms())
                await sender.send(said.topic, said.key, said.value, said.headers)

    return act


def boarded(number: int) -> Event:
    """A loan that nobody owes anything on."""
    terms = LoanTerms(
        lender_id="import", obligors=(Obligor(borrower_id=f"b-import-{number}", role=Role.BORROWER),), currency="USD",
        product="term", accounting_zone="America/New_York", jurisdiction="US-NY",
    )  # fmt: skip
    return LoanOpened(loan_id=f"l-import-{number}", terms=terms)


def profiled(number: int) -> Event:
    """A person whom nobody wants to reach."""
    return BorrowerProfile(
        borrower_id=f"b-profile-{number}", revision=1, zones=("UTC",), jurisdictions=("GB",), contact_points=()
    )


async def wait(_scene: Scene) -> None:
    """Do nothing: it ends by itself."""


async def throw_garbage(scene: Scene) -> None:
    """Publish repayments of known loans that nobody can read."""
    await garbage(scene.deployment, [f"l{os.getpid()}-{number}" for number in range(1, 6)])


def command(*words: str) -> Act:
    """Do what an operator would type."""

    async def act(scene: Scene) -> None:
        where = ("--broker", scene.deployment.broker, "--prefix", scene.deployment.prefix)
        await asyncio.to_thread(_type, *words, *where)

    return act


def _type(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "services.cli", *words], capture_output=True, text=True, check=True)
    return done.stdout


async def discard_dead_letters(scene: Scene) -> None:
    """Discard each open dead letter, as an operator would who knows that the records were wrong."""
    where = ("--broker", scene.deployment.broker, "--prefix", scene.deployment.prefix)
    listed = await asyncio.to_thread(_type, "dead-letters", "list", "--open", *where)
    for line in listed.splitlines()[:-1]:
        coordinates = line.split()[0]
        await asyncio.to_thread(_type, "dead-letters", "discard", coordinates, "--reason", "drill", *where)


async def clock_that_will_step(scene: Scene) -> None:
    """Let the clock's own machine time jump by forty seconds while it runs."""
    scene.house.folder.joinpath("time").write_text("+0s")
    await restart("clock", scene, faketime(scene.house.folder / "time"))
    await asyncio.sleep(SETTLES_SECONDS)
    scene.house.folder.joinpath("time").write_text("+40s")


async def step_back(scene: Scene) -> None:
    """Put the clock's machine time right; it believes it again by itself."""
    scene.house.folder.joinpath("time").write_text("+0s")


def faketime(file: Path) -> dict[str, str]:
    """Return the environment in which a process tells the time as a file says, and counts seconds as everybody does."""
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip


async def restart(name: str, scene: Scene, environment: dict[str, str]) -> None:
    """Start a process anew in another environment."""
    await stop(name)(scene)
    scene.house.members[name].environment = environment
    await start(name)(scene)


async def other_build(scene: Scene) -> None:
    """Roll one service out that calls itself another build."""
    told = scene.house.folder / "other-build/duecourse-99.0.0.dist-info"
    told.mkdir(parents=True, exist_ok=True)
    told.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: duecourse\nVersion: 99.0.0\n")
    await restart("escalation", scene, {"PYTHONPATH": str(told.parent)})


async def end_other_build(scene: Scene) -> None:
    """Roll it back."""
    await restart("escalation", scene, {})


def start_with(name: str, change: Callable[[House, list[str]], list[str]]) -> Act:
    """Start a process anew with other arguments, as somebody may who mistakes something."""

    async def act(scene: Scene) -> None:
        member = scene.house.members[name]
        scene.left["arguments"] = member.arguments
        member.arguments = change(scene.house, member.arguments)
        await restart(name, scene, {})

    return act


def older_policy(house: House, arguments: list[str]) -> list[str]:
    """Return arguments that name another policy than the ticks do, as after a roll-out that left it out."""
    folder = house.folder / "older-policy"
    folder.mkdir(exist_ok=True)
    for file in house.policy.glob("*.toml"):
        (folder / file.name).write_text(file.read_text() + "# an older wording\n")
    return [str(folder) if it == str(house.policy) else it for it in arguments]


def slow_ticks(_house: House, arguments: list[str]) -> list[str]:
    """Return arguments of a clock that ticks slowly, yet not so slowly that it would be missed."""
    return [*arguments, "--interval-ms", str(INTERVAL_MS)]


def start_as_before(name: str) -> Act:
    """Start it as it was."""

    async def act(scene: Scene) -> None:
        scene.house.members[name].arguments = scene.left.pop("arguments")
        await restart(name, scene, {})

    return act


async def forge_permit(scene: Scene) -> None:
    """Write onto the gate's topic what only the gate may: a permit that was granted before, once more."""
    async with aclosing(read_records(scene.deployment, [OUTREACH])) as records:
        async for record in records:
            decoded = record.decode()
            if not isinstance(decoded, Rejected) and isinstance(decoded.data, PermitGranted):
                event = decoded.data.model_copy(update={"permit_id": derive_id("forged", decoded.data.permit_id)})
                break
    said = publication(event, derive_id("forged", event.permit_id), "/rate_limiter/0", now_ms())
    async with publisher(scene.deployment) as sender:
        await (await sender.send(said.topic, said.key, said.value, said.headers))


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
    """Let a second instance join and leave, four times."""
    guest = scene.house.members["guest"]
    for _ in range(4):
        guest.start()
        await asyncio.sleep(JOINS_SECONDS)
        await asyncio.to_thread(guest.end)
        await asyncio.sleep(SETTLES_SECONDS)


SERVICES = ("reminder", "escalation", "credit_report", "rate_limiter", "clock", "auditor")
FAULTS: dict[str, Act] = {
    **SURROUNDINGS,
    **LENDING,
    **{f"stop {name}": stop(name) for name in SERVICES},
    **{f"start {name}": start(name) for name in SERVICES},
    "escalation crash-loops": crash_loop("escalation"),
    "end the crash loop": end_crash_loop,
    "import before a slow reminder": slow_import("reminder", boarded),
    "import before a slow gate": slow_import("rate_limiter", profiled),
    "full speed": end_background,
    "the clock's machine steps": clock_that_will_step,
    "step the clock back": step_back,
    "escalation lacks the policy in force": start_with("escalation", older_policy),
    "install the policy": start_as_before("escalation"),
    "the clock ticks slowly": start_with("clock", slow_ticks),
    "the clock ticks every second": start_as_before("clock"),
    "gateways fall silent": silence_gateways,
    "gateways speak again": bring_gateways_back,
    "garbage": throw_garbage,
    "discard dead letters": discard_dead_letters,
    "open transaction": open_transaction,
    "abort transaction": abort_transaction,
    "agency calls at night": call_at_night,
    "guests come and go": guests,
    "another build beside ours": other_build,
    "end the other build": end_other_build,
    "stop outreach": command("outreach", "stop", "--reason", "drill"),
    "start outreach": command("outreach", "start", "--reason", "drill"),
    "foreign writer": forge_permit,
    "wait": wait,
}
