"""`python -m services.cli.loan_schemas`: write the schemas of what `duecourse loan try` reads and prints.

Both are drawn from the models, kept in the repository and only ever extended: a test compares them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from services.cli.loan_report import LoanReport
from shared.contract.json_schema import ATTRIBUTES, DIALECT, EXTENSION, definitions
from shared.domain.loan_facts import LOAN_FACTS

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "loan-try"
INPUT_FILE: Final = "input.schema.json"
OUTPUT_FILE: Final = "output.schema.json"


def input_schema() -> dict[str, Any]:
    """Return the schema of one line: an event of a loan, of whose attributes only the type is required."""
    lines = [
        {
            "type": "object",
            "properties": {
                **ATTRIBUTES,
                "type": {"const": event.TYPE},
                "data": {"$ref": f"#/$defs/{event.__name__}"},
            },
            "required": ["type", "data"],
            "additionalProperties": EXTENSION,
        }
        for event in LOAN_FACTS
    ]
    return {
        "$schema": DIALECT,
        "$id": "urn:duecourse:loan-try:input",
        "title": "One line of the file that `duecourse loan try` reads",
        "oneOf": lines,
        "$defs": definitions(LOAN_FACTS, "#/$defs/{model}"),
    }


def output_schema() -> dict[str, Any]:
    """Return the schema of the whole output: one loan, or a list of several."""
    loan = LoanReport.model_json_schema(mode="serialization", ref_template="#/$defs/{model}")
    defs = {**loan.pop("$defs"), "LoanReport": loan}
    one = {"$ref": "#/$defs/LoanReport"}
    return {
        "$schema": DIALECT,
        "$id": "urn:duecourse:loan-try:output",
        "title": "What `duecourse loan try` prints",
        "oneOf": [one, {"type": "array", "items": one, "minItems": 2}],
        "$defs": dict(sorted(defs.items())),
    }


def documents() -> dict[str, str]:
    """Return both schemas as text, by file name."""
    schemas = {INPUT_FILE: input_schema(), OUTPUT_FILE: output_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main(folder: Path = FOLDER) -> None:
    """Write both schemas."""
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
