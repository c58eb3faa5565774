"""How far a partition has come: a record in the changelog, in the transaction of the state it belongs to.

It is the truth. The offsets committed for the consumer group are a report, with metadata `at@n`, which the clock reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from shared.contract.ticks import PROBE_AT
from shared.kernel.step import Verdict

FORMAT: Final = 1
NOTHING_YET_AT: Final = PROBE_AT
"""The `at` of a partition that has applied no tick."""


class UnusableProgress(ValueError):
    """A progress record cannot be read by this build."""


class StateTooNew(UnusableProgress):
    """States were written by a newer build; the text names the formats and nothing else."""


class ChangelogLost(RuntimeError):
    """The group has reported more transactions than the changelog holds: the changelog was lost or rolled back."""


class HistoryLost(RuntimeError):
    """A record that is still needed lies below the start of its log."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the records of one input, since birth."""

    applied: int = 0
    duplicate: int = 0
    dead: int = 0

    @property
    def total(self) -> int:
        """All records counted."""
        return self.applied + self.duplicate + self.dead

    def plus(self, verdict: Verdict, count: int = 1) -> Counts:
        """Return these counts with `count` more records of that verdict."""
        match verdict:
            case Verdict.APPLIED:
                return Counts(self.applied + count, self.duplicate, self.dead)
            case Verdict.DUPLICATE:
                return Counts(self.applied, self.duplicate + count, self.dead)
            case Verdict.DEAD:
                return Counts(self.applied, self.duplicate, self.dead + count)


@dataclass(frozen=True, slots=True)
class Aside:
    """A key that is not woken before `until_ms`, because its wake at the tick of that offset was passed by."""

    until_ms: int
    tick_offset: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one partition of a service has come.

    `n` counts transactions, `at` is the last tick applied, `clock_offset` and `offsets` (by logical topic) are the
    next ones to read. Ticks below `born_at_clock_offset` are older than the service and wake nobody. `build` and
    `policy` say what decided, `counts` are cumulative per input. `spent` is what the keys woken so far took of shared
    allowances, where a transaction ended in the middle of a tick: the rest of the tick must know, after a crash too.
    `woken` counts those keys: a fold of the log can stop where the transaction did.
    `state_format` is the newest format in which states of the partition were written.
    `aside` are the keys that are not woken for a while.
    """

    n: int
    at: int
    clock_offset: int
    offsets: Mapping[str, int]
    born_at_clock_offset: int
    build: str
    policy: str
    counts: Mapping[str, Counts]
    format: int = FORMAT
    spent: Mapping[str, int] = field(default_factory=dict)
    woken: int = 0
    state_format: int = 1
    aside: Mapping[str, Aside] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reported:
    """What the group's committed offsets say: offsets by logical topic, and `at` and `n` from the clock's metadata."""

    at: int
    n: int
    clock_offset: int
    offsets: Mapping[str, int]


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Progress)


def encode_progress(progress: Progress) -> bytes:
    """Return the canonical bytes of a progress record."""
    return _encoder.encode(progress)


def decode_progress(value: bytes) -> Progress:
    """Return the progress record in `value`; raise `UnusableProgress` when this build cannot read it."""
    try:
        progress = _decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise UnusableProgress(f"the progress record cannot be read: {error}") from error
    if progress.format != FORMAT:
        raise UnusableProgress(f"the progress record has format {progress.format}, this build reads {FORMAT}")
    return progress


def require_readable(progress: Progress, state_format: int) -> None:
    """Raise `StateTooNew` when states were written in a newer format than a build's, before one is read."""
    if progress.state_format > state_format:
        raise StateTooNew(f"states have format {progress.state_format}, this build reads {state_format}")


def metadata(at: int, n: int) -> str:
    """Return the metadata of a group commit."""
    return f"{at}@{n}"


def parse_metadata(text: str) -> tuple[int, int] | None:
    """Return `(at, n)` of a group commit's metadata, None when it is not ours."""
    at, separator, n = text.partition("@")
    if not (separator and at.isascii() and at.isdigit() and n.isascii() and n.isdigit()):
        return None
    return int(at), int(n)


def birth(
    reads: tuple[str, ...], clock_end: int, offsets: Mapping[str, int], build: str, clock_start: int = 0
) -> Progress:
    """Return the progress of a partition at its service's first start, when the clock's log ended at `clock_end`.

    `offsets` are the log starts: 0 everywhere, unless loans were boarded onto topics whose history is cut off.
    Old ticks may have been deleted: the clock's log is read from its own start.
    """
    start = {topic: offsets.get(topic, 0) for topic in reads}
    return Progress(0, NOTHING_YET_AT, clock_start, start, clock_end, build, "", dict.fromkeys(reads, Counts()))


def resume(stored: Progress | None, reported: Reported | None) -> Progress | None:
    """Return where to go on: the larger of both positions, None when there is neither (a birth).

    Epochs without content are reported but not stored, so the report may be ahead by offsets, never by transactions.
    """
    if reported is None:
        return stored
    if stored is None or stored.n < reported.n:
        have = 0 if stored is None else stored.n
        raise ChangelogLost(f"the group has reported {reported.n} transactions, the changelog holds {have}")
    if reported.at < stored.at or reported.clock_offset < stored.clock_offset:
        return stored
    offsets = {topic: max(offset, reported.offsets.get(topic, 0)) for topic, offset in stored.offsets.items()}
    resumed = replace(stored, at=reported.at, clock_offset=reported.clock_offset, offsets=offsets)
    # Whom a tick woke, and what that spent, ends with the tick.
    return resumed if reported.clock_offset == stored.clock_offset else replace(resumed, spent={}, woken=0)


def require_history(progress: Progress, clock: str, log_starts: Mapping[str, int]) -> None:
    """Raise `HistoryLost` when a needed offset lies below its log's start (by logical topic, the clock's included)."""
    needed = {clock: progress.clock_offset, **progress.offsets}
    for topic, offset in needed.items():
        if offset < log_starts.get(topic, 0):
            raise HistoryLost(f"{topic}: offset {offset} is needed, the log starts at {log_starts[topic]}")
