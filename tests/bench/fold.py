"""The work that both sides of the comparison do for each fact: decode it by the contract, fold it into the loan."""

from __future__ import annotations

from typing import Final

from shared.contract.loans import DUE_DATES
from shared.contract.repayments import REPAYMENTS
from shared.contract.ticks import LOAN_CLOCK
from shared.contract.topics import REMINDER
from shared.domain.loan import Loan, apply
from shared.engine.processor import Fact, Input, Processor
from shared.kernel.step import Step

POLICY: Final = "bench"
TOPICS: Final = (DUE_DATES, REPAYMENTS)


def decide(state: Loan | None, key: str, given: Input, now: int, policy: object) -> Step[Loan]:
    """Fold a fact; nothing is ever due."""
    assert isinstance(given, Fact)
    applied = apply(state, key, given.data, given.id, now)
    return Step(applied.loan, verdict=applied.verdict, dead=applied.dead)


PROCESSOR: Final[Processor[Loan]] = Processor(
    name=REMINDER, clock=LOAN_CLOCK, reads=TOPICS, writes=(), owns=(), state=Loan, decide=decide
)
"""Under the name of a real service, so that the deployment's topics fit."""
