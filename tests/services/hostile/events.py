"""Events that the contract allows and no sane lender sends: every bound met, every order, ids that collide."""

from __future__ import annotations

import json
import random
import re
from functools import cache
from typing import Any

from shared.contract.base import INSTANT_MS_MAX, INSTANT_MS_MIN, Event
from shared.contract.codec import encode
from shared.contract.examples import example

START_MS = 1_708_228_800_000
DAY_MS = 86_400_000
IDS = ("a1", "b2", "c3", "x" * 64)
TEXTS = (
    *IDS,
    *("term", "revolving", "default", "acme", "other-bank", "en", "murmur2"),
    *("Asia/Shanghai", "America/New_York", "Pacific/Apia", "Africa/Casablanca", "Europe/London", "UTC"),
    *("00:00", "23:59", "1990-01", "2024-02", "2024-03", "2099-12"),
    *("1990-01-01", "2024-01-31", "2024-02-10", "2024-02-17", "2024-02-18", "2024-02-29", "2024-03-31", "2099-12-31"),
    *("CN", "US", "US-NY", "GB", "lending.repayments/0/1", "lending.due-dates/0/0", "x y \u4e2d\u6587"),
)
NEAR_MS = tuple(START_MS + offset for offset in (-400 * DAY_MS, -DAY_MS, -1, 0, 1, 3_600_000, DAY_MS, 40 * DAY_MS))
SMALL = (0, 1, 2, 3, 7, 30, 31, 100, 10_000, 50_000)


def value_of(model: type[Event], rnd: random.Random, key: str | None) -> dict[str, Any]:
    """Return data that the model's schema allows, under that key; some of it that of the type's example."""
    schema, data = _data_schema(model), None
    while not isinstance(data, dict):
        data = _made(schema, schema.get("$defs", {}), rnd, 0)
    sane = rnd.choice((0.0, 0.5, 0.9))
    for name, value in json.loads(encode(example(model.TYPE)))["data"].items():
        if rnd.random() < sane:
            data[name] = value
    if model.KEY is not None and key is not None:
        data[model.KEY] = key
    return data


@cache
def _data_schema(model: type[Event]) -> dict[str, Any]:
    return json.loads(json.dumps(model.model_json_schema()))


def _made(schema: dict[str, Any], shared: dict[str, Any], rnd: random.Random, depth: int) -> Any:
    if "$ref" in schema:
        return _made(shared[schema["$ref"].rpartition("/")[2]], shared, rnd, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rnd.choice(schema["enum"])
    for one_of in ("anyOf", "oneOf"):
        if one_of in schema:
            return _made(rnd.choice(schema[one_of]), shared, rnd, depth)
    if "allOf" in schema:
        return _made(schema["allOf"][0], shared, rnd, depth)
    return _BY_TYPE[schema.get("type", "null")](schema, shared, rnd, depth)


def _object(schema: dict[str, Any], shared: dict[str, Any], rnd: random.Random, depth: int) -> dict[str, Any]:
    required = schema.get("required", ())
    chosen = [name for name in schema.get("properties", {}) if name in required or rnd.random() < 0.5]
    return {name: _made(schema["properties"][name], shared, rnd, depth + 1) for name in chosen}


def _array(schema: dict[str, Any], shared: dict[str, Any], rnd: random.Random, depth: int) -> list[Any]:
    least = schema.get("minItems", 0)
    count = min(schema.get("maxItems", 10**9), max(least, rnd.choice((0, 1, 1, 2, 3, 12 if depth < 2 else 1))))
    return [_made(schema.get("items", {"type": "string"}), shared, rnd, depth + 1) for _ in range(count)]


def _integer(schema: dict[str, Any], _shared: dict[str, Any], rnd: random.Random, _depth: int) -> int:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    most = schema.get("maximum", 2**53)
    pool = NEAR_MS if (least, most) == (INSTANT_MS_MIN, INSTANT_MS_MAX) else SMALL
    extremes = (least, most) if rnd.random() < 0.2 else ()
    fitting = [number for number in (*pool, *extremes) if least <= number <= most]
    return rnd.choice(extremes or fitting or (least,))


def _string(schema: dict[str, Any], _shared: dict[str, Any], rnd: random.Random, _depth: int) -> str:
    return rnd.choice(_fitting(schema.get("pattern", ""), schema.get("maxLength", 10**6), schema.get("minLength", 0)))


@cache
def _fitting(pattern: str, most: int, least: int) -> tuple[str, ...]:
    found = tuple(text for text in TEXTS if least <= len(text) <= most and re.search(pattern, text))
    return found or ("a",)


_BY_TYPE = {
    "object": _object,
    "array": _array,
    "integer": _integer,
    "string": _string,
    "boolean": lambda _schema, _shared, rnd, _depth: rnd.random() < 0.5,
    "null": lambda _schema, _shared, _rnd, _depth: None,
}
