"""What a test of the house must be."""

import ast

from tests.house.tree import house_tests, parsed, python_files


def asserts_something(test: ast.AST) -> bool:
    """Whether a test holds an assertion: its own, pytest's, or a function named for one."""
    for node in ast.walk(test):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2].lstrip("_")
            if name in {"raises", "fail"} or name.startswith(("assert", "check", "expect", "validate")):
                return True
    return False


def test_every_test_states_its_promise() -> None:
    """Each test has a docstring: one sentence on what is promised."""
    tests = list(house_tests())
    assert len(tests) > 10
    silent = [f"{path}:{node.lineno} {node.name}" for path, node in tests if not ast.get_docstring(node)]
    assert silent == []


def test_every_test_can_fail() -> None:
    """Each test asserts something."""
    idle = [f"{path}:{node.lineno} {node.name}" for path, node in house_tests() if not asserts_something(node)]
    assert idle == []


def test_no_test_is_skipped_or_excused() -> None:
    """No test is marked as skipped or as expected to fail, and none skips itself."""
    excuses = {"skip", "skipif", "xfail", "importorskip"}
    excused = [
        f"{path}:{node.lineno}"
        for path in python_files("tests")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in excuses and ast.unparse(node).startswith("pytest.")
    ]
    assert excused == []


def test_no_two_tests_of_a_file_share_a_name() -> None:
    """A second test of the same name would silence the first."""
    seen: set[tuple[str, str]] = set()
    twice = []
    for path in python_files("tests"):
        for node in parsed(path).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                twice += [f"{path}:{node.lineno} {node.name}"] if (str(path), node.name) in seen else []
                seen.add((str(path), node.name))
    assert seen
    assert twice == []
