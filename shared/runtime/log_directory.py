"""Recorded topics in a folder: one JSON line per record, one file per topic, so that a log can be kept and read.

Bytes that are UTF-8 are written as text, others as base64 under a name that ends in `_base64`.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from shared.contract.recorded import Recorded

SUFFIX = ".jsonl"


class UnreadableLog(ValueError):
    """The folder holds no log, or a line of it is not one of ours; the text says which."""


def write_log(directory: Path, records: Iterable[Recorded]) -> int:
    """Write the records, replacing what the folder's log held; return how many."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob(f"*{SUFFIX}"):
        old.unlink()
    count = 0
    with ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for record in records:
            if record.topic not in files:
                path = directory / f"{record.topic}{SUFFIX}"
                files[record.topic] = stack.enter_context(path.open("w", encoding="utf-8"))
            files[record.topic].write(_to_line(record))
            count += 1
    return count


def read_log(directory: Path) -> Iterator[Recorded]:
    """Read the records back, topic by topic in alphabetical order, each in the order in which it was written."""
    paths = sorted(directory.glob(f"*{SUFFIX}"))
    if not paths:
        raise UnreadableLog(f"{directory} holds no recorded topics")
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                yield _from_line(path, number, line)


def _to_line(record: Recorded) -> str:
    document: dict[str, Any] = {
        "partition": record.partition,
        "offset": record.offset,
        "appended_ms": record.appended_ms,
    }
    _put(document, "key", record.key)
    _put(document, "value", record.value)
    headers = []
    for name, value in record.headers:
        header: dict[str, Any] = {"name": name}
        _put(header, "value", value)
        headers.append(header)
    if headers:
        document["headers"] = headers
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def _put(document: dict[str, Any], name: str, value: bytes | None) -> None:
    if value is None:
        return
    try:
        document[name] = value.decode()
    except UnicodeDecodeError:
        document[f"{name}_base64"] = b64encode(value).decode()


def _take(document: dict[str, Any], name: str) -> bytes | None:
    if f"{name}_base64" in document:
        return b64decode(document[f"{name}_base64"], validate=True)
    text = document.get(name)
    return None if text is None else str(text).encode()


def _from_line(path: Path, number: int, line: str) -> Recorded:
    try:
        document = json.loads(line)
        headers = tuple((str(header["name"]), _take(header, "value")) for header in document.get("headers", ()))
        return Recorded(
            topic=path.name.removesuffix(SUFFIX),
            partition=int(document["partition"]),
            offset=int(document["offset"]),
            key=_take(document, "key"),
            value=_take(document, "value"),
            headers=headers,
            appended_ms=int(document["appended_ms"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableLog(f"{path} line {number} is not a recorded record: {error}") from error
