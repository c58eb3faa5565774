"""What a checker answers: violations, and in how many cases it looked for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

VIOLATIONS_SHOWN_MAX: Final = 1_000
"""A broken promise is shown, not its every instance: more are counted only."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: `where` it lies and `what` is wrong, in a sentence that may name people and loans.

    `where` names nobody: coordinates and ids of events of ours, or a service with its partition. Where that does not
    lead to a record, `about` is the loan or person whose state or decision it is.
    """

    where: str
    what: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A promise as judged; nothing tried means nothing shown, so it is a failure too."""

    promise: str
    title: str
    cases: int
    violated: int
    violations: tuple[Violation, ...]
    left_out: int = 0
    """Cases that rest on records older than what was read, and were therefore not judged."""

    @property
    def kept(self) -> bool:
        """Whether cases were tried and none was a violation."""
        return self.cases > 0 and self.violated == 0

    def __str__(self) -> str:
        """Return e.g. `P3 capped: 0 / 4,211`."""
        return f"{self.promise} {self.title}: {self.violated:,} / {self.cases:,}"

    def __add__(self, other: Verdict) -> Verdict:
        """Return what was found here and there, about the same promise."""
        shown = (*self.violations, *other.violations)[:VIOLATIONS_SHOWN_MAX]
        return replace(
            self,
            cases=self.cases + other.cases,
            violated=self.violated + other.violated,
            violations=shown,
            left_out=self.left_out + other.left_out,
        )


class Findings:
    """Collects the cases and violations of one checker."""

    def __init__(self, promise: str, title: str) -> None:
        self._promise = promise
        self._title = title
        self._shown: list[Violation] = []
        self._violated = 0
        self._cases = 0
        self._left_out = 0

    def left_out(self) -> None:
        """Count a case that could not be judged from what was read."""
        self._left_out += 1

    def tried(self, cases: int = 1) -> None:
        """Count cases."""
        self._cases += cases

    def require(self, *, that: bool, where: str, what: str) -> None:
        """Count a case, and a violation where it does not hold."""
        self._cases += 1
        if not that:
            self.violated(where, what)

    def violated(self, where: str, what: str, about: str = "") -> None:
        """Take down a violation."""
        self._violated += 1
        if len(self._shown) < VIOLATIONS_SHOWN_MAX:
            self._shown.append(Violation(where, what, about))

    def verdict(self) -> Verdict:
        """Return what was found."""
        return Verdict(self._promise, self._title, self._cases, self._violated, tuple(self._shown), self._left_out)
