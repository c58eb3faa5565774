from dataclasses import replace

import pytest

from shared.engine.progress import (
    NOTHING_YET_AT,
    ChangelogLost,
    Counts,
    HistoryLost,
    Progress,
    Reported,
    UnusableProgress,
    birth,
    decode_progress,
    encode_progress,
    metadata,
    parse_metadata,
    require_history,
    resume,
)
from shared.kernel.step import Verdict

STORED = Progress(5, 1000, 20, {"a": 30, "b": 40}, 3, "build", "p1", {"a": Counts(1, 2, 3)})


def test_a_progress_record_survives_its_encoding():
    """What was written is read back, and equal progress has equal bytes."""
    assert decode_progress(encode_progress(STORED)) == STORED
    assert encode_progress(STORED) == encode_progress(decode_progress(encode_progress(STORED)))


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", encode_progress(STORED).replace(b'"format":1', b'"format":2')])
def test_a_foreign_progress_record_is_refused(value):
    """Another format is never guessed at."""
    with pytest.raises(UnusableProgress):
        decode_progress(value)


def test_going_on_takes_the_larger_position():
    """Quiet epochs are reported only: the report may be ahead by offsets, with the same number of transactions."""
    ahead = resume(STORED, Reported(1200, 5, 25, {"a": 31, "b": 40}))
    assert ahead is not None
    assert (ahead.at, ahead.clock_offset, ahead.offsets, ahead.n) == (1200, 25, {"a": 31, "b": 40}, 5)
    assert resume(STORED, Reported(900, 4, 18, {"a": 29, "b": 40})) == STORED
    assert resume(STORED, None) == STORED
    assert resume(None, None) is None


def test_whom_a_tick_woke_is_known_until_it_is_over():
    """What a tick spent, and how many it woke, counts on after a crash in its middle, and not for the next tick."""
    amid = replace(STORED, spent={"call": 3}, woken=7)
    assert decode_progress(encode_progress(amid)) == amid
    same = resume(amid, Reported(1000, 5, 20, {"a": 30, "b": 40}))
    assert same is not None
    assert (same.spent, same.woken) == ({"call": 3}, 7)
    following = resume(amid, Reported(1200, 5, 25, {"a": 31, "b": 40}))
    assert following is not None
    assert (following.spent, following.woken) == ({}, 0)


@pytest.mark.parametrize("stored", [STORED, None])
def test_a_changelog_behind_the_report_is_lost(stored):
    """More transactions reported than stored: stop, never jump."""
    with pytest.raises(ChangelogLost):
        resume(stored, Reported(1000, 6, 20, {}))


def test_history_below_the_start_of_a_log_is_lost():
    """A needed offset that retention has deleted stops the service and names the topic."""
    require_history(STORED, "clock", {"a": 30, "b": 0, "clock": 20})
    with pytest.raises(HistoryLost, match="b: offset 40"):
        require_history(STORED, "clock", {"b": 41})
    with pytest.raises(HistoryLost, match="clock"):
        require_history(STORED, "clock", {"clock": 21})


def test_the_metadata_of_a_commit_is_read_back():
    """The clock reads `at` and `n`; other people's metadata is none of ours."""
    assert parse_metadata(metadata(17, 3)) == (17, 3)
    assert [parse_metadata(text) for text in ("", "x", "1@", "@1", "-1@2", "1@2@3")] == [None] * 6


def test_counts_grow_by_verdict():
    """Every record has exactly one verdict."""
    counts = Counts().plus(Verdict.APPLIED).plus(Verdict.DUPLICATE, 2).plus(Verdict.DEAD, 3)
    assert (counts, counts.total) == (Counts(1, 2, 3), 6)


def test_birth_begins_at_the_logs_start():
    """A first start has applied nothing and remembers where the clock stood."""
    born = birth(("a", "b"), 9, {"b": 4}, "x")
    assert (born.n, born.at, born.clock_offset, born.born_at_clock_offset) == (0, NOTHING_YET_AT, 0, 9)
    assert born.offsets == {"a": 0, "b": 4}
