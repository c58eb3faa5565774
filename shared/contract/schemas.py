"""`python -m shared.contract.schemas [--check]`: write the contract's documents, or say which have drifted.

`docs/events.md` is the catalogue for people, `docs/schemas/` holds a JSON Schema per event type, `docs/asyncapi.json`
all channels and operations. They are generated from the models alone and kept in the repository, so that a change of
the contract is a change that a reader of the history sees.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shared.contract.asyncapi import asyncapi
from shared.contract.event_page import event_page
from shared.contract.json_schema import schemas

DOCUMENTS: Final = Path(__file__).resolve().parents[2] / "docs"
_EXIT_DRIFT: Final = 1


def documents() -> dict[str, str]:
    """Return every generated document, by path below `docs`."""
    by_path = {f"schemas/{event_type}.json": _json(schema) for event_type, schema in schemas().items()}
    return {"events.md": event_page(), "asyncapi.json": _json(asyncapi()), **by_path}


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def drifted(directory: Path) -> list[str]:
    """Return the paths of documents that differ from what would be written, are missing, or belong to no event."""
    wanted = documents()
    differing = [path for path, text in wanted.items() if _read(directory / path) != text]
    stray = [f"schemas/{path.name}" for path in directory.glob("schemas/*") if f"schemas/{path.name}" not in wanted]
    return sorted([*differing, *stray])


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def write(directory: Path) -> list[str]:
    """Write what drifted, remove what belongs to no event, and return the paths."""
    wanted = documents()
    changed = drifted(directory)
    for path in changed:
        place = directory / path
        if path not in wanted:
            place.unlink()
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(wanted[path], encoding="utf-8")
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 1 when `--check` finds drift."""
    parser = argparse.ArgumentParser(prog="python -m shared.contract.schemas", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 and the names of drifted files"
    )
    parser.add_argument("--directory", type=Path, default=DOCUMENTS, help="where the documents lie")
    options = parser.parse_args(arguments)
    changed = drifted(options.directory) if options.check else write(options.directory)
    if changed and options.check:
        sys.stderr.write("These differ from the contract; `make schemas` writes them anew:\n")
    for path in changed:
        sys.stdout.write(f"{options.directory / path}\n")
    return _EXIT_DRIFT if changed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
