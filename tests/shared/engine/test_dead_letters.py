from hashlib import sha256

from shared.contract.recorded import Recorded
from shared.engine.dead_letters import (
    HEADER_BYTES_IN_ALL_MAX,
    HEADERS_MAX,
    VALUE_BYTES_KEPT,
    VALUE_BYTES_MAX,
    dead_letter,
)

BATCH_BYTES_MAX = 1024 * 1024


def test_a_dead_letter_fits_into_a_batch_whatever_its_original_had():
    """A megabyte of headers on a large value is cut down and says so: to write it must not stop the service."""
    headers = tuple((f"h{n}" + "x" * 200, bytes(16 * 1024)) for n in range(HEADERS_MAX + 6))
    output = dead_letter("t/0/1", Recorded("t", 0, 1, bytes(2**20), bytes(2**18), headers), "gate", 1, "not_json")
    kept = {name: value for name, value in output.headers if name.startswith("original-")}
    size = len(output.key) + len(output.value) + sum(len(n) + len(v) for n, v in output.headers)
    assert sum(map(len, kept.values())) == HEADER_BYTES_IN_ALL_MAX
    assert dict(output.headers)["duecourse-headers-dropped"] == b"%d" % (len(headers) - len(kept))
    assert size < BATCH_BYTES_MAX


def test_small_headers_are_all_kept():
    """Names that come twice or are empty too; those without a value are counted as dropped."""
    headers = (("a", b"1"), ("a", b"2"), ("", b"3"), ("b", None))
    output = dead_letter("t/0/1", Recorded("t", 0, 1, None, None, headers), "gate", 1, "empty")
    originals = [(n.removeprefix("original-"), v) for n, v in output.headers if n.startswith("original-")]
    assert originals == [("a", b"1"), ("a", b"2"), ("", b"3")]
    assert dict(output.headers)["duecourse-headers-dropped"] == b"1"


def test_no_value_is_told_from_an_empty_one():
    """A tombstone is replayed as a tombstone."""
    for value, marks in ((None, [b"1"]), (b"", [])):
        output = dead_letter("t/0/1", Recorded("t", 0, 1, b"k", value), "gate", 1, "empty")
        assert output.value == b""
        assert [mark for name, mark in output.headers if name == "duecourse-null-value"] == marks


def test_a_large_value_is_shortened_and_can_be_recognised():
    """Up to its bound a value is kept whole, beyond it the beginning, with what it was."""
    for size in (VALUE_BYTES_MAX, VALUE_BYTES_MAX + 1):
        value = b"x" * size
        output = dead_letter("t/0/1", Recorded("t", 0, 1, b"k", value), "gate", 1, "too_large")
        headers = dict(output.headers)
        whole = size == VALUE_BYTES_MAX
        assert output.value == (value if whole else value[:VALUE_BYTES_KEPT])
        assert headers.get("duecourse-sha256") == (None if whole else sha256(value).hexdigest().encode())
        assert headers.get("duecourse-bytes") == (None if whole else b"%d" % size)
