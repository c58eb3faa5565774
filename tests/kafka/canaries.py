"""Records that carry a canary in every place where a producer can put a text, and the search for canaries elsewhere."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from pydantic import ValidationError

from shared.contract.base import Amounts, Event
from shared.contract.codec import UNREADABLE_HEADER, key_of
from shared.contract.examples import EXAMPLES
from shared.contract.loans import InstalmentScheduled, LoanOpened, Obligor, Role
from shared.contract.people import BorrowerProfile
from shared.contract.topics import CLOCK, SERVICES, TOPICS

CANARY: Final = "canary"
"""Searched for in any case."""
PERSONAL: Final = "Zoë CANARY Müller, +49 170 5550100, zoe.canary@example.org"
LOAN: Final = "CANARY-loan-f"
PERSON: Final = "CANARY-person-f"
_OPAQUE: Final = "CANARY-"
_WORD: Final = "canary-"

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Planted:
    """A record to publish on a logical topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All records, and the fields that hold a text: `kept` are those in which the contract accepts a canary."""

    records: list[Planted] = field(default_factory=list)
    fields: set[tuple[str, Path]] = field(default_factory=set)
    kept: set[tuple[str, Path]] = field(default_factory=set)


def outsiders() -> list[Event]:
    """Return an example of every event that somebody else writes than a service or the clock."""
    topics = {name for name, topic in TOPICS.items() if not {*topic.writers} & {*SERVICES, CLOCK}}
    return [event for event in EXAMPLES.values() if type(event).KEY is not None and type(event).TOPICS[0] in topics]


def plant() -> Plan:
    """Return every event with a canary in each field: accepted where possible, refused, misshapen and hostile."""
    plan = Plan()
    for number, event in enumerate(outsiders()):
        document = planted(event, plan)
        topic, key = type(event).TOPICS[0], document[type(event).KEY or ""].encode()
        whole = cloud_event(event, document, f"CANARY-event-{number}")
        plan.records.append(Planted(topic, key, _bytes(whole)))
        for path in leaves(document):
            plan.fields.add((event.TYPE, path))
            refused = changed(document, path, PERSONAL)
            plan.records.append(Planted(topic, key, _bytes(cloud_event(event, refused, f"CANARY-{number}-{path}"))))
        plan.records.extend(hostile(topic, key, event, document))
    return plan


def hostile(topic: str, key: bytes, event: Event, document: dict[str, Any]) -> Iterator[Planted]:
    """Return what is no event at all, or one in the wrong clothes."""
    whole = cloud_event(event, document, "CANARY-hostile")
    good = _bytes(whole)
    yield Planted(topic, key, None)
    yield Planted(topic, key, PERSONAL.encode())
    yield Planted(topic, key, PERSONAL.encode("utf-16"))
    yield Planted(topic, key, good[:-20])
    yield Planted(topic, None, good)
    yield Planted(topic, PERSONAL.encode(), good)
    yield Planted(topic, b"\xffCANARY", good)
    yield Planted(topic, key, good.replace(b'"data":', b'"CANARY":1,"CANARY":2,"data":', 1))
    yield Planted(topic, key, _bytes({**whole, "data": {**document, PERSONAL: PERSONAL}}))
    yield Planted(topic, key, _bytes({**whole, "data": PERSONAL}))
    for attribute in ("specversion", "type", "time", "datacontenttype", "source", "replaces"):
        yield Planted(topic, key, _bytes({**whole, attribute: PERSONAL}))
    yield Planted(topic, key, _bytes({**whole, "canaryextension": {"CANARY": PERSONAL}}))
    yield Planted(topic, key, good, ((UNREADABLE_HEADER, PERSONAL.encode()),))
    yield Planted(topic, key, good, (("traceparent", PERSONAL.encode()), ("duecourse-origin-ms", b"CANARY")))
    binary = {"specversion": "1.0", "id": "CANARY-binary", "source": "/CANARY", "type": event.TYPE, "subject": PERSONAL}
    headers = tuple((f"ce_{name}", text.encode()) for name, text in binary.items())
    yield Planted(topic, key, _bytes(document), (*headers, ("x-CANARY", PERSONAL.encode())))
    yield Planted(topic, key, _bytes({"a": PERSONAL}), headers)


def planted(event: Event, plan: Plan | None = None) -> dict[str, Any]:
    """Return the event's document with a canary in each field that accepts one."""
    document: dict[str, Any] = json.loads(event.model_dump_json(exclude_none=True))
    for path in leaves(document):
        for mark in (_OPAQUE, _WORD):
            trial = changed(document, path, mark + str(at(document, path)))
            if _accepted(type(event), trial):
                document = trial
                if plan is not None:
                    plan.kept.add((event.TYPE, path))
                break
    return document


def cloud_event(event: Event, document: dict[str, Any], event_id: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/CANARY/lender",
        "subject": PERSONAL,
        "type": event.TYPE,
        "canaryextension": PERSONAL,
        "data": document,
    }


def record_of(event: Event, event_id: str) -> Planted:
    """Return an event as it is, in a structured record."""
    document = json.loads(event.model_dump_json(exclude_none=True))
    key = (key_of(event) or "").encode()
    return Planted(type(event).TOPICS[0], key, _bytes(cloud_event(event, document, event_id)))


def flow() -> list[Event]:
    """Return facts of a loan that is simply overdue, so that somebody is asked for and permitted."""
    opened, profile = EXAMPLES[LoanOpened.TYPE], EXAMPLES[BorrowerProfile.TYPE]
    terms = opened.terms.model_copy(update={"obligors": (Obligor(borrower_id=PERSON, role=Role.BORROWER),)})
    return [
        opened.model_copy(update={"loan_id": LOAN, "terms": terms}),
        InstalmentScheduled(
            loan_id=LOAN, instalment_id="CANARY-i", due_date=date(2024, 2, 12), amounts=Amounts(principal_minor=90_000)
        ),
        profile.model_copy(update={"borrower_id": PERSON}),
    ]


def leaves(document: Any, path: Path = ()) -> list[Path]:
    """Return where a document holds texts."""
    if isinstance(document, str):
        return [path]
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [leaf for name, item in items for leaf in leaves(item, (*path, name))]


def at(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def changed(document: Any, path: Path, text: str) -> Any:
    """Return a copy with another text in one place."""
    copied = copy.deepcopy(document)
    at(copied, path[:-1])[path[-1]] = text
    return copied


def _accepted(model: type[Event], document: dict[str, Any]) -> bool:
    try:
        model.model_validate_json(json.dumps(document))
    except ValidationError:
        return False
    return True


def _bytes(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def sightings(places: dict[str, str]) -> list[str]:
    """Return each line of each place that holds a canary, with where it was seen."""
    return [
        f"{place}:{number}: {line[:400]}"
        for place, text in places.items()
        for number, line in enumerate(text.splitlines(), 1)
        if CANARY in line.lower()
    ]


def require_none(places: dict[str, str]) -> None:
    """Fail by naming the lines in which a canary was seen."""
    seen = sightings(places)
    assert not seen, f"{len(seen)} lines hold what they must not:\n" + "\n".join(seen[:20])
