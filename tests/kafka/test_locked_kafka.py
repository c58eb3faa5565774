"""A broker with TLS, users and certificates: everything that works on a plain one works there too."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from shared.contract.loans import DUE_DATES
from shared.contract.outreach import LOAN_CONTACTS
from shared.contract.ticks import CONTROL, LOAN_CLOCK, PROBE_AT
from shared.contract.topics import CLOCK, REMINDER
from shared.runtime.kafka_security import Mechanism, Protocol
from shared.runtime.knocking import why_refused
from shared.runtime.local_kafka.network import free_port
from shared.runtime.records import deployment_of, partition_counts
from shared.runtime.rights import Kind, Operation, Right, rights_of
from shared.runtime.settings import Settings
from shared.runtime.stop import StopReason
from shared.runtime.topics import TopicAdmin
from tests.kafka.access_rules import grant
from tests.kafka.house import House
from tests.kafka.locked_kafka import (
    ELSEWHERE,
    EXPIRED,
    IN_THE_CLEAR,
    LIMITED,
    MUTUAL,
    ONE_WAY,
    OPERATOR,
    PASSWORDS,
    PROCESSES,
    TURNCOAT,
    USERS,
    LockedKafka,
    password_of,
)
from tests.kafka.test_stops import expected, reason_of
from tests.shared.engine.toy import HOUR_MS, START_MS

pytestmark = pytest.mark.kafka
TICKS = 12


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A broker of this module that lets in nobody whom it does not know."""
    locked = LockedKafka(tmp_path_factory.mktemp("locked"))
    locked.broker.start()
    try:
        yield locked
    finally:
        locked.broker.stop()


@pytest.mark.parametrize(
    "entrance",
    [
        lambda locked: locked.as_user(mechanism=Mechanism.PLAIN),
        lambda locked: locked.as_user(mechanism=Mechanism.SCRAM_SHA_256),
        lambda locked: locked.as_user(mechanism=Mechanism.SCRAM_SHA_512, door=IN_THE_CLEAR),
    ],
    ids=["plain", "scram-256", "scram-512-in-the-clear"],
)
async def test_every_way_in_leads_in(locked, entrance, tmp_path):
    """Topics are made and found by each mechanism."""
    settings = Settings(prefix=tmp_path.name, **entrance(locked))
    async with TopicAdmin(settings) as admin:
        assert len(await admin.create()) > 10
        assert await admin.check() == ()
    assert await partition_counts(deployment_of(settings), [DUE_DATES]) == {DUE_DATES: 4}


class LockedHouse(House):
    """A house whose processes are users of their own: each instance is named like its user."""

    locked: LockedKafka
    mechanism = Mechanism.SCRAM_SHA_512

    def environment(self, instance):
        given = self.locked.as_user(instance, self.mechanism) if self.settings.security_protocol.has_sasl else {}
        return super().environment(instance) | {f"DUECOURSE_{name.upper()}": str(text) for name, text in given.items()}


@pytest.fixture
def make_house(locked, tmp_path):
    """Return a maker of a house on the broker with locks, with topics of its own."""

    def make(entrance, **settings):
        given = {name: value for name, value in entrance.items() if name != "broker"}
        house = LockedHouse(entrance["broker"], tmp_path, tmp_path.name, **given, **settings)
        house.locked = locked
        return house

    return make


@pytest.mark.parametrize("door", [USERS, MUTUAL])
async def test_services_and_clock_work_behind_tls(locked, make_house, door):
    """Facts, ticks, transactions, a kill, recovery: outputs and states equal the fold, and no log knows a password.

    As users of their own the processes have the rights that `duecourse topics rights` lists, and no others.
    """
    entrance = locked.as_user() if door == USERS else locked.by_certificate()
    async with make_house(entrance) as house:
        for process in PROCESSES:
            await grant(locked.broker.start(), process, rights_of_toy(house.settings, process))
        await house.feed(300)
        limiter = house.service("rate_limiter", "rate_limiter", DUECOURSE_LOG_LEVEL="debug")
        reminder = house.service("reminder", "reminder")
        house.simulated_clock(TICKS)
        await house.wait_for_tick(START_MS + 3 * HOUR_MS, mending=True)
        reminder.restart(wipe=True)
        await house.wait_for_tick(START_MS + (TICKS - 1) * HOUR_MS, mending=True)
        counted = await house.verdict()
        assert counted["outputs"] > 50
        assert counted["facts"] >= 300
        assert await asyncio.to_thread(limiter.kill, 15) == 0
        await asyncio.to_thread(reminder.kill)  # whose store would tidy its files away while they are looked at
        kept = [file for file in house.directory.rglob("*") if file.is_file()]
        assert sum(file.suffix == ".log" for file in kept) >= 4
        assert [file for file in kept if PASSWORDS in file.read_bytes()] == []


def rights_of_toy(settings, process):
    """Return the rights of a process; the toy that takes the reminder's place reads the gate's answers as well."""
    answers = settings.topic(LOAN_CONTACTS)
    more = [Right(Kind.TOPIC, answers, operation) for operation in (Operation.READ, Operation.DESCRIBE_CONFIGS)]
    return [*rights_of(settings, process), *(more if process == REMINDER else ())]


def lacking(rights, kind, operation, name=""):
    """Return the rights without one: of this kind, to do this, with what is named so."""
    gone = [r for r in rights if (r.kind, r.operation) == (kind, operation) and r.name.endswith(name)]
    assert len(gone) == 1
    return [right for right in rights if right not in gone]


MISSING = {
    REMINDER: (
        (Kind.TOPIC, Operation.READ, DUE_DATES),
        (Kind.TOPIC, Operation.READ, CONTROL),
        (Kind.TOPIC, Operation.DESCRIBE_CONFIGS, LOAN_CLOCK),
        (Kind.TOPIC, Operation.READ, "state-changelog"),
        (Kind.TOPIC, Operation.WRITE, "state-changelog"),
        (Kind.GROUP, Operation.READ),
        (Kind.TRANSACTIONAL_ID, Operation.WRITE),
    ),
    CLOCK: (
        (Kind.TOPIC, Operation.DESCRIBE, DUE_DATES),
        (Kind.TOPIC, Operation.WRITE, LOAN_CLOCK),
        (Kind.TOPIC, Operation.READ, CONTROL),
        (Kind.GROUP, Operation.DESCRIBE, REMINDER),
    ),
}


async def test_each_right_that_is_missing_is_a_named_stop(locked, make_house):
    """Without one of the rights that are listed a process stops, and says that it is a right that it lacks."""
    users = iter(LIMITED)
    async with make_house(locked.as_user()) as house:
        await house.feed(100)
        house.clock(OPERATOR)
        whole = house.service(REMINDER, OPERATOR)
        await house.wait_for_tick(PROBE_AT + 1, REMINDER)
        whole.kill()
        for service, gaps in MISSING.items():
            for gap in gaps:
                user = next(users)
                await grant(locked.broker.start(), user, lacking(rights_of_toy(house.settings, service), *gap))
                await house.feed(20)  # so that there is something to write
                process = house.clock(user) if service == CLOCK else house.service(service, user)
                assert (gap, await asyncio.to_thread(reason_of, process)) == (gap, expected(StopReason.ACCESS_DENIED))


async def test_a_service_that_is_not_let_in_stops_by_name(locked, make_house):
    """`duecourse run` ends with the code of the refusal and one line, other commands with a sentence; neither waits."""
    wrong = {**locked.as_user(), "sasl_user": "reminder"}
    given = {**os.environ, **{f"DUECOURSE_{name.upper()}": str(value) for name, value in wrong.items()}}

    def run(*arguments):
        command = [sys.executable, "-m", "services.cli", *arguments]
        return subprocess.run(command, env=given, capture_output=True, text=True, check=False)

    for process in (REMINDER, CLOCK):
        ended = await asyncio.to_thread(run, "run", process)
        assert ended.returncode == StopReason.LOGIN_REFUSED.code, ended.stderr
        (line,) = [json.loads(line) for line in (ended.stdout + ended.stderr).splitlines() if '"stopped"' in line]
        assert (line["reason"], line["detail"]) == (
            "login_refused",
            f"Kafka at {wrong['broker']} does not know the user reminder with this password (SCRAM-SHA-512)",
        )
    for arguments in (("topics", "check"), ("doctor",), ("dead-letters", "list")):
        ended = await asyncio.to_thread(run, *arguments)
        assert ended.returncode == 2
        assert "does not know the user reminder with this password (SCRAM-SHA-512).\n" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert PASSWORDS.decode() not in ended.stdout + ended.stderr


class Case(NamedTuple):
    """A client that is refused: its settings beside those of the operator at the usual door, and what is said."""

    given: Callable[[LockedKafka], dict[str, object]]
    reason: StopReason
    said: str


REFUSED = {
    "wrong_password": Case(
        lambda locked: {**locked.as_user(), "sasl_user": "reminder"},
        StopReason.LOGIN_REFUSED,
        "does not know the user reminder with this password (SCRAM-SHA-512)",
    ),
    "wrong_password_plain": Case(
        lambda locked: {**locked.as_user(mechanism=Mechanism.PLAIN), "sasl_user": "nobody"},
        StopReason.LOGIN_REFUSED,
        "does not know the user nobody with this password (PLAIN)",
    ),
    "mechanism_not_offered": Case(
        lambda locked: {**locked.as_user(mechanism=Mechanism.SCRAM_SHA_256, door=ONE_WAY)},
        StopReason.LOGIN_REFUSED,
        "does not offer sasl_mechanism SCRAM-SHA-256",
    ),
    "unknown_authority": Case(
        lambda locked: {**locked.as_user(), "tls_ca_file": locked.stranger.certificate},
        StopReason.BROKER_UNTRUSTED,
        "shows a certificate that cannot be trusted: unable to get local issuer certificate",
    ),
    "name_of_another": Case(
        lambda locked: locked.as_user(door=ELSEWHERE),
        StopReason.BROKER_UNTRUSTED,
        "IP address mismatch, certificate is not valid for '127.0.0.1'",
    ),
    "certificate_has_run_out": Case(
        lambda locked: locked.as_user(door=EXPIRED), StopReason.BROKER_UNTRUSTED, "certificate has expired"
    ),
    "plain_client_of_tls": Case(
        lambda locked: {"broker": locked.broker.door(USERS)},
        StopReason.WRONG_PROTOCOL,
        "speaks TLS there, and security_protocol is PLAINTEXT",
    ),
    "tls_client_of_plain": Case(
        lambda locked: {**locked.as_user(), "broker": locked.broker.start()},
        StopReason.WRONG_PROTOCOL,
        "speaks without TLS there, and security_protocol says with",
    ),
    "user_where_none_is_asked": Case(
        lambda locked: {
            **locked.as_user(door=IN_THE_CLEAR),
            "broker": locked.broker.start(),
        },
        StopReason.WRONG_PROTOCOL,
        "asks for no user there, and security_protocol is SASL_PLAINTEXT",
    ),
    "no_user_where_one_is_asked": Case(
        lambda locked: {
            "broker": locked.broker.door(USERS),
            "security_protocol": Protocol.SSL,
            "tls_ca_file": locked.authority.certificate,
        },
        StopReason.WRONG_PROTOCOL,
        "wants a user, and security_protocol is SSL",
    ),
    "no_user_in_the_clear": Case(
        lambda locked: {"broker": locked.broker.door(IN_THE_CLEAR)},
        StopReason.WRONG_PROTOCOL,
        "wants a user, and security_protocol is PLAINTEXT",
    ),
    "no_certificate_of_ours": Case(
        lambda locked: {
            **locked.by_certificate(),
            "tls_certificate_file": None,
            "tls_key_file": None,
        },
        StopReason.LOGIN_REFUSED,
        "does not accept our certificate, or wants one",
    ),
    "certificate_of_a_stranger": Case(
        lambda locked: {**locked.by_certificate(), **locked.certificate_of(locked.stranger)},
        StopReason.LOGIN_REFUSED,
        "does not accept our certificate, or wants one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_each_refusal_is_told_by_name(locked, name):
    """The knock says why no client gets in, and which address it is; it never shows the password."""
    case = REFUSED[name]
    settings = Settings(**case.given(locked))
    refusal = await why_refused(settings.access)
    assert refusal is not None
    assert refusal.reason is case.reason
    assert f"Kafka at {settings.broker} " in refusal.problem
    assert case.said in refusal.problem
    assert password_of(OPERATOR) not in refusal.problem


async def test_who_is_let_in_or_finds_nobody_is_not_refused(locked):
    """A broker that lets us in refuses nobody; neither does one that is away, or an address of nobody's."""
    for given in (locked.as_user(), locked.by_certificate(), {"broker": locked.broker.start()}):
        assert await why_refused(Settings(**given).access) is None
    away = {**locked.as_user(), "broker": f"127.0.0.1:{free_port()},nowhere.invalid:9092"}
    assert await why_refused(Settings(**away).access) is None


async def test_a_password_that_is_withdrawn_is_told_by_name(locked, make_house):
    """The password of clock and service changes while they are at work: both stop by name, and do not try for ever."""
    async with make_house(locked.as_user(), refused_seconds=2.0) as house:
        house.mechanism = Mechanism.PLAIN
        clock, reminder = house.clock(TURNCOAT), house.service(REMINDER, TURNCOAT)
        await house.wait_for_tick(PROBE_AT + 1, REMINDER)
        await asyncio.to_thread(locked.withdraw, TURNCOAT)
        assert await asyncio.to_thread(reason_of, clock, 120) == expected(StopReason.LOGIN_REFUSED)
        if await asyncio.to_thread(reminder.popen.wait, 120) in (StopReason.DOUBT.code, StopReason.FENCE_FAILED.code):
            reminder.start()
        assert await asyncio.to_thread(reason_of, reminder) == expected(StopReason.LOGIN_REFUSED)
