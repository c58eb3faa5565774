"""How a core's state becomes bytes and back: MessagePack of frozen slotted dataclasses, with a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from shared.engine.store import FORMAT_SHIFT, INSTANT, format_of, wake_at_of

S = TypeVar("S")


class UnusableState(ValueError):
    """A stored state cannot be read by this build: its format is another one, or the store is foreign."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """How states of a former format are read by a newer build: their type, and what they become in the next format."""

    state: type[Any]
    convert: Callable[[Any], Any]


class StateCodec(Generic[S]):
    """Encodes the states of one service; a value is its format, `wake_at` (0 for never), and the state.

    `upgrades` lead from each former format to the next one, so the format of a build is one more than their number. A
    state of a former format is converted when it is read, and has the new format from its next change on.
    """

    __slots__ = ("_decode", "_encode", "_former", "_head", "format")

    def __init__(self, state: type[S], upgrades: Sequence[Upgrade] = ()) -> None:
        self.format = len(upgrades) + 1
        self._head = len(upgrades) << FORMAT_SHIFT
        self._former = [(msgspec.msgpack.Decoder(upgrade.state).decode, upgrade.convert) for upgrade in upgrades]
        # Deterministic: sets and dicts are written sorted, so that equal states have equal bytes (promise P8).
        self._encode = msgspec.msgpack.Encoder(order="deterministic").encode
        self._decode = msgspec.msgpack.Decoder(state).decode

    def encode(self, state: S, wake_at: int | None) -> bytes:
        """Return the bytes of a state and of the instant at which it must be looked at."""
        return INSTANT.pack(self._head | (wake_at or 0)) + self._encode(state)

    def decode(self, value: bytes) -> tuple[S, int | None]:
        """Return state and instant; raise `UnusableState` when this build cannot read them."""
        written = format_of(value)
        try:
            if written != self.format:
                return self._converted(value, written), wake_at_of(value)
            return self._decode(memoryview(value)[INSTANT.size :]), wake_at_of(value)
        except msgspec.MsgspecError as error:
            raise UnusableState(f"a stored state cannot be read by this build: {error}") from error

    def _converted(self, value: bytes, written: int) -> S:
        if written > self.format:
            raise UnusableState(f"a stored state has format {written}, this build reads {self.format}")
        decode, _ = self._former[written - 1]
        state: Any = decode(memoryview(value)[INSTANT.size :])
        for _, convert in self._former[written - 1 :]:
            state = convert(state)
        return state  # type: ignore[no-any-return]
