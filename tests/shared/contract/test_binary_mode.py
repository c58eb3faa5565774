"""Structured and binary mode as the CloudEvents SDK writes them, which was not written here."""

import json
from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.kafka import to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from shared.contract.catalogue import EVENTS
from shared.contract.codec import DeadReason, Envelope, Rejected, decode, encode, key_of
from shared.contract.examples import example
from shared.contract.repayments import REPAYMENTS

REPAYMENT = example("lending.repayment.received.v1")
DATA = REPAYMENT.data.model_dump_json(exclude_none=True).encode()
HEADERS = (
    ("ce_specversion", b"1.0"),
    ("ce_id", b"7"),
    ("ce_source", b"/bank"),
    ("ce_type", REPAYMENT.type.encode()),
    ("content-type", b"application/json"),
)


def sdk_event(event_type: str, **more: object) -> CloudEvent:
    """Return the example of a type as an event of the SDK."""
    envelope = example(event_type)
    attributes = {
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "time": datetime(2024, 2, 18, 4, tzinfo=UTC),
        "datacontenttype": "application/json",
        **more,
    }
    return CloudEvent(attributes, envelope.data.model_dump(mode="json", exclude_none=True))


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "structured"])
@pytest.mark.parametrize("event_type", EVENTS)
def test_what_the_sdk_writes_is_read(event_type: str, binary: bool) -> None:
    """An event written by the SDK, in either mode, is read as what was meant."""
    write = to_binary_event if binary else to_structured_event
    message = write(sdk_event(event_type, subject="s", shop="3"), JSONFormat())
    envelope = example(event_type)
    key = key_of(envelope.data)
    found = decode(envelope.data.TOPICS[0], key.encode() if key else None, message.value, list(message.headers.items()))
    assert isinstance(found, Envelope)
    assert (found.id, found.source, found.type, found.subject) == (envelope.id, envelope.source, event_type, "s")
    assert (found.data, found.time_ms) == (envelope.data, envelope.time_ms)


def test_what_we_write_is_read_by_the_sdk() -> None:
    """The SDK reads our structured mode."""
    read = JSONFormat().read(CloudEvent, encode(REPAYMENT))
    assert read.get_type() == REPAYMENT.type
    assert read.get_data() == json.loads(encode(REPAYMENT))["data"]


def test_content_type_decides_before_attributes_do() -> None:
    """A structured event keeps its meaning when somebody added ce_ headers to it on the way."""
    for said in (b"application/cloudevents+json; charset=UTF-8", b"Application/CloudEvents+JSON"):
        headers = (*HEADERS[:4], ("content-type", said))
        found = decode(REPAYMENTS, b"loan-7", encode(REPAYMENT), headers)
        assert isinstance(found, Envelope)
        assert found.id == REPAYMENT.id


def test_foreign_headers_do_no_harm() -> None:
    """Headers of tracers and connectors, with any bytes or none, change nothing."""
    headers = (("traceparent", b"\xff\x00"), ("ce_", b"?"), ("ce_shop", None), ("", b""))
    found = decode(REPAYMENTS, b"loan-7", encode(REPAYMENT), headers)
    assert found == REPAYMENT


@pytest.mark.parametrize(
    ("headers", "value", "reason"),
    [
        ((*HEADERS[:1], ("ce_id", b"\xff"), *HEADERS[2:]), DATA, DeadReason.NOT_CLOUDEVENT),
        ((*HEADERS[:1], ("ce_id", None), *HEADERS[2:]), DATA, DeadReason.NOT_CLOUDEVENT),
        ((("ce_specversion", b"2.0"), *HEADERS[1:]), DATA, DeadReason.NOT_CLOUDEVENT),
        (HEADERS[:3], DATA, DeadReason.NOT_CLOUDEVENT),
        ((*HEADERS[:3], ("ce_type", b"lending.repayment.received.v7")), DATA, DeadReason.UNSUPPORTED_VERSION),
        ((*HEADERS, ("ce_time", b"yesterday")), DATA, DeadReason.NOT_CLOUDEVENT),
        (HEADERS, b"\x00\x01avro", DeadReason.NOT_JSON),
        (HEADERS, b"[]", DeadReason.NOT_CLOUDEVENT),
        (HEADERS, DATA.replace(b"100000", b"100000.0", 1), DeadReason.INVALID_DATA),
        (HEADERS, DATA.replace(b'"currency"', b'"amount_minor":5,"currency"', 1), DeadReason.DUPLICATE_JSON_KEY),
        (HEADERS, encode(REPAYMENT), DeadReason.INVALID_DATA),
        (HEADERS, None, DeadReason.EMPTY),
    ],
)
def test_binary_mode_is_as_strict(
    headers: tuple[tuple[str, bytes | None], ...], value: bytes, reason: DeadReason
) -> None:
    """Every fault of attributes or data is found in binary mode too."""
    found = decode(REPAYMENTS, b"loan-7", value, headers)
    assert isinstance(found, Rejected)
    assert found.reason is reason
