"""A record as it lies on a topic: what checkers, `explain`, dumps and reports read, wherever it was read from."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contract.codec import Envelope, Headers, Rejected, decode


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record of the logical `topic`, as `read_committed` consumers see it; `appended_ms` is the append time."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    appended_ms: int = 0

    @property
    def coordinates(self) -> str:
        """Where it lies: `topic/partition/offset`."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    def decode(self) -> Envelope | Rejected:
        """Read it by the contract."""
        return decode(self.topic, self.key, self.value, self.headers)
