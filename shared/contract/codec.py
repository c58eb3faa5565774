"""Bytes in, typed values out: CloudEvents 1.0 on Kafka, structured and binary mode in, structured mode out.

Nothing that comes in may crash a reader. What cannot be read, or cannot be, is a `Rejected` with a reason; the engine
turns it into a dead letter. Output is canonical JSON: sorted keys, no spaces, integers only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import from_json, to_json

from shared.contract.base import INSTANT_MS_MAX, INSTANT_MS_MIN, Event
from shared.contract.catalogue import EVENTS
from shared.kernel.zones import format_instant, parse_instant

VALUE_BYTES_MAX: Final = 256 * 1024
"""The largest event a topic takes; a larger one is a dead letter before it is parsed."""
KEY_BYTES_MAX: Final = 256
NESTING_MAX: Final = 16
ATTRIBUTE_CHARS_MAX: Final = 1024
_REQUIRED: Final = ("id", "source", "type")
_OPTIONAL: Final = ("datacontenttype", "subject", "time", "replaces")
"""Absent or null, which CloudEvents holds to be the same."""

UNREADABLE_HEADER: Final = "duecourse-unreadable"
"""First header of what stands for a record whose bytes a reader could not take apart; its value says why."""
UNREADABLE_BECAUSE: Final = frozenset({
    "a header has no name",
    "a number in the record has no end",
    "a part of the record is longer than the record",
    "a record's length does not fit its batch",
    "a snappy block has no length",
    "no codec has the number that the batch names",
    "the batch has bytes after its last record",
    "the compressed batch is cut off, or comes to more than is opened",
    "the compressed batch is damaged, or comes to more than is opened",
    "the compressed batch says that it comes to more than is opened",
    "the record claims an offset that is not its place in the batch",
    "the record has bytes after its last header",
    "the record's number of headers is impossible",
})  # fmt: skip
"""What a reader may say; any other text in that header is a producer's, and is not repeated."""

_to_json: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
"""Kept: `json.dumps` would make an encoder for every event."""

Headers = Sequence[tuple[str, bytes | None]]


class DeadReason(StrEnum):
    """Why a record is a dead letter. Closed: metrics and `dead-letters list` know every value."""

    UNREADABLE_RECORD = "unreadable_record"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    NO_KEY = "no_key"
    KEY_NOT_TEXT = "key_not_text"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    DUPLICATE_JSON_KEY = "duplicate_json_key"
    NOT_CLOUDEVENT = "not_cloudevent"
    UNKNOWN_TYPE = "unknown_type"
    UNSUPPORTED_VERSION = "unsupported_version"
    WRONG_TOPIC = "wrong_topic"
    INVALID_DATA = "invalid_data"
    KEY_MISMATCH = "key_mismatch"
    MISROUTED_KEY = "misrouted_key"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    BEFORE_HORIZON = "before_horizon"
    UNKNOWN_LOAN = "unknown_loan"
    CURRENCY_MISMATCH = "currency_mismatch"
    AMOUNT_IMPOSSIBLE = "amount_impossible"
    DATE_IMPOSSIBLE = "date_impossible"
    BOUND_EXCEEDED = "bound_exceeded"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A readable record: CloudEvents attributes and typed data. `replaces` names the dead letter that it replays."""

    id: str
    source: str
    type: str
    data: Event
    subject: str | None = None
    time_ms: int | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An unreadable or impossible record. `detail` quotes no value of the record: it may be personal."""

    reason: DeadReason
    detail: str


class _Unreadable(Exception):
    def __init__(self, reason: DeadReason, detail: str) -> None:
        super().__init__(detail)
        self.rejected = Rejected(reason, detail)


def _fail(reason: DeadReason, detail: str) -> NoReturn:
    raise _Unreadable(reason, detail)


def decode(topic: str, key: bytes | None, value: bytes | None, headers: Headers = ()) -> Envelope | Rejected:
    """Read one record of the logical `topic`. Never raises for anything that bytes can be."""
    try:
        return _decode(topic, key, value, headers)
    except _Unreadable as error:
        return error.rejected


def decode_key(key: bytes | None) -> str | None:
    """Return the key as text, or None when it is missing, too long or not UTF-8."""
    if not key or len(key) > KEY_BYTES_MAX:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None


def _decode(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Envelope:
    if headers and headers[0][0] == UNREADABLE_HEADER:
        why = (headers[0][1] or b"").decode(errors="replace")
        _fail(DeadReason.UNREADABLE_RECORD, why if why in UNREADABLE_BECAUSE else "a header claims so")
    if not value:
        _fail(DeadReason.EMPTY, "the record has no value")
    if len(value) > VALUE_BYTES_MAX:
        _fail(DeadReason.TOO_LARGE, f"{len(value)} bytes, at most {VALUE_BYTES_MAX}")
    parsed = _parse(value)
    attributes = _binary_attributes(headers) or parsed
    model = _model_of(topic, _attributes(attributes))
    data = _validate(model, value) if attributes is not parsed else _validate_wrapped(model, value)
    _check_key(model, data, key)
    return Envelope(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        data=data,
        subject=attributes.get("subject"),
        time_ms=_time(attributes.get("time")),
        replaces=attributes.get("replaces"),
    )


def _parse(value: bytes) -> dict[str, Any]:
    if value.count(b"{") + value.count(b"[") > NESTING_MAX and _depth(value) > NESTING_MAX:
        _fail(DeadReason.TOO_DEEP, f"nested deeper than {NESTING_MAX}")
    try:
        parsed = from_json(value, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        _fail(DeadReason.NOT_JSON, str(error)[:200])
    if not isinstance(parsed, dict):
        _fail(DeadReason.NOT_CLOUDEVENT, "the value is not a JSON object")
    _refuse_duplicate_keys(value, parsed)
    return parsed


def _depth(value: bytes) -> int:
    """Return the deepest nesting, strings left aside; linear in the bytes."""
    depth = deepest = 0
    inside = escaped = False
    for byte in value:
        if inside:
            inside = escaped or byte != 0x22
            escaped = byte == 0x5C and not escaped
        elif byte == 0x22:
            inside = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _refuse_duplicate_keys(value: bytes, parsed: dict[str, Any]) -> None:
    """Parsers keep the last of two equal keys: an amount could be read in two ways.

    Cheap test first: written again, what was parsed has as many quotation marks as the text, unless a key was lost or
    a mark was written as an escape of its code point. Only what fails it is parsed slowly.
    """
    if b"\\u" not in value and to_json(parsed).count(b'"') == value.count(b'"'):
        return
    json.loads(value, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _fail(DeadReason.DUPLICATE_JSON_KEY, "a key occurs twice in one object")
    return found


def _binary_attributes(headers: Headers) -> dict[str, Any]:
    """Return the attributes of binary mode, none in structured mode, which a content type of its own declares."""
    binary: dict[str, bytes | None] = {}
    for name, raw in headers:
        if name == "content-type" and raw is not None and raw.lower().startswith(b"application/cloudevents"):
            return {}
        if name.startswith("ce_"):
            binary[name[3:]] = raw
    if "specversion" not in binary:
        return {}
    try:
        return {name: (raw or b"").decode() for name, raw in binary.items()}
    except UnicodeDecodeError:
        _fail(DeadReason.NOT_CLOUDEVENT, "a ce_ header is not UTF-8")


def _attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    if attributes.get("specversion") != "1.0":
        _fail(DeadReason.NOT_CLOUDEVENT, "specversion is not 1.0")
    for name in _REQUIRED:
        text = attributes.get(name)
        if not isinstance(text, str) or not 0 < len(text) <= 200:
            _fail(DeadReason.NOT_CLOUDEVENT, f"attribute {name} is missing or not a text of 1 to 200 characters")
    for name, value in attributes.items():
        if isinstance(value, str) and len(value) <= ATTRIBUTE_CHARS_MAX:
            continue
        if name != "data" and not _is_short(value):
            _fail(DeadReason.NOT_CLOUDEVENT, "an extension attribute is not a short text, integer or boolean")
    for name in _OPTIONAL:
        value = attributes.get(name)
        if value is not None and not isinstance(value, str):
            _fail(DeadReason.NOT_CLOUDEVENT, f"attribute {name} is not a text")
    content_type = attributes.get("datacontenttype")
    if content_type is not None and not content_type.startswith("application/json"):
        _fail(DeadReason.NOT_CLOUDEVENT, "datacontenttype is not application/json")
    return attributes


def _is_short(value: object) -> bool:
    return not isinstance(value, (dict, list, float)) and len(str(value)) <= ATTRIBUTE_CHARS_MAX


def _model_of(topic: str, attributes: dict[str, Any]) -> type[Event]:
    name: str = attributes["type"]
    model = EVENTS.get(name)
    if model is None:
        stem = name.rpartition(".v")[0]
        known = any(other.rpartition(".v")[0] == stem for other in EVENTS)
        _fail(*((DeadReason.UNSUPPORTED_VERSION, "a version of a known type that this build does not read")
                if known else (DeadReason.UNKNOWN_TYPE, "no event of the catalogue has this type")))  # fmt: skip
    if topic not in model.TOPICS:
        _fail(DeadReason.WRONG_TOPIC, f"{name} does not belong on {topic}")
    return model


@lru_cache(maxsize=256)
def _wrapper(model: type[Event]) -> type[BaseModel]:
    config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
    return create_model(f"{model.__name__}Wrapper", __config__=config, data=(model, ...))


def _validate_wrapped(model: type[Event], value: bytes) -> Event:
    try:
        data: Event = _wrapper(model).model_validate_json(value).data  # type: ignore[attr-defined]
    except ValidationError as error:
        _fail(DeadReason.INVALID_DATA, _first_error(error))
    return data


def _validate(model: type[Event], value: bytes) -> Event:
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        _fail(DeadReason.INVALID_DATA, _first_error(error))


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    names = _field_names(error.title)
    where = ".".join(str(part) if isinstance(part, int) or part in names else "(unknown)" for part in first["loc"])
    return f"{where}: {first['msg']}"[:300]


@lru_cache(maxsize=256)
def _field_names(title: str) -> frozenset[str]:
    """Return all names that a location within the model of that title may consist of: others are a producer's own."""
    model = next((m for m in EVENTS.values() if title in {m.__name__, _wrapper(m).__name__}), None)
    found: set[str] = {"data"}
    pending: list[Any] = [] if model is None else [model.model_json_schema()]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            found.update(part.get("properties", {}))
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
    return frozenset(found)


def _check_key(model: type[Event], data: Event, key: bytes | None) -> None:
    if model.KEY is None:
        return
    if not key:
        _fail(DeadReason.NO_KEY, f"the Kafka key must be the {model.KEY}")
    text = decode_key(key)
    if text is None:
        _fail(DeadReason.KEY_NOT_TEXT, f"the Kafka key is not a text of at most {KEY_BYTES_MAX} bytes")
    if text != getattr(data, model.KEY):
        _fail(DeadReason.KEY_MISMATCH, f"the Kafka key differs from {model.KEY}")


def _time(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        instant = parse_instant(text)
    except (ValueError, OverflowError):
        _fail(DeadReason.NOT_CLOUDEVENT, "time is not an RFC 3339 moment with an offset")
    if not INSTANT_MS_MIN <= instant < INSTANT_MS_MAX:
        _fail(DeadReason.NOT_CLOUDEVENT, "time lies before 1990 or after 2099")
    return instant


def encode(envelope: Envelope) -> bytes:
    """Return the canonical structured CloudEvent: the same envelope gives the same bytes on every machine."""
    document: dict[str, Any] = {
        "data": envelope.data.model_dump(mode="json", exclude_none=True),
        "datacontenttype": "application/json",
        "id": envelope.id,
        "source": envelope.source,
        "specversion": "1.0",
        "type": envelope.type,
    }
    if envelope.subject is not None:
        document["subject"] = envelope.subject
    if envelope.time_ms is not None:
        document["time"] = format_instant(envelope.time_ms)
    if envelope.replaces is not None:
        document["replaces"] = envelope.replaces
    return _to_json(document).encode()


def key_of(event: Event) -> str | None:
    """Return the text of the event's Kafka key (None for events without one)."""
    return getattr(event, event.KEY) if event.KEY is not None else None
