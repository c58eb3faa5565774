"""The shape of what each service keeps, recorded for every format that was ever written.

`python -m tests.services.states` records the shape of a format that has no record yet; it never overwrites one.
"""

from __future__ import annotations

import dataclasses
import json
import types
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args, get_origin, get_type_hints

from services.credit_report.processor import PROCESSOR as CREDIT_REPORT
from services.escalation.processor import PROCESSOR as ESCALATION
from services.rate_limiter.processor import PROCESSOR as RATE_LIMITER
from services.reminder.processor import PROCESSOR as REMINDER
from shared.engine.processor import Processor

PROCESSORS: Final[tuple[Processor[Any], ...]] = (CREDIT_REPORT, ESCALATION, RATE_LIMITER, REMINDER)
FOLDER: Final = Path(__file__).parent

Shape: TypeAlias = dict[str, Any]
"""By class: of a state and all it holds the fields, with types and defaults, in order; of an enumeration its values."""


def record_of(service: str, number: int) -> Path:
    """Return the file that holds the shape of one format."""
    return FOLDER / f"{service}-{number}.json"


def recorded(service: str, number: int) -> Shape | None:
    """Return the recorded shape of one format; None where there is none."""
    path = record_of(service, number)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def shape_of(state: type[Any]) -> Shape:
    """Return the shape of a state's type, and of everything in it."""
    classes: dict[str, type[Any]] = {}
    _collect(state, classes)
    return {name: _members(kind) for name, kind in sorted(classes.items())}


def _collect(kind: Any, classes: dict[str, type[Any]]) -> None:
    if dataclasses.is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, Enum)):
        known = classes.setdefault(kind.__name__, kind)
        assert known is kind, f"two classes of one state have the name {kind.__name__}"
    inner = get_type_hints(kind).values() if dataclasses.is_dataclass(kind) else get_args(kind)
    for part in inner:
        if classes.get(getattr(part, "__name__", "")) is not part:
            _collect(part, classes)


def _members(kind: type[Any]) -> dict[str, str] | list[str]:
    if issubclass(kind, Enum):
        return sorted(str(member.value) for member in kind)
    hints = get_type_hints(kind)
    return {field.name: text_of(hints[field.name]) + _default(field) for field in dataclasses.fields(kind)}


def text_of(kind: Any) -> str:
    """Return a type as it is written in source."""
    if kind is Ellipsis:
        return "..."
    if kind is types.NoneType:
        return "None"
    parts = [text_of(part) for part in get_args(kind)]
    if isinstance(kind, types.UnionType):
        return " | ".join(parts)
    if parts:
        return f"{text_of(get_origin(kind))}[{', '.join(parts)}]"
    return str(kind.__name__)


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return f" = {field.default_factory()!r}"
    return "" if field.default is dataclasses.MISSING else f" = {field.default!r}"


def misread(former: Shape, reader: Shape) -> list[str]:
    """Return what the type that reads a former format does not find, or does not understand, in its states."""
    return [problem for name, then in former.items() for problem in _misread_class(name, then, reader.get(name))]


def _misread_class(name: str, then: Any, now: Any) -> list[str]:
    if type(then) is not type(now):
        return [f"{name} is not read"]
    if isinstance(then, list):
        return [f"{name} has no {value!r} any more" for value in then if value not in now]
    changed = [
        f"{name}.{field} was {text}, and is read as {now.get(field, 'nothing')}"
        for field, text in then.items()
        if _type_of(now.get(field, "")) != _type_of(text)
    ]
    needed = [field for field, text in now.items() if field not in then and " = " not in text]
    return changed + [f"{name}.{field} is needed, and was not there" for field in needed]


def _type_of(text: str) -> str:
    return text.partition(" = ")[0]


def record() -> list[Path]:
    """Write the shapes of formats that have no record, and return the new files."""
    new = {record_of(p.name, len(p.upgrades) + 1): shape_of(p.state) for p in PROCESSORS}
    missing = {path: shape for path, shape in new.items() if not path.exists()}
    for path, shape in missing.items():
        path.write_text(json.dumps(shape, indent=2) + "\n", encoding="utf-8")
    return list(missing)
