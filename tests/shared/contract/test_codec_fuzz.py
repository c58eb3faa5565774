"""Anything that bytes can be: the codec never raises, and what it takes it can write and read again."""

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shared.contract.catalogue import EVENTS
from shared.contract.codec import DeadReason, Envelope, Rejected, decode, encode, key_of
from shared.contract.examples import example
from shared.contract.json_schema import schema_of
from shared.contract.topics import TOPICS

DOCUMENTS = {kind: json.loads(encode(example(kind))) for kind in EVENTS}
VALIDATORS = {kind: Draft202012Validator(schema_of(model)) for kind, model in EVENTS.items()}
KINDS = st.sampled_from(list(EVENTS))
NAMES = st.sampled_from(["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"]) | st.text()
HEADERS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=40) | st.just(b"1.0")), max_size=6)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**15, 10**15 + 1, 2**63, 2**64, 10**400, -1, 0, 1.0])
TEXTS = st.text(max_size=80) | st.sampled_from(
    ["\ud800", "2024-02-30", "9999-12-31", "x" * 300, "CNY", "\x00", "1707523200"]
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))


def key_for(kind: str) -> bytes | None:
    """Return the key of a type's example."""
    key = key_of(example(kind).data)
    return key.encode() if key else None


def judge(
    topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> Envelope | None:
    """Decode; whatever is taken must survive being written and read again, byte for byte."""
    found = decode(topic, key, value, headers)
    if isinstance(found, Rejected):
        assert found.reason in DeadReason
        assert len(found.detail) <= 300
        return None
    written = encode(found)
    assert decode(topic, key, written) == found
    return found


@settings(deadline=None)
@given(st.sampled_from(list(TOPICS)), st.none() | st.binary(), st.none() | st.binary(max_size=500), HEADERS)
def test_any_bytes(topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]) -> None:
    """Arbitrary keys, values and headers are rejected with a reason or read; nothing is raised."""
    judge(topic, key, value, headers)


@settings(deadline=None)
@given(KINDS, st.data())
def test_damaged_bytes(kind: str, data: st.DataObject) -> None:
    """A valid event with bytes flipped, cut out or put in is rejected with a reason or read; nothing is raised."""
    value = bytearray(encode(example(kind)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(value)))
        length = data.draw(st.integers(0, 5))
        value[place : place + length] = data.draw(st.binary(max_size=5) | st.sampled_from([b'"', b"{", b"\\u", b"1e5"]))
    judge(EVENTS[kind].TOPICS[0], key_for(kind), bytes(value), [])


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every node of a JSON document but its root."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for name, child in inner for found in [(*path, name), *places(child, (*path, name))]]


def put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    """Replace the node at the path."""
    for name in path[:-1]:
        document = document[name]
    document[path[-1]] = value


@settings(max_examples=400, deadline=None)
@given(KINDS, st.data())
def test_wrong_values_in_any_place(kind: str, data: st.DataObject) -> None:
    """An event with any node replaced by any value: never raised, and what is taken the JSON Schema takes too."""
    document = copy.deepcopy(DOCUMENTS[kind])
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(places(document)))
        put(document, path, data.draw(VALUES))
    value = json.dumps(document).encode()
    found = judge(EVENTS[kind].TOPICS[0], key_for(kind), value, [])
    if found is not None:
        document["time"] = DOCUMENTS[kind]["time"]
        errors = [error.message for error in VALIDATORS[found.type].iter_errors(document)]
        assert errors == []


@settings(max_examples=200, deadline=None)
@given(KINDS, st.data())
def test_attributes_in_headers(kind: str, data: st.DataObject) -> None:
    """Binary mode with any attribute replaced by any bytes: never raised, and readable again if taken."""
    document = DOCUMENTS[kind]
    headers = {f"ce_{name}": str(text).encode() for name, text in document.items() if name != "data"}
    name = data.draw(st.sampled_from(list(headers)))
    headers[name] = data.draw(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
    value = json.dumps(document["data"]).encode()
    judge(EVENTS[kind].TOPICS[0], key_for(kind), value, list(headers.items()))


@settings(deadline=None)
@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200), st.none() | st.text(max_size=300), KINDS)
def test_attributes_survive(event_id: str, source: str, subject: str | None, kind: str) -> None:
    """Any text that UTF-8 can hold survives as id, source and subject."""
    envelope = Envelope(event_id, source, kind, example(kind).data, subject)
    assert decode(EVENTS[kind].TOPICS[0], key_for(kind), encode(envelope)) == envelope
