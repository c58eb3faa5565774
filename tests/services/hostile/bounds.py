"""How long each list in each service's state may become, and a way to look for one that is longer.

A list without a number here is a list that somebody forgot: the test that walks the states fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final, get_args, get_origin, get_type_hints

from services.credit_report import state as credit
from services.escalation import state as escalation
from services.rate_limiter import answered, desk, facts
from services.reminder import state as reminder
from shared.contract.base import Channel
from shared.domain.demand import CAUSES_MAX, INSTALMENTS_MAX
from shared.domain.loan_state import DOUBTS_MAX, FACTS_MAX

BOARDED_MAX: Final = 600
"""By the contract: instalments of a boarded loan."""
OBLIGORS_MAX: Final = 8
"""By the contract."""
MONTHS_MAX: Final = 84
"""By the policy's schema: months that a later fact may still correct."""
CONTACTS_BETWEEN_WAKES_MAX: Final = desk.CONTACTS_MAX + facts.FOREIGN_CONTACTS_MAX + desk.LOANS_PER_PERMIT_MAX

BOUNDS: Final = {
    "Terms.obligors": OBLIGORS_MAX,
    "Terms.allocation_order": 4,
    "Boarding.instalments": BOARDED_MAX,
    "Boarding.months_filed": 84,
    "Loan.instalments": FACTS_MAX,
    "Loan.charges": FACTS_MAX,
    "Loan.payments": FACTS_MAX,
    "Payment.directed": 256,
    "Loan.reversals": FACTS_MAX,
    "Loan.holds": FACTS_MAX,
    "Loan.lifts": FACTS_MAX,
    "Loan.promises": FACTS_MAX,
    "Loan.doubts": DOUBTS_MAX,
    "Asked.instalments": INSTALMENTS_MAX,
    "Asked.caused_by": CAUSES_MAX,
    "ReminderState.courses": FACTS_MAX,  # one of each instalment
    "ReminderState.notices": FACTS_MAX,  # one of each payment that came back
    "ReminderState.touched": reminder.TOUCHED_MAX,
    "EscalationState.links": OBLIGORS_MAX,
    "EscalationState.attempts": escalation.ATTEMPTS_MAX,
    "EscalationState.person_holds": escalation.PERSON_HOLDS_MAX,
    "EscalationState.reported": FACTS_MAX,  # of the loan's own facts, those that wait
    "EscalationState.touched": escalation.TOUCHED_MAX,
    "Call.instalments": INSTALMENTS_MAX,
    "Call.caused_by": CAUSES_MAX,
    "CreditState.months": MONTHS_MAX,
    "CreditState.cases": MONTHS_MAX + 1,  # of months that may still be corrected, and of the one that is coming
    "Case.notices": credit.NOTICES_MAX,
    "Notice.instalments": INSTALMENTS_MAX,
    "CreditState.person_holds": credit.PERSON_HOLDS_MAX,
    "CreditState.anchors": credit.ANCHORS_MAX,
    "CreditState.touched": credit.TOUCHED_MAX,
    "Profile.zones": 8,
    "Profile.jurisdictions": 4,
    "Profile.points": 16,
    "Point.channels": len(Channel),
    "Borrower.refusals": facts.SCOPES_MAX,
    "Borrower.consents": facts.SCOPES_MAX,
    "Borrower.callbacks": facts.SCOPES_MAX,
    "Borrower.ceases": facts.SCOPES_MAX,
    "Borrower.holds": facts.SCOPES_MAX,
    "Borrower.doubts": facts.SCOPES_MAX,
    "Borrower.links": facts.LOANS_MAX,
    "Borrower.pending": facts.BUFFERED_MAX,
    "Request.channels": len(Channel),
    "Request.consequences": 8,
    "Request.told_rules": 100,  # rules of the packs, and those that always hold
    "Borrower.contacts": CONTACTS_BETWEEN_WAKES_MAX,
    "Contact.asked": desk.LOANS_PER_PERMIT_MAX,
    "Contact.loan_ids": 64,
    "Contact.outcomes": facts.OUTCOMES_PER_CONTACT_MAX,
    "Contact.outcome_ids": facts.OUTCOMES_PER_CONTACT_MAX,
    "Contact.conversations_ms": facts.OUTCOMES_PER_CONTACT_MAX,
    "Contact.requests": desk.LOANS_PER_PERMIT_MAX,
    "Contact.withdrawals": desk.LOANS_PER_PERMIT_MAX,
    "Borrower.reports": facts.BUFFERED_MAX,
    "Report.loan_ids": 64,
    "Borrower.clearances": facts.BUFFERED_MAX,
    "Borrower.answered": answered.ANSWERED_MAX,
}
"""By class and field: no list is longer, whatever comes in."""


def lists_of(kind: Any, seen: set[Any] | None = None) -> Iterator[str]:
    """Yield class and field of every list, set or mapping in a state, however deep."""
    seen = set() if seen is None else seen
    if not is_dataclass(kind) or kind in seen:
        return
    seen.add(kind)
    for name, hint in get_type_hints(kind).items():
        for inner in _parts(hint):
            if _is_open(inner):
                yield f"{kind.__name__}.{name}"
            yield from lists_of(inner, seen)


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for inner in get_args(hint):
        yield from _parts(inner)


def _is_open(hint: Any) -> bool:
    origin = get_origin(hint)
    return origin in (list, set, frozenset, dict) or (origin is tuple and Ellipsis in get_args(hint))


def longest(state: Any) -> Counter[str]:
    """Return, by class and field, the length of the longest such list in a state."""
    found: Counter[str] = Counter()
    stack = [state]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple | list):
            stack.extend(item)
        elif is_dataclass(item):
            for one in fields(item):
                value = getattr(item, one.name)
                if isinstance(value, tuple):
                    name = f"{type(item).__name__}.{one.name}"
                    found[name] = max(found[name], len(value))
                stack.append(value)
    return found
