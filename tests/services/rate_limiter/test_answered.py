"""The ids that must not be answered twice: quick to find, and the same ones as by the plain rule."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.rate_limiter import answered
from services.rate_limiter.answered import all_remembered, is_among, remembered
from services.rate_limiter.state import Answered, Borrower

WORDS = st.tuples(st.sampled_from([f"r{n}" for n in range(12)]), st.integers(0, 5))


def plainly(entries, word, forget_ms, most):
    """The rule without haste: replace, forget what would be forgotten first, sort by id."""
    kept = [*(entry for entry in entries if entry.id != word), Answered(word, forget_ms)]
    return tuple(sorted(sorted(kept, key=lambda it: (it.forget_ms, it.id))[-most:], key=lambda it: it.id))


@settings(max_examples=200, deadline=None)
@given(words=st.lists(WORDS, max_size=30))
def test_what_is_remembered_is_what_the_plain_rule_remembers(words):
    """Also beyond the bound, and for an id said again."""
    former, answered.ANSWERED_MAX = answered.ANSWERED_MAX, 7
    try:
        state, wanted = Borrower(), ()
        for word, forget_ms in words:
            state, wanted = remembered(state, word, forget_ms), plainly(wanted, word, forget_ms, 7)
            assert state.answered == wanted
        found = {f"r{n}" for n in range(12) if is_among(state.answered, f"r{n}")}
    finally:
        answered.ANSWERED_MAX = former
    assert found == {entry.id for entry in wanted}


@settings(max_examples=200, deadline=None)
@given(
    words=st.lists(WORDS, max_size=9),
    more=st.dictionaries(st.sampled_from([f"r{n}" for n in range(12)]), st.integers(0, 5)),
)
def test_what_is_answered_in_one_wake_is_remembered_as_one_after_the_other(words, more):
    """In any order of the answers, beyond the bound too."""
    former, answered.ANSWERED_MAX = answered.ANSWERED_MAX, 7
    try:
        state, wanted = Borrower(), ()
        for word, forget_ms in words:
            state, wanted = remembered(state, word, forget_ms), plainly(wanted, word, forget_ms, 7)
        known = tuple(entry for entry in wanted if entry.id not in more)
        for word, forget_ms in more.items():
            known = plainly(known, word, forget_ms, 7)
        answers = [Answered(word, forget_ms) for word, forget_ms in more.items()]
        assert all_remembered(state, answers).answered == known
    finally:
        answered.ANSWERED_MAX = former
