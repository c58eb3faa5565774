"""The command line's frame: quick, helpful, never a traceback."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from services.cli import COMMANDS, UserError, duecourse, main


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment or None,
    )


@pytest.fixture
def command_that(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Let `duecourse kafka` raise what the test's parameter is."""

    @click.command()
    def command() -> None:
        raise request.param

    monkeypatch.setattr("services.cli.kafka.command", command)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_can_be_imported_and_helps(name: str) -> None:
    """Each line of the registry names a module with a command that explains itself."""
    answer = CliRunner().invoke(duecourse, [name, "--help"])
    assert answer.exit_code == 0
    assert f"Usage: duecourse {name}" in answer.output
    assert len(answer.output.splitlines()) > 3


def test_no_command_is_imported_before_it_is_asked_for() -> None:
    """Asking for the version loads no command, no Faust and no Kafka client."""
    question = (
        "import sys, services.cli as c\ntry: c.main(['--version'])\nexcept SystemExit: pass\nprint(sorted(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True).stdout
    assert answer.startswith("duecourse ")
    for module in ("services.cli.kafka", "faust", "aiokafka", "pydantic"):
        assert f"'{module}'" not in answer


def test_an_unknown_command_is_one_sentence() -> None:
    """A misspelt command ends with 2 and names itself, without a traceback."""
    answer = run("kafak")
    assert answer.returncode == 2
    assert "No such command 'kafak'" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_missing_java_is_a_sentence_and_what_to_do() -> None:
    """On a machine without Java the start says so in two lines and ends with 2."""
    answer = run("kafka", "start", PATH="")
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.splitlines()[0] == "duecourse: Java is not installed, and Kafka runs on it."
    assert len(answer.stderr.splitlines()) == 2


@pytest.mark.parametrize("command_that", [UserError("The cup is empty.", "Fill it.")], indirect=True)
@pytest.mark.usefixtures("command_that")
def test_a_user_error_shows_problem_and_advice(capsys: pytest.CaptureFixture[str]) -> None:
    """What a command cannot do is told on standard error, and the exit code is 2."""
    with pytest.raises(SystemExit) as ended:
        main(["kafka"])
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "duecourse: The cup is empty.\nFill it.\n")


@pytest.mark.parametrize("command_that", [KeyboardInterrupt()], indirect=True)
@pytest.mark.usefixtures("command_that")
def test_an_interrupt_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends with 130 and says nothing."""
    with pytest.raises(SystemExit) as ended:
        main(["kafka"])
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip() == ""


@pytest.mark.parametrize("command_that", [ZeroDivisionError("a bug")], indirect=True)
@pytest.mark.usefixtures("command_that")
def test_a_bug_is_not_hidden() -> None:
    """What nobody foresaw keeps its traceback."""
    with pytest.raises(ZeroDivisionError):
        main(["kafka"])


def test_status_of_nothing_is_a_verdict(tmp_path: str) -> None:
    """A broker that does not run is no error, but exit code 1 tells scripts."""
    answer = run("kafka", "status", "--directory", str(tmp_path))
    assert (answer.returncode, answer.stderr) == (1, "")
    assert answer.stdout == f"no broker runs in {tmp_path}\n"
