"""The sizes and names of the house."""

import ast
from pathlib import Path

from tests.house.tree import ROOT, functions, parsed, python_files

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
BANNED_MODULE_NAMES = {
    "calendar", "collections", "common", "helper", "helpers", "logging", "manager", "misc", "queue", "types", "util",
    "utils",
}  # fmt: skip


def test_files_stay_short() -> None:
    """No file of the product is longer than one sitting."""
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in python_files("services", "shared")}
    assert lengths
    assert {str(path): lines for path, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_functions_stay_short() -> None:
    """No function of the product is longer than a screen."""
    long = {
        f"{path}:{node.lineno} {node.name}": length
        for path in python_files("services", "shared")
        for node in functions(path)
        if (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_modules_are_named_by_what_they_hold() -> None:
    """No module has a name that says nothing, or that hides one of the standard library's."""
    named = {part for path in python_files("services", "shared", "tests") for part in (*path.parts[:-1], path.stem)}
    assert "services" in named
    assert named & BANNED_MODULE_NAMES == set()


def test_every_folder_of_code_is_a_package() -> None:
    """Each folder with Python files has its __init__, or the tests' tree would shadow the product's."""
    folders = {path.parent for path in python_files("services", "shared", "tests")}
    for folder in list(folders):
        folders.update(parent for parent in folder.parents if parent != Path())
    assert sorted(str(folder) for folder in folders if not (ROOT / folder / "__init__.py").is_file()) == []


def test_only_the_floor_of_input_and_output_opens_files_and_sockets() -> None:
    """Contract, domain, engine and kernel read no file but their own package's data."""
    opened = {
        f"{path}:{node.lineno}"
        for path in python_files("shared")
        if path.parts[1] in {"contract", "domain", "engine", "kernel"} and path.name != "schemas.py"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "print", "input"}
    }
    assert opened == set()
