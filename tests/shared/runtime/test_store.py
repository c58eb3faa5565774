import subprocess
import sys
from types import SimpleNamespace

import pytest
import rocksdict
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.engine.store import INSTANT, Changes, MemoryStore
from shared.runtime.store import RocksStore, is_of_the_disk

OFFSET_KEY = b"__offset"
ENTRY = st.tuples(st.integers(1, 2**40), st.binary(max_size=6))
RECORDS = st.dictionaries(st.binary(min_size=1, max_size=4).map(lambda k: b"s" + k), st.none() | st.binary(min_size=8))


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Return one RocksDB, opened as Faust opens it."""
    opened = rocksdict.Rdict(str(tmp_path_factory.mktemp("rocks") / "db"), rocksdict.Options(raw_mode=True))
    yield opened
    opened.close()


def emptied(database):
    """Return a store on the emptied database."""
    batch = rocksdict.WriteBatch(raw_mode=True)
    for key in list(database.keys()):
        batch.delete(key)
    database.write(batch)
    return RocksStore(database, OFFSET_KEY)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.tuples(RECORDS, st.lists(ENTRY, max_size=5), st.lists(ENTRY, max_size=5)), max_size=5),
    start=ENTRY,
    until=st.integers(1, 2**40),
    limit=st.integers(1, 6),
)
def test_the_store_on_disk_behaves_like_the_one_in_memory(database, steps, start, until, limit):
    """Whatever is written, both stores read and scan alike: the simulation speaks for the disk."""
    memory, disk = MemoryStore(), emptied(database)
    for offset, (records, removed, added) in enumerate(steps):
        for store in (memory, disk):
            store.apply(Changes(records, removed, added), offset)
    keys = {key for records, _, _ in steps for key in records}
    assert {key: memory.get(key) for key in keys} == {key: disk.get(key) for key in keys}
    assert memory.scan_due(start, until, limit) == disk.scan_due(start, until, limit)
    if steps:
        assert database.get(OFFSET_KEY) == b"%d" % (len(steps) - 1)


def test_recovery_restores_states_and_derives_the_due_index(database):
    """Records of the changelog alone bring back state, due entries and the offset that the store reflects."""
    disk = emptied(database)
    values = [(b"sa", INSTANT.pack(7) + b"x"), (b"sb", INSTANT.pack(0) + b"y"), (b"sc", INSTANT.pack(9)), (b"sc", None)]
    disk.restore([SimpleNamespace(key=k, value=v, offset=40 + i) for i, (k, v) in enumerate([*values, (b"p", b"{}")])])
    assert (disk.get(b"sa"), disk.get(b"sc"), disk.get(b"p")) == (INSTANT.pack(7) + b"x", None, b"{}")
    assert disk.scan_due((0, b""), 100, 10) == ([(7, b"a"), (9, b"c")], None)
    assert database.get(OFFSET_KEY) == b"44"


@settings(max_examples=60, deadline=None)
@given(history=st.lists(st.tuples(st.sampled_from([b"sa", b"sb", b"sc"]), st.none() | st.integers(0, 9)), min_size=1))
def test_a_tidied_store_has_one_due_entry_for_each_state(database, history):
    """Whatever a changelog went through, what is due afterwards is what its newest states say, and nothing stale."""
    disk = emptied(database)
    records = [(key, None if at is None else INSTANT.pack(at) + b"x") for key, at in history]
    disk.restore([SimpleNamespace(key=key, value=value, offset=n) for n, (key, value) in enumerate(records)])
    disk.tidy()
    wanted = sorted((at, key[1:]) for key, at in dict(history).items() if at)
    assert disk.scan_due((0, b""), 100, 100) == (wanted, None)
    assert {key: disk.get(key) for key, _ in history} == dict(records)
    assert database.get(OFFSET_KEY) == b"%d" % (len(history) - 1)


def test_a_store_is_the_image_of_one_changelog_only(database):
    """An empty store is claimed once; a store with content and no owner, or with another one, is nobody else's."""
    store = emptied(database)
    assert store.claim(b"a-changelog/0")
    assert store.claim(b"a-changelog/0")
    assert not store.claim(b"a-changelog/1")
    unclaimed = emptied(database)
    unclaimed.apply(Changes({b"sa": b"12345678"}), 7)
    assert not unclaimed.claim(b"a-changelog/0")


WRITING = """
import resource, sys, rocksdict
from shared.runtime.store import is_of_the_disk
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
database = rocksdict.Rdict(sys.argv[1], rocksdict.Options(raw_mode=True))
try:
    for number in range(1000):
        batch = rocksdict.WriteBatch(raw_mode=True)
        batch.put(b"%d" % number, bytes(64 * 1024))
        database.write(batch)
except Exception as error:
    sys.exit(7 if is_of_the_disk(error) else 8)
"""


def test_a_disk_without_room_is_told_from_a_mistake_of_ours(tmp_path):
    """A store that cannot grow is the disk's fault and has an exit code of its own; other errors are not."""
    ended = subprocess.run([sys.executable, "-c", WRITING, str(tmp_path / "db")], timeout=60, check=False)
    assert ended.returncode == 7
    assert not is_of_the_disk(ValueError("IO error"))
    assert not is_of_the_disk(Exception("something else"))
