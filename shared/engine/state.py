"""How a core's state becomes bytes and back: MessagePack of frozen slotted dataclasses, with a fixed order."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from shared.engine.store import INSTANT, wake_at_of

S = TypeVar("S")


class UnusableState(ValueError):
    """A stored state cannot be read by this build: its format is another one, or the store is foreign."""


class StateCodec(Generic[S]):
    """Encodes the states of one service; a value is `wake_at` (0 for never) followed by the state."""

    __slots__ = ("_decode", "_encode")

    def __init__(self, state: type[S]) -> None:
        # Deterministic: sets and dicts are written sorted, so that equal states have equal bytes (promise P8).
        self._encode = msgspec.msgpack.Encoder(order="deterministic").encode
        self._decode = msgspec.msgpack.Decoder(state).decode

    def encode(self, state: S, wake_at: int | None) -> bytes:
        """Return the bytes of a state and of the instant at which it must be looked at."""
        return INSTANT.pack(wake_at or 0) + self._encode(state)

    def decode(self, value: bytes) -> tuple[S, int | None]:
        """Return state and instant; raise `UnusableState` when this build cannot read them."""
        try:
            return self._decode(memoryview(value)[INSTANT.size :]), wake_at_of(value)
        except msgspec.MsgspecError as error:
            raise UnusableState(f"a stored state cannot be read by this build: {error}") from error
