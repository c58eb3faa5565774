"""What a line of a process may say, whoever writes it."""

import ast
import json
import logging
import logging.config
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import structlog
from aiokafka.errors import KafkaConnectionError, NotLeaderForPartitionError
from pydantic import BaseModel, ValidationError

from shared.contract.loans import LoanOpened
from shared.kernel.step import Verdict
from shared.runtime.log_lines import configure, count_lines_with
from shared.runtime.log_redaction import FIELDS, name_of
from shared.runtime.stop import StopReason
from tests.house.tree import ROOT, parsed, python_files

CANARY = "CANARY"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
Said = Callable[[], list[dict[str, object]]]


@pytest.fixture
def said() -> Iterator[Said]:
    """Lines of a configured process, as they were written since the last look."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    out = StringIO()
    with redirect_stdout(out):
        logging.config.dictConfig(configure(json=True, level="info", service="tested"))
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers, root.level = handlers, level
    count_lines_with(lambda level: None, lambda: None)


def _fail(text: str) -> None:
    secret_local = f"{text} in a local"
    raise ValueError(secret_local)


def test_an_error_is_told_by_class_and_place_never_by_message_or_locals(said: Said) -> None:
    """Messages quote what they are about: of an error, and of its causes, only classes and places are told."""
    try:
        try:
            _fail(CANARY)
        except ValueError as error:
            raise KeyError(CANARY) from error
    except KeyError:
        structlog.get_logger("x").exception("broken invariant", partition=3)
    (line,) = said()
    assert (line["error"], line["causes"], line["partition"]) == ("KeyError", ["ValueError"], 3)
    assert str(line["frames"][-1]).startswith(f"{__name__}:")
    assert CANARY not in str(line)


def test_a_validation_error_keeps_its_input_to_itself(said: Said) -> None:
    """Pydantic's errors quote the input: neither their text nor what they hold reaches a line."""
    with pytest.raises(ValidationError) as caught:
        LoanOpened.model_validate_json(json.dumps({"loan_id": CANARY, "note": CANARY}))
    assert CANARY in str(caught.value)
    logging.getLogger("faust.x").error("Crashed reason=%r", caught.value, exc_info=caught.value)
    structlog.get_logger("x").error("failed", why=caught.value)
    first, second = said()
    assert first["event"] == "Crashed reason='ValidationError'"
    assert second["why"] == "ValidationError"
    assert CANARY not in f"{first} {second}"


def test_an_error_of_kafka_is_told_with_its_number() -> None:
    """What the broker's or system's number says is no secret; what a client's error quotes may be a key."""
    assert name_of(NotLeaderForPartitionError(CANARY)) == "NotLeaderForPartitionError (broker's error 6)"
    assert name_of(KafkaConnectionError(CANARY)) == "KafkaConnectionError"
    assert name_of(FileNotFoundError(2, CANARY)) == "FileNotFoundError (errno 2)"


def test_what_is_not_known_to_be_harmless_is_left_out(said: Said) -> None:
    """A field that no line may have is dropped and named; a value that is not plain is told by its class."""

    class Profile(BaseModel):
        name: str = CANARY

    structlog.get_logger("x").info("decision", payload=CANARY, at=1, facts={Verdict.APPLIED: 2}, rules=[Profile()])
    (line,) = said()
    assert line["left_out"] == ["payload"]
    assert (line["at"], line["facts"], line["rules"]) == (1, {"applied": 2}, ["Profile"])
    assert CANARY not in str(line)


@pytest.mark.parametrize(
    ("template", "arguments", "expected"),
    [
        ("Sending (key=%s value=%s) to %s", (CANARY.encode(), b"{}", "t"), "Sending (key=6 bytes value=2 bytes) to t"),
        ("Got error response: %s", (KafkaConnectionError(CANARY),), "Got error response: KafkaConnectionError"),
        ("took %d of %.1f s\nstack of %s", (3, 0.25, CANARY), "took 3 of 0.2 s"),
        ("Heartbeat failed: %(why)r", ({"why": ValueError(CANARY)},), "Heartbeat failed: 'ValueError'"),
        ("assigned %s", ({"a": [Path(CANARY)]},), "assigned {'a': ['PosixPath']}"),
        ("told %s", (CANARY * 50,), "told 300 characters"),
    ],
)  # fmt: skip
def test_a_librarys_line_is_its_template_with_plain_arguments(said, template, arguments, expected) -> None:
    """Numbers, classes and short words are filled in; bytes, messages of errors and long texts are not."""
    logging.getLogger("some.library").warning(template, *arguments)
    (line,) = said()
    assert (line["event"], line["level"], line["logger"]) == (expected, "warning", "some.library")


def test_asyncios_description_of_a_failed_task_is_cut_off(said: Said) -> None:
    """It writes the task's error into the text itself: of such a line only what comes before the data is kept."""
    task = f"<Task finished exception=ValueError('{CANARY}')>"
    logging.getLogger("asyncio").error(f"Task exception was never retrieved\nfuture: {task}")  # noqa: G004
    logging.getLogger("asyncio").error(f"Exception in callback {task}")  # noqa: G004
    assert [line["event"] for line in said()] == ["Task exception was never retrieved", "Exception in callback"]


def test_details_of_libraries_are_never_told(said: Said) -> None:
    """At debug level our own lines are told; libraries, which quote keys there, are not."""
    out = StringIO()
    with redirect_stdout(out):
        logging.config.dictConfig(configure(json=True, level="debug", service="tested"))
    structlog.get_logger("x").debug("ours", at=1)
    logging.getLogger("library").debug("key %s", CANARY)
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["ours"]


UNCAUGHT = """
import sys, threading
from shared.runtime.log_lines import configure, tell_the_uncaught
configure(json=True, level="info", service="tested")
tell_the_uncaught()
def fail(): raise ValueError("CANARY in a thread")
thread = threading.Thread(target=fail); thread.start(); thread.join()
class Bad:
    def __del__(self): raise KeyError("CANARY in a finaliser")
Bad()
import logging; logging.getLogger("x").warning("%d", "CANARY")
raise RuntimeError("CANARY at the top")
"""


def test_nobody_sees_the_message_of_an_error_that_nobody_caught() -> None:
    """In the main thread, in others, in finalisers: a line of ours in place of Python's traceback."""
    ended = subprocess.run([sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, cwd=ROOT, check=False)
    errors = [json.loads(line).get("error") for line in ended.stdout.splitlines()]
    assert [error for error in errors if error] == ["ValueError", "KeyError", "RuntimeError"]
    assert ended.returncode == StopReason.DOUBT.code
    assert CANARY not in ended.stdout + ended.stderr


def _calls_of_log(path: Path) -> Iterator[ast.Call]:
    if "structlog" not in (ROOT / path).read_text():
        return
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            yield node


def test_every_line_of_ours_is_a_constant_with_known_fields() -> None:
    """No line is put together from data, and no field of one would be left out by the redaction."""
    calls = [(path, call) for path in python_files("services", "shared") for call in _calls_of_log(path)]
    assert len(calls) > 15
    for path, call in calls:
        (event,) = call.args
        assert isinstance(event, ast.Constant | ast.Name), f"{path}:{event.lineno}"
        named = {keyword.arg for keyword in call.keywords if keyword.arg is not None} - {"exc_info"}
        assert named <= FIELDS, f"{path}:{call.lineno}: {named - FIELDS}"
