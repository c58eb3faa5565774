"""What no tracked file says: how the house was built, where it lay, or where its packages came from."""

import re

import pytest

from tests.house.tree import ROOT, tracked_files

# Put together from pieces, so that this file does not say what it forbids.
REGISTRIES = "|".join(
    re.escape(".".join(pieces))
    for pieces in (
        ("pypi", "org"), ("pythonhosted", "org"), ("repo1", "maven", "org"), ("repo", "maven", "apache", "org"),
        ("npmjs", "org"), ("npmjs", "com"), ("golang", "org"), ("deb", "debian", "org"), ("crates", "io"),
    )
)  # fmt: skip
MAKERS = "|".join(("clau" + "de", "anth" + "ropic", "open" + "ai", "chat" + "gpt", "co" + "pilot", "sub" + "-?agent"))
UNFINISHED = "|".join(("TO" + "DO", "FIX" + "ME"))
FORBIDDEN = {
    "the address of a package registry": re.compile(REGISTRIES, re.IGNORECASE),
    "a path of somebody's machine": re.compile(r"(^|[^\w.])/(work|farm|root|home/\w+)[/\s\"']"),
    "who typed it": re.compile(rf"\b({MAKERS})", re.IGNORECASE),
    "something put off": re.compile(rf"\b({UNFINISHED})\b"),
}


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in tracked_files():
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path}:{n}: {line.strip()[:100]}" for n, line in enumerate(text.splitlines(), 1) if pattern.search(line)
        ]
    return found


@pytest.mark.parametrize("what", list(FORBIDDEN))
def test_no_file_names(what: str) -> None:
    """No tracked file holds what its readers cannot use."""
    assert len(tracked_files()) > 20
    assert lines_that_match(FORBIDDEN[what]) == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("the address of a package registry", "see https://py" + "pi.org/simple"),
        ("a path of somebody's machine", "cd /wo" + "rk/main"),
        ("who typed it", "written with Clau" + "de"),
        ("something put off", "# TO" + "DO later"),
    ],
)
def test_the_patterns_find_what_they_forbid(what: str, line: str) -> None:
    """Each pattern catches an example of what it is for."""
    assert FORBIDDEN[what].search(line)
