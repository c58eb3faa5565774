"""The known traps of the trade are each held by a test that bears its number."""

import re

import pytest

from tests.house.tree import ROOT, house_tests

TRAPS = {f"t{number:02}" for number in (*range(1, 11), *range(12, 24), 25)}


def test_every_trap_has_its_test() -> None:
    """No trap in scope is without a test named for it: test_t01_... for T-01."""
    held = {match.group(1) for _, node in house_tests() if (match := re.match(r"test_(t\d\d)_\w", node.name))}
    assert sorted(TRAPS - held) == []


ROW = re.compile(r"^\| T-(?P<number>\d\d) \| (?P<what>[^|]+) \| (?P<held>[^|]*) \| (?P<note>[^|]*) \|$", re.MULTILINE)
ROWS = list(ROW.finditer((ROOT / "docs" / "traps.md").read_text(encoding="utf-8")))


def test_the_page_names_every_trap_once() -> None:
    """Seventy-two traps are known, each on a line of the page."""
    assert [int(row["number"]) for row in ROWS] == [*range(1, 73)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"T-{row['number']}")
def test_what_the_page_says_of_a_trap_is_so(row: re.Match[str]) -> None:
    """Each test that is said to hold a trap exists; where none does, the page says that it is not built."""
    named = re.findall(r"`(test_\w+)`", row["held"])
    assert set(named) <= {node.name for _, node in house_tests()}
    if not named:
        assert row["note"].startswith(("Not built", "Outside"))
