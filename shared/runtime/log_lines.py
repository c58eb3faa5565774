"""How processes of ours speak: one JSON object per line on standard output, readable columns on a terminal.

Nothing that could name a person is ever logged: no keys, no ids, no values.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import structlog

_QUIET: Final = ("aiokafka", "faust.tables.recovery", "faust.transport.drivers.aiokafka")
"""Talkative libraries, whose information-level lines say nothing that our own do not say."""


_counters: list[Any] = []


def count_lines_with(counter: Any) -> None:
    """Let `counter(level)` hear of every line of this process; a former one is let go."""
    _counters[:] = [counter]


def _count(_logger: object, level: str, event: Any) -> Any:
    for counter in _counters:
        counter(event.get("level", level) if isinstance(event, dict) else level)
    return event


def _shared_processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _count,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def configure(*, json: bool, level: str, **context: str) -> dict[str, Any]:
    """Set up structlog and return the matching configuration for the standard library's loggers.

    `context` is bound to every line of this process.
    """
    renderer: Any = structlog.processors.JSONRenderer(sort_keys=True) if json else structlog.dev.ConsoleRenderer()
    # No locals in tracebacks: they would hold personal data.
    last = [structlog.processors.format_exc_info, renderer] if json else [renderer]
    structlog.configure(
        processors=[*_shared_processors(), *last],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(**context)
    return _standard_library(last, level)


def _standard_library(last: list[Any], level: str) -> dict[str, Any]:
    quiet = {name: {"level": "WARNING"} for name in _QUIET}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "ours": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_shared_processors(), structlog.stdlib.add_logger_name],
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            }
        },
        "handlers": {"out": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "ours"}},
        "root": {"handlers": ["out"], "level": level.upper()},
        "loggers": quiet,
    }
