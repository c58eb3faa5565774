"""JSON Schema (draft 2020-12) of every event, drawn from the models.

A schema cannot say everything that the codec checks. Looser than the codec: JSON Schema takes `3.0` for an integer,
any text for a time zone, and 30 February for a date; it knows nothing of the Kafka key, of duplicate JSON keys, of
size and of depth. What a schema refuses, the codec refuses, but for one courtesy: `time` need not be RFC 3339 to
the letter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from shared.contract.base import Event
from shared.contract.catalogue import EVENTS
from shared.contract.examples import example

Schema: TypeAlias = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DATE: Final = r"(199[0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
_OFFSET: Final = r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
ATTRIBUTES: Final[Schema] = {
    "specversion": {"const": "1.0", "description": "CloudEvents 1.0."},
    "id": {"type": "string", "minLength": 1, "maxLength": 200, "description": "Unique for its source."},
    "source": {"type": "string", "minLength": 1, "maxLength": 200, "description": "Who says so, a URI reference."},
    "type": {"type": "string", "minLength": 1, "maxLength": 200, "description": "The event's type and version."},
    "datacontenttype": {
        "type": ["string", "null"],
        "pattern": "^application/json",
        "description": "Absent means the same.",
    },
    "subject": {"type": ["string", "null"], "maxLength": 1024, "description": "Carried, never read."},
    "time": {
        "type": ["string", "null"],
        "maxLength": 40,
        "pattern": f"^{_DATE}T{_CLOCK}{_OFFSET}$",
        "description": "When the producer wrote it, RFC 3339. No rule depends on it: business instants are data.",
    },
    "replaces": {
        "type": ["string", "null"],
        "maxLength": 300,
        "description": "topic/partition/offset of the dead letter that this event replays.",
    },
}
"""The CloudEvents attributes that are known by name."""

REQUIRED: Final = ("specversion", "id", "source", "type", "data")
EXTENSION: Final[Schema] = {
    "type": ["string", "integer", "boolean", "null"],
    "maxLength": 1024,
    "description": "An extension attribute; carried by the producer, never read.",
}


class _Plain(GenerateJsonSchema):
    """Leaves out the titles that repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - the base class's own parameter
        """Say no, always."""
        return False


def definitions(models: Iterable[type[Event]], reference: str) -> dict[str, Schema]:
    """Return the schemas of the models and of all that they contain, by name; `reference` holds `{model}`."""
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template=reference, schema_generator=_Plain
    )
    defs: dict[str, Schema] = found["$defs"]
    return {name: _standard(defs[name]) for name in sorted(defs)}


def _standard(value: Any) -> Any:  # noqa: ANN401 - a node of a JSON document
    """Drop what no dialect knows: bounds of dates, which their pattern says already."""
    if isinstance(value, list):
        return [_standard(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _standard(part) for name, part in value.items() if name not in {"ge", "le"}}


def schema_of(model: type[Event]) -> Schema:
    """Return the schema of the structured CloudEvent that carries `model`."""
    defs = definitions([model], "#/$defs/{model}")
    return {
        "$schema": DIALECT,
        "$id": f"urn:duecourse:event:{model.TYPE}",
        "title": model.TYPE,
        "description": (model.__doc__ or "").strip(),
        "type": "object",
        "properties": {
            **ATTRIBUTES,
            "type": {"const": model.TYPE, "description": ATTRIBUTES["type"]["description"]},
            "data": {"$ref": f"#/$defs/{model.__name__}"},
        },
        "required": list(REQUIRED),
        "additionalProperties": EXTENSION,
        "$defs": defs,
    }


def schemas() -> dict[str, Schema]:
    """Return the schema of every event of the catalogue, by type."""
    return {event_type: schema_of(model) for event_type, model in EVENTS.items()}


def example_document(event_type: str) -> Schema:
    """Return the example of a type as the JSON document of a structured CloudEvent, attributes first."""
    envelope = example(event_type)
    document: Schema = {
        "specversion": "1.0",
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "datacontenttype": "application/json",
        "data": envelope.data.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
    }
    return document
