"""A service that died anywhere is rebuilt from its inputs alone: it goes on there, and says nothing twice."""

from dataclasses import replace

import pytest

from shared.contract.topics import DEAD_LETTERS
from shared.engine.epoch import Limits
from shared.engine.state import StateCodec
from shared.engine.store import STATE_PREFIX
from shared.runtime.published import Published, identity
from shared.runtime.rebuild import Beginning, Irrecoverable, PartitionRebuild
from tests.shared.engine.fold import fold
from tests.shared.engine.harness import Harness, random_logs
from tests.shared.engine.toy import GATE, LOANS, POLICY, deployment

PARTITION = 1


class Logs:
    """Inputs in memory, in small slices."""

    def __init__(self, logs):
        self.logs = logs
        self.places = dict.fromkeys(logs, 0)

    async def next(self, topic):
        """Return the next few records of a topic."""
        found = [record for record in self.logs[topic] if record.offset >= self.places[topic]][:7]
        self.places[topic] = found[-1].offset + 1 if found else 1_000_000
        return found

    def position(self, topic):
        """Return how far a topic was read."""
        return self.places[topic]

    def rewind(self, offsets):
        """Go back."""
        self.places.update(offsets)


def lived(processor, seed):
    """Return the logs of a partition, and all transactions that a service made of them."""
    ours = deployment(Limits(facts_and_wakes=9, ticks=3))
    logs = random_logs(processor, ours, PARTITION, seed)
    harness = Harness(processor, ours, PARTITION, logs, seed)
    harness.run()
    return ours, logs, harness.transactions


async def rebuilt(processor, ours, logs, published, reported_at):
    """Return what a rebuild makes of the logs."""
    rebuild = PartitionRebuild(processor, ours, PARTITION, published, reported_at)
    beginning = Beginning(dict.fromkeys(logs, 0), dict.fromkeys(logs, 1_000_000), 0)
    return await rebuild.run(beginning, Logs(logs))


def said_in(transactions):
    """Return all outputs of transactions, in order: place, key and value."""
    return [
        (place, output.key, output.value)
        for t in transactions
        for place, found in t.outputs.items()
        for output in found
    ]


def published_in(transactions):
    """Return what these transactions have said, as a reader of the topics knows it."""
    outputs = [(topic, o) for t in transactions for (topic, _), found in t.outputs.items() for o in found]
    ats = [emitted.at for t in transactions for emitted in t.emitted]
    ats += [int(dict(o.headers)["duecourse-at"]) for topic, o in outputs if topic == DEAD_LETTERS]
    return Published({identity(topic, output) for topic, output in outputs}, max(ats, default=0))


def goes_on(processor, ours, logs, found):
    """Return what a service says that starts from what was rebuilt, and its states at the end."""
    harness = Harness(processor, ours, PARTITION, logs)
    for offset, (key, value) in enumerate(found.records.items()):
        harness.store.restore(key, value, offset)
    harness._start(replace(found.progress, n=1))
    harness.run()
    return said_in(harness.transactions), harness.states()


@pytest.mark.parametrize("processor", [LOANS, GATE], ids=lambda processor: processor.name)
@pytest.mark.parametrize("seed", range(6))
async def test_whatever_was_said_is_dropped_and_the_rest_is_said_once(processor, seed):
    """After each of its transactions in turn the memory is lost, the group knows of none or of some of them."""
    ours, logs, transactions = lived(processor, seed)
    every = said_in(transactions)
    whole = fold(processor, ours.topology, PARTITION, logs, policies={POLICY: None})
    codec = StateCodec(processor.state, processor.upgrades)
    wanted = {key: codec.encode(state, whole.wakes.get(key)) for key, state in whole.states.items()}
    dropped = 0
    for count in range(0, len(transactions) + 1, 3):
        done = transactions[:count]
        reported = done[-1].progress.at if done and count % 2 else 0
        found = await rebuilt(processor, ours, logs, published_in(done), reported)
        later, states = goes_on(processor, ours, logs, found)
        assert not found.differs
        assert sorted([*said_in(done), *later]) == sorted(every)
        assert states == wanted
        dropped += found.dropped
    assert dropped > 100


async def test_what_another_build_said_is_counted_and_not_taken_for_ours():
    """Outputs that the fold does not say, and outputs before the last report that nobody has seen, are differences."""
    ours, logs, transactions = lived(LOANS, 1)
    published = published_in(transactions)
    published.said.add(("collections.reminders", "another"))
    assert (await rebuilt(LOANS, ours, logs, published, 0)).unexplained == 1
    silent = await rebuilt(LOANS, ours, logs, Published(), transactions[-1].progress.at)
    assert silent.unsaid == len(said_in(transactions))
    assert silent.differs


async def test_a_policy_that_is_lacking_is_named():
    """Nothing is rebuilt by guesses."""
    ours, logs, _ = lived(LOANS, 2)
    with pytest.raises(Irrecoverable, match="the policy a1, which was not given"):
        await rebuilt(LOANS, replace(ours, policies={}), logs, Published(), 0)


async def test_only_states_are_handed_over():
    """The progress record is made by who writes the changelog."""
    ours, logs, transactions = lived(LOANS, 3)
    found = await rebuilt(LOANS, ours, logs, published_in(transactions), 0)
    assert {key[:1] for key in found.records} == {STATE_PREFIX}
