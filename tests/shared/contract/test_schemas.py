"""The generated documents: valid in the eyes of others, in step with the models, and saying what the codec does."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from shared.contract import schemas
from shared.contract.asyncapi import asyncapi
from shared.contract.catalogue import EVENTS
from shared.contract.codec import DeadReason, Rejected, decode, key_of
from shared.contract.examples import EXAMPLES
from shared.contract.json_schema import example_document, schema_of
from shared.contract.remedies import REMEDIES
from shared.contract.topics import CLOCK, SERVICES, TOPICS

THIRD_PARTY = Path(__file__).parent / "third_party"


def read(event_type: str, document: dict[str, Any]) -> object:
    """Decode a JSON document as the value of a record with the example's key."""
    key = key_of(EXAMPLES[event_type])
    value = json.dumps(document).encode()
    return decode(EVENTS[event_type].TOPICS[0], key.encode() if key else None, value)


def test_documents_are_in_step_with_the_models() -> None:
    """What is kept in the repository is what the models say."""
    assert schemas.drifted(schemas.DOCUMENTS) == []


def test_check_names_what_drifted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` writes nothing, names missing, differing and stray documents, and fails; writing heals all three."""
    arguments = ["--directory", str(tmp_path)]
    assert schemas.main(arguments) == 0
    (tmp_path / "events.md").write_text("old")
    (tmp_path / "asyncapi.json").unlink()
    (tmp_path / "schemas" / "lending.forgotten.v1.json").write_text("{}")
    capsys.readouterr()
    assert schemas.main([*arguments, "--check"]) == 1
    named = capsys.readouterr().out.splitlines()
    assert [Path(line).name for line in named] == ["asyncapi.json", "events.md", "lending.forgotten.v1.json"]
    assert schemas.main(arguments) == 0
    assert schemas.main([*arguments, "--check"]) == 0


@pytest.mark.parametrize("event_type", EVENTS)
def test_schema_is_valid_and_takes_what_the_codec_takes(event_type: str) -> None:
    """Every schema is draft 2020-12, and its example is an event for schema and codec alike."""
    schema = schema_of(EVENTS[event_type])
    Draft202012Validator.check_schema(schema)
    document = example_document(event_type)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(document)] == []
    assert getattr(read(event_type, document), "data", None) == EXAMPLES[event_type]


def spoiled(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what neither schema nor codec may take, by name of the fault."""
    faults: dict[str, dict[str, Any]] = {}
    data = document["data"]
    for name, value in data.items():
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            continue
        wrong = [f"{value}x" * 70, 1, 1.5, True] if isinstance(value, str) else [str(value), value + 0.5, True, -1]
        for other in [*wrong, [value], {"a": value}]:
            faults[f"{name}={other!r:.40}"] = {**document, "data": {**data, name: other}}
    for name in EVENTS[document["type"]].model_fields:
        if EVENTS[document["type"]].model_fields[name].is_required():
            faults[f"without {name}"] = {**document, "data": {key: data[key] for key in data if key != name}}
    faults["unknown field"] = {**document, "data": {**data, "colour": "blue"}}
    faults["unknown version"] = {**document, "type": document["type"][:-1] + "99"}
    faults["other specversion"] = {**document, "specversion": "0.3"}
    faults["no data"] = {key: value for key, value in document.items() if key != "data"}
    faults["empty id"] = {**document, "id": ""}
    faults["number as source"] = {**document, "source": 7}
    faults["structure as extension"] = {**document, "region": {"name": "north"}}
    faults["other content"] = {**document, "datacontenttype": "text/plain"}
    faults["time without offset"] = {**document, "time": "2024-02-18T04:00:00"}
    return faults


@pytest.mark.parametrize("event_type", EVENTS)
def test_schema_refuses_what_the_codec_refuses(event_type: str) -> None:
    """Every way of spoiling a field of the example is refused by the schema and by the codec."""
    validator = Draft202012Validator(schema_of(EVENTS[event_type]))
    faults = spoiled(example_document(event_type))
    assert len(faults) >= 10
    taken_by_schema = [name for name, document in faults.items() if validator.is_valid(document)]
    taken_by_codec = [name for name, document in faults.items() if not isinstance(read(event_type, document), Rejected)]
    assert (taken_by_schema, taken_by_codec) == ([], [])


def test_currencies_and_dates_are_bounded_in_the_schema() -> None:
    """A currency nobody lends in and a date of the year 9999 or 1789 are refused by the schema too."""
    document = example_document("lending.repayment.received.v1")
    validator = Draft202012Validator(schema_of(EVENTS[document["type"]]))
    for name, value in (("currency", "XXX"), ("value_date", "9999-12-31"), ("value_date", "1789-07-14")):
        spoilt = copy.deepcopy(document)
        spoilt["data"][name] = value
        assert not validator.is_valid(spoilt)
        assert isinstance(read(document["type"], spoilt), Rejected)


def test_asyncapi_satisfies_the_official_schema() -> None:
    """The AsyncAPI document satisfies the official JSON Schema of version 3.0.0, which knows a wrong one."""
    validator = Draft7Validator(json.loads((THIRD_PARTY / "asyncapi-3.0.0.schema.json").read_text()))
    document = asyncapi()
    assert [error.message[:200] for error in validator.iter_errors(document)] == []
    document["channels"]["lending.due-dates"]["adress"] = "misspelt"
    assert not validator.is_valid(document)


def references(node: Any) -> list[str]:
    """Return every reference of a document."""
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if not isinstance(node, dict):
        return []
    here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return here + [found for value in node.values() for found in references(value)]


def test_asyncapi_references_resolve() -> None:
    """Every reference points at something, and there are many."""
    document = asyncapi()
    found = references(document)
    assert len(found) > 300
    for reference in set(found):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert isinstance(node, dict)


def test_asyncapi_tells_the_topic_table() -> None:
    """Every topic is a channel, and what each service reads and writes is an operation, no more and no less."""
    document = asyncapi()
    assert list(document["channels"]) == list(TOPICS)
    ours = {*SERVICES, CLOCK}
    wanted = {f"{name}.send.{topic.name}" for topic in TOPICS.values() for name in topic.writers if name in ours}
    wanted |= {f"{name}.receive.{topic.name}" for topic in TOPICS.values() for name in topic.readers if name in ours}
    assert set(document["operations"]) == wanted
    carried = {name for channel in document["channels"].values() for name in channel["messages"]}
    assert carried == {*EVENTS, "dead-letter"}


def test_asyncapi_examples_satisfy_their_payloads() -> None:
    """The examples in the document are valid under the schemas in the document."""
    document = asyncapi()
    for kind in EVENTS:
        message = document["components"]["messages"][kind]
        schema = {**message["payload"], "components": document["components"]}
        errors = list(Draft7Validator(schema).iter_errors(message["examples"][0]["payload"]))
        assert [error.message[:200] for error in errors] == []


def test_catalogue_links_resolve() -> None:
    """Every link of docs/events.md into itself or to a file beside it leads somewhere."""
    page = (schemas.DOCUMENTS / "events.md").read_text()
    anchors = {
        heading.lower().replace(".", "").replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }
    links = re.findall(r"\]\(([^)]+)\)", page)
    inside = [link[1:] for link in links if link.startswith("#")]
    files = [link for link in links if not link.startswith(("#", "https:"))]
    assert len(inside) > 100
    assert [link for link in inside if link not in anchors] == []
    assert [link for link in files if not (schemas.DOCUMENTS / link).exists()] == []


def test_every_event_has_an_example_and_a_section() -> None:
    """The catalogue tells of every event: its meaning, topic, key, business key, ordering and effect."""
    page = (schemas.DOCUMENTS / "events.md").read_text()
    assert list(EXAMPLES) == list(EVENTS)
    for kind, model in EVENTS.items():
        section = page.split(f"\n## {kind}\n", 1)[1].split("\n## ", 1)[0]
        assert model.__doc__ is not None
        for text in (model.__doc__.strip(), *model.TOPICS, model.EFFECT, model.ORDERING, *model.BUSINESS_KEY):
            assert text in section


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    """The catalogue says of every reason what it means and what helps, in the order of the closed list."""
    page = (schemas.DOCUMENTS / "events.md").read_text()
    assert list(REMEDIES) == list(DeadReason)
    for reason, remedy in REMEDIES.items():
        assert f"| `{reason}` | {remedy.meaning} | {remedy.help} |" in page
        assert remedy.meaning.endswith(".")
