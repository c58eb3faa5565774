"""The page about connections: it lists each setting that there is, and each way in which a broker refuses us."""

import re
from pathlib import Path

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
