"""Where Prometheus' or Alertmanager's own programs are missing, their tests are left out, and everybody is told."""

import shutil
from typing import Final

import pytest

from tests.drills.watch import alertmanager_program

LEFT_OUT: Final[dict[str, list[str]]] = {}
PACKAGES: Final = {"promtool": "prometheus", "alertmanager": "prometheus-alertmanager"}
"""Debian's package, by the mark of the tests that need it."""


def _is_missing(mark: str) -> bool:
    if mark == "alertmanager":
        return not (alertmanager_program() and shutil.which("amtool"))
    return not (shutil.which("promtool") and shutil.which("prometheus"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a program that is not there."""
    for mark in filter(_is_missing, PACKAGES):
        needy = [item for item in items if item.get_closest_marker(mark)]
        LEFT_OUT[mark] = [item.nodeid for item in needy]
        config.hook.pytest_deselected(items=needy)
        items[:] = [item for item in items if item not in needy]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was left out."""
    for mark, names in LEFT_OUT.items():
        if names:
            terminalreporter.section(f"{mark.upper()} IS MISSING: ALERTS WERE NOT TESTED", red=True, bold=True)
            terminalreporter.line(f"Install Debian's package {PACKAGES[mark]} and run `make test` again. Left out:")
            for name in names:
                terminalreporter.line(f"  {name}")
