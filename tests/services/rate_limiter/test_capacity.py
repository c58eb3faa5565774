"""A channel's capacity is shared by everybody in a partition, tick by tick, whatever the transactions and crashes."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from services.rate_limiter.processor import PROCESSOR
from shared.contract.base import Channel
from shared.contract.codec import Envelope, decode, encode
from shared.contract.outreach import OUTREACH, PermitDeferred, PermitGranted
from shared.contract.people import BORROWERS
from shared.contract.requests import REMINDERS
from shared.contract.ticks import BORROWER_CLOCK, Tick
from shared.engine.epoch import Deployment, Limits
from tests.services.rate_limiter.situations import NOON, SHANGHAI, policy, profile, wish
from tests.shared.engine.fold import LogRecord
from tests.shared.engine.harness import Harness
from tests.shared.engine.toy import topology

PEOPLE = 20
CAPACITY = 3


def scarce():
    """The default policy with room for three texts a tick."""
    packs = policy().packs
    terms = replace(packs.channels[Channel.SMS], grants_per_tick=CAPACITY)
    return replace(policy(), packs=replace(packs, channels={**packs.channels, Channel.SMS: terms}))


def record(offset: int, who: str, fact_id: str, source: str, data) -> LogRecord:
    """One readable record about somebody."""
    data = data.model_copy(update={"borrower_id": who})
    return LogRecord(offset, who.encode(), encode(Envelope(fact_id, source, data.TYPE, data)))


def crowd() -> dict[str, list[LogRecord]]:
    """Twenty people who are all to be reminded now, and ten ticks, a second apart."""
    names = [f"person-{number:02}" for number in range(PEOPLE)]
    asked = [wish(f"wish-{number:02}", NOON, channels=(Channel.SMS,)) for number in range(PEOPLE)]
    barriers = {topic: PEOPLE if topic in (BORROWERS, REMINDERS) else 0 for topic in PROCESSOR.reads}
    ticks = [Tick(at=NOON + number * 1000, barriers=barriers, policy=policy().hash) for number in range(10)]
    return {
        **{topic: [] for topic in PROCESSOR.reads},
        BORROWERS: [record(n, who, f"profile-{n}", "/lender", profile(SHANGHAI)) for n, who in enumerate(names)],
        REMINDERS: [record(n, who, asked[n].id, asked[n].source, asked[n].data) for n, who in enumerate(names)],
        BORROWER_CLOCK: [
            LogRecord(n, None, encode(Envelope(f"tick-{n}", "/duecourse/clock/0", tick.TYPE, tick)))
            for n, tick in enumerate(ticks)
        ],
    }


def outputs(limits: Limits, crash: float = 0.0, seed: int = 1):
    """What the gate of the one partition publishes on collections.outreach."""
    where = Deployment(topology(loans=1, borrowers=1), {policy().hash: scarce()}, limits=limits)
    harness = Harness(PROCESSOR, where, 0, crowd(), seed=seed, crash=crash)
    harness.run()
    return harness.outputs[OUTREACH, 0]


def test_no_tick_grants_more_than_the_channel_can_take():
    """Three texts a tick, the others deferred once by name, until everybody had theirs."""
    by_tick, waits = Counter(), defaultdict(set)
    for key, value in outputs(Limits()):
        envelope = decode(OUTREACH, key, value)
        assert isinstance(envelope, Envelope)
        if isinstance(envelope.data, PermitGranted):
            by_tick[envelope.time_ms] += 1
        if isinstance(envelope.data, PermitDeferred):
            waits[key].update(rule.rule_id for rule in envelope.data.rules)
    assert [by_tick[NOON + number * 1000] for number in range(7)] == [3, 3, 3, 3, 3, 3, 2]
    assert len(waits) == PEOPLE - CAPACITY
    assert set().union(*waits.values()) == {"channel_capacity"}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1, 2, 7])
def test_cuts_and_crashes_in_the_middle_of_a_tick_change_nothing(size, seed):
    """What was spent before a transaction ended, or a process died, is known to the rest of the tick (P2, P8)."""
    assert outputs(Limits(facts_and_wakes=size), crash=0.2, seed=seed) == outputs(Limits())
