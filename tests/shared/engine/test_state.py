"""How states become bytes, and what a build does with those of an older or a newer one."""

from dataclasses import dataclass, replace

import pytest

from shared.engine.progress import NOTHING_YET_AT, StateTooNew, birth, require_readable
from shared.engine.state import StateCodec, UnusableState, Upgrade
from shared.engine.store import due_of, wake_at_of


@dataclass(frozen=True, slots=True)
class First:
    """A state of format 1."""

    open_minor: int


@dataclass(frozen=True, slots=True)
class Second:
    """A state of format 2: another name."""

    owed_minor: int


@dataclass(frozen=True, slots=True)
class Third:
    """A state of format 3: one field more."""

    owed_minor: int
    asked: tuple[str, ...]


UPGRADES = (
    Upgrade(First, lambda old: Second(old.open_minor)),
    Upgrade(Second, lambda old: Third(old.owed_minor, ())),
)


def test_states_of_former_formats_are_converted_when_they_are_read():
    """Each upgrade leads to the next format, however old the value is, and the instant stays."""
    third = StateCodec(Third, UPGRADES)
    assert third.format == 3
    assert third.decode(StateCodec(First).encode(First(7), 5)) == (Third(7, ()), 5)
    assert third.decode(StateCodec(Second, UPGRADES[:1]).encode(Second(8), None)) == (Third(8, ()), None)
    assert third.decode(third.encode(Third(9, ("a",)), 6)) == (Third(9, ("a",)), 6)


def test_the_first_format_is_what_was_always_written():
    """A value without a mark is of format 1, so nothing that was ever written becomes unreadable."""
    assert StateCodec(First).encode(First(7), 5)[:8] == (5).to_bytes(8, "big")


def test_the_due_index_does_not_see_the_format():
    """A key is due when it was, whatever build wrote its state."""
    value = StateCodec(Third, UPGRADES).encode(Third(9, ()), 1_700_000_000_000)
    assert wake_at_of(value) == 1_700_000_000_000
    assert due_of(b"sk", value) == (1_700_000_000_000, b"k")


def test_a_newer_format_is_refused_and_not_guessed_at():
    """An older build would drop what it does not know, and never notice: MessagePack has names for fields only."""
    value = StateCodec(Third, UPGRADES).encode(Third(9, ()), None)
    with pytest.raises(UnusableState, match="has format 3, this build reads 1"):
        StateCodec(First).decode(value)


def test_newer_progress_is_refused_before_any_state_is_read():
    """The progress record tells the newest format of the partition; a build that is too old stops at once."""
    progress = birth(("facts",), 0, {}, "")
    assert (progress.at, progress.state_format) == (NOTHING_YET_AT, 1)
    require_readable(progress, 1)
    newer = replace(progress, state_format=2)
    with pytest.raises(StateTooNew, match="states have format 2, this build reads 1"):
        require_readable(newer, 1)
