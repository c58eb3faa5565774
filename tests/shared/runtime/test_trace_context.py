"""Trace ids that follow from event ids."""

import pytest

from shared.runtime.trace_context import TRACEPARENT, TraceContext, context_from, context_of

EVENT = "6f1c6a6e-1f0a-5b86-9d0e-8c2f5b1f7a11"


def test_an_event_has_one_trace_and_a_place_of_its_own_in_each_service() -> None:
    """Every process knows the ids without being told, today and at every replay."""
    published, applied = context_of(EVENT), context_of(EVENT, "rate_limiter")
    assert published.trace_id == applied.trace_id == 0x90112D40DA08C291C3BC507B4124C0E8
    assert len({published.span_id, applied.span_id, context_of(EVENT, "reminder").span_id}) == 3
    assert context_of("another").trace_id != published.trace_id


def test_the_header_is_that_of_the_world_wide_web_consortium() -> None:
    """Version, trace id, span id, flags; what was written is read back."""
    name, value = TraceContext(0xABC, 0xDEF).header
    assert (name, value) == (TRACEPARENT, b"00-00000000000000000000000000000abc-0000000000000def-01")
    assert TraceContext(1, 2, sampled=False).header[1].endswith(b"-00")
    assert context_from([("other", None), (name, value)]) == TraceContext(0xABC, 0xDEF)


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b"garbage", b"x" * 55, b"y" * 100_000, "00-é".encode(),
        b"00-00000000000000000000000000000000-0000000000000def-01",
        b"00-00000000000000000000000000000abc-0000000000000000-01",
        b"00-00000000000000000000000000000ABC-0000000000000DEF-01",
        b"01-00000000000000000000000000000abc-0000000000000def-01",
        b"00-00000000000000000000000000000abc-0000000000000def-0\n",
    ],
)  # fmt: skip
def test_a_header_that_is_none_is_passed_over(value) -> None:
    """Whatever a producer writes there, a malformed context is no context."""
    assert context_from([(TRACEPARENT, value)]) is None
