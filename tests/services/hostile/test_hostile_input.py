"""Whatever lies on their topics, the four cores never crash, and each record has exactly one disposition."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cli.processors import PROCESSORS
from shared.contract.codec import Rejected, decode
from shared.contract.topics import TOPICS
from shared.domain.policy import load_policy
from shared.engine.epoch import Deployment, Limits
from shared.engine.topology import Topology
from tests.services.hostile.logs import hostile_logs
from tests.shared.engine.fold import fold
from tests.shared.engine.harness import Harness, assert_equal

POLICY = load_policy()
BY_NAME = {processor.name: processor for processor in PROCESSORS}


def deployment(facts_and_wakes=1000):
    """Return two partitions of everything, under the default policy."""
    topology = Topology(dict.fromkeys(TOPICS, 2))
    return Deployment(topology, {POLICY.hash: POLICY}, "test", Limits(facts_and_wakes, 512))


def judge(name, seed, facts_and_wakes=1000, crash=0.0):
    """Run one partition through the engine; return how many records of the inputs were given, by verdict."""
    processor, where = BY_NAME[name], deployment(facts_and_wakes)
    logs = hostile_logs(processor, where, 0, seed)
    harness = Harness(processor, where, 0, logs, seed, crash)
    harness.run()
    progress = harness.loop.progress
    last = harness.loop.next_offsets()
    for topic in processor.reads:
        assert progress.counts[topic].total == progress.offsets[topic] == last[topic] == len(logs[topic])
    assert_equal(harness, fold(processor, where.topology, 0, logs, policies=where.policies))
    verdicts = Counter()
    for topic in processor.reads:
        counts = progress.counts[topic]
        verdicts.update(applied=counts.applied, duplicate=counts.duplicate, dead=counts.dead)
    return verdicts


@pytest.mark.parametrize("name", BY_NAME)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**9), facts_and_wakes=st.sampled_from((1, 7, 1000)), crash=st.sampled_from((0.0, 0.1)))
def test_no_log_crashes_a_core_and_every_cut_gives_the_same_bytes(name, seed, facts_and_wakes, crash):
    """Allowed and absurd events, garbage, leaps of years: counted once each, and equal to the plain fold (P1, P8)."""
    assert judge(name, seed, facts_and_wakes, crash).total() > 0


def test_the_hostile_logs_reach_the_cores():
    """Most events are allowed by the contract and applied: the test above is not one of the codec alone."""
    for name, processor in BY_NAME.items():
        verdicts, read = Counter(), Counter()
        for seed in range(5):
            verdicts.update(judge(name, seed))
            for topic, log in hostile_logs(processor, deployment(), 0, seed).items():
                read.update(isinstance(decode(topic, r.key, r.value, r.headers), Rejected) for r in log)
        assert read[False] > read[True], name
        assert verdicts["applied"] > 50, (name, verdicts)
        assert verdicts["dead"] > 20, (name, verdicts)
