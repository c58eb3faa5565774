"""A broker with TLS, users and certificates: everything that works on a plain one works there too."""

import asyncio

import pytest

from shared.contract.loans import DUE_DATES
from shared.runtime.kafka_security import Mechanism
from shared.runtime.records import deployment_of, partition_counts
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin
from tests.kafka.house import House
from tests.kafka.locked_kafka import IN_THE_CLEAR, LockedKafka
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


@pytest.mark.parametrize(
    "entrance",
    [lambda locked: locked.as_user(), lambda locked: locked.by_certificate()],
    ids=["sasl_ssl", "mutual_tls"],
)
async def test_services_and_clock_work_behind_tls(locked, entrance, tmp_path):
    """Facts, ticks, transactions, a kill, recovery and a second owner: outputs and states equal the fold."""
    given = entrance(locked)
    async with House(given.pop("broker"), tmp_path, f"h-{tmp_path.name}", **given) as house:
        await house.feed(300)
        reminder, limiter = house.service("reminder"), house.service("rate_limiter")
        house.simulated_clock(TICKS)
        await house.wait_for_tick(START_MS + 3 * HOUR_MS, mending=True)
        reminder.restart(wipe=True)
        await house.wait_for_tick(START_MS + (TICKS - 1) * HOUR_MS, mending=True)
        counted = await house.verdict()
        assert counted["outputs"] > 50
        assert counted["facts"] >= 300
        assert await asyncio.to_thread(limiter.kill, 15) == 0
