"""Who belongs together, and in what portions they are judged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.simulation.checkers.households import Households, subject_of, subject_of_letter

names = st.integers(0, 12).map(lambda number: f"s{number:02d}".encode())


def _of(pairs: list[tuple[bytes, bytes]]) -> tuple[Households, dict[bytes, int]]:
    households = Households()
    numbers: dict[bytes, int] = {}
    for pair in pairs:
        households.link(pair)
        for name in pair:
            numbers[name] = households.number(name)
            households.saw(numbers[name], 0)
    return households, numbers


@given(st.lists(st.tuples(names, names), min_size=1, max_size=20), st.integers(1, 30))
def test_whoever_is_connected_is_judged_together(pairs: list[tuple[bytes, bytes]], records_max: int) -> None:
    """Every subject is in one portion, the same one as all whom any chain of records connects with it."""
    households, numbers = _of(pairs)
    portions = list(households.chapters(records_max))
    assert sorted(number for portion in portions for number in portion) == sorted(numbers.values())
    for one, other in pairs:
        assert any(numbers[one] in portion and numbers[other] in portion for portion in portions)


@given(st.lists(st.tuples(names, names), min_size=1, max_size=20))
def test_portions_do_not_depend_on_the_order_of_reading(pairs: list[tuple[bytes, bytes]]) -> None:
    """Partitions are read interleaved as the broker likes; the portions are the same people in the same order."""
    here, there = _of(pairs), _of(pairs[::-1])
    told = [
        [sorted(name for name, number in numbers.items() if number in portion) for portion in households.chapters(5)]
        for households, numbers in (here, there)
    ]
    assert told[0] == told[1]


def test_those_of_whom_nothing_was_heard_since_are_left_out() -> None:
    """A household is read if anything about anybody in it came since the instant, and is left out otherwise."""
    households = Households()
    households.link((b"ann", b"loan-1"))
    households.saw(households.number(b"ann"), 10)
    households.saw(households.number(b"loan-1"), 50)
    households.saw(households.number(b"bob"), 20)
    assert list(households.chapters(100, since=30)) == [[households.number(b"ann"), households.number(b"loan-1")]]


def test_a_dead_letter_is_about_whom_its_record_was_about() -> None:
    """The original key in its header and the topic in its coordinates say so; without a key it is about nobody."""
    key = b"lending.repayments/1/7"
    assert subject_of_letter(key, (("duecourse-key", b"L1"),)) == subject_of("lending.repayments", b"L1") == b"lL1"
    assert subject_of_letter(b"lending.borrowers/0/1", (("duecourse-key", b"ann"),)) == b"pann"
    assert subject_of_letter(key, ()) is None
    assert subject_of_letter(None, (("duecourse-key", b"L1"),)) is None
