"""The fold: one fact applied to one loan, whatever came before it and however often it comes.

Each fact is kept under its own id, the highest revision of it, and nothing is computed from what happens to be there
already. That is why any order and any number of deliveries end in the same loan (a property test tries them). Of two
facts with one id and one revision but different content, the first in the log stands and the second is a dead letter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.contract.arrangements import DeadLetterDiscarded, HoldLifted, HoldPlaced, PromiseMade
from shared.contract.base import Event
from shared.contract.codec import DeadReason
from shared.contract.loans import (
    ChargeAssessed,
    InstalmentCancelled,
    InstalmentChanged,
    InstalmentScheduled,
    LoanBoarded,
    LoanClosed,
    LoanOpened,
    LoanTerms,
)
from shared.contract.repayments import RepaymentReceived, RepaymentReversed
from shared.domain.doubt import lift_doubt
from shared.domain.loan_amounts import NOTHING, parts_of
from shared.domain.loan_fit import (
    Misfit,
    before_horizon,
    charge_misfit,
    instalment_misfit,
    payment_misfit,
    promise_misfit,
)
from shared.domain.loan_state import (
    FACTS_MAX,
    LARGE_AMOUNT_MINOR,
    LARGE_AMOUNTS_SUM_MINOR_MAX,
    BoardedInstalment,
    Boarding,
    Charge,
    Closed,
    Directed,
    FiledMonth,
    Hold,
    Instalment,
    Lift,
    Loan,
    Obligor,
    Payment,
    Promise,
    Reversal,
    Terms,
    facts_kept,
    find,
    placed,
)
from shared.kernel.step import Verdict

_Dated = Charge | Payment | Reversal | Lift
_Kept = Terms | Boarding | Closed | Instalment | Hold | Promise | _Dated


@dataclass(frozen=True, slots=True)
class Applied:
    """What one fact did: the loan after it, its verdict, and why it is dead if it is.

    `detail` explains a dead letter and quotes nothing personal. `loan` is None only when nothing is known of the loan
    and the fact was dead.
    """

    loan: Loan | None
    verdict: Verdict
    dead: DeadReason | None = None
    detail: str = ""


def apply(
    loan: Loan | None, loan_id: str, data: Event, fact_id: str, now_ms: int, replaces: str | None = None
) -> Applied:
    """Fold one fact of `lending.due-dates`, `lending.repayments` or `lending.arrangements` into a loan.

    Args:
        loan: What is known so far; None for nothing.
        loan_id: The record's key.
        data: The fact.
        fact_id: Id of the event that carried it; kept, so that decisions can name their causes.
        now_ms: The instant at which it became known, epoch milliseconds.
        replaces: Coordinates of the dead letter that this record replays, whose doubt it lifts.

    Raises:
        KeyError: The event is no fact about a loan: the caller's topics are wrong.
    """
    fold = _FOLDS[type(data)]
    before = loan if loan is not None else Loan(loan_id)
    if before.gravestone:
        return Applied(before, Verdict.APPLIED)
    outcome = fold(before, data, fact_id, now_ms)
    if outcome.verdict is Verdict.DEAD:
        return replace(outcome, loan=loan)
    if replaces is not None and outcome.loan is not None:
        return replace(outcome, loan=lift_doubt(outcome.loan, replaces, now_ms))
    return outcome


def _applied(loan: Loan) -> Applied:
    return Applied(loan, Verdict.APPLIED)


def _dead(loan: Loan, reason: DeadReason, detail: str) -> Applied:
    return Applied(loan, Verdict.DEAD, reason, detail)


def _misfit(loan: Loan, misfit: Misfit) -> Applied:
    return _dead(loan, misfit.reason, misfit.detail)


def _seen(loan: Loan, *, same: bool) -> Applied:
    """Return what comes of a fact whose id and revision are known already (trap T-14)."""
    if same:
        return Applied(loan, Verdict.DUPLICATE)
    return _dead(loan, DeadReason.CONFLICTING_DUPLICATE, "the same id and revision came before with other content")


def _full(loan: Loan, more: int = 1) -> bool:
    return facts_kept(loan) + more > FACTS_MAX


def _bound(loan: Loan) -> Applied:
    return _dead(loan, DeadReason.BOUND_EXCEEDED, f"a loan keeps at most {FACTS_MAX} facts")


def _too_much(loan: Loan, amounts: list[int], without: str) -> bool:
    """Tell whether `amounts` and what the loan owes already, `without` aside, would leave the contract's bounds."""
    large = sum(amount for amount in amounts if amount > LARGE_AMOUNT_MINOR)
    if not large:
        return False
    owed = [sum(item.owed) for item in loan.instalments if item.instalment_id != without]
    owed += [sum(item.owed) for item in loan.boarding.instalments] if loan.boarding is not None else []
    owed += [item.amount_minor for item in loan.charges if item.charge_id != without]
    return large + sum(amount for amount in owed if amount > LARGE_AMOUNT_MINOR) > LARGE_AMOUNTS_SUM_MINOR_MAX


def _beyond(loan: Loan) -> Applied:
    return _dead(loan, DeadReason.AMOUNT_IMPOSSIBLE, "the loan would owe more than an amount may be")


def _terms(terms: LoanTerms, revision: int, fact_id: str, *, boarded: bool) -> Terms:
    return Terms(
        revision=revision,
        boarded=boarded,
        lender_id=terms.lender_id,
        obligors=tuple(Obligor(obligor.borrower_id, obligor.role) for obligor in terms.obligors),
        currency=terms.currency,
        product=terms.product,
        segment=terms.segment,
        accounting_zone=terms.accounting_zone,
        cutoff=terms.cutoff,
        jurisdiction=terms.jurisdiction,
        grace_days=terms.grace_days,
        tolerance_minor=terms.tolerance_minor,
        due_date_convention=terms.due_date_convention,
        business_calendar=terms.business_calendar,
        allocation_order=terms.allocation_order,
        payment_max_minor=terms.payment_max_minor,
        fact_id=fact_id,
    )


def _rank(terms: Terms | None) -> tuple[int, bool]:
    return (terms.revision, terms.boarded) if terms is not None else (-1, False)


def _opened(loan: Loan, data: LoanOpened, fact_id: str, _now_ms: int) -> Applied:
    held = loan.terms
    new = _terms(data.terms, data.revision, fact_id, boarded=False)
    if held is not None and _rank(held) >= _rank(new):
        same = _rank(held) > _rank(new) or replace(new, fact_id=held.fact_id) == held
        return _seen(loan, same=same)
    return _applied(replace(loan, terms=new))


def _boarded(loan: Loan, data: LoanBoarded, fact_id: str, _now_ms: int) -> Applied:
    terms = _terms(data.terms, data.revision, fact_id, boarded=True)
    new = _boarding(data, fact_id)
    held = loan.boarding
    if held is not None and held.revision >= new.revision:
        same_terms = loan.terms is None or _rank(loan.terms) != _rank(terms) or _same(terms, loan.terms)
        return _seen(loan, same=held.revision > new.revision or (same_terms and _same(new, held)))
    if len({item.instalment_id for item in new.instalments}) != len(new.instalments):
        return _dead(loan, DeadReason.CONFLICTING_DUPLICATE, "an instalment occurs twice in the boarding")
    if _full(loan, len(new.instalments) + len(new.months_filed)):
        return _bound(loan)
    if _too_much(replace(loan, boarding=None), [sum(item.owed) for item in new.instalments], ""):
        return _beyond(loan)
    stands = terms if _rank(terms) > _rank(loan.terms) else loan.terms
    return _applied(replace(loan, boarding=new, terms=stands))


def _boarding(data: LoanBoarded, fact_id: str) -> Boarding:
    instalments = [
        BoardedInstalment(item.instalment_id, item.due_date, parts_of(item.unpaid)) for item in data.instalments
    ]
    months = [FiledMonth(item.month, item.code) for item in data.months_filed]
    return Boarding(
        revision=data.revision,
        as_of=data.as_of,
        instalments=tuple(sorted(instalments, key=lambda item: item.instalment_id)),
        current_rung=data.current_rung,
        months_filed=tuple(sorted(months, key=lambda item: (item.month, item.code))),
        fact_id=fact_id,
    )


def _same(new: _Kept, held: _Kept) -> bool:
    """Tell whether two deliveries say the same; who carried them, and when, is not part of what they say."""
    if isinstance(new, _Dated) and isinstance(held, _Dated):
        return replace(new, fact_id=held.fact_id, known_ms=held.known_ms) == held
    return replace(new, fact_id=held.fact_id) == held


def _closed(loan: Loan, data: LoanClosed, fact_id: str, _now_ms: int) -> Applied:
    new = Closed(data.closed_on, data.reason, fact_id)
    if loan.closed is not None:
        return _seen(loan, same=_same(new, loan.closed))
    return _applied(replace(loan, closed=new))


def _scheduled(loan: Loan, data: InstalmentScheduled | InstalmentChanged, fact_id: str, _now_ms: int) -> Applied:
    return _instalment(
        loan, Instalment(data.instalment_id, data.revision, data.due_date, parts_of(data.amounts), fact_id)
    )


def _cancelled(loan: Loan, data: InstalmentCancelled, fact_id: str, _now_ms: int) -> Applied:
    return _instalment(loan, Instalment(data.instalment_id, data.revision, None, NOTHING, fact_id))


def _instalment(loan: Loan, new: Instalment) -> Applied:
    at, held = find(loan.instalments, "instalment_id", new.instalment_id)
    if held is not None and held.revision >= new.revision:
        return _seen(loan, same=held.revision > new.revision or _same(new, held))
    misfit = before_horizon(loan, new.due_date) or instalment_misfit(loan, new)
    if misfit is not None:
        return _misfit(loan, misfit)
    if held is None and _full(loan):
        return _bound(loan)
    if _too_much(loan, [sum(new.owed)], new.instalment_id):
        return _beyond(loan)
    return _applied(replace(loan, instalments=placed(loan.instalments, at, new, over=held is not None)))


def _charge(loan: Loan, data: ChargeAssessed, fact_id: str, now_ms: int) -> Applied:
    at, held = find(loan.charges, "charge_id", data.charge_id)
    new = Charge(
        data.charge_id, data.revision, data.instalment_id, data.component, data.amount_minor, data.assessed_on,
        fact_id, now_ms,
    )  # fmt: skip
    if held is not None and held.revision >= new.revision:
        return _seen(loan, same=held.revision > new.revision or _same(new, held))
    misfit = before_horizon(loan, new.assessed_on) or charge_misfit(loan, new)
    if misfit is not None:
        return _misfit(loan, misfit)
    if held is None and _full(loan):
        return _bound(loan)
    if _too_much(loan, [new.amount_minor], new.charge_id):
        return _beyond(loan)
    return _applied(replace(loan, charges=placed(loan.charges, at, new, over=held is not None)))


def _payment(loan: Loan, data: RepaymentReceived, fact_id: str, now_ms: int) -> Applied:
    at, held = find(loan.payments, "payment_id", data.payment_id)
    directed = tuple([Directed(part.instalment_id, part.component, part.amount_minor) for part in data.allocations])
    new = Payment(
        data.payment_id, data.amount_minor, data.currency, data.value_date, data.payer, directed, fact_id, now_ms
    )
    # A held payment that cannot be true (it came before the terms) gives way to the lender's correction under its id.
    if held is not None and (payment_misfit(loan, held) is None or _same(new, held)):
        return _seen(loan, same=_same(new, held))
    if directed and sum(part.amount_minor for part in directed) > new.amount_minor:
        return _dead(loan, DeadReason.AMOUNT_IMPOSSIBLE, "the allocations exceed the payment")
    misfit = before_horizon(loan, new.value_date) or payment_misfit(loan, new)
    if misfit is not None:
        return _misfit(loan, misfit)
    if _full(loan, 1 + len(directed)):
        return _bound(loan)
    return _applied(replace(loan, payments=placed(loan.payments, at, new, over=held is not None)))


def _reversed(loan: Loan, data: RepaymentReversed, fact_id: str, now_ms: int) -> Applied:
    at, held = find(loan.reversals, "payment_id", data.payment_id)
    new = Reversal(data.payment_id, data.reversed_on, data.reason, fact_id, now_ms)
    if held is not None:
        return _seen(loan, same=_same(new, held))
    if _full(loan):
        return _bound(loan)
    return _applied(replace(loan, reversals=placed(loan.reversals, at, new, over=False)))


def _hold(loan: Loan, data: HoldPlaced, fact_id: str, _now_ms: int) -> Applied:
    if data.until_ms is not None and data.until_ms <= data.from_ms:
        return _dead(loan, DeadReason.DATE_IMPOSSIBLE, "the hold ends before it begins")
    at, held = find(loan.holds, "hold_id", data.hold_id)
    new = Hold(data.hold_id, data.revision, data.reason, data.from_ms, data.until_ms, data.review_on, fact_id)
    if held is not None and held.revision >= new.revision:
        return _seen(loan, same=held.revision > new.revision or _same(new, held))
    if held is None and _full(loan):
        return _bound(loan)
    return _applied(replace(loan, holds=placed(loan.holds, at, new, over=held is not None)))


def _lifted(loan: Loan, data: HoldLifted, fact_id: str, now_ms: int) -> Applied:
    at, held = find(loan.lifts, "hold_id", data.hold_id)
    new = Lift(data.hold_id, data.lifted_ms, fact_id, now_ms)
    if held is not None:
        return _seen(loan, same=_same(new, held))
    if _full(loan):
        return _bound(loan)
    return _applied(replace(loan, lifts=placed(loan.lifts, at, new, over=False)))


def _promise(loan: Loan, data: PromiseMade, fact_id: str, _now_ms: int) -> Applied:
    if data.due_on < data.promised_on:
        return _dead(loan, DeadReason.DATE_IMPOSSIBLE, "the promise falls due before it was made")
    at, held = find(loan.promises, "promise_id", data.promise_id)
    new = Promise(
        data.promise_id, data.revision, data.amount_minor, data.currency, data.promised_on, data.due_on,
        data.tolerance_days, fact_id,
    )  # fmt: skip
    if held is not None and held.revision >= new.revision:
        return _seen(loan, same=held.revision > new.revision or _same(new, held))
    misfit = promise_misfit(loan, new)
    if misfit is not None:
        return _misfit(loan, misfit)
    if held is None and _full(loan):
        return _bound(loan)
    return _applied(replace(loan, promises=placed(loan.promises, at, new, over=held is not None)))


def _discarded(loan: Loan, data: DeadLetterDiscarded, _fact_id: str, now_ms: int) -> Applied:
    after = lift_doubt(loan, data.coordinates, now_ms)
    return Applied(after, Verdict.DUPLICATE if after is loan else Verdict.APPLIED)


_FOLDS: Final[dict[type[Event], Callable[[Loan, Any, str, int], Applied]]] = {
    LoanOpened: _opened,
    LoanBoarded: _boarded,
    LoanClosed: _closed,
    InstalmentScheduled: _scheduled,
    InstalmentChanged: _scheduled,
    InstalmentCancelled: _cancelled,
    ChargeAssessed: _charge,
    RepaymentReceived: _payment,
    RepaymentReversed: _reversed,
    HoldPlaced: _hold,
    HoldLifted: _lifted,
    PromiseMade: _promise,
    DeadLetterDiscarded: _discarded,
}
LOAN_FACTS: Final = tuple(_FOLDS)
"""The events that `apply` folds."""
