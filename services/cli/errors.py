"""What the command line says when it cannot do what it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.runtime.stop import StopReason


class UserError(Exception):
    """Something outside the program is not as it must be, and the person at the keyboard can put it right.

    Promise: the command line shows both sentences, no traceback, and ends with exit code 2.

    Args:
        problem: What is wrong, one sentence.
        advice: What to do about it, one sentence; empty where the problem says it already.
        reason: Why a service stops over it, where it is one of the named reasons.
    """

    def __init__(self, problem: str, advice: str = "", reason: StopReason | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice
        self.reason = reason
