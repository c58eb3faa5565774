"""`duecourse explain` at a recorded log: how a case is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli import EXIT_USER_ERROR
from shared.contract.loans import LoanOpened
from shared.contract.outreach import PermitGranted
from shared.runtime.log_directory import write_log
from tests.services.cli.conftest import Run
from tests.shared.simulation.stage import twenty_days


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty days in a folder."""
    folder = tmp_path_factory.mktemp("log")
    write_log(folder, twenty_days().world.log)
    return folder


def test_a_record_tells_the_case_of_whom_it_is_about(run: Run, log: Path) -> None:
    """Who has only coordinates, from a line of the log or of `check`, is told what the id would have told."""
    words = ("explain", "--short", "9", "--log", str(log))
    permit = next(entry for entry in twenty_days().chronicle.of(PermitGranted))
    code, told, _ = run(*words, "--record", permit.record.coordinates)
    assert (code, told) == run(*words, "--borrower", permit.data.borrower_id)[:2]
    assert (code, "PERMIT" in told) == (0, True)
    opened = next(entry for entry in twenty_days().chronicle.of(LoanOpened))
    code, told, _ = run(*words, "--record", opened.record.coordinates)
    assert (code, told) == run(*words, "--loan", opened.data.loan_id)[:2]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "Name one person, loan or record."),
        (("--loan", "l", "--record", "lending.due-dates/0/0"), "Name one person, loan or record."),
        (("--record", "lending.due-dates/0/999999"), "There is no record lending.due-dates/0/999999."),
        (("--record", "collections.control/0/0"), "collections.control/0/0 is about no person and no loan."),
    ],
)  # fmt: skip
def test_what_names_no_case_is_refused_with_advice(run: Run, log: Path, words: tuple[str, ...], problem: str) -> None:
    """Nothing, two things at once, a place without a record, and a record about nobody."""
    code, _, told = run("explain", "--log", str(log), *words)
    assert code == EXIT_USER_ERROR
    assert problem in told
