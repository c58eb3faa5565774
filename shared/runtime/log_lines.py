"""How processes of ours speak: one JSON object per line on standard output, readable columns on a terminal.

Nothing that could name a person is ever logged: ids appear as keyed hashes, texts of errors not at all. What a line may
say is decided in `log_redaction`, how many there may be in `log_volume`.
"""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType
from typing import Any, Final

import structlog

from shared.runtime.log_redaction import keep_known_fields, plain_foreign_line, tell_errors
from shared.runtime.log_volume import BoundFilter, BoundProcessor, LineBound
from shared.runtime.stop import StopReason, stop

_QUIET: Final = ("aiokafka", "faust.tables.recovery", "faust.transport.drivers.aiokafka")
"""Talkative libraries, whose information-level lines say nothing that our own do not say."""
DECISION: Final = "decision"
"""The event of the one line that a decision writes."""
DECISIONS_PER_SECOND: Final = 50.0


_counters: list[Any] = []
_cut_counters: list[Any] = []


def count_lines_with(counter: Any, cut: Any) -> None:
    """Let `counter(level)` hear of every line of this process, `cut()` of every one too many; former ones are let go.

    Lines that were written before are not counted.
    """
    _counters[:] = [counter]
    _cut_counters[:] = [cut]


def _count(_logger: object, level: str, event: Any) -> Any:
    for counter in _counters:
        counter(event.get("level", level))
    return event


def _count_cut() -> None:
    for counter in _cut_counters:
        counter()


def configure(
    *, json: bool, level: str, decisions_per_second: float = DECISIONS_PER_SECOND, **context: str
) -> dict[str, Any]:
    """Set up structlog and return the matching configuration for the standard library's loggers.

    `context` is bound to every line of this process.
    """
    renderer: Any = structlog.processors.JSONRenderer(sort_keys=True) if json else structlog.dev.ConsoleRenderer()
    bound = LineBound({DECISION: decisions_per_second})
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            BoundProcessor(bound, _count_cut),
            *_last_steps(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(**context)
    return _standard_library(renderer, bound, level)


def _last_steps() -> list[Any]:
    """What every line goes through before it is written, whoever spoke."""
    return [_count, structlog.processors.TimeStamper(fmt="iso", utc=True), tell_errors, keep_known_fields]


def _standard_library(renderer: Any, bound: LineBound, level: str) -> dict[str, Any]:
    quiet = {name: {"level": "WARNING"} for name in _QUIET}
    before = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=("suppressed",)),
        plain_foreign_line,
        *_last_steps(),
    ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"bound": {"()": BoundFilter, "bound": bound, "cut": _count_cut}},
        "formatters": {
            "ours": {
                "()": structlog.stdlib.ProcessorFormatter,
                "pass_foreign_args": True,
                "use_get_message": False,
                "foreign_pre_chain": before,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            }
        },
        "handlers": {
            "out": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "ours",
                "filters": ["bound"],
            }
        },
        # Libraries never speak of details: at debug level they quote keys.
        "root": {"handlers": ["out"], "level": max(logging.INFO, getattr(logging, level.upper()))},
        "loggers": quiet,
    }


def tell_the_uncaught() -> None:
    """Let errors that nobody catches end as lines of ours, in place of Python's tracebacks with their messages.

    One that reaches the top of the main thread ends the process like any other doubt, with that exit code.
    """
    # A line that cannot be written is lost: to say why would print its arguments.
    logging.raiseExceptions = False
    sys.excepthook = _tell_and_stop
    threading.excepthook = lambda what: _tell(what.exc_type, what.exc_value, what.exc_traceback)
    sys.unraisablehook = lambda what: _tell(what.exc_type, what.exc_value, what.exc_traceback)


def _tell_and_stop(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _tell(kind, error, trace)
    stop(StopReason.DOUBT, f"nobody caught {kind.__name__}")


def _tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    structlog.get_logger("process").critical("uncaught error", exc_info=(kind, error, trace) if error else None)
