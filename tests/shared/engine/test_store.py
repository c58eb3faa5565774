from hypothesis import given
from hypothesis import strategies as st

from shared.engine.due import DueIndex
from shared.engine.store import INSTANT, Changes, MemoryStore, due_of

ENTRIES = st.lists(st.tuples(st.integers(1, 30), st.sampled_from([b"a", b"b", b"c", b"d"])), max_size=25)


@given(stored=ENTRIES, fresh=ENTRIES, limit=st.integers(1, 5), at=st.integers(0, 30))
def test_due_entries_come_in_order_each_once_whatever_the_limit(stored, fresh, limit, at):
    """Stored and fresh entries due by an instant are taken in (time, key) order; later ones stay."""
    store = MemoryStore()
    store.apply(Changes({}, (), stored), 0)
    index = DueIndex(store)
    for entry in fresh:
        index.schedule(*entry)
    taken = []
    while index.is_due(at):
        taken += index.take(at, limit)
    assert taken == sorted([e for e in set(stored) if e[0] <= at] + [e for e in fresh if e[0] <= at])
    assert set(index.scanned) == {e for e in stored if e[0] <= at}


@given(stored=ENTRIES, at=st.integers(0, 30))
def test_after_a_commit_new_entries_are_seen_wherever_they_lie(stored, at):
    """The cursor goes back when an entry is added before it."""
    store = MemoryStore()
    store.apply(Changes({}, (), stored), 0)
    index = DueIndex(store)
    while index.is_due(at):
        index.take(at, 3)
    added = [(1, b"z")]
    store.apply(Changes({}, tuple(index.scanned), added), 1)
    index.committed(added)
    assert index.take(30, 100) == sorted({(1, b"z"), *(e for e in stored if e[0] > at)})


def test_an_index_with_nothing_due_asks_the_store_nothing():
    """After one look a lower bound in memory answers."""

    class Counting(MemoryStore):
        asked = 0

        def scan_due(self, start, until_ms, limit):
            Counting.asked += 1
            return super().scan_due(start, until_ms, limit)

    store = Counting()
    store.apply(Changes({}, (), [(50, b"a")]), 0)
    index = DueIndex(store)
    while index.is_due(10):
        index.take(10, 5)
    assert not any(index.is_due(at) for at in range(11, 50))
    assert index.is_due(50)
    assert Counting.asked == 1


def test_a_store_is_rebuilt_from_its_changelog_with_its_due_index():
    """The due index is derived: a state's value alone restores it; a tombstone removes the state."""
    store = MemoryStore()
    store.restore(b"sk", INSTANT.pack(7) + b"x", 0)
    store.restore(b"sk", INSTANT.pack(9) + b"y", 1)
    store.restore(b"sgone", INSTANT.pack(8) + b"y", 2)
    store.restore(b"sgone", None, 3)
    assert store.snapshot() == {b"sk": INSTANT.pack(9) + b"y"}
    assert store.scan_due((0, b""), 100, 10)[0] == [(7, b"k"), (8, b"gone"), (9, b"k")]
    assert store.changelog_offset == 3


def test_only_states_with_an_instant_are_due():
    """Progress records, tombstones and states that wait for nothing have no due entry."""
    assert [due_of(b"p", b"{}"), due_of(b"sk", None), due_of(b"sk", INSTANT.pack(0))] == [None] * 3
    assert due_of(b"sk", INSTANT.pack(5) + b"x") == (5, b"k")
