"""What a spool gives back that is no record: ticks in short, what a service said, and whose a source or a topic is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.contract.codec import Envelope, decode
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK
from shared.contract.topics import DEAD_LETTERS, SERVICES, TOPICS, Keyed

DIGITS_MAX: Final = 9


@dataclass(frozen=True, slots=True)
class TickSeen:
    """A valid tick of a clock partition: its instant, and when the broker appended it."""

    clock: str
    partition: int
    at: int
    offset: int
    appended_ms: int

    @property
    def coordinates(self) -> str:
        """Where it lies."""
        return f"{self.clock}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Said:
    """A record that a service wrote: where it lies, and its instant where it is an event."""

    topic: str
    partition: int
    offset: int
    at: int | None
    key: bytes | None
    value: bytes | None

    @property
    def coordinates(self) -> str:
        """Where it lies."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def event_id(self) -> str | None:
        """The id of the event in it; None for a dead letter."""
        read = None if self.topic == DEAD_LETTERS else decode(self.topic, self.key, self.value)
        return read.id if isinstance(read, Envelope) else None


def author(source: str) -> tuple[str, int] | None:
    """Return service and partition of a CloudEvents source `/duecourse/<service>/<partition>`; None for others."""
    parts = source.split("/")
    ours = len(parts) == 4 and parts[1] == "duecourse" and parts[2] in SERVICES
    ours = ours and parts[3].isascii() and parts[3].isdigit() and len(parts[3]) <= DIGITS_MAX
    return (parts[2], int(parts[3])) if ours else None


def clock_of(topic: str) -> str:
    """Return the clock whose ticks carry the barriers of a topic."""
    return LOAN_CLOCK if topic in TOPICS and TOPICS[topic].keyed is Keyed.LOAN else BORROWER_CLOCK
