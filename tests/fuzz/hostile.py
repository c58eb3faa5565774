"""Input that wants to hurt, by name, for any topic: and under which name it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from shared.contract.catalogue import EVENTS, carried_by
from shared.contract.codec import NESTING_MAX, VALUE_BYTES_MAX, DeadReason, encode
from shared.contract.examples import example
from tests.fuzz.targets import KEY

BOMB_LEVELS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Hostile:
    """A key and a value as they lie on the topic, and the reason for which they are refused."""

    key: bytes | None
    value: bytes | None
    reason: DeadReason
    headers: tuple[tuple[str, bytes], ...] = ()


def documents(topic: str) -> list[dict[str, Any]]:
    """Return the example of every event that may lie on a topic, under the fuzzer's key."""
    found = []
    for model in carried_by(topic):
        document = json.loads(encode(example(model.TYPE)))
        if EVENTS[model.TYPE].KEY is not None:
            document["data"][EVENTS[model.TYPE].KEY] = KEY
        found.append(document)
    return found


def readable(topic: str) -> Iterator[bytes]:
    """Yield those examples as their producers would write them."""
    for document in documents(topic):
        yield json.dumps(document).encode()


def hostile(topic: str) -> dict[str, Hostile]:
    """Return what wants to hurt on a topic, by name."""
    (document, *_) = documents(topic)
    plain, key, data = json.dumps(document).encode(), KEY.encode(), document["data"]
    name = next(iter(data))

    def said(**changes: Any) -> bytes:
        return json.dumps({**document, **changes}).encode()

    def refused(value: bytes | None, reason: DeadReason) -> Hostile:
        return Hostile(key, value, reason)

    version, _, _ = document["type"].rpartition(".")
    numbered = dict.fromkeys(data, 10**400)
    return {
        "oversize": refused(plain[:-1] + b" " * VALUE_BYTES_MAX + b"}", DeadReason.TOO_LARGE),
        "deep": refused(b'{"a":' * (NESTING_MAX + 1) + b"1" + b"}" * (NESTING_MAX + 1), DeadReason.TOO_DEEP),
        "deep and never closed": refused(b"[" * BOMB_LEVELS, DeadReason.TOO_DEEP),
        "huge integers": refused(said(data={**numbered, **_key_of(document)}), DeadReason.INVALID_DATA),
        "an integer of 100,000 digits": refused(plain[:-1] + b',"n":' + b"9" * 100_000 + b"}", DeadReason.NOT_JSON),
        "a number beyond all": refused(plain[:-1] + b',"n":1e999999}', DeadReason.NOT_CLOUDEVENT),
        "not a number": refused(plain[:-1] + b',"n":NaN}', DeadReason.NOT_JSON),
        "duplicate keys": refused(plain[:-1] + b',"data":{}}', DeadReason.DUPLICATE_JSON_KEY),
        "bad UTF-8": refused(plain.replace(b'"data"', b'"\xff\xfe":1,"data"'), DeadReason.NOT_JSON),
        "a lone surrogate": refused(plain[:-1] + b',"n":"\\ud800"}', DeadReason.NOT_JSON),
        "no key": Hostile(None, plain, DeadReason.NO_KEY),
        "a key that is no text": Hostile(b"\xff\xfe", plain, DeadReason.KEY_NOT_TEXT),
        "somebody else's key": Hostile(b"K2", plain, DeadReason.KEY_MISMATCH),
        "no value": refused(None, DeadReason.EMPTY),
        "an empty value": refused(b"", DeadReason.EMPTY),
        "half a value": refused(plain[: len(plain) // 2], DeadReason.NOT_JSON),
        "a list": refused(b"[]", DeadReason.NOT_CLOUDEVENT),
        "wrong types": refused(said(data={**data, name: {"a": []}}), DeadReason.INVALID_DATA),
        "data that are a number": refused(said(data=7), DeadReason.INVALID_DATA),
        "a field of the attacker's": refused(said(data={**data, "admin": True}), DeadReason.INVALID_DATA),
        "an unknown type": refused(said(type="lending.unheard.of.v1"), DeadReason.UNKNOWN_TYPE),
        "a newer version": refused(said(type=f"{version}.v99"), DeadReason.UNSUPPORTED_VERSION),
        "the year 9999": refused(said(time="9999-12-31T23:59:59Z"), DeadReason.NOT_CLOUDEVENT),
        "the year 10000": refused(said(time="10000-01-01T00:00:00Z"), DeadReason.NOT_CLOUDEVENT),
    }


def _key_of(document: dict[str, Any]) -> dict[str, str]:
    key = EVENTS[document["type"]].KEY
    return {} if key is None else {key: KEY}
