"""The doctor on a real broker."""

from shared.runtime.records import Deployment
from tests.services.cli.conftest import Run


def test_the_doctor_says_what_to_do_and_what_is_well(run: Run, deployment: Deployment) -> None:
    """Topics without clock and services: broker and topics are well, clock and services must be started."""
    code, out, _ = run("doctor", deployment=deployment)
    lines = out.splitlines()
    assert code == 1
    assert any(line.startswith("ok  broker") for line in lines)
    assert any(line.startswith("ok  transactions") for line in lines)
    clock = next(i for i, line in enumerate(lines) if line.startswith("DO  clock"))
    assert "duecourse run clock" in lines[clock + 1]
    assert lines[-1].endswith("things to do")


def test_the_doctor_predicts_the_silence_of_an_import(run: Run, deployment: Deployment) -> None:
    """So many records take so long, and the gate is silent for them meanwhile."""
    _, out, _ = run("doctor", "--import", "300000", deployment=deployment)
    assert "300,000 records wait" in out
    assert "about 100 s" in out
