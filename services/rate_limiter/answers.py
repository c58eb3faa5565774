"""From decisions to events: what gateways read, and its echo for stage 1."""

from __future__ import annotations

from collections.abc import Iterable

from services.rate_limiter.judge import Block
from services.rate_limiter.state import Clearance, Contact, Hold, Owed, Report, Request
from shared.contract.base import Amounts
from shared.contract.outreach import (
    LOAN_CONTACTS,
    OUTREACH,
    Answer,
    BlockingRule,
    BreachRecorded,
    ClearanceAnswered,
    ContactAnswered,
    ContactOutcome,
    PermitDeferred,
    PermitExpired,
    PermitGranted,
    PermitRefused,
    PermittedLoan,
    PermitWithdrawn,
    PersonHoldForwarded,
)
from shared.kernel.step import Emit

CAUSES_MAX = 64


class Answers:
    """Collects what one wake says about one person, in the order of the decisions."""

    def __init__(self, borrower_id: str, now: int, policy_hash: str) -> None:
        self._borrower_id = borrower_id
        self._now = now
        self._policy = policy_hash
        self._emits: list[Emit] = []

    @property
    def emits(self) -> tuple[Emit, ...]:
        """Everything said so far."""
        return tuple(self._emits)

    def granted(self, permit: Contact, template: str, checked: tuple[str, ...]) -> None:
        """Say that the permit exists, and to each loan that its wish was granted."""
        if permit.point is None or permit.lender_id is None or permit.contact_class is None:
            raise AssertionError("a permit names its contact point, lender and class")
        consequences = dict.fromkeys(word for request in permit.requests for word in request.consequences)
        data = PermitGranted(
            borrower_id=self._borrower_id,
            permit_id=permit.id,
            lender_id=permit.lender_id,
            contact_class=permit.contact_class,
            channel=permit.channel,
            contact_point_id=permit.point,
            template=template,
            loans=tuple(_permitted(request) for request in permit.requests),
            consequences=tuple(consequences)[:8],
            valid_from_ms=permit.valid_from_ms,
            valid_until_ms=permit.valid_until_ms,
            rules=checked,
            policy=self._policy,
            caused_by=tuple(request.fact_id for request in permit.requests)[:CAUSES_MAX],
        )
        self._emits.append(Emit(OUTREACH, self._borrower_id, data))
        for request in permit.requests:
            self._answered(request, Answer.GRANTED, permit=permit)

    def deferred(self, request: Request, blocks: tuple[Block, ...], earliest_ms: int | None) -> None:
        """Say that the wish waits, by which rules and until when."""
        data = PermitDeferred(
            borrower_id=self._borrower_id,
            request_id=request.id,
            loan_id=request.loan_id,
            contact_class=request.contact_class,
            earliest_ms=earliest_ms,
            rules=_rules(blocks),
            decided_ms=self._now,
            policy=self._policy,
            caused_by=(request.fact_id,),
        )
        self._emits.append(Emit(OUTREACH, self._borrower_id, data))

    def refused(self, request: Request, blocks: tuple[Block, ...], answer: Answer = Answer.REFUSED) -> None:
        """Say no for good; `answer` tells stage 1 whether it came too late (EXPIRED) or was refused."""
        data = PermitRefused(
            borrower_id=self._borrower_id,
            request_id=request.id,
            loan_id=request.loan_id,
            contact_class=request.contact_class,
            rules=_rules(blocks),
            decided_ms=self._now,
            policy=self._policy,
            caused_by=(request.fact_id,),
        )
        self._emits.append(Emit(OUTREACH, self._borrower_id, data))
        self._answered(request, answer, rules=tuple(it.rule_id for it in blocks))

    def withdrawn(self, permit: Contact, reason: str, causes: Iterable[str], rules: tuple[str, ...]) -> None:
        """Say that the permit must not be used, and to each loan that its grant is void."""
        data = PermitWithdrawn(
            borrower_id=self._borrower_id,
            permit_id=permit.id,
            reason=reason,
            decided_ms=self._now,
            caused_by=tuple(causes)[:CAUSES_MAX],
        )
        self._emits.append(Emit(OUTREACH, self._borrower_id, data))
        for request in permit.requests:
            self._answered(request, Answer.WITHDRAWN, permit=permit, rules=rules)

    def expired(self, permit: Contact) -> None:
        """Say that the permit ran out without an outcome."""
        data = PermitExpired(borrower_id=self._borrower_id, permit_id=permit.id, decided_ms=self._now)
        self._emits.append(Emit(OUTREACH, self._borrower_id, data))
        for request in permit.requests:
            self._answered(request, Answer.EXPIRED, permit=permit)

    def breached(self, contact: Contact, report: Report, blocks: tuple[Block, ...]) -> None:
        """Say that a contact became known that exceeded rules."""
        data = BreachRecorded(
            borrower_id=self._borrower_id,
            outcome_id=report.outcome_id,
            permit_id=contact.id if contact.is_permit else None,
            channel=report.channel,
            occurred_ms=report.occurred_ms,
            rules=_rules(blocks),
            policy=self._policy,
            caused_by=(report.fact_id,),
        )
        self._emits.append(Emit(OUTREACH, self._borrower_id, data))

    def outcome(self, contact: Contact, report: Report) -> None:
        """Pass an outcome on to every loan that the contact was about."""
        asked = [(entry.loan_id, entry.request_id) for entry in contact.asked]
        known = {loan_id for loan_id, _ in asked}
        named = [(loan_id, None) for loan_id in report.loan_ids if loan_id not in known]
        for loan_id, request_id in (*asked, *named):
            data = ContactOutcome(
                loan_id=loan_id,
                borrower_id=self._borrower_id,
                outcome_id=report.outcome_id,
                request_id=request_id,
                permit_id=contact.id if contact.is_permit else None,
                outcome=report.outcome,
                direction=report.direction,
                contact_class=contact.contact_class,
                channel=report.channel,
                occurred_ms=report.occurred_ms,
            )
            self._emits.append(Emit(LOAN_CONTACTS, loan_id, data))

    def cleared(self, clearance: Clearance, blocks: tuple[Block, ...]) -> None:
        """Answer whether anything known about the person forbids the act."""
        data = ClearanceAnswered(
            loan_id=clearance.loan_id,
            borrower_id=self._borrower_id,
            clearance_id=clearance.id,
            purpose=clearance.purpose,
            cleared=not blocks,
            rules=_rules(blocks),
            answered_ms=self._now,
        )
        self._emits.append(Emit(LOAN_CONTACTS, clearance.loan_id, data))

    def forwarded(self, loan_id: str, hold: Hold) -> None:
        """Tell a loan about a hold on a person who answers for it."""
        if hold.reason is None:
            raise AssertionError("a hold that was never placed is not forwarded")
        data = PersonHoldForwarded(
            loan_id=loan_id,
            borrower_id=self._borrower_id,
            hold_id=hold.id,
            reason=hold.reason,
            from_ms=hold.from_ms,
            until_ms=hold.end_ms,
            forwarded_ms=self._now,
        )
        self._emits.append(Emit(LOAN_CONTACTS, loan_id, data))

    def _answered(
        self, request: Request, answer: Answer, *, permit: Contact | None = None, rules: tuple[str, ...] = ()
    ) -> None:
        data = ContactAnswered(
            loan_id=request.loan_id,
            borrower_id=self._borrower_id,
            request_id=request.id,
            permit_id=None if permit is None else permit.id,
            answer=answer,
            contact_class=request.contact_class,
            channel=None if permit is None else permit.channel,
            answered_ms=self._now,
            rules=rules,
        )
        self._emits.append(Emit(LOAN_CONTACTS, request.loan_id, data))


def _permitted(request: Request) -> PermittedLoan:
    return PermittedLoan(
        request_id=request.id,
        loan_id=request.loan_id,
        asked_by=request.source,
        step=request.step,
        currency=request.currency,
        amount_due_minor=request.amount_due_minor,
        amounts=_amounts(request.owed),
    )


def _amounts(owed: Owed) -> Amounts:
    return Amounts(
        principal_minor=owed.principal_minor,
        interest_minor=owed.interest_minor,
        penalty_minor=owed.penalty_minor,
        fee_minor=owed.fee_minor,
    )


def _rules(blocks: tuple[Block, ...]) -> tuple[BlockingRule, ...]:
    return tuple(BlockingRule(rule_id=it.rule_id, severity=it.severity, until_ms=it.until_ms) for it in blocks)
