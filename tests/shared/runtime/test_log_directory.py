"""Recorded topics survive the way to disk and back."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.recorded import Recorded
from shared.runtime.log_directory import UnreadableLog, read_log, write_log

BYTES = st.one_of(
    st.none(), st.binary(max_size=40), st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace"))
)
RECORDS = st.builds(
    Recorded,
    topic=st.sampled_from(["lending.repayments", "collections.outreach"]),
    partition=st.integers(0, 7),
    offset=st.integers(0, 10**12),
    key=BYTES,
    value=BYTES,
    headers=st.lists(st.tuples(st.text(max_size=8).filter(str.isascii), BYTES), max_size=3).map(tuple),
    appended_ms=st.integers(0, 4 * 10**12),
)


@given(st.lists(RECORDS, min_size=1, max_size=20))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, records: list[Recorded]) -> None:
    """Any bytes, line ends and missing values included, come back equal and in the order of their topic."""
    directory = tmp_path_factory.mktemp("log")
    assert write_log(directory, records) == len(records)
    assert list(read_log(directory)) == sorted(records, key=lambda record: record.topic)


def test_a_second_log_replaces_the_first(tmp_path: Path) -> None:
    """A folder never mixes two runs."""
    write_log(tmp_path, [Recorded("collections.outreach", 0, 0, b"B1", b"{}")])
    write_log(tmp_path, [Recorded("lending.repayments", 0, 0, b"L1", b"{}")])
    assert [record.topic for record in read_log(tmp_path)] == ["lending.repayments"]


def test_a_foreign_line_is_named(tmp_path: Path) -> None:
    """A line that is not ours is told by file and number."""
    (tmp_path / "lending.repayments.jsonl").write_text('{"partition":0,"offset":0,"appended_ms":0}\nhello\n')
    with pytest.raises(UnreadableLog, match=r"lending\.repayments\.jsonl line 2"):
        list(read_log(tmp_path))


def test_an_empty_folder_is_no_log(tmp_path: Path) -> None:
    """Reading where nothing was recorded says so."""
    with pytest.raises(UnreadableLog, match="holds no recorded topics"):
        list(read_log(tmp_path))
