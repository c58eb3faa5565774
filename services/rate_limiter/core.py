"""The gate's one function. Facts change what is known and ask to be woken; a wake decides everything at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from services.rate_limiter.aside import put_aside
from services.rate_limiter.desk import Desk
from services.rate_limiter.facts import RECORD_ONLY, Dead, apply, doubt
from services.rate_limiter.state import Borrower
from shared.contract.base import Channel
from shared.domain.packs import Packs
from shared.engine.processor import Fact, Input, PutAside, Unreadable, Wake
from shared.kernel.step import Step, Verdict


class GatePolicy(Protocol):
    """What the gate reads of a policy."""

    @property
    def packs(self) -> Packs:
        """What is allowed."""

    @property
    def hash(self) -> str:
        """The policy's name in every decision."""


def decide(state: Borrower | None, key: str, given: Input, now: int, policy: GatePolicy) -> Step[Borrower]:
    """Return what becomes of the borrower's record and, at a wake only, every answer to those who asked."""
    match given:
        case Fact():
            return _apply(state, given, now)
        case Unreadable():
            return _changed(state, doubt(state or Borrower(), given, now), now)
        case Wake(tick=tick):
            spent = {Channel(name): count for name, count in given.spent.items()}
            return Desk(key, state or Borrower(), tick, policy.packs, policy.hash, spent).step()
        case PutAside():
            return put_aside(state or Borrower(), key, given, now, policy.hash)


def _apply(state: Borrower | None, fact: Fact, now: int) -> Step[Borrower]:
    known = state or Borrower()
    try:
        after = apply(known, fact, now)
    except Dead as dead:
        return Step(state, wake_at=known.wake_ms, dead=dead.reason.value)
    return _changed(state, after, now, is_news=isinstance(fact.data, RECORD_ONLY))


def _changed(state: Borrower | None, after: Borrower, now: int, *, is_news: bool = False) -> Step[Borrower]:
    """Ask for a wake at this very tick where something changed; leave the next wake as it is where nothing did."""
    before = state or Borrower()
    if after == before:
        verdict = Verdict.APPLIED if is_news else Verdict.DUPLICATE
        return Step(state, wake_at=before.wake_ms, verdict=verdict)
    return Step(replace(after, wake_ms=now), wake_at=now)
