"""Whether the machine's idea of the time can be believed: a clock set wrong must fall silent, not dun people."""

from __future__ import annotations

from typing import Final

TOLERANCE_MS: Final = 5_000


class TrueTime:
    """Compares the wall clock with the monotonic clock and with the broker's append times."""

    __slots__ = ("_anchor_ms", "_broker_offsets_ms")

    def __init__(self) -> None:
        self._anchor_ms: int | None = None
        self._broker_offsets_ms: tuple[int, int] | None = None

    def saw_append(self, append_ms: int, asked_ms: int, answered_ms: int) -> None:
        """Take note that the broker stamped a record of ours with `append_ms`, between two instants (monotonic).

        Who stood still before reading the answer learns little by it, and keeps what is known already.
        """
        if self._broker_offsets_ms is None or answered_ms - asked_ms <= TOLERANCE_MS:
            self._broker_offsets_ms = append_ms - answered_ms, append_ms - asked_ms

    def disagreement(self, wall_ms: int, elapsed_ms: int) -> str | None:
        """Return what disagrees, None when the time can be believed.

        Small corrections are followed; a jump of more than 5 s is not, until the clock is back where it was.
        """
        offset = wall_ms - elapsed_ms
        if self._anchor_ms is not None and abs(offset - self._anchor_ms) > TOLERANCE_MS:
            return f"the wall clock has jumped by {offset - self._anchor_ms} ms against the monotonic clock"
        least, most = self._broker_offsets_ms or (offset, offset)
        ahead = max(offset - most, 0) or min(offset - least, 0)
        if abs(ahead) > TOLERANCE_MS:
            return f"the wall clock is {ahead} ms ahead of the broker's append time"
        self._anchor_ms = offset
        return None
