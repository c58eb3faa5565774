"""The page about connections: it lists each setting that there is, and each way in which a broker refuses us."""

import re
from collections import defaultdict
from pathlib import Path

from shared.contract.topics import CLOCK, SERVICES
from shared.runtime.rights import Kind, Operation, rights_of
from shared.runtime.settings import OF_SECURITY, VARIABLE_PREFIX, Settings
from shared.runtime.stop import StopReason

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
VARIABLE = re.compile(r"^\| `(?P<name>DUECOURSE_\w+)` \|", re.MULTILINE)
STOP = re.compile(r"\| `(?P<reason>\w+)`, (?P<code>\d+) \|")


def test_every_setting_is_in_the_table() -> None:
    """Each setting about connections is named once, in the order in which the program has them."""
    of_settings = [VARIABLE_PREFIX + name.upper() for name in Settings.__dataclass_fields__]
    about = tuple(VARIABLE_PREFIX + kind for kind in OF_SECURITY)
    assert VARIABLE.findall(PAGE) == [name for name in of_settings if name.startswith(about)]


def test_every_refusal_has_the_exit_code_that_it_has() -> None:
    """The stops that the page names exist, with these codes; none of those about connections is left out."""
    named = {(match["reason"], int(match["code"])) for match in STOP.finditer(PAGE)}
    known = {(reason.name.lower(), reason.code) for reason in StopReason}
    assert named <= known
    assert {reason for reason, _ in named} == {"login_refused", "broker_untrusted", "wrong_protocol", "access_denied"}


def rows_of_rights() -> list[str]:
    """Return the table of rights as the page must have it, for a deployment without a prefix."""
    rows = []
    for process in (*SERVICES, CLOCK):
        on: dict[tuple[Kind, str], list[Operation]] = defaultdict(list)
        for right in rights_of(Settings(), process):
            on[right.kind, f"`{right.name}{'*' if right.prefixed else ''}`"].append(right.operation)
        alike: dict[tuple[Kind, str], list[str]] = defaultdict(list)
        for (kind, name), operations in on.items():
            alike[kind, ", ".join(operations)].append(name)
        rows += [f"| {process} | {kind} | {', '.join(names)} | {what} |" for (kind, what), names in alike.items()]
    return rows


def test_the_table_of_rights_is_that_of_the_program() -> None:
    """Each process has its rows, as `duecourse topics rights` grants them, and there are no others."""
    start = PAGE.index("| process | kind | names | operations |")
    table = PAGE[start:].split("\n\n", 1)[0].splitlines()
    assert table[2:] == rows_of_rights()
    assert len(table) > 20
