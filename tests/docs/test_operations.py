"""The page for those who run it: every stop of a process is in its table, with a command that exists."""

import re
from pathlib import Path

from services.cli import COMMANDS
from shared.runtime.stop import StopReason

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
ROW = re.compile(r"^\| (?P<code>\d+) \| `(?P<reason>\w+)` \| (?P<what>[^|]+) \| (?P<repair>[^|]+) \|$", re.MULTILINE)
COMMAND = re.compile(r"`duecourse ([a-z-]+)")


def test_every_stop_is_in_the_table():
    """Code and name of each reason are told, once, in the order of the codes."""
    rows = [(int(row["code"]), row["reason"]) for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))]
    assert rows == sorted((reason.code, reason.name.lower()) for reason in StopReason)


def test_every_advice_names_commands_that_exist():
    """What a stopped process or the table tells to type can be typed."""
    texts = [reason.advice for reason in StopReason]
    texts += [row["repair"] for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))]
    named = {name for text in texts for name in COMMAND.findall(text)}
    assert named >= {"topics", "rebuild", "transactions", "run"}
    assert named <= COMMANDS.keys()
