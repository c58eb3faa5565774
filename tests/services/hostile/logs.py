"""Logs of one partition, full of what wants to hurt: garbage beside events that are allowed and absurd."""

from __future__ import annotations

import json
import random
from typing import Any

from shared.contract.catalogue import EVENTS, carried_by
from shared.contract.codec import UNREADABLE_HEADER, Envelope, Rejected, decode, encode
from shared.contract.examples import example
from shared.contract.loans import DUE_DATES
from shared.contract.people import BORROWERS
from shared.contract.ticks import Tick
from shared.engine.epoch import Deployment
from shared.engine.processor import Processor
from tests.services.hostile.events import DAY_MS, START_MS, value_of
from tests.shared.engine.fold import LogRecord

STEPS_MS = (1, 1_000, 3_600_000, 7_200_000, 10_000_000, DAY_MS, DAY_MS, DAY_MS, 7 * DAY_MS, 40 * DAY_MS, 400 * DAY_MS)
MARK = ((UNREADABLE_HEADER, b"broken"),)
_BEGINNINGS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    DUE_DATES: [
        ("lending.loan.opened.v1", {}),
        *(
            ("lending.instalment.scheduled.v1", {"instalment_id": f"i{day}", "due_date": f"2024-{day}"})
            for day in ("01-18", "02-16", "02-18", "02-21", "03-18")
        ),
    ],
    BORROWERS: [("lending.borrower.profiled.v1", {})],
}
HUGE = b'{"data":"' + b"x" * (256 * 1024) + b'"}'


def hostile_logs(
    processor: Processor[Any], deployment: Deployment, partition: int, seed: int, facts: int = 120, ticks: int = 20
) -> dict[str, list[LogRecord]]:
    """Return the inputs of a partition by topic, the clock's included."""
    rnd = random.Random(seed)
    names = [f"K{n}" for n in range(40)]
    mine = [n for n in names if deployment.topology.partition_of(processor.reads[0], n.encode()) == partition]
    keys = mine[: rnd.choice((1, 2, 4))]
    (policy,) = deployment.policies
    logs: dict[str, list[LogRecord]] = {topic: [] for topic in (*processor.reads, processor.clock)}
    for key in keys if rnd.random() < 0.7 else ():
        _begin(logs, key)
    at = START_MS - rnd.choice((0, DAY_MS))
    for number in range(ticks):
        for _ in range(rnd.randrange(2 * facts // ticks + 1)):
            topic = rnd.choice(processor.reads)
            log = logs[topic]
            log.append(_record(rnd, topic, len(log), rnd.choice(keys), names))
        barriers = {topic: len(logs[topic]) for topic in processor.reads}
        at += rnd.choice(STEPS_MS)
        garbage = number + 1 < ticks and rnd.random() < 0.02
        logs[processor.clock].append(_tick(number, at, barriers, policy, rnd, garbage=garbage))
    return logs


def _begin(logs: dict[str, list[LogRecord]], key: str) -> None:
    """Let there be a loan with instalments around the first tick, or a person who can be reached."""
    for topic, log in logs.items():
        if topic not in _BEGINNINGS:
            continue
        for number, (kind, changes) in enumerate(_BEGINNINGS[topic]):
            document = json.loads(encode(example(kind)))
            document["data"].update(changes)
            document["data"][EVENTS[kind].KEY] = key
            document["id"] = f"begin-{key}-{number}"
            log.append(LogRecord(len(log), key.encode(), json.dumps(document).encode()))


def _tick(
    number: int, at: int, barriers: dict[str, int], policy: str, rnd: random.Random, *, garbage: bool
) -> LogRecord:
    silent = ("reminder/0", "escalation/0") if rnd.random() < 0.1 else ()
    data = Tick(at=min(at, 4_102_444_800_000), barriers=barriers, policy=policy, silent=silent)
    value = b"{" if garbage else encode(Envelope(f"t{number}", "/clock", data.TYPE, data))
    return LogRecord(number, None, value)


def _record(rnd: random.Random, topic: str, offset: int, key: str, names: list[str]) -> LogRecord:
    document = _document(rnd, topic, key)
    value = json.dumps(document).encode()
    kind = rnd.random()
    if kind < 0.85:
        return LogRecord(offset, key.encode(), value)
    if kind < 0.87:
        return LogRecord(offset, rnd.choice(names).encode(), value)
    if kind < 0.89:
        return LogRecord(offset, rnd.choice((None, b"", b"\xff\xfe", b"k" * 300)), value)
    return LogRecord(offset, key.encode(), *_spoilt(rnd, document, value))


def _document(rnd: random.Random, topic: str, key: str) -> dict[str, Any]:
    """Return an event that may lie on the topic; a few tries to find one that the contract allows."""
    for _ in range(6):
        model = rnd.choice(carried_by(topic))
        number = rnd.randrange(60)
        document = {
            "specversion": "1.0",
            "id": f"e{number}",
            "source": rnd.choice(("/lender", "/duecourse/reminder/0", "/duecourse/escalation/1")),
            "type": model.TYPE,
            "data": value_of(model, rnd, key),
        }
        if rnd.random() < 0.1:
            document["replaces"] = f"{topic}/0/{number}"
        if not isinstance(decode(topic, key.encode(), json.dumps(document).encode()), Rejected):
            break
    return document


def _spoilt(
    rnd: random.Random, document: dict[str, Any], value: bytes
) -> tuple[bytes | None, tuple[tuple[str, bytes], ...]]:
    ways: list[tuple[bytes | None, tuple[tuple[str, bytes], ...]]] = [
        (None, ()),
        (b"", ()),
        (b"\xff" + value, ()),
        (value[: len(value) // 2], ()),
        (value.replace(b'"data"', b'"data":1,"data"', 1), ()),
        (b"[" * 5_000, ()),
        (HUGE, ()),
        (json.dumps({**document, "type": document["type"][:-1] + "99"}).encode(), ()),
        (json.dumps({**document, "type": "lending.unheard.of.v1"}).encode(), ()),
        (json.dumps({**document, "data": {**document["data"], "amount_minor": 10**400}}).encode(), ()),
        (json.dumps({**document, "time": "9999-12-31T00:00:00Z"}).encode(), ()),
        (value, MARK),
        (value, (("ce_specversion", b"1.0"), ("ce_id", b"\xff"))),
        (json.dumps(document["data"]).encode(), _binary(document)),
    ]
    return rnd.choice(ways)


def _binary(document: dict[str, Any]) -> tuple[tuple[str, bytes], ...]:
    return tuple((f"ce_{name}", str(text).encode()) for name, text in document.items() if name != "data")
