"""What the README and the pages say is so: rows resolve, commands exist, links lead somewhere."""

from __future__ import annotations

import importlib
import re
import shlex
from functools import reduce
from pathlib import Path

import click
import pytest

from services.cli import COMMANDS, duecourse

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ROW = re.compile(
    r"^\| (?P<question>[^|]+\?) \| \[(?P<file>[^\]]+)\]\((?P<link>[^)]+)\) \| `(?P<name>[\w.]+)` \|$", re.MULTILINE
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#)(?P<target>[^)#]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^```\n(?P<block>.*?)^```$", re.MULTILINE | re.DOTALL)


def _questions() -> list[re.Match[str]]:
    return list(ROW.finditer((ROOT / "README.md").read_text(encoding="utf-8")))


def test_ten_questions_are_answered() -> None:
    """A stranger finds ten questions in the README."""
    assert len(_questions()) == 10


@pytest.mark.parametrize("row", _questions(), ids=lambda row: row["question"])
def test_each_question_leads_to_its_function(row: re.Match[str]) -> None:
    """File and function of a row exist, and the function says what it promises."""
    assert row["file"] == row["link"]
    module = importlib.import_module(row["file"].removesuffix(".py").replace("/", "."))
    function = reduce(getattr, row["name"].split("."), module)
    assert callable(function)
    assert function.__doc__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    """No page links to a file that is not there."""
    targets = [match["target"] for match in LINK.finditer(page.read_text(encoding="utf-8"))]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def _command_lines() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            for line in block["block"].splitlines():
                words = line.split()
                if words and words[0] in {"duecourse", ".venv/bin/duecourse", "make"}:
                    found.append((page.name, line))
    return found


@pytest.mark.parametrize(("page", "line"), _command_lines(), ids=lambda value: value)
def test_every_command_of_a_page_exists(page: str, line: str) -> None:
    """Each shell line of the documents names commands and options that the program has, or a target of the Makefile."""
    program, *words = shlex.split(line)
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(words) <= set(targets), page
        return
    assert words[0] in COMMANDS, page
    command: click.Command = duecourse
    context = click.Context(duecourse)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, f"{page}: {line}"
        command = found
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options, f"{page}: {line}"
