"""A policy is decided as a whole: four files, checked together, under one name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from shared.domain.policy import FILES, default_directory, load_policy
from shared.domain.policy_errors import PolicyError


def copied(directory: Path) -> Path:
    """The default policy's files in a folder of their own."""
    for name in FILES:
        (directory / name).write_bytes(default_directory().joinpath(name).read_bytes())
    return directory


def test_the_same_files_are_the_same_policy(tmp_path):
    """Where the files lie does not matter, what they say does."""
    assert load_policy(copied(tmp_path)).hash == load_policy().hash
    assert len(load_policy().hash) == 16


@pytest.mark.parametrize("name", FILES)
def test_any_change_is_another_policy(tmp_path, name):
    """A comment more in any file gives another hash: what decided is always named."""
    file = copied(tmp_path) / name
    file.write_text(file.read_text() + "\n# a word more\n")
    assert load_policy(tmp_path).hash != load_policy().hash


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_broken_file_is_named(tmp_path, name):
    """Nothing is taken from elsewhere, nothing is guessed."""
    file = copied(tmp_path) / name
    file.write_text("[[")
    with pytest.raises(PolicyError, match=f"{name}: not TOML"):
        load_policy(tmp_path)
    file.unlink()
    with pytest.raises(PolicyError, match=f"{name}: the file is missing"):
        load_policy(tmp_path)


def test_holiday_tables_know_make_up_days():
    """A working Saturday is a business day, a holiday on a Monday is none (T-06)."""
    table = load_policy().calendars["CN"]
    assert table.is_business_day(date(2024, 2, 18))
    assert not table.is_business_day(date(2024, 2, 12))
    assert not table.is_business_day(date(2024, 2, 24))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[CN]\nholidays = []", "where its dates come from"),
        ('[CN]\nsource = "x"\nholidays = ["2024-01-01"]', "list of dates"),
        ('[CN]\nsource = "x"\nholidays = [2024-01-01]\nworking_days = [2024-01-01]', "at once"),
        ('[CN]\nsource = "x"\nfeasts = []', "expected a table with"),
        ("CN = 3", "expected a table with"),
    ],
)
def test_a_wrong_holiday_table_is_refused(tmp_path, text, says):
    """Tables name their source, hold dates, and do not contradict themselves."""
    (copied(tmp_path) / "calendars.toml").write_text(text)
    with pytest.raises(PolicyError, match=says):
        load_policy(tmp_path)
