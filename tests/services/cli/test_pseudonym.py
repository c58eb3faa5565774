"""The command that tells under which name somebody appears in the logs."""

import pytest
from click.testing import CliRunner

from services.cli import duecourse
from shared.runtime.pseudonyms import Pseudonyms
from tests.services.cli.conftest import Run

KEY = "a secret of the deployment"


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without a key, whatever the tester's own shell has."""
    for name in ("DUECOURSE_LOG_KEY", "DUECOURSE_LOG_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def test_a_name_in_the_logs_needs_the_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the deployment's key an operator finds the lines of a person; without it nobody does."""
    code, _, said = run("pseudonym", "b1")
    assert code == 2
    assert "DUECOURSE_LOG_KEY" in said
    monkeypatch.setenv("DUECOURSE_LOG_KEY", KEY)
    of = Pseudonyms(KEY).of
    assert run("pseudonym", "b1", "loan-7") == (0, f"{of('b1')}\n{of('loan-7')}\n", "")


def test_the_key_may_lie_in_a_file_and_ids_come_by_standard_input(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the key nor an id has to appear on a command line, where others could read it."""
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    monkeypatch.setenv("DUECOURSE_LOG_KEY_FILE", str(file))
    answer = CliRunner().invoke(duecourse, ["pseudonym", "-"], input="b1\nb2\n")
    assert answer.output.split() == [Pseudonyms(KEY).of("b1"), Pseudonyms(KEY).of("b2")]


def test_a_weak_key_is_told_plainly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that could be guessed is a mistake of the caller, and is not repeated."""
    monkeypatch.setenv("DUECOURSE_LOG_KEY", "tiny")
    code, _, said = run("pseudonym", "b1")
    assert code == 2
    assert "fewer than 16" in said
    assert "tiny" not in said
