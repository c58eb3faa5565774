"""Unreadable and impossible input: the original bytes, where they lay, and why, as a record of their own topic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final, Protocol

from shared.engine.transaction import Output

VALUE_BYTES_MAX: Final = 256 * 1024
VALUE_BYTES_KEPT: Final = 64 * 1024
HEADER_BYTES_MAX: Final = 16 * 1024
"""Of one original header; a longer one is dropped, its absence shows in `headers-dropped`."""
HEADER_NAME_CHARS_MAX: Final = 256
HEADERS_MAX: Final = 64
HEADER_BYTES_IN_ALL_MAX: Final = 256 * 1024
"""Of all original headers: a dead letter must fit into a batch, or writing it would stop the service."""
PREFIX: Final = "duecourse-"
ORIGINAL: Final = "original-"


class InputRecord(Protocol):
    """A record as it was consumed."""

    @property
    def offset(self) -> int:
        """Its offset in its partition."""
        ...

    @property
    def key(self) -> bytes | None:
        """Its key."""
        ...

    @property
    def value(self) -> bytes | None:
        """Its value."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Its headers."""
        ...


def coordinates(topic: str, partition: int, offset: int) -> str:
    """Return where a record lies, as text: `topic/partition/offset`, with the topic's logical name."""
    return f"{topic}/{partition}/{offset}"


def wake_coordinates(clock: str, partition: int, offset: int, key: str) -> str:
    """Return where the wake of a key at a tick lies, as text: the tick's coordinates and the key."""
    return f"{coordinates(clock, partition, offset)}/{key}"


def dead_letter(place: str, record: InputRecord, service: str, at: int, reason: str, detail: str = "") -> Output:
    """Return the dead letter of `record`, which lies at `place`.

    Key: the coordinates. Value: the original bytes, above 256 KiB the first 64 KiB of them. Headers, each beginning
    with `duecourse-`: `coordinates`, `reason`, `detail` (names no content), `service`, `at` (of the tick), `key` (the
    original one, absent for none), `null-value`, `sha256` and `bytes` of a shortened value, `headers-dropped`; then
    the original headers, each beginning with `original-`, so that a record can be replayed as it was.
    """
    value = b"" if record.value is None else record.value
    headers = [
        (PREFIX + "coordinates", place.encode()),
        (PREFIX + "reason", reason.encode()),
        (PREFIX + "detail", detail.encode()),
        (PREFIX + "service", service.encode()),
        (PREFIX + "at", b"%d" % at),
    ]
    if record.key is not None:
        headers.append((PREFIX + "key", record.key[:HEADER_BYTES_MAX]))
    if record.value is None:
        headers.append((PREFIX + "null-value", b"1"))
    if len(value) > VALUE_BYTES_MAX:
        headers.append((PREFIX + "sha256", sha256(value).hexdigest().encode()))
        headers.append((PREFIX + "bytes", b"%d" % len(value)))
        value = value[:VALUE_BYTES_KEPT]
    headers.extend(_originals(record))
    return Output(place.encode(), value, tuple(headers))


def _originals(record: InputRecord) -> Iterator[tuple[str, bytes]]:
    dropped = max(0, len(record.headers) - HEADERS_MAX)
    room = HEADER_BYTES_IN_ALL_MAX
    for name, value in record.headers[:HEADERS_MAX]:
        if value is None or len(value) > min(HEADER_BYTES_MAX, room) or len(name) > HEADER_NAME_CHARS_MAX:
            dropped += 1
        else:
            room -= len(value)
            yield ORIGINAL + name, value
    if dropped:
        yield PREFIX + "headers-dropped", b"%d" % dropped
