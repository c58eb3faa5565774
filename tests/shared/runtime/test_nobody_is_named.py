"""Canaries through the real services' loops: none in a line, a metric, a span, or what we say of a dead letter.

The same is asked of whole processes on a real broker in `tests/kafka/test_what_is_told.py`.
"""

import json
import shlex
from collections import Counter, defaultdict
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO

import jq
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import generate_latest

from services.cli.processors import PROCESSORS
from shared.contract.codec import Envelope, encode
from shared.contract.ticks import Tick
from shared.contract.topics import SERVICES, TOPICS, Keyed
from shared.domain.policy import load_policy
from shared.engine.epoch import Deployment, EpochLoop
from shared.engine.progress import birth
from shared.engine.store import MemoryStore
from shared.engine.topology import Topology
from shared.kernel.zones import HOUR_MS, parse_instant
from shared.runtime.log_lines import configure
from shared.runtime.metrics import Metrics
from shared.runtime.pseudonyms import Pseudonyms
from shared.runtime.settings import Settings
from shared.runtime.tracing import DerivedIds, Tracing
from tests.house.tree import ROOT
from tests.kafka.canaries import LOAN, Planted, flow, plant, record_of, require_none, sightings
from tests.shared.engine.fold import LogRecord

POLICY = load_policy()
START_MS = parse_instant("2024-02-10T00:00:00Z")
HOURS = 72
PSEUDONYMS = Pseudonyms("k" * 16)
ORIGINAL = ("duecourse-key", "original-")
"""Headers of a dead letter that hold the original's own key and headers, as its value holds the original's."""


@dataclass
class Told:
    """Everything that one partition of each service told."""

    lines: dict[str, str]
    metrics: dict[str, str]
    spans: dict[str, str]
    dead: list
    decisions: int


class Partition:
    """One partition of one service, with its metrics and traces, without a broker."""

    def __init__(self, processor):
        self.processor = processor
        counts = {topic.name: 1 for topic in TOPICS.values() if topic.keyed is not Keyed.NONE}
        topology = Topology({**counts, **{t.name: 1 for t in TOPICS.values()}})
        deployment = Deployment(topology, {POLICY.hash: POLICY})
        self.loop = EpochLoop(processor, deployment, 0, MemoryStore(), birth(processor.reads, 0, {}, "b"))
        self.metrics = Metrics(processor, {POLICY.hash: POLICY}, "b", PSEUDONYMS)
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(id_generator=DerivedIds())
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracing = Tracing(provider, processor.name, Settings(), PSEUDONYMS)
        self.metrics.tracing = self.tracing
        self.ends = defaultdict(int)

    def feed(self, topic, records):
        """Append records to an input."""
        if records:
            first = self.ends[topic]
            self.loop.feed(topic, [LogRecord(first + n, r.key, r.value, r.headers) for n, r in enumerate(records)])
            self.ends[topic] += len(records)

    def tick(self, at):
        """Apply a tick; return what was published, by topic."""
        barriers = {topic: self.ends[topic] for topic in self.processor.reads}
        tick = Tick(at=at, barriers=barriers, policy=POLICY.hash)
        value = encode(Envelope(f"tick-{at}", "/duecourse/clock/0", Tick.TYPE, tick))
        self.feed(self.processor.clock, [Planted(self.processor.clock, None, value)])
        published = defaultdict(list)
        while (transaction := self.loop.advance()) is not None:
            traced = self.tracing.begin(transaction, at)
            for (topic, _), outputs in transaction.outputs.items():
                for output in outputs:
                    headers = (*output.headers, *traced.headers.get(output.id, ()))
                    published[topic].append(Planted(topic, output.key, output.value, headers))
            self.loop.committed(transaction, 0)
            self.tracing.end(traced, at)
            with structlog.contextvars.bound_contextvars(service=self.processor.name):
                self.metrics.saw_transaction(transaction, 0.01)
        return published


@pytest.fixture(scope="module")
def told():
    """Three days of all services over every planted record, stage by stage."""
    out = StringIO()
    with redirect_stdout(out):
        configure(json=True, level="debug", decisions_per_second=1000)
    partitions = [Partition(processor) for processor in PROCESSORS]
    facts = defaultdict(list)
    for record in [*plant().records, *(record_of(event, f"CANARY-f{n}") for n, event in enumerate(flow()))]:
        facts[record.topic].append(record)
    dead = []
    for hour in range(HOURS):
        for partition in sorted(partitions, key=lambda p: p.processor.name == "rate_limiter"):
            for topic in partition.processor.reads:
                partition.feed(topic, facts.get(topic, []))
            for topic, records in partition.tick(START_MS + hour * HOUR_MS).items():
                dead += records if topic == "collections.dead-letters" else []
                for reader in partitions:
                    reader.feed(topic, records if topic in reader.processor.reads else [])
        facts.clear()
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    return Told(
        {"log": out.getvalue()},
        {p.processor.name: generate_latest(p.metrics.registry).decode() for p in partitions},
        {p.processor.name: "\n".join(s.to_json() for s in p.exporter.get_finished_spans()) for p in partitions},
        dead,
        sum(json.loads(line)["event"] == "decision" for line in out.getvalue().splitlines()),
    )


def test_there_was_something_to_tell(told):
    """Facts were applied and refused for many reasons, and led to decisions."""
    assert len({dict(record.headers)["duecourse-reason"] for record in told.dead}) > 8
    assert told.decisions > 5
    assert "collections.permit.granted" in told.lines["log"]


@pytest.mark.parametrize("where", ["lines", "metrics", "spans"])
def test_no_canary_where_anybody_looks(told, where):
    """Lines at debug level, metrics, spans with all their attributes."""
    require_none(getattr(told, where))


def test_no_canary_in_what_we_say_of_a_dead_letter(told):
    """Coordinates, reason and detail quote nothing; the original's own key and headers stand apart."""
    own = {
        f"{record.key} {name}": value.decode(errors="replace")
        for record in told.dead
        for name, value in record.headers
        if not name.startswith(ORIGINAL)
    }
    assert len(own) > 1000
    require_none(own)
    require_none({"keys": "\n".join(record.key.decode() for record in told.dead)})


def test_each_line_is_one_object(told):
    """Whatever was in a record, nobody can break a line in two."""
    assert all(isinstance(json.loads(line), dict) for line in told.lines["log"].splitlines())


def test_a_leak_in_any_of_these_is_found(told):
    """The search fails when a canary is there, and says where."""
    for places in (told.lines, told.metrics, told.spans):
        leaky = {name: f"{text}\nborrower=cAnArY-7" for name, text in places.items()}
        assert len(sightings(leaky)) == len(places)


def test_the_commands_of_the_night_answer_from_real_lines(told):
    """Each command of docs/operations.md finds in the lines of these services what its question asks for."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    commands = [shlex.split(line) for line in page.splitlines() if line.startswith("jq ")]
    assert len(commands) == 6
    text = "a line of the machine's\n" + told.lines["log"]
    wrong, far, refused, person, contacts, broken = (answers_of(command, text) for command in commands)
    assert wrong == broken == []
    assert {" ".join(line.split()[:2]) for line in far} == {f"{name} 0" for name in SERVICES}
    said = Counter()
    for count, service, reason in map(str.split, refused):
        said[reason] += int(count) if service in {"escalation", "rate_limiter"} else 0
    assert said == Counter(dict(record.headers)["duecourse-reason"].decode() for record in told.dead)
    for service, event in (
        ("reminder", "collections.contact.requested"),
        ("rate_limiter", "collections.permit.granted"),
    ):
        assert any(service in line and event in line for line in person)
    assert sum(int(line.split()[0]) for line in contacts) > 3
    assert any("collections.permit" in line for line in contacts)
    stop = '{"event": "stopped", "level": "critical", "reason": "fenced", "advice": "nothing", "frames": []}'
    assert ["fenced" in line for line in answers_of(commands[0], stop)] == [True]
    lead = '{"event": "promise broken", "promise": "P5", "timestamp": "t", "where": "a/0/7", "id": "i"}'
    assert answers_of(commands[-1], lead) == ["t P5 a/0/7 i "]


def test_a_decisions_line_leads_to_its_span(told):
    """Where traces are told, each decision's line names the trace that its event is published in."""
    lines = [json.loads(line) for line in told.lines["log"].splitlines()]
    named = {line["trace_id"] for line in lines if line["event"] == "decision"}
    assert len(named) == told.decisions
    assert all(any(f"0x{trace_id}" in spans for spans in told.spans.values()) for trace_id in named)


def answers_of(command, text):
    """Run a jq command as a shell would, with the name of the loan where it asks for one."""
    _, options, *rest = command
    assert "R" in options
    named = {"name": PSEUDONYMS.of(LOAN)} if rest[0] == "--arg" else {}
    program = jq.compile(rest[-1], args=named)
    inputs = [text] if "s" in options else text.splitlines()
    found = [answer for line in inputs for answer in program.input_value(line).all()]
    return found if "r" in options else [json.dumps(answer) for answer in found]
