"""What a service tells about its transactions as OpenTelemetry spans, where an exporter is configured.

One span per fact applied, one per event published. A published event's span is linked to the spans of the facts that
caused it, however long ago those were applied: with ids that follow from event ids, nothing has to be remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags, set_span_in_context

from shared.engine.transaction import Emitted, Headers, Transaction
from shared.runtime.pseudonyms import Pseudonyms
from shared.runtime.settings import Settings
from shared.runtime.trace_context import TraceContext, context_from, context_of

LINKS_MAX: Final = 16
_MS: Final = 1_000_000
_NAMED: Final = ("borrower_id", "loan_id")
_SAID: Final = ("contact_class", "channel", "reason", "purpose", "move", "rung", "action")


class DerivedIds(IdGenerator):
    """Hands out the ids that were laid ready, instead of drawing them."""

    def __init__(self) -> None:
        self.next = TraceContext(1, 1)

    def generate_trace_id(self) -> int:
        """Return the trace id laid ready."""
        return self.next.trace_id

    def generate_span_id(self) -> int:
        """Return the span id laid ready."""
        return self.next.span_id


@dataclass(frozen=True, slots=True)
class Traced:
    """The open spans of one transaction, and the header of each published event by its id."""

    spans: Sequence[Span]
    headers: Mapping[str, Headers]


class Tracing:
    """The spans of one service process. Called from its event loop alone."""

    def __init__(self, provider: TracerProvider, service: str, settings: Settings, pseudonyms: Pseudonyms) -> None:
        if not isinstance(provider.id_generator, DerivedIds):
            raise TypeError("the provider must draw no ids of its own")
        self._provider = provider
        self._ids = provider.id_generator
        self._tracer = provider.get_tracer("duecourse")
        self._service = service
        self._settings = settings
        self._pseudonyms = pseudonyms

    def begin(self, transaction: Transaction, began_ms: int) -> Traced:
        """Open the spans of a transaction that is about to be committed; `began_ms` is when it was begun."""
        applied = [
            self._applied(fact_id, topic, transaction.partition, record, began_ms)
            for fact_id, topic, record in transaction.applied
        ]
        published = [(each.id, self._published(each, began_ms)) for each in transaction.emitted]
        headers = {event_id: (_context(span).header,) for event_id, span in published}
        return Traced([*applied, *(span for _, span in published)], headers)

    def end(self, traced: Traced, ended_ms: int) -> None:
        """Close the spans: the transaction is committed. Those of one that is not are never told."""
        for span in traced.spans:
            span.end(ended_ms * _MS)

    def close(self) -> None:
        """Send what is left, within the exporter's time-out."""
        self._provider.shutdown()

    def _applied(self, fact_id: str, topic: str, partition: int, record: Any, began_ms: int) -> Span:
        self._ids.next = context_of(fact_id, self._service)
        sender = context_from(record.headers)
        is_ours = sender is not None and sender.trace_id == self._ids.next.trace_id
        return self._tracer.start_span(
            f"process {topic}",
            set_span_in_context(NonRecordingSpan(_remote(sender))) if sender is not None and is_ours else None,
            SpanKind.CONSUMER,
            {
                **self._of_kafka(topic, "process"),
                "messaging.consumer.group.name": self._settings.group(self._service),
                "messaging.destination.partition.id": str(partition),
                "messaging.kafka.offset": record.offset,
            },
            [] if sender is None or is_ours else [Link(_remote(sender))],
            began_ms * _MS,
        )

    def _published(self, each: Emitted, began_ms: int) -> Span:
        self._ids.next = context_of(each.id)
        causes = getattr(each.data, "caused_by", ())[:LINKS_MAX]
        return self._tracer.start_span(
            f"publish {each.topic}",
            None,
            SpanKind.PRODUCER,
            {**self._of_kafka(each.topic, "send"), **self._of_event(each)},
            [Link(_remote(context_of(cause, self._service))) for cause in causes],
            began_ms * _MS,
        )

    def _of_kafka(self, topic: str, operation: str) -> dict[str, str]:
        return {
            "messaging.system": "kafka",
            "messaging.operation.type": operation,
            "messaging.destination.name": self._settings.topic(topic),
        }

    def _of_event(self, each: Emitted) -> dict[str, str | int]:
        """Return what may be said of an event: closed vocabularies, its tick, pseudonyms."""
        said: dict[str, str | int] = {"duecourse.event_type": each.data.TYPE, "duecourse.tick_ms": each.at}
        for name in _NAMED:
            value = getattr(each.data, name, None)
            if value is not None:
                said["duecourse." + name.removesuffix("_id") + "_ref"] = self._pseudonyms.of(value)
        for name in _SAID:
            value = getattr(each.data, name, None)
            if value is not None:
                said["duecourse." + name] = str(getattr(value, "value", value))
        return said


def _remote(context: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT)
    return SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=flags)


def _context(span: Span) -> TraceContext:
    context = span.get_span_context()
    return TraceContext(context.trace_id, context.span_id, context.trace_flags.sampled)
