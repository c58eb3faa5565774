"""What a test of the house must be."""

import ast

from tests.house.tree import functions, house_tests, parsed, python_files


def called(function: ast.AST) -> set[str]:
    """The last names of everything that a function calls."""
    return {ast.unparse(node.func).rpartition(".")[2] for node in ast.walk(function) if isinstance(node, ast.Call)}


def judges() -> set[str]:
    """The names of functions that fail a test: pytest's, and those of ours that assert or call such a one."""
    ours = [node for path in python_files("tests") for node in functions(path) if not node.name.startswith("test_")]
    found = {"raises", "fail", "validate", "check_schema"}
    while more := {f.name for f in ours if f.name not in found and asserts_something(f, found)}:
        found |= more
    return found


def asserts_something(function: ast.AST, judges: set[str]) -> bool:
    """Whether a function asserts, itself or by one of the judges."""
    return any(isinstance(node, ast.Assert) for node in ast.walk(function)) or bool(called(function) & judges)


def test_every_test_states_its_promise() -> None:
    """Each test has a docstring: one sentence on what is promised."""
    tests = list(house_tests())
    assert len(tests) > 10
    silent = [f"{path}:{node.lineno} {node.name}" for path, node in tests if not ast.get_docstring(node)]
    assert silent == []


def test_every_test_can_fail() -> None:
    """Each test asserts something."""
    known = judges()
    idle = [f"{path}:{node.lineno} {node.name}" for path, node in house_tests() if not asserts_something(node, known)]
    assert idle == []


def test_a_test_that_cannot_fail_is_found() -> None:
    """A test that only calls things is told apart from one that asserts through another."""
    idle, direct, through = ast.parse("def a(): run()\ndef b(): assert run()\ndef c(): judge(run())").body
    known = {"judge"}
    assert [asserts_something(f, known) for f in (idle, direct, through)] == [False, True, True]


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
