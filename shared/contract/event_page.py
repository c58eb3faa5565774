"""`docs/events.md`: the catalogue of events for people, drawn from the models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from shared.contract.base import Event
from shared.contract.catalogue import EVENTS, carried_by
from shared.contract.json_schema import ATTRIBUTES, REQUIRED, Schema, definitions, example_document
from shared.contract.remedies import REMEDIES
from shared.contract.topics import TOPICS, Topic
from shared.kernel.money import EXPONENTS

_REFERENCE: Final = "#/{model}"
_INTRODUCTION: Final = """\
# Events

<!-- Written by `python -m shared.contract.schemas` from the models in `shared/contract`; do not edit. -->

Every record is a [CloudEvent 1.0](https://github.com/cloudevents/spec) with JSON data, in structured mode (the whole
event is the value) or binary mode (attributes are `ce_` headers, the value is the data). What duecourse writes is
structured and canonical: sorted keys, no spaces, integers only. How to send is in the
[producer guide](producer-guide.md), how to act on permits in the [gateway guide](gateway-guide.md). A JSON Schema per
event lies in [schemas/](schemas), all channels and operations in [asyncapi.json](asyncapi.json).

Rules for all of them:

- Money is an integer of minor units (`amount_minor`) of a currency; a float is refused, `3.0` and `1e2` too.
- Instants are milliseconds since 1970 (`_ms`), from 1990 to 2099. Dates are `YYYY-MM-DD` in the loan's own zone.
- An *id* is opaque: 1 to 64 of letters, digits and `. _ : -`. Never a name, a phone number or an address. A *word*
  is 1 to 64 of lower-case letters, digits and `. _ -`.
- Currencies: CURRENCIES.
- Unknown fields, coercions (`"1"`, `true` for a number), duplicate JSON keys, NaN and lone surrogates are refused.
- An event has at most 256 KiB and 16 levels of nesting, a key at most 256 bytes of UTF-8.
- Two deliveries with the same *business key* are one fact: the same content is a duplicate and changes nothing, other
  content is a dead letter (`conflicting_duplicate`). Where a `revision` is part of the business key, the highest wins.
- What cannot be read, or cannot be true, becomes a dead letter with one of the [reasons below](#dead-letters).
""".replace("CURRENCIES", ", ".join(sorted(EXPONENTS)))
_DEAD_LETTERS: Final = """\
## Dead letters

`collections.dead-letters` keeps the original bytes as the value (above 256 KiB the first 64 KiB and a hash), their
coordinates as the key, and reason, detail and original headers as headers. `duecourse dead-letters list` shows them,
`show` explains one, `replay` sends it again, `discard` says that it means nothing.
"""
_NAMED_PATTERNS: Final = {
    r"^[A-Za-z0-9][A-Za-z0-9._:\-]*$": "id",
    r"^[a-z0-9][a-z0-9_.\-]*$": "word",
    r"^[A-Z]{3}$": "currency",
    ATTRIBUTES["time"]["pattern"]: "RFC 3339 moment",
}


def event_page() -> str:
    """Return the whole page."""
    defs = definitions(EVENTS.values(), _REFERENCE)
    models = {model.__name__ for model in EVENTS.values()}
    parts = [_INTRODUCTION, _envelope(), _topic_table(), _contents()]
    parts += [_event(model, defs) for model in EVENTS.values()]
    parts.append("## Values inside events\n")
    parts += [_record(name, defs) for name in defs if name not in models and "properties" in defs[name]]
    parts.append("## Vocabularies\n")
    parts += [_vocabulary(name, defs[name]) for name in defs if "enum" in defs[name]]
    parts.append(_dead_reasons())
    return "\n".join(parts)


def _envelope() -> str:
    rows = [
        f"| `{name}` | {'yes' if name in REQUIRED else 'no'} | {_type(schema)} | {schema['description']} |"
        for name, schema in ATTRIBUTES.items()
    ]
    head = ["## Envelope\n", "| attribute | required | type | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows, "| `data` | yes | the event | Described per event below. |", ""])


def _topic_table() -> str:
    head = ["## Topics\n", "| topic | key | written by | read by |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *map(_topic_row, TOPICS.values()), ""])


def _topic_row(topic: Topic) -> str:
    return f"| `{topic.name}` | {topic.keyed} | {', '.join(topic.writers)} | {', '.join(topic.readers)} |"


def _contents() -> str:
    lines = ["## Events by topic\n"]
    for topic in TOPICS.values():
        links = ", ".join(f"[{model.TYPE}](#{_anchor(model.TYPE)})" for model in carried_by(topic.name))
        lines.append(f"- `{topic.name}`: {links or 'the original bytes of dead letters, see [below](#dead-letters)'}")
    return "\n".join([*lines, ""])


def _anchor(heading: str) -> str:
    return heading.replace(".", "").lower()


def _event(model: type[Event], defs: dict[str, Schema]) -> str:
    key = "none" if model.KEY is None else f"`{model.KEY}`"
    lines = [
        f"## {model.TYPE}\n",
        f"{(model.__doc__ or '').strip()}\n",
        f"- Topic: {', '.join(f'`{topic}`' for topic in model.TOPICS)}",
        f"- Kafka key: {key}",
        f"- Business key: {', '.join(f'`{name}`' for name in model.BUSINESS_KEY) or 'none'}",
        f"- Ordering: {model.ORDERING}",
        f"- Effect: {model.EFFECT}",
        f"- JSON Schema: [schemas/{model.TYPE}.json](schemas/{model.TYPE}.json)\n",
        *_fields(defs[model.__name__]),
        "\n```json",
        json.dumps(example_document(model.TYPE), indent=2, ensure_ascii=False),
        "```\n",
    ]
    return "\n".join(lines)


def _fields(schema: Schema) -> Iterator[str]:
    yield "| field | required | type | meaning |"
    yield "| --- | --- | --- | --- |"
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        yield f"| `{name}` | {_presence(name, field, required)} | {_type(field)} | {_meaning(field)} |"


def _presence(name: str, field: Schema, required: list[str]) -> str:
    if name in required:
        return "yes"
    default = field.get("default")
    return "no" if default in (None, []) else f"no: `{json.dumps(default)}`"


def _meaning(field: Schema) -> str:
    texts = [field, *field.get("anyOf", [])]
    return next((part["description"] for part in texts if "description" in part), "")


def _type(field: Schema) -> str:
    """Return a field's type and bounds in words."""
    if "anyOf" in field:
        return " or ".join(_type(part) for part in field["anyOf"] if part.get("type") != "null")
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{_anchor(name)})"
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("pattern") in _NAMED_PATTERNS:
        return _NAMED_PATTERNS[field["pattern"]]
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_bounds(field, 'minItems', 'maxItems')}{_type(field['items'])}"
    if field.get("type") == "object":
        return f"object, {_bounds(field, 'minProperties', 'maxProperties')}entries of {_type(_entries(field))}"
    return _plain(field)


def _entries(field: Schema) -> Schema:
    entries: Schema = field["additionalProperties"]
    return entries


def _plain(field: Schema) -> str:
    kind = field.get("type")
    if kind == "integer":
        low, high = field.get("minimum", field.get("exclusiveMinimum")), field.get("maximum")
        more = " (exclusive)" if "exclusiveMinimum" in field else ""
        return "integer" + (f", {low}{more} to {high}" if high is not None else f", at least {low}{more}")
    if kind in ("string", ["string", "null"]):
        if field.get("format") == "date":
            return "date"
        return f"text of {_bounds(field, 'minLength', 'maxLength')}characters{_pattern(field)}".replace(
            "text of characters", "text"
        )
    return str(kind)


def _pattern(field: Schema) -> str:
    return f", `{field['pattern'].replace('|', chr(92) + '|')}`" if "pattern" in field else ""


def _bounds(field: Schema, low: str, high: str) -> str:
    least, most = field.get(low, 0), field.get(high)
    if most is None:
        return ""
    return f"{most} " if least == most else f"{least} to {most} "


def _record(name: str, defs: dict[str, Schema]) -> str:
    return "\n".join([f"### {name}\n", f"{defs[name].get('description', '')}\n", *_fields(defs[name]), ""])


def _vocabulary(name: str, schema: Schema) -> str:
    words = ", ".join(f"`{word}`" for word in schema["enum"])
    return f"### {name}\n\n{schema.get('description', '')}\n\n{words}\n"


def _dead_reasons() -> str:
    rows = [f"| `{reason}` | {remedy.meaning} | {remedy.help} |" for reason, remedy in REMEDIES.items()]
    return "\n".join([_DEAD_LETTERS, "| reason | meaning | what helps |", "| --- | --- | --- |", *rows, ""])
