"""Dead letters read back from their topic, and what has become of each: open, replayed, discarded, dead again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from shared.contract.arrangements import ARRANGEMENTS, DeadLetterDiscarded
from shared.contract.codec import Envelope, Headers, Rejected, decode, decode_key
from shared.contract.recorded import Recorded
from shared.contract.topics import DEAD_LETTERS, TOPICS, Keyed
from shared.engine.dead_letters import ORIGINAL, PREFIX
from shared.runtime.records import Deployment, read_records, reader


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that was not applied. `coordinates` are those of the original; `at_ms` is the tick that met it."""

    coordinates: str
    topic: str
    reason: str
    detail: str
    service: str
    at_ms: int
    appended_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    bytes_in_all: int
    incomplete: bool

    def decode(self) -> Envelope | Rejected:
        """Read the original by the contract of this build."""
        return decode(self.topic, self.key, self.value, self.headers)

    @property
    def loan_id(self) -> str | None:
        """The loan that it is about, if the topic is keyed by loan and the key can be read."""
        topic = TOPICS.get(self.topic)
        return decode_key(self.key) if topic is not None and topic.keyed is Keyed.LOAN else None


def letter_of(record: Recorded) -> DeadLetter:
    """Read one record of the dead-letter topic."""
    ours: dict[str, bytes] = {}
    originals: list[tuple[str, bytes | None]] = []
    for name, value in record.headers:
        if name.startswith(ORIGINAL):
            originals.append((name.removeprefix(ORIGINAL), value))
        elif name.startswith(PREFIX):
            ours[name.removeprefix(PREFIX)] = value or b""
    text = {name: value.decode(errors="replace") for name, value in ours.items()}
    coordinates = text.get("coordinates", record.coordinates)
    at, size = text.get("at", ""), text.get("bytes", "")
    return DeadLetter(
        coordinates=coordinates,
        topic=coordinates.partition("/")[0],
        reason=text.get("reason", ""),
        detail=text.get("detail", ""),
        service=text.get("service", ""),
        at_ms=int(at) if at.isdecimal() else record.appended_ms,
        appended_ms=record.appended_ms,
        key=ours.get("key"),
        value=None if "null-value" in ours else record.value,
        headers=tuple(originals),
        bytes_in_all=int(size) if size.isdecimal() else len(record.value or b""),
        incomplete="sha256" in ours or "headers-dropped" in ours,
    )


OPEN: Final = "open"


@dataclass(slots=True)
class Book:
    """All dead letters of a deployment by coordinates, in the order in which they were written."""

    letters: dict[str, DeadLetter] = field(default_factory=dict)
    replays: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    discards: dict[str, str] = field(default_factory=dict)

    def replayed_as(self, coordinates: str) -> str | None:
        """Return where the replay of a dead letter lies that is not itself a dead letter."""
        return next((place for place in self.replays[coordinates] if place not in self.letters), None)

    def fate(self, coordinates: str) -> str:
        """Return what has become of a dead letter, in words."""
        replay = self.replayed_as(coordinates)
        if replay is not None:
            return f"replayed as {replay}"
        if coordinates in self.discards:
            return f"discarded: {self.discards[coordinates]}"
        dead = self.replays[coordinates]
        return f"open, its replay {dead[-1]} died too" if dead else OPEN

    def is_open(self, coordinates: str) -> bool:
        """Tell whether nobody has dealt with it yet."""
        return self.replayed_as(coordinates) is None and coordinates not in self.discards

    def note(self, record: Recorded) -> None:
        """Take in a record of a source topic: a replay, a discard, or neither."""
        if b"replaces" not in (record.value or b"") and record.topic != ARRANGEMENTS and not record.headers:
            return
        found = record.decode()
        if isinstance(found, Rejected):
            return
        if found.replaces is not None:
            self.replays[found.replaces].append(record.coordinates)
        if isinstance(found.data, DeadLetterDiscarded):
            self.discards[found.data.coordinates] = found.data.reason


async def read_book(deployment: Deployment) -> Book:
    """Read all dead letters, and from the oldest on what was sent to their topics since."""
    book = Book()
    async for record in read_records(deployment, [DEAD_LETTERS]):
        letter = letter_of(record)
        book.letters[letter.coordinates] = letter
    if not book.letters:
        return book
    sources = {letter.topic for letter in book.letters.values()} & set(TOPICS)
    async with reader(deployment, sorted({*sources, ARRANGEMENTS})) as reading:
        await reading.from_instant(min(letter.appended_ms for letter in book.letters.values()))
        async for record in reading.until_end():
            book.note(record)
    return book
