"""How the fuzzer changes a log so that most of it stays readable: fields, whole events, their order, the ticks between.

Blind changes of bytes hardly ever leave a JSON document whole, so that they would try the codec for ever and the cores
behind it never.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

from services.cli.processors import PROCESSORS
from shared.contract.base import INSTANT_MS_MAX, INSTANT_MS_MIN
from shared.contract.catalogue import carried_by
from shared.contract.topics import TOPICS
from tests.fuzz.targets import KEY, RECORDS_MAX, SEPARATOR, START_MS
from tests.services.hostile.events import value_of

BLIND: Final = 0.1
"""How often bytes are changed blindly all the same."""
LEAVES: Final = (
    *(0, 1, -1, 2**31, 2**53, 10**15, 10**30, INSTANT_MS_MIN, INSTANT_MS_MAX, START_MS, START_MS + 86_400_000),
    *(
        "",
        "a1",
        "x" * 64,
        "2024-02-29",
        "2024-02-30",
        "2099-12-31",
        "1990-01-01",
        "UTC",
        "Pacific/Apia",
        "\u4e2d",
        "a/b",
    ),
    *(None, True, [], {}),
)


def reads_of(name: str) -> tuple[str, ...]:
    """Return the topics of a target, in the order in which its bytes number them."""
    return next((one.reads for one in PROCESSORS if one.name == name), tuple(TOPICS))


def mutated(name: str, data: bytes, size_max: int, seed: int, blindly: Callable[[bytes, int], bytes]) -> bytes:
    """Return changed bytes for a target, no more than `size_max` of them; equal seeds change alike."""
    rnd = random.Random(seed)
    if not data or rnd.random() < BLIND:
        return blindly(data, size_max)
    chunks = data.split(SEPARATOR)[:RECORDS_MAX]
    rnd.choice((_change_field, _change_field, _add_event, _add_event, _add_tick, _move, _drop))(name, chunks, rnd)
    changed = SEPARATOR.join(chunks)
    return changed if 0 < len(changed) <= size_max else data[:size_max]


def _change_field(name: str, chunks: list[bytes], rnd: random.Random) -> None:
    at = rnd.randrange(len(chunks))
    try:
        document = json.loads(chunks[at][2:])
    except (ValueError, RecursionError):
        return _add_event(name, chunks, rnd)
    holders = [holder for holder in _holders(document) if holder]
    if holders:
        holder = rnd.choice(holders)
        holder[rnd.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))] = rnd.choice(LEAVES)
    chunks[at] = chunks[at][:2] + json.dumps(document).encode()
    return None


def _holders(item: Any) -> list[Any]:
    inner = list(item.values()) if isinstance(item, dict) else item if isinstance(item, list) else []
    return ([item] if isinstance(item, dict | list) else []) + [one for part in inner for one in _holders(part)]


def _add_event(name: str, chunks: list[bytes], rnd: random.Random) -> None:
    topics = reads_of(name)
    number = rnd.randrange(len(topics))
    models = carried_by(topics[number])
    if not models:
        return
    model = rnd.choice(models)
    document = {
        "specversion": "1.0",
        "id": f"e{rnd.randrange(40)}",
        "source": rnd.choice(("/lender", "/duecourse/reminder/0", "/duecourse/escalation/1")),
        "type": model.TYPE,
        "data": value_of(model, rnd, KEY),
    }
    chunks.insert(rnd.randrange(len(chunks) + 1), bytes((number, 0)) + json.dumps(document).encode())


def _add_tick(_name: str, chunks: list[bytes], rnd: random.Random) -> None:
    chunks.insert(rnd.randrange(len(chunks) + 1), bytes((0xFF, rnd.randrange(8))))


def _move(_name: str, chunks: list[bytes], rnd: random.Random) -> None:
    chunks.insert(rnd.randrange(len(chunks) + 1), chunks[rnd.randrange(len(chunks))])


def _drop(_name: str, chunks: list[bytes], rnd: random.Random) -> None:
    if len(chunks) > 1:
        del chunks[rnd.randrange(len(chunks))]
