"""One look at one loan at one tick: who answers for it, where its case stands, whom to call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.escalation.ladder import Case, EscalationSkip
from services.escalation.state import EscalationState, Link
from shared.contract.base import Event
from shared.contract.requests import ESCALATIONS, LoanLinked, LoanUnlinked, WithdrawalReason
from shared.domain.delinquency import Basis, assess
from shared.domain.demand import Block, blocked, causes, primary_borrower
from shared.domain.loan import business_date
from shared.domain.loan_state import Terms
from shared.domain.policy import Policy
from shared.domain.strategy import Ladder
from shared.kernel.step import Emit, Skip
from shared.kernel.zones import local_date


class Look:
    """What is true of a loan whose terms are known, what came out so far, and the state as it changes."""

    def __init__(self, loan_id: str, now: int, policy: Policy, terms: Terms, state: EscalationState) -> None:
        self.loan_id = loan_id
        self.now = now
        self.policy = policy
        self.terms = terms
        self.state = state
        self.borrower_id = primary_borrower(terms)
        self.ladder: Ladder = policy.strategy.treatment(terms.product, terms.segment).ladder
        self.today = local_date(now, terms.accounting_zone)
        view = assess(state.loan, business_date(state.loan, now), Basis.CONTACT, policy.calendars)
        self.case = Case(view, terms.currency, now, terms.accounting_zone)
        self.block = blocked(state.loan, now) or self._person_block()
        self.events: list[Emit] = []
        self.skips: list[Skip] = []

    def emit(self, borrower_id: str, data: Event) -> None:
        """Publish one event, keyed by the person."""
        self.events.append(Emit(ESCALATIONS, borrower_id, data))

    def skip(self, reason: EscalationSkip, subject: str) -> None:
        """Say why something due leads to nothing."""
        self.skips.append(Skip(reason.value, subject))

    def because(self, *groups: Sequence[str]) -> tuple[str, ...]:
        """Return the causes of what is published now: the given ones, the facts since the last tick, the terms."""
        return causes(*groups, self.state.touched) or (self.terms.fact_id,)

    def mark_calm(self) -> None:
        """Remember until when the loan was left alone: those days are not days dwelt on a rung."""
        left_alone = self.block is not None
        if self.state.is_left_alone and not left_alone:
            self.state = replace(self.state, calm_since_ms=self.now)
        self.state = replace(self.state, is_left_alone=left_alone)

    def link_people(self) -> None:
        """Tell the gate who answers for the loan now, and who no longer does."""
        ended = self.state.loan.closed is not None
        wanted = {} if ended else {one.borrower_id: Link(one.borrower_id, one.role) for one in self.terms.obligors}
        known = {link.borrower_id: link for link in self.state.links}
        for borrower_id in sorted(known.keys() - wanted.keys()):
            caused_by = self.because()
            self.emit(borrower_id, LoanUnlinked(borrower_id=borrower_id, loan_id=self.loan_id, caused_by=caused_by))
        for borrower_id, link in sorted(wanted.items()):
            if known.get(borrower_id) != link:
                linked = LoanLinked(
                    borrower_id=borrower_id,
                    loan_id=self.loan_id,
                    lender_id=self.terms.lender_id,
                    role=link.role,
                    caused_by=(self.terms.fact_id,),
                )
                self.emit(borrower_id, linked)
        self.state = replace(self.state, links=tuple(wanted[name] for name in sorted(wanted)))

    def _person_block(self) -> Block | None:
        """A hold on anybody who answers for the loan stops its ladder."""
        people = {obligor.borrower_id for obligor in self.terms.obligors}
        holding = [
            hold.fact_id
            for hold in self.state.person_holds
            if hold.borrower_id in people
            and hold.from_ms <= self.now
            and (hold.until_ms is None or hold.until_ms > self.now)
        ]
        return Block(WithdrawalReason.HOLD, causes(holding)) if holding else None

    def next_person_hold_change(self) -> int | None:
        """Return the next instant at which a hold on a person begins or ends."""
        instants = [hold.from_ms for hold in self.state.person_holds]
        instants += [hold.until_ms for hold in self.state.person_holds if hold.until_ms is not None]
        return min((instant for instant in instants if instant > self.now), default=None)
