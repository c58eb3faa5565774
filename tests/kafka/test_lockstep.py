"""Simulated time: two runs of one story leave the same bytes, whatever was killed, and however late."""

import hashlib
import signal
from collections import defaultdict

import pytest

from shared.contract.codec import decode
from shared.contract.outreach import LOAN_CONTACTS, OUTREACH
from shared.contract.requests import REMINDERS
from shared.contract.ticks import BORROWER_CLOCK, TimeMode
from tests.kafka.house import MODULES, House
from tests.kafka.test_faults import ticks_of
from tests.shared.engine.toy import HOUR_MS, START_MS

pytestmark = pytest.mark.kafka
TICKS = 40
SILENT_FROM, SILENT_UNTIL = START_MS + 15 * HOUR_MS, START_MS + 21 * HOUR_MS
PLAN = {
    "loan_participants": ["lender"],
    "borrower_participants": ["gateway"],
    "simulation": {"silences": [["reminder", SILENT_FROM, SILENT_UNTIL]]},
}
MODULES |= {"lender": "tests.kafka.toy_lender", "gateway": "tests.kafka.toy_lender"}


async def told(house, lender=(), **plan):
    """Start everybody; return the processes by name. `lender` is more of its environment."""
    more = {"lender": dict(lender)}
    names = ("reminder", "rate_limiter", "lender", "gateway")
    started = {name: house.service(name, **more.get(name, {})) for name in names}
    return {**started, "clock": house.simulated_clock(TICKS, **plan)}


async def digest(house):
    """Return one hash over keys and values of all outputs, in order, per source and destination partition."""
    streams = defaultdict(list)
    for topic in (REMINDERS, OUTREACH, LOAN_CONTACTS):
        for partition, records in (await house.read(topic)).items():
            for record in records:
                source = decode(topic, record.key, record.value).source
                streams[topic, partition, source].append((record.key, record.value))
    return hashlib.sha256(repr(sorted(streams.items())).encode()).hexdigest()


async def test_two_runs_of_one_story_leave_the_same_bytes(kafka, tmp_path):
    """Lockstep with a rehearsed outage: undisturbed; and with kills, a late outage, and everything said twice."""
    digests = []
    async with House(kafka, tmp_path / "calm", "calm", mode=TimeMode.SIMULATED) as house:
        processes = await told(house, **PLAN)
        await house.wait(processes["clock"].ended, 240)
        silent = {tick.at for tick in await ticks_of(house, BORROWER_CLOCK) if tick.silent}
        assert silent == {SILENT_FROM + i * HOUR_MS for i in range(6)}
        assert (await house.verdict())["outputs"] > 100
        digests.append(await digest(house))
    async with House(kafka, tmp_path / "wild", "wild", mode=TimeMode.SIMULATED) as house:
        processes = await told(house, {"TOY_TWICE": "1"}, **PLAN)
        for number, name in enumerate(("rate_limiter", "lender", "clock", "gateway"), 1):
            await house.wait_for_tick(START_MS + 3 * number * HOUR_MS, "rate_limiter", mending=True)
            processes[name].restart(signal.SIGKILL, wipe=name == "rate_limiter")
        await house.wait_for_tick(SILENT_FROM, "rate_limiter")
        processes["reminder"].kill()
        await house.wait_for_tick(SILENT_UNTIL - HOUR_MS, "rate_limiter")
        processes["reminder"].start()
        await house.wait(processes["clock"].ended, 240)
        assert processes["clock"].popen.returncode == 0
        assert (await house.verdict())["outputs"] > 100
        digests.append(await digest(house))
    assert digests[0] == digests[1]
