"""Spans of a service, into memory."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind

from shared.contract.outreach import PermitWithdrawn
from shared.engine.store import Changes
from shared.engine.transaction import Emitted, Transaction
from shared.runtime.pseudonyms import Pseudonyms
from shared.runtime.settings import Settings, UnusableSettings
from shared.runtime.trace_context import TraceContext, context_from, context_of
from shared.runtime.trace_export import DISABLED, EXPORTER, tracing_from
from shared.runtime.tracing import DerivedIds, Tracing

FACT = "a fact of CANARY"
ID = "6f1c6a6e-1f0a-5b86-9d0e-8c2f5b1f7a11"
AT = 1_700_000_000_000


@dataclass
class Read:
    """A record as a consumer hands it over."""

    offset: int = 4711
    headers: tuple = ()


def tracing(sampler=None, service="rate_limiter"):
    """Return a service's tracing and where its spans end."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(id_generator=DerivedIds(), sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider, service, Settings(prefix="p"), Pseudonyms("k" * 16)), exporter


def transaction(*, headers=(), caused_by=(FACT,)):
    """Return a transaction that applied a fact and withdrew a permit."""
    event = PermitWithdrawn(borrower_id="CANARY", permit_id=ID, reason="paid", decided_ms=AT, caused_by=caused_by)
    emitted = [Emitted(ID, AT, "collections.outreach", "CANARY", event)]
    applied = [(FACT, "collections.reminders", Read(headers=headers))]
    return Transaction(3, None, True, Changes(), {}, (), 1, 0, 1, 1, applied=applied, emitted=emitted)  # type: ignore[arg-type]


def spans_of(told, transaction, began=AT, ended=AT + 5):
    """Run a transaction through; return its header and its spans."""
    kept, exporter = told
    traced = kept.begin(transaction, began)
    assert exporter.get_finished_spans() == ()
    kept.end(traced, ended)
    return traced.headers[ID], {span.kind: span for span in exporter.get_finished_spans()}


def test_an_event_is_linked_to_the_facts_that_caused_it_and_its_header_follows_from_its_id() -> None:
    """A fact's span, an event's span, a link from the one to the other; all ids known from the events' alone."""
    headers, spans = spans_of(tracing(), transaction())
    applied, published = spans[SpanKind.CONSUMER], spans[SpanKind.PRODUCER]
    assert headers == (context_of(ID).header,)
    assert (applied.name, published.name) == ("process collections.reminders", "publish collections.outreach")
    assert (published.context.trace_id, published.context.span_id) == (context_of(ID).trace_id, context_of(ID).span_id)
    (link,) = published.links
    assert (link.context.trace_id, link.context.span_id) == (applied.context.trace_id, applied.context.span_id)
    assert (applied.start_time, applied.end_time) == (AT * 1_000_000, (AT + 5) * 1_000_000)


def test_a_replay_gives_the_same_spans_and_headers() -> None:
    """What is published twice after a crash is told twice alike."""
    assert spans_of(tracing(), transaction())[0] == spans_of(tracing(), transaction())[0]


def test_what_came_from_us_goes_on_in_its_trace_and_what_came_from_others_is_linked() -> None:
    """A service's span is a child of the event's that it reads; a lender's own trace is not taken over."""
    _, spans = spans_of(tracing(), transaction(headers=(context_of(FACT).header,)))
    assert spans[SpanKind.CONSUMER].parent.span_id == context_of(FACT).span_id
    foreign = TraceContext(0xABC, 0xDEF)
    _, spans = spans_of(tracing(), transaction(headers=(foreign.header,)))
    applied = spans[SpanKind.CONSUMER]
    assert applied.parent is None
    assert [(link.context.trace_id, link.context.span_id) for link in applied.links] == [(0xABC, 0xDEF)]
    assert applied.context.trace_id == context_of(FACT).trace_id


def test_attributes_name_nobody() -> None:
    """Topic, partition, offset, vocabularies and pseudonyms: no id of a person, loan or lender's event."""
    _, spans = spans_of(tracing(), transaction())
    said = {key: value for span in spans.values() for key, value in span.attributes.items()}
    assert said["messaging.destination.name"] == "p.collections.outreach"
    assert said["messaging.kafka.offset"] == 4711
    assert said["duecourse.borrower_ref"] == Pseudonyms("k" * 16).of("CANARY")
    assert said["duecourse.reason"] == "paid"
    assert "CANARY" not in "".join(span.to_json() for span in spans.values())


def test_the_sampler_decides_alike_in_every_service_and_the_header_says_how() -> None:
    """What is not sampled is not told, and those who read on know it."""
    headers, spans = spans_of(tracing(ParentBased(ALWAYS_OFF)), transaction())
    assert spans == {}
    assert context_from(headers) == TraceContext(context_of(ID).trace_id, context_of(ID).span_id, sampled=False)
    half = ParentBased(TraceIdRatioBased(0.5))
    kept = {bool(spans_of(tracing(half, service), transaction())[1]) for service in ("reminder", "rate_limiter")}
    assert len(kept) == 1


def test_nothing_is_told_and_nothing_imported_unless_an_exporter_is_named() -> None:
    """Off is the default: no span, no header, not even the library."""
    for environment in ({}, {EXPORTER: "none"}, {EXPORTER: ""}, {EXPORTER: "console", DISABLED: "true"}):
        assert tracing_from(environment, "reminder", Settings(), Pseudonyms()) is None
    script = "import sys, services.cli.run, shared.runtime.application; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_an_exporter_that_is_not_there_is_told_plainly() -> None:
    """A mistake in a variable stops the start; traces that silently go nowhere help nobody."""
    with pytest.raises(UnusableSettings, match="carrier-pigeon"):
        tracing_from({EXPORTER: "carrier-pigeon"}, "reminder", Settings(), Pseudonyms())


def test_the_service_is_named_after_itself_unless_the_standard_variable_names_it(monkeypatch) -> None:
    """Resource attributes come from the standard variables, which overrule ours."""
    told = tracing_from({EXPORTER: "console"}, "reminder", Settings(build="7"), Pseudonyms())
    assert told._provider.resource.attributes["service.name"] == "duecourse-reminder"
    assert told._provider.resource.attributes["service.version"] == "7"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "other")
    told = tracing_from({EXPORTER: "otlp", "OTEL_SERVICE_NAME": "other"}, "reminder", Settings(), Pseudonyms())
    assert told._provider.resource.attributes["service.name"] == "other"
    told.close()
