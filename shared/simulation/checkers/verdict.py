"""What a checker answers: violations, and in how many cases it looked for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VIOLATIONS_SHOWN_MAX: Final = 1_000
"""A broken promise is shown, not its every instance: more are counted only."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: `where` names the record or key, `what` says in a sentence what is wrong."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A promise as judged; nothing tried means nothing shown, so it is a failure too."""

    promise: str
    title: str
    cases: int
    violated: int
    violations: tuple[Violation, ...]

    @property
    def kept(self) -> bool:
        """Whether cases were tried and none was a violation."""
        return self.cases > 0 and self.violated == 0

    def __str__(self) -> str:
        """Return e.g. `P3 capped: 0 / 4,211`."""
        return f"{self.promise} {self.title}: {self.violated:,} / {self.cases:,}"


class Findings:
    """Collects the cases and violations of one checker."""

    def __init__(self, promise: str, title: str) -> None:
        self._promise = promise
        self._title = title
        self._shown: list[Violation] = []
        self._violated = 0
        self._cases = 0

    def tried(self, cases: int = 1) -> None:
        """Count cases."""
        self._cases += cases

    def require(self, *, that: bool, where: str, what: str) -> None:
        """Count a case, and a violation where it does not hold."""
        self._cases += 1
        if not that:
            self.violated(where, what)

    def violated(self, where: str, what: str) -> None:
        """Take down a violation."""
        self._violated += 1
        if len(self._shown) < VIOLATIONS_SHOWN_MAX:
            self._shown.append(Violation(where, what))

    def verdict(self) -> Verdict:
        """Return what was found."""
        return Verdict(self._promise, self._title, self._cases, self._violated, tuple(self._shown))
