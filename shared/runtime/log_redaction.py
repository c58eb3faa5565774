"""What a log line may say. Everything else is left out of it, whoever wrote the line and whatever it was handed.

Lines of ours are made of known fields with plain values. Lines of libraries are their templates, filled with numbers,
names of classes and short words. Errors are their classes and the places they went through: never their messages, which
may quote a record (pydantic's quote the input, Kafka's the key), and never local variables.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from enum import Enum
from logging import LogRecord
from typing import Any, Final

from aiokafka.errors import BrokerResponseError

FIELDS: Final = frozenset({
    # of every line
    "event", "level", "timestamp", "logger", "service", "error", "causes", "frames", "suppressed", "left_out",
    # of an epoch, and of partitions
    "at", "dead", "facts", "n", "outputs", "partition", "partitions", "policy", "skips", "wakes",
    # of a decision
    "action", "borrower_ref", "channel", "cleared", "code", "contact_class", "days_past_due", "earliest_ms", "id",
    "loan_ref", "loan_refs", "move", "permit_id", "purpose", "reason", "request_id", "rules", "rung", "step",
    "trace_id", "type",
    "valid_from_ms", "valid_until_ms",
    # of a process
    "about_ref", "advice", "build", "cases", "detail", "exit_code", "mode", "newest", "offset", "port", "promise",
    "topic", "traces", "violated", "what", "where", "why", "wiped_store",
})  # fmt: skip
"""A field that is not among them is left out, and `left_out` names it."""
TEXT_CHARACTERS_MAX: Final = 500
FRAMES_MAX: Final = 30
CAUSES_MAX: Final = 8
_DEPTH_MAX: Final = 3
_WORD_CHARACTERS_MAX: Final = 120
_PREFORMATTED: Final = "asyncio"
"""It puts descriptions of tasks, and with them the messages of their errors, into the text itself."""
_ENDS_PREFORMATTED: Final = "<([{'\":\n"


def name_of(error: BaseException) -> str:
    """Return what may be said of an error: its class, and the number that the broker or the system gave it."""
    name = type(error).__name__
    if isinstance(error, BrokerResponseError):
        return f"{name} (broker's error {error.errno})"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name} (errno {error.errno})"
    return name


def tell_errors(_logger: object, _method: str, event: Any) -> Any:
    """Replace an exception by its class, those of its causes, and the places it went through, innermost last."""
    error = _error_of(event.pop("exc_info", None))
    event.pop("stack_info", None)
    if error is not None:
        event.setdefault("error", name_of(error))
        event["causes"] = _causes(error)
        event["frames"] = [
            f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
            for frame, line in traceback.walk_tb(error.__traceback__)
        ][-FRAMES_MAX:]
    return event


def _error_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        found: BaseException | None = exc_info[1]
        return found
    return sys.exc_info()[1] if exc_info else None


def _causes(error: BaseException) -> list[str]:
    causes: list[str] = []
    seen = {id(error)}
    following = error.__cause__ or error.__context__
    while following is not None and id(following) not in seen and len(causes) < CAUSES_MAX:
        causes.append(name_of(following))
        seen.add(id(following))
        following = following.__cause__ or following.__context__
    return causes


def keep_known_fields(_logger: object, _method: str, event: Any) -> Any:
    """Keep the fields that a line may have, with plain values; name those that were left out."""
    kept = {name: _plain(value) for name, value in event.items() if name in FIELDS or name.startswith("_")}
    left_out = sorted(name for name in event if name not in kept)
    if left_out:
        kept["left_out"] = left_out
    return kept


def _plain(value: Any, depth: int = 0) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value[:TEXT_CHARACTERS_MAX]
    if depth < _DEPTH_MAX and isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item, depth + 1) for key, item in value.items()}
    if depth < _DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    return _described(value)


def _described(value: object) -> str:
    if isinstance(value, BaseException):
        return name_of(value)
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    return value.__name__ if isinstance(value, type) else type(value).__name__


def plain_foreign_line(_logger: object, _method: str, event: Any) -> Any:
    """Write a library's line again: its template with plain arguments only, and only its first line."""
    record: LogRecord = event["_record"]
    arguments = event.pop("positional_args", None)
    template = str(record.msg)
    if record.name == _PREFORMATTED:
        ends = [template.find(mark) for mark in _ENDS_PREFORMATTED]
        template = template[: min((end for end in ends if end >= 0), default=len(template))].rstrip()
    event["event"] = _filled(template, arguments).partition("\n")[0][:TEXT_CHARACTERS_MAX]
    return event


def _filled(template: str, arguments: Any) -> str:
    if not arguments:
        return template
    plain = _plain_argument(arguments) if isinstance(arguments, dict) else tuple(map(_plain_argument, arguments))
    try:
        return template % plain
    except (TypeError, ValueError, KeyError):
        return template


def _plain_argument(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _WORD_CHARACTERS_MAX and value.isprintable() else f"{len(value)} characters"
    if isinstance(value, dict):
        return {_plain_argument(key): _plain_argument(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "topic"):
        return f"{value.topic}/{value[1]}"
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain_argument(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else _described(value)
