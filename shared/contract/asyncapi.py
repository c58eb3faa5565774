"""The AsyncAPI 3.0 document: every topic as a channel, every service's reading and writing as an operation."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from shared.contract.base import Event
from shared.contract.catalogue import EVENTS, carried_by
from shared.contract.json_schema import ATTRIBUTES, EXTENSION, REQUIRED, Schema, definitions, example_document
from shared.contract.topics import CLOCK, DEAD_LETTERS, SERVICES, TOPICS, Keyed, Topic

_KAFKA_BINDING: Final = "0.5.0"
_DEAD_LETTER: Final = "dead-letter"
_ABOUT: Final = (
    "Facts about loans come in, permits to make contact and reports to the bureau go out. The document describes the "
    "services of duecourse: what it receives, lenders, gateways and operators send; what it sends, they may receive. "
    "Topic names on a broker begin with the deployment's prefix and a full stop, if it has one. Consumers of all "
    "topics read with isolation level read_committed."
)
_DEAD_HEADERS: Final = {
    "coordinates": "topic/partition/offset of the original",
    "reason": "why it could not be applied, a word of a closed list",
    "detail": "a sentence that quotes nothing of the record",
    "service": "the service that wrote the dead letter",
    "at": "instant of the tick, milliseconds since 1970",
}


def asyncapi() -> Schema:
    """Return the whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "duecourse",
            "version": version("duecourse"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {
            "deployment": {
                "host": "{broker}",
                "protocol": "kafka",
                "description": "The Kafka cluster of a deployment.",
                "variables": {"broker": {"description": "host:port of a bootstrap broker"}},
            }
        },
        "channels": {topic.name: _channel(topic) for topic in TOPICS.values()},
        "operations": dict(operation for topic in TOPICS.values() for operation in _operations(topic)),
        "components": {
            "messages": {**{kind: _message(model) for kind, model in EVENTS.items()}, _DEAD_LETTER: _dead_letter()},
            "schemas": {
                "CloudEvent": _cloudevent(),
                **definitions(EVENTS.values(), "#/components/schemas/{model}"),
            },
        },
    }


def _names(topic: Topic) -> list[str]:
    return [_DEAD_LETTER] if topic.name == DEAD_LETTERS else [model.TYPE for model in carried_by(topic.name)]


def _channel(topic: Topic) -> Schema:
    key = {Keyed.LOAN: "Keyed by loan.", Keyed.BORROWER: "Keyed by borrower.", Keyed.NONE: "Not keyed by a subject."}
    return {
        "address": topic.name,
        "description": f"{key[topic.keyed]} Written by {_list(topic.writers)}, read by {_list(topic.readers)}.",
        "servers": [{"$ref": "#/servers/deployment"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": -1},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _list(names: tuple[str, ...]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def _operations(topic: Topic) -> list[tuple[str, Schema]]:
    """Return what our services do with a topic; what others do is the mirror of it."""
    ours = (*SERVICES, CLOCK)
    sends = [(service, "send") for service in topic.writers if service in ours]
    receives = [(service, "receive") for service in topic.readers if service in ours]
    return [
        (
            f"{service}.{action}.{topic.name}",
            {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": f"{service} {'writes' if action == 'send' else 'reads'} {topic.name}.",
                "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in _names(topic)],
                "bindings": {"kafka": _group(service) if action == "receive" else _client(service)},
            },
        )
        for service, action in (*sends, *receives)
    ]


def _group(service: str) -> Schema:
    return {
        "groupId": {"type": "string", "description": f"[prefix.]{service}"},
        "bindingVersion": _KAFKA_BINDING,
    }


def _client(service: str) -> Schema:
    return {"clientId": {"type": "string", "description": service}, "bindingVersion": _KAFKA_BINDING}


def _message(model: type[Event]) -> Schema:
    key: dict[str, Any] = {"description": "No key."} if model.KEY is None else {
        "type": "string",
        "description": f"The text of `{model.KEY}`, UTF-8.",
    }  # fmt: skip
    return {
        "name": model.TYPE,
        "title": model.__name__,
        "summary": (model.__doc__ or "").strip(),
        "description": f"{model.EFFECT}\n\nOrdering: {model.ORDERING}",
        "contentType": "application/cloudevents+json",
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEvent"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": model.TYPE},
                        "data": {"$ref": f"#/components/schemas/{model.__name__}"},
                    },
                },
            ]
        },
        "examples": [{"name": "example", "payload": example_document(model.TYPE)}],
        "bindings": {"kafka": {"key": key, "bindingVersion": _KAFKA_BINDING}},
        "x-business-key": list(model.BUSINESS_KEY),
    }


def _dead_letter() -> Schema:
    headers = {f"duecourse-{name}": {"type": "string", "description": text} for name, text in _DEAD_HEADERS.items()}
    return {
        "name": _DEAD_LETTER,
        "title": "DeadLetter",
        "summary": "A record that could not be read, or cannot be true: its original bytes.",
        "description": "Above 256 KiB the first 64 KiB. Original headers follow, each beginning with `original-`.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": headers, "required": list(headers)},
        "payload": {"description": "The original bytes, whatever they are."},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "topic/partition/offset of the original."},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _cloudevent() -> Schema:
    return {
        "type": "object",
        "description": "A CloudEvent 1.0 in structured mode. Binary mode carries the attributes as ce_ headers.",
        "properties": {**ATTRIBUTES, "data": {"type": "object"}},
        "required": list(REQUIRED),
        "additionalProperties": EXTENSION,
    }
