"""One key to which more happens than to any real one: refused by name, and its neighbours do not notice."""

import json
from collections import Counter

import pytest

from shared.contract.catalogue import EVENTS
from shared.contract.codec import Envelope, encode
from shared.contract.examples import example
from shared.contract.outcomes import OUTCOMES
from shared.contract.ticks import Tick
from shared.engine.batch import STATE_BYTES_MAX
from shared.engine.state import StateCodec
from shared.engine.store import STATE_PREFIX
from tests.services.hostile.bounds import BOUNDS, lists_of, longest
from tests.services.hostile.events import DAY_MS, START_MS
from tests.services.hostile.logs import hostile_logs
from tests.services.hostile.test_hostile_input import BY_NAME, POLICY, deployment
from tests.shared.engine.fold import LogRecord, fold
from tests.shared.engine.harness import Harness, assert_equal

RECORD_BYTES_MAX = 1024 * 1024
LONG = "x" * 50
ALLOCATIONS = [{"instalment_id": f"q{n}{LONG}", "amount_minor": 1, "component": "principal"} for n in range(100)]
FLOODS = {
    "instalments": ("lending.instalment.scheduled.v1", 2_500, lambda n: {"instalment_id": f"i{n}{LONG}"}),
    "revisions": ("lending.instalment.scheduled.v1", 2_500, lambda n: {"revision": n}),
    "payments": ("lending.repayment.received.v1", 2_500, lambda n: {"payment_id": f"p{n}{LONG}"}),
    "allocations": (
        "lending.repayment.received.v1",
        300,
        lambda n: {"payment_id": f"p{n}", "allocations": ALLOCATIONS},
    ),
    "reversals": ("lending.repayment.reversed.v1", 2_500, lambda n: {"payment_id": f"p{n}{LONG}"}),
    "loan holds": ("lending.hold.placed.v1", 2_500, lambda n: {"hold_id": f"h{n}{LONG}"}),
    "charges": ("lending.charge.assessed.v1", 2_500, lambda n: {"charge_id": f"c{n}{LONG}"}),
    "promises": ("lending.promise.made.v1", 2_500, lambda n: {"promise_id": f"c{n}{LONG}"}),
    "loans of a person": ("collections.loan.linked.v1", 20_000, lambda n: {"loan_id": f"L{n}"}),
    "wishes": (
        "collections.contact.requested.v1",
        1_500,
        lambda n: {"request_id": f"r{n}{LONG}", "loan_id": f"L{n}", "not_after_ms": START_MS + DAY_MS},
    ),
    "withdrawals": ("collections.contact.withdrawn.v1", 4_500, lambda n: {"request_id": f"r{n}"}),
    "clearances": ("collections.clearance.requested.v1", 1_500, lambda n: {"clearance_id": f"r{n}{LONG}"}),
    "unasked contacts": (
        "outreach.outcome.reported.v1",
        1_000,
        lambda n: {
            "outcome_id": f"o{n}{LONG}",
            "occurred_ms": START_MS - n * 1000,
            "loan_ids": [f"L{m}{LONG}" for m in range(64)],
        },
    ),
    "refusals": (
        "outreach.outcome.reported.v1",
        1_000,
        lambda n: {
            "outcome_id": f"o{n}",
            "outcome": "stop",
            "permit_id": None,
            "contact_point_id": f"c{n}",
            "occurred_ms": START_MS - n,
        },
    ),
    "person holds": ("lending.borrower.hold-placed.v1", 1_000, lambda n: {"hold_id": f"h{n}{LONG}"}),
    "opt-outs": ("lending.borrower.opted-out.v1", 1_000, lambda n: {"contact_point_id": f"c{n}{LONG}"}),
}


def key_on(topic, number=0):
    """Return a key of the partition under test."""
    names = (f"K{n}" for n in range(99))
    where = deployment().topology
    return [name for name in names if where.partition_of(topic, name.encode()) == 0][number]


def facts_of(kind, key, count, change, start=0):
    """Return records of one type, each the type's example under the key, changed."""
    document = json.loads(encode(example(kind)))
    document["data"][EVENTS[kind].KEY] = key
    found = []
    for n in range(count):
        changed = {**document, "id": f"{key}-{n}", "data": {**document["data"], **change(n)}}
        changed["data"] = {name: value for name, value in changed["data"].items() if value is not None}
        found.append(LogRecord(start + n, key.encode(), json.dumps(changed).encode()))
    return found


def logs_of(processor, topic, records, ticks=3):
    """Return logs with these records under the first tick, and some more ticks."""
    logs = {name: [] for name in processor.reads} | {topic: records}
    logs[processor.clock] = []
    for n in range(ticks):
        tick = Tick(at=START_MS + n * DAY_MS, barriers={topic: len(records)}, policy=POLICY.hash)
        logs[processor.clock].append(LogRecord(n, None, encode(Envelope(f"t{n}", "/clock", tick.TYPE, tick))))
    return logs


def run(processor, logs, **given):
    """Work everything off; return the harness and the reasons of the dead."""
    harness = Harness(processor, deployment(**given), 0, logs)
    harness.run()
    dead = Counter()
    for transaction in harness.transactions:
        for epoch in transaction.epochs:
            dead.update(epoch.dead)
    return harness, dead


def readers_of(kind, topic):
    """Return the services that read the events of a type."""
    return [name for name, processor in BY_NAME.items() if topic in processor.reads and topic in EVENTS[kind].TOPICS]


CASES = [(flood, name) for flood, (kind, *_) in FLOODS.items() for name in readers_of(kind, EVENTS[kind].TOPICS[0])]


@pytest.mark.parametrize("name", BY_NAME)
def test_every_list_of_every_state_has_a_bound(name):
    """A field that is a list and has no number in the table was forgotten by somebody."""
    found = set(lists_of(BY_NAME[name].state))
    assert found
    assert found - BOUNDS.keys() == set()


def test_the_table_of_bounds_names_nothing_else():
    """What is no longer kept leaves the table."""
    assert {one for processor in BY_NAME.values() for one in lists_of(processor.state)} == BOUNDS.keys()


def assert_bounded(processor, values):
    """Look at every list in every state that was written."""
    codec, most = StateCodec(processor.state, processor.upgrades), Counter()
    for value in values:
        for name, length in longest(codec.decode(value)[0]).items():
            most[name] = max(most[name], length)
    assert most
    assert {name: length for name, length in most.items() if name in BOUNDS and length > BOUNDS[name]} == {}


def states_written(harness):
    """Return every state that a run wrote to its changelog."""
    records = [item for t in harness.transactions for item in t.changes.records.items()]
    return [value for key, value in records if key[:1] == STATE_PREFIX and value is not None]


@pytest.mark.parametrize("name", BY_NAME)
def test_no_hostile_log_makes_a_list_longer(name):
    """Allowed and absurd events, leaps of years."""
    for seed in range(3):
        logs = hostile_logs(BY_NAME[name], deployment(), 0, seed)
        harness = Harness(BY_NAME[name], deployment(), 0, logs)
        harness.run()
        assert_bounded(BY_NAME[name], states_written(harness))


@pytest.mark.parametrize(("flood", "name"), CASES)
def test_a_flood_for_one_key_stays_bounded(flood, name):
    """Every record is counted, the state can always be written, and what is too much is refused by name."""
    kind, count, change = FLOODS[flood]
    topic = EVENTS[kind].TOPICS[0]
    processor = BY_NAME[name]
    harness, dead = run(processor, logs_of(processor, topic, facts_of(kind, key_on(topic), count, change)))
    largest = max(len(v) for t in harness.transactions for v in t.changes.records.values() if v is not None)
    counts = harness.loop.progress.counts[topic]
    assert counts.total == count
    assert_bounded(processor, states_written(harness))
    assert largest < RECORD_BYTES_MAX
    assert set(dead) <= {"bound_exceeded", "amount_impossible", "date_impossible", "conflicting_duplicate"}
    assert counts.applied + counts.duplicate + dead.total() >= count


def test_a_neighbour_of_a_flood_gets_what_it_would_get_alone():
    """A borrower with 20,000 loans on the same partition: the neighbour's bytes are those of a quiet day."""
    processor, kind = BY_NAME["rate_limiter"], "collections.contact.requested.v1"
    topic, linked = EVENTS[kind].TOPICS[0], "collections.loan.linked.v1"
    quiet, loud = key_on(topic, 0), key_on(topic, 1)
    change = FLOODS["wishes"][2]
    wish = facts_of(kind, quiet, 1, change)
    alone, _ = run(processor, logs_of(processor, topic, wish))
    logs = logs_of(processor, topic, wish)
    loans = EVENTS[linked].TOPICS[0]
    logs[loans] = facts_of(linked, loud, 20_000, FLOODS["loans of a person"][2])
    for record in logs[processor.clock]:
        document = json.loads(record.value)
        document["data"]["barriers"][loans] = 20_000
        index = logs[processor.clock].index(record)
        logs[processor.clock][index] = LogRecord(record.offset, None, json.dumps(document).encode())
    together, dead = run(processor, logs)
    mine = f'"{quiet}"'.encode()
    of_quiet = {place: [o for o in outs if mine in o[1]] for place, outs in together.outputs.items()}
    assert {place: outs for place, outs in of_quiet.items() if outs} == dict(alone.outputs)
    assert dead == {"bound_exceeded": 20_000 - 200}


def test_a_no_is_heard_though_no_contact_can_be_kept_any_more():
    """After 1,000 unasked contacts a STOP still closes its channel: the contact is not kept, the refusal is."""
    processor, kind = BY_NAME["rate_limiter"], "outreach.outcome.reported.v1"
    key = key_on(OUTCOMES)
    flood = facts_of(kind, key, 300, lambda n: {"outcome_id": f"o{n}", "permit_id": None, "occurred_ms": START_MS - n})
    last = {
        "outcome_id": "stop",
        "outcome": "stop",
        "permit_id": None,
        "contact_point_id": "c",
        "occurred_ms": START_MS,
    }
    flood += facts_of(kind, key, 1, lambda _: last, start=300)
    harness, dead = run(processor, logs_of(processor, OUTCOMES, flood))
    state, _ = StateCodec(processor.state, processor.upgrades).decode(harness.store.get(b"s" + key.encode()))
    assert dead["bound_exceeded"] > 100
    assert [(refusal.channel, refusal.point) for refusal in state.refusals][-1][1] == "c"


@pytest.mark.parametrize("facts_and_wakes", [1, 7, 1000])
def test_a_full_state_refuses_alike_wherever_transactions_are_cut(facts_and_wakes):
    """What is refused depends on the state alone (P8)."""
    kind, _, change = FLOODS["unasked contacts"]
    processor, key = BY_NAME["rate_limiter"], key_on(OUTCOMES)
    logs = logs_of(processor, OUTCOMES, facts_of(kind, key, 90, change), ticks=1)
    harness, dead = run(processor, logs, facts_and_wakes=facts_and_wakes)
    sizes = [len(v) for t in harness.transactions for v in t.changes.records.values() if v is not None]
    assert max(sizes) > STATE_BYTES_MAX
    assert dead["bound_exceeded"] > 10
    where = deployment()
    assert_equal(harness, fold(processor, where.topology, 0, logs, policies=where.policies))
