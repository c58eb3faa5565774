"""What `duecourse topics rights` prints, and what commands say of settings that cannot be: no broker is needed."""

import shlex
from pathlib import Path

import pytest

from services.cli.broker import SECURITY_ADVICE
from shared.contract.topics import CLOCK, SERVICES
from shared.runtime.rights import rights_of
from shared.runtime.settings import Settings
from tests.services.cli.conftest import Run

NOWHERE = ("--broker", "127.0.0.1:1")


def test_rights_are_commands_of_kafka_acls(run: Run) -> None:
    """Each process has its lines for its own user; together they grant exactly the rights that it needs."""
    code, out, _ = run("topics", "rights", "--broker", "b:1", "--prefix", "north", "--user", "duecourse-{process}")
    assert code == 0
    granted: dict[str, set[tuple[str, str, str, bool]]] = {}
    for line in out.splitlines():
        words = shlex.split(line)
        assert words[:5] == ["kafka-acls", "--bootstrap-server", "b:1", "--add", "--allow-principal"]
        (kind,) = {"--topic", "--group", "--transactional-id"} & set(words)
        operations = [words[i + 1] for i, word in enumerate(words) if word == "--operation"]
        name, prefixed = words[words.index(kind) + 1], words[-2:] == ["--resource-pattern-type", "prefixed"]
        granted.setdefault(words[5], set()).update((kind[2:], name, what, prefixed) for what in operations)
    wanted = {
        f"User:duecourse-{process}": {
            (right.kind.value, right.name, right.operation.value, right.prefixed)
            for right in rights_of(Settings(prefix="north"), process)
        }
        for process in (*SERVICES, CLOCK)
    }
    assert granted == wanted


@pytest.mark.parametrize("command", [("watch",), ("topics", "check"), ("run", "clock"), ("doctor",)])
def test_settings_that_contradict_one_another_are_told(
    command: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user without a password is refused in one sentence, before anything is connected."""
    monkeypatch.setenv("DUECOURSE_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("DUECOURSE_SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("DUECOURSE_SASL_USER", "reminder")
    code, _, err = run(*command, *NOWHERE)
    assert code == 2
    assert err.splitlines()[0] == "duecourse: security_protocol SASL_SSL needs sasl_password_file."


def test_a_file_that_cannot_be_used_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The setting and the file are named, and where the settings are explained."""
    monkeypatch.setenv("DUECOURSE_SECURITY_PROTOCOL", "SSL")
    monkeypatch.setenv("DUECOURSE_TLS_CA_FILE", str(tmp_path / "ca.pem"))
    code, _, err = run("topics", "check", *NOWHERE)
    assert code == 2
    assert err.splitlines() == [
        f"duecourse: tls_ca_file {tmp_path / 'ca.pem'} cannot be read (No such file or directory).",
        SECURITY_ADVICE,
    ]
