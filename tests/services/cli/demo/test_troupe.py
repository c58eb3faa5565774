"""The demo's processes are started again, stopped, and never left behind."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.demo.troupe import PIDS_FILE, RESTARTS_MAX, CannotGoOn, Troupe

WATCHING = ("watch", "--help")
"""Ends at once with exit code 0."""
WRONG = ("watch", "--no-such-option")
"""Ends at once with exit code 2."""


@pytest.fixture
def troupe(tmp_path: Path) -> Iterator[Troupe]:
    """A troupe whose logs are in the test's folder, closed in the end."""
    found = Troupe(tmp_path / "logs")
    try:
        yield found
    finally:
        found.close()


def _wait_until_ended(troupe: Troupe, name: str) -> None:
    deadline = time.monotonic() + 60
    while troupe.runs(name):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_who_ends_is_started_again(troupe: Troupe, tmp_path: Path) -> None:
    """Whatever the exit code: a service that ended is started again, and the list of processes follows."""
    troupe.start("one", WATCHING, tmp_path / "disk")
    first = troupe.pids["one"]
    _wait_until_ended(troupe, "one")
    troupe.mend()
    assert troupe.own_exits == {"one": 1}
    assert json.loads((tmp_path / "logs" / PIDS_FILE).read_text()) == troupe.pids
    assert troupe.pids["one"] != first


def test_who_may_finish_is_left_alone(troupe: Troupe, tmp_path: Path) -> None:
    """A clock whose days are over has ended well."""
    troupe.start("clock", WATCHING, tmp_path / "disk", may_finish=True)
    _wait_until_ended(troupe, "clock")
    troupe.mend()
    assert troupe.own_exits == {}


def test_a_process_that_cannot_work_is_named(troupe: Troupe, tmp_path: Path) -> None:
    """After too many ends of its own the demo says which process it is, how it ended and where its log is."""
    troupe.start("broken", WRONG, tmp_path / "disk")
    member = troupe.member("broken")
    _wait_until_ended(troupe, "broken")
    member.own_exits.extend([2] * RESTARTS_MAX)
    with pytest.raises(CannotGoOn, match=r"broken keeps ending \(exit codes 2, 2, 2\).*broken\.log"):
        troupe.mend()


def test_a_kill_wipes_the_disk_if_asked(troupe: Troupe, tmp_path: Path) -> None:
    """A power cut with a lost disk: the process is another one, and what it kept is gone."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "state").write_text("kept")
    troupe.start("one", WATCHING, disk)
    first = troupe.pids["one"]
    troupe.kill("one", wipe=True)
    assert troupe.pids["one"] != first
    assert not disk.exists()
    assert troupe.member("one").own_exits == []


def test_what_was_stopped_stays_so_until_resumed(troupe: Troupe, tmp_path: Path) -> None:
    """A service that is down on purpose is not mended."""
    troupe.start("one", WATCHING, tmp_path / "disk")
    troupe.stop("one")
    troupe.mend()
    assert not troupe.runs("one")
    troupe.resume("one")
    assert troupe.member("one").starts == 2


def test_closing_ends_everybody(tmp_path: Path) -> None:
    """Nobody is left behind, whatever state they are in."""
    troupe = Troupe(tmp_path / "logs")
    troupe.start("one", ("kafka", "status", "--directory", str(tmp_path)), tmp_path / "disk")
    process = troupe.member("one").process
    troupe.close()
    assert process is not None
    assert process.poll() is not None
    assert process.returncode in {1, -signal.SIGTERM}


def test_security_of_another_broker_is_not_passed_on(
    troupe: Troupe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has set variables for the bank's brokers can play the demo all the same."""
    monkeypatch.setenv("DUECOURSE_SECURITY_PROTOCOL", "SASL_SSL")
    troupe.start("one", ("topics", "rights", "--broker", "127.0.0.1:1"), tmp_path / "disk", may_finish=True)
    _wait_until_ended(troupe, "one")
    process = troupe.member("one").process
    assert process is not None
    assert process.returncode == 0
