"""Chance that can be replayed: every draw depends on the seed and on what it is about, never on the order of draws."""

from __future__ import annotations

from random import Random


def dice(seed: int, *about: str | int) -> Random:
    """Return the dice for one subject; equal arguments give equal dice on every machine and Python."""
    # Seeding with text goes through SHA-512, not through the salted hash of strings.
    return Random("\x1f".join(map(str, (seed, *about))))
