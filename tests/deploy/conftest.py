"""Where Prometheus' own tools are missing, their tests are left out, and everybody is told."""

import shutil

import pytest

LEFT_OUT: list[str] = []
MARK = "promtool"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs promtool where there is none."""
    if shutil.which("promtool") and shutil.which("prometheus"):
        return
    needy = [item for item in items if item.get_closest_marker(MARK)]
    LEFT_OUT.extend(item.nodeid for item in needy)
    config.hook.pytest_deselected(items=needy)
    items[:] = [item for item in items if item not in needy]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was left out."""
    if LEFT_OUT:
        terminalreporter.section("PROMTOOL IS MISSING: RULES AND ALERTS WERE NOT TESTED", red=True, bold=True)
        terminalreporter.line("Install it (Debian: the package prometheus) and run `make test` again. Left out:")
        for name in LEFT_OUT:
            terminalreporter.line(f"  {name}")
