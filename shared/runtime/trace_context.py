"""Trace ids that follow from event ids, and the W3C header that carries them.

An event's context is a hash of its id, so that every process knows it without being told, the header is the same at
every replay, and nothing about traces is kept. The header travels beside the value, never in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

TRACEPARENT: Final = "traceparent"
_HEADER_BYTES: Final = 55
_FORM: Final = re.compile(rb"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace."""

    trace_id: int
    span_id: int
    sampled: bool = True

    @property
    def trace_id_text(self) -> str:
        """The trace's id as people and back ends write it."""
        return f"{self.trace_id:032x}"

    @property
    def header(self) -> tuple[str, bytes]:
        """The header of a record that was written there."""
        return TRACEPARENT, b"00-%032x-%016x-%02x" % (self.trace_id, self.span_id, _SAMPLED if self.sampled else 0)


def context_of(event_id: str, service: str = "") -> TraceContext:
    """Return where an event is published, or, with a service, where that service applies it: one trace for both."""
    trace = sha256(b"trace\x1f" + event_id.encode()).digest()
    span = sha256(b"span\x1f" + event_id.encode() + b"\x1f" + service.encode()).digest()
    # An id of zeros means none.
    return TraceContext(int.from_bytes(trace[:16]) or 1, int.from_bytes(span[:8]) or 1)


def context_from(headers: Sequence[tuple[str, bytes | None]]) -> TraceContext | None:
    """Return the context that a record carries in its first header of that name, None where that is not a valid one."""
    value = next((value for name, value in headers if name == TRACEPARENT), None)
    if value is None or len(value) != _HEADER_BYTES:
        return None
    found = _FORM.match(value)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return TraceContext(trace_id, span_id, bool(flags & _SAMPLED)) if trace_id and span_id else None
