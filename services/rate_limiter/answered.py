"""Ids that must not be answered twice: a person with far too many loans has thousands, so nothing here looks at all."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final

from services.rate_limiter.state import Answered, Borrower, Request

ANSWERED_MAX: Final = 4000
"""Ids that must not be answered twice; beyond it those are forgotten that would be forgotten first."""
_ID: Final = attrgetter("id")
_FORGOTTEN: Final = attrgetter("forget_ms", "id")
"""In the order in which ids are forgotten."""


def remembered(state: Borrower, answered_id: str, forget_ms: int, replaces: str | None = None) -> Borrower:
    """Return the state with the id answered until `forget_ms`."""
    former = state.answered
    at = bisect_left(former, answered_id, key=_ID)
    behind = at + 1 if is_among(former, answered_id) else at
    answered = (*former[:at], Answered(answered_id, forget_ms, replaces), *former[behind:])
    if len(answered) > ANSWERED_MAX:
        first = bisect_left(answered, min(answered, key=_FORGOTTEN).id, key=_ID)
        answered = (*answered[:first], *answered[first + 1 :])
    return replace(state, answered=answered)


def all_remembered(state: Borrower, answers: Iterable[Answered]) -> Borrower:
    """Return the state with all ids answered, each until its own instant: as one after the other, in one look."""
    new = {entry.id: entry for entry in answers}
    if not new:
        return state
    known = {entry.id: entry for entry in state.answered} | new
    kept = sorted(known.values(), key=_FORGOTTEN)[-ANSWERED_MAX:]
    return replace(state, answered=tuple(sorted(kept, key=_ID)))


def said_by(state: Borrower, request_id: str) -> str:
    """Return the wish under which something was said first, as far as is known: what was replaced unsaid is passed.

    A wish that was refused because another had said it already may be replaced itself.
    """
    if is_among(state.pending, request_id):
        waiting = state.pending[bisect_left(state.pending, request_id, key=_ID)]
        return waiting.replaces or request_id
    if is_among(state.answered, request_id):
        return state.answered[bisect_left(state.answered, request_id, key=_ID)].replaces or request_id
    return request_id


def is_among(entries: Sequence[Request] | Sequence[Answered], name: str) -> bool:
    """Whether an id is among entries that are sorted by id."""
    at = bisect_left(entries, name, key=_ID)
    return at < len(entries) and entries[at].id == name
