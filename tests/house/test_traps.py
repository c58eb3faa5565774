"""The known traps of the trade are each held by a test that bears its number."""

import re

from tests.house.tree import house_tests

TRAPS = {f"t{number:02}" for number in (*range(1, 11), *range(12, 24), 25)}


def test_every_trap_has_its_test() -> None:
    """No trap in scope is without a test named for it: test_t01_... for T-01."""
    held = {match.group(1) for _, node in house_tests() if (match := re.match(r"test_(t\d\d)_\w", node.name))}
    assert sorted(TRAPS - held) == []
