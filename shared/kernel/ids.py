"""Ids are derived from what caused them, never drawn: the same inputs give the same ids (promise P8)."""

from __future__ import annotations

from uuid import UUID, uuid5

_NAMESPACE = UUID("6f1c6a6e-1f0a-5b86-9d0e-8c2f5b1f7a11")
_SEPARATOR = "\x1f"


def derive_id(*parts: str | int) -> str:
    """Return the UUIDv5 of `parts`. A separator that no id may contain keeps ("ab", "c") and ("a", "bc") apart."""
    return str(uuid5(_NAMESPACE, _SEPARATOR.join(map(str, parts))))
