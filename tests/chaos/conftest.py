"""Where network namespaces cannot be made, what needs them is left out, and everybody is told."""

import pytest

from tests.chaos.network import why_not

LEFT_OUT: list[str] = []
MARK = "namespaces"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs namespaces where there are none."""
    if why_not() is None:
        return
    needy = [item for item in items if item.get_closest_marker(MARK)]
    LEFT_OUT.extend(item.nodeid for item in needy)
    config.hook.pytest_deselected(items=needy)
    items[:] = [item for item in items if item not in needy]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was left out."""
    if LEFT_OUT:
        terminalreporter.section("NO NETWORK NAMESPACES: FAULTS OF THE NETWORK WERE NOT TESTED", red=True, bold=True)
        terminalreporter.line(f"The reason: {why_not()}. Left out:")
        for name in LEFT_OUT:
            terminalreporter.line(f"  {name}")
