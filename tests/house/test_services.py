"""Who knows one service knows all."""

import ast
from pathlib import Path

from tests.house.tree import ROOT, parsed, python_files

FILES_OF_A_SERVICE = {"__init__.py", "app.py", "core.py", "processor.py", "state.py"}
DECIDING_SERVICES = {"credit_report", "escalation", "rate_limiter", "reminder"}
HEADINGS = ("Reads:", "Writes:", "Promises:", "Never:")


def service_folders() -> list[Path]:
    """The packages under services/, the command line apart."""
    return sorted(
        {Path(*path.parts[:2]) for path in python_files("services") if len(path.parts) > 2} - {Path("services/cli")}
    )


def test_each_service_that_decides_has_the_same_five_files() -> None:
    """State, core, processor and app stand in files of these names; the clock, which decides nothing, needs its app."""
    for folder in service_folders():
        present = {path.name for path in (ROOT / folder).glob("*.py")}
        needed = FILES_OF_A_SERVICE if folder.name in DECIDING_SERVICES else {"__init__.py", "app.py"}
        assert needed - present == set(), folder


def test_each_service_says_what_it_reads_writes_promises_and_never_does() -> None:
    """The package's docstring has the four headings, in this order."""
    for folder in service_folders():
        docstring = ast.get_docstring(parsed(folder / "__init__.py")) or ""
        places = [docstring.find(heading) for heading in HEADINGS]
        assert -1 not in places, folder
        assert places == sorted(places), folder


def test_nothing_happens_when_an_app_is_imported() -> None:
    """An app's module holds imports, definitions and constants: what runs is made by its create function."""
    for folder in service_folders():
        body = parsed(folder / "app.py").body
        names = {node.name for node in body if isinstance(node, ast.FunctionDef)}
        assert any(name.startswith("create_") for name in names), folder
        made = [ast.unparse(node.value) for node in body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value]
        assert not [call for call in made if "create_" in call or "App(" in call], folder
