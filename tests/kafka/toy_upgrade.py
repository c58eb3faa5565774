"""The toy loan service of a later build: it says the same, and keeps its state in another shape."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.engine.processor import Input
from shared.engine.state import Upgrade
from shared.kernel.step import Step
from tests.shared.engine.toy import LOANS, ToyLoan, decide_loan


@dataclass(frozen=True, slots=True)
class LaterLoan:
    """What the later build keeps: the loan, and how many payments and instalments it has seen of it lately."""

    loan: ToyLoan
    seen_lately: int


def later(loan: ToyLoan) -> LaterLoan:
    """Return what the later build makes of a state of the former one."""
    return LaterLoan(loan, len(loan.seen))


def decide_later(state: LaterLoan | None, key: str, given: Input, now: int, policy: object) -> Step[LaterLoan]:
    """Decide as ever."""
    step = decide_loan(None if state is None else state.loan, key, given, now, policy)
    return replace(step, state=None if step.state is None else later(step.state))  # type: ignore[arg-type, return-value]


LATER_LOANS = replace(LOANS, state=LaterLoan, decide=decide_later, upgrades=(Upgrade(ToyLoan, later),))  # type: ignore[misc, arg-type]
