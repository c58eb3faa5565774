"""How facts change what the gate knows. Nothing is decided here: a fact asks to be woken at its own tick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from services.rate_limiter.answered import is_among, remembered, said_by
from services.rate_limiter.state import (
    Borrower,
    Callback,
    Cease,
    Clearance,
    Consent,
    Contact,
    Doubt,
    Hold,
    Link,
    Owed,
    Point,
    Profile,
    Refusal,
    Report,
    Request,
    Withdrawal,
)
from shared.contract.base import Event
from shared.contract.codec import DeadReason
from shared.contract.outcomes import OUTCOMES, Direction, Outcome, OutreachOutcome
from shared.contract.people import (
    BORROWERS,
    BorrowerCeased,
    BorrowerConsented,
    BorrowerHoldLifted,
    BorrowerHoldPlaced,
    BorrowerOptedOut,
    BorrowerProfile,
    ConsentPurpose,
)
from shared.contract.requests import (
    ClearanceRequested,
    ContactRequested,
    ContactWithdrawn,
    LoanLinked,
    LoanUnlinked,
    ReportChanged,
    StageChanged,
)
from shared.engine.processor import Fact, Unreadable
from shared.kernel.ids import derive_id
from shared.kernel.zones import DAY_MS

T = TypeVar("T")

LOANS_MAX: Final = 200
PENDING_MAX: Final = 200
"""What is kept over a tick; the wake refuses the least pressing beyond it by name."""
BUFFERED_MAX: Final = 1000
"""What is kept inside one epoch: requests, reports or clearances that no wake has seen yet."""
SCOPES_MAX: Final = 200
FOREIGN_CONTACTS_MAX: Final = 128
"""Contacts of others that are remembered; whoever reports more is broken, and each costs a look at all of them."""
OUTCOMES_PER_CONTACT_MAX: Final = 64
CALLBACK_MAX_MS: Final = 7 * DAY_MS
FUTURE_MAX_MS: Final = DAY_MS
"""An instant of something done may be that far ahead of the tick; beyond it is a typing error (T-55)."""
REMEMBER_MS: Final = 30 * DAY_MS
DOUBT_MS: Final = 3 * DAY_MS

RECORD_ONLY: Final = (StageChanged, ReportChanged)
"""Events on our inputs that are not meant for the gate."""


class Dead(Exception):
    """The fact is impossible for what is known."""

    def __init__(self, reason: DeadReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def apply(state: Borrower, fact: Fact, now: int) -> Borrower:
    """Return the state with the fact in it; equal where the fact says nothing new. Raise `Dead` where it cannot be."""
    if fact.replaces is not None and any(doubt.coordinates == fact.replaces for doubt in state.doubts):
        doubts = tuple(doubt for doubt in state.doubts if doubt.coordinates != fact.replaces)
        state = replace(state, doubts=doubts)
    return _HANDLERS[type(fact.data)](state, fact, fact.data, now)


def doubt(state: Borrower, unreadable: Unreadable, now: int) -> Borrower:
    """Return the state in doubt: what could not be read may have been a refusal, a hold, or a STOP."""
    matters = unreadable.topic in (BORROWERS, OUTCOMES) or unreadable.quarantined
    if not matters or len(state.doubts) >= SCOPES_MAX:
        return state
    entry = Doubt(unreadable.coordinates, now, now + DOUBT_MS)
    return replace(state, doubts=tuple(sorted((*state.doubts, entry), key=lambda it: it.coordinates)))


def _profile(state: Borrower, _fact: Fact, data: BorrowerProfile, _now: int) -> Borrower:
    points = tuple(Point(point.contact_point_id, point.channels, point.zone) for point in data.contact_points)
    profile = Profile(data.revision, data.zones, data.jurisdictions, points, data.language)
    known = state.profile
    if known is not None and known.revision == profile.revision and known != profile:
        raise Dead(DeadReason.CONFLICTING_DUPLICATE)
    return state if known is not None and known.revision >= profile.revision else replace(state, profile=profile)


def _opted_out(state: Borrower, fact: Fact, data: BorrowerOptedOut, now: int) -> Borrower:
    _not_from_the_future(data.given_ms, now)
    return _refuse(state, Refusal(data.channel, data.contact_point_id, False, data.given_ms, fact.id))  # noqa: FBT003


def _refuse(state: Borrower, refusal: Refusal) -> Borrower:
    def scope(entry: Refusal) -> tuple[str, str, bool]:
        return (entry.channel or "", entry.point or "", entry.wrong_number)

    # Of two at one instant either says the same; the id decides, so that the order of arrival does not.
    refusals = _with_latest(state.refusals, refusal, scope, lambda it: (it.given_ms, it.fact_id))
    return replace(state, refusals=refusals)


def _consented(state: Borrower, _fact: Fact, data: BorrowerConsented, now: int) -> Borrower:
    _not_from_the_future(data.given_ms, now)
    consent = Consent(data.channel, data.contact_point_id, data.given_ms)
    consents = _with_latest(
        state.consents, consent, lambda it: (it.channel, it.point or ""), lambda it: (it.given_ms, "")
    )
    state = replace(state, consents=consents)
    if data.purpose is not ConsentPurpose.CALLBACK:
        return state
    until = min(data.given_ms + CALLBACK_MAX_MS, data.expires_ms or data.given_ms + CALLBACK_MAX_MS)
    callback = Callback(data.channel, data.contact_point_id, data.given_ms, until)
    if callback in state.callbacks or until <= callback.from_ms:
        return state
    return replace(state, callbacks=_added(state.callbacks, callback, _callback_key, SCOPES_MAX))


def _callback_key(entry: Callback) -> tuple[Any, ...]:
    return (entry.from_ms, entry.until_ms, entry.channel, entry.point or "")


def _ceased(state: Borrower, fact: Fact, data: BorrowerCeased, now: int) -> Borrower:
    _not_from_the_future(data.given_ms, now)
    known = next((cease for cease in state.ceases if cease.lender_id == data.lender_id), None)
    # The first demand of a scope counts: it ends contact for good, later ones add nothing.
    if known is not None and (known.given_ms, known.fact_id) <= (data.given_ms, fact.id):
        return state
    others = tuple(cease for cease in state.ceases if cease is not known)
    cease = Cease(data.lender_id, data.given_ms, fact.id)
    return replace(state, ceases=_added(others, cease, lambda it: (it.lender_id or "",), SCOPES_MAX))


def _hold_placed(state: Borrower, fact: Fact, data: BorrowerHoldPlaced, _now: int) -> Borrower:
    known = next((hold for hold in state.holds if hold.id == data.hold_id), None)
    lifted = None if known is None else known.lifted_ms
    hold = Hold(data.hold_id, data.revision, data.reason, data.from_ms, data.until_ms, lifted, fact.id)
    if known is not None and known.reason is not None:
        same = replace(known, fact_id=hold.fact_id, is_news=True) == hold
        if known.revision == hold.revision and not same:
            raise Dead(DeadReason.CONFLICTING_DUPLICATE)
        if known.revision >= hold.revision:
            return state
    return _with_hold(state, known, hold)


def _hold_lifted(state: Borrower, fact: Fact, data: BorrowerHoldLifted, _now: int) -> Borrower:
    known = next((hold for hold in state.holds if hold.id == data.hold_id), None)
    if known is None:
        return _with_hold(state, None, Hold(data.hold_id, -1, None, data.lifted_ms, None, data.lifted_ms, fact.id))
    # Of two liftings the later one counts: to leave somebody alone for longer is the safe side.
    if known.lifted_ms is not None and known.lifted_ms >= data.lifted_ms:
        return state
    return _with_hold(state, known, replace(known, lifted_ms=data.lifted_ms, is_news=True))


def _with_hold(state: Borrower, known: Hold | None, hold: Hold) -> Borrower:
    others = tuple(other for other in state.holds if other is not known)
    return replace(state, holds=_added(others, hold, lambda it: (it.id,), SCOPES_MAX))


def _linked(state: Borrower, _fact: Fact, data: LoanLinked, _now: int) -> Borrower:
    if any(link.loan_id == data.loan_id for link in state.links):
        return state
    link = Link(data.loan_id, data.lender_id)
    return replace(state, links=_added(state.links, link, lambda it: (it.loan_id,), LOANS_MAX))


def _unlinked(state: Borrower, _fact: Fact, data: LoanUnlinked, _now: int) -> Borrower:
    links = tuple(link for link in state.links if link.loan_id != data.loan_id)
    return replace(state, links=links) if len(links) < len(state.links) else state


def _requested(state: Borrower, fact: Fact, data: ContactRequested, now: int) -> Borrower:
    if _is_known_request(state, data.request_id):
        return state
    amounts = data.amounts
    request = Request(
        data.request_id,
        data.loan_id,
        data.lender_id,
        data.contact_class,
        data.step,
        data.channels,
        data.template,
        data.currency,
        data.amount_due_minor,
        Owed(amounts.principal_minor, amounts.interest_minor, amounts.penalty_minor, amounts.fee_minor),
        data.consequences,
        data.days_past_due,
        data.not_before_ms,
        data.not_after_ms,
        "/".join(fact.source.rsplit("/", 2)[-2:]),
        fact.id,
        now,
        _said_before(state, data.replaces_request_id),
    )
    return replace(state, pending=_added(state.pending, request, lambda it: (it.id,), BUFFERED_MAX))


def _said_before(state: Borrower, replaced: str | None) -> str | None:
    """Return the wish that decides whether a new one was said already: of a chain of wishes the one that was said."""
    if replaced is None or any(asked.request_id == replaced for contact in state.contacts for asked in contact.asked):
        return replaced
    return said_by(state, replaced)


def _is_known_request(state: Borrower, request_id: str) -> bool:
    return (
        is_among(state.pending, request_id)
        or is_among(state.answered, request_id)
        or any(asked.request_id == request_id for contact in state.contacts for asked in contact.asked)
    )


def _withdrawn(state: Borrower, fact: Fact, data: ContactWithdrawn, now: int) -> Borrower:
    """Drop the request where it waits; where a permit holds it, leave the rest to the wake."""
    for request in state.pending:
        if request.id == data.request_id:
            pending = tuple(other for other in state.pending if other is not request)
            state = replace(state, pending=pending)
            return remembered(state, request.id, request.not_after_ms, request.replaces)
    withdrawal = Withdrawal(data.request_id, data.reason, fact.id)
    for contact in state.contacts:
        if any(request.id == data.request_id for request in contact.requests):
            if any(known.request_id == data.request_id for known in contact.withdrawals):
                return state
            withdrawals = _added(contact.withdrawals, withdrawal, lambda it: (it.request_id,), BUFFERED_MAX)
            return _with_contact(state, replace(contact, withdrawals=withdrawals))
    if is_among(state.answered, data.request_id):
        return state
    return remembered(state, data.request_id, now + REMEMBER_MS)


def _clearance(state: Borrower, fact: Fact, data: ClearanceRequested, _now: int) -> Borrower:
    waiting = any(clearance.id == data.clearance_id for clearance in state.clearances)
    if waiting or is_among(state.answered, data.clearance_id):
        return state
    clearance = Clearance(
        data.clearance_id, data.loan_id, data.lender_id, data.purpose, data.notice_request_id, fact.id
    )
    return replace(state, clearances=_added(state.clearances, clearance, lambda it: (it.id,), BUFFERED_MAX))


def _outcome(state: Borrower, fact: Fact, data: OutreachOutcome, now: int) -> Borrower:
    _not_from_the_future(data.occurred_ms, now)
    contact = _contact_of(state, data)
    if contact is None:
        return state
    is_foreign_and_new = not contact.is_permit and not contact.outcome_ids
    if is_foreign_and_new and sum(not it.is_permit for it in state.contacts) >= FOREIGN_CONTACTS_MAX:
        if data.outcome not in (Outcome.STOP, Outcome.WRONG_NUMBER):  # a no is heard in any case
            raise Dead(DeadReason.BOUND_EXCEEDED)
        return _with_refusal_of(state, contact, fact, data)
    if data.outcome_id in contact.outcome_ids:
        return state
    if len(contact.outcome_ids) >= OUTCOMES_PER_CONTACT_MAX:
        raise Dead(DeadReason.BOUND_EXCEEDED)
    contact = _with_outcome(contact, data)
    report = Report(
        contact.id,
        data.outcome_id,
        data.outcome,
        data.occurred_ms,
        data.direction,
        data.channel,
        tuple(sorted(data.loan_ids)),
        fact.id,
    )
    state = _with_contact(state, contact)
    reports = _added(state.reports, report, lambda it: (it.occurred_ms, it.outcome_id), BUFFERED_MAX)
    return _with_refusal_of(replace(state, reports=reports), contact, fact, data)


def _contact_of(state: Borrower, data: OutreachOutcome) -> Contact | None:
    """Return the permit that the outcome names, else the foreign contact that it is about; None: nothing was made.

    Reports of others carry no id of the contact: those of one instant, channel, point and lender are about one.
    """
    permit = next((it for it in state.contacts if it.is_permit and it.id == data.permit_id), None)
    if permit is not None or data.outcome is Outcome.NOT_ATTEMPTED:
        return permit
    point = data.contact_point_id or ""
    contact_id = derive_id("contact", data.channel, data.occurred_ms, point, data.lender_id or "", data.direction)
    known = next((it for it in state.contacts if it.id == contact_id), None)
    return known or Contact(
        id=contact_id,
        is_permit=False,
        channel=data.channel,
        point=data.contact_point_id,
        lender_id=data.lender_id,
        contact_class=None,
        asked=(),
        loan_ids=(),
        valid_from_ms=data.occurred_ms,
        valid_until_ms=data.occurred_ms + 1,
        from_ms=data.occurred_ms,
        until_ms=data.occurred_ms + 1,
        is_inbound=data.direction is Direction.INBOUND,
    )


def _with_outcome(contact: Contact, data: OutreachOutcome) -> Contact:
    outcomes = tuple(outcome for outcome in Outcome if outcome in (*contact.outcomes, data.outcome))
    contact = replace(
        contact,
        outcomes=outcomes,
        outcome_ids=tuple(sorted((*contact.outcome_ids, data.outcome_id))),
        loan_ids=tuple(sorted({*contact.loan_ids, *data.loan_ids})),
    )
    if data.outcome is Outcome.ATTEMPTED:
        # The instant of the attempt decides (T-45): an attempt outside the permit counts where it was made as well.
        first, last = min(contact.from_ms, data.occurred_ms), max(contact.until_ms, data.occurred_ms + 1)
        contact = replace(contact, from_ms=first, until_ms=last)
    if data.outcome is Outcome.CONVERSATION:
        contact = replace(contact, conversations_ms=tuple(sorted({*contact.conversations_ms, data.occurred_ms})))
    return contact


def _with_refusal_of(state: Borrower, contact: Contact, fact: Fact, data: OutreachOutcome) -> Borrower:
    """STOP closes the channel at the point, a wrong number the point; at an unknown point the whole channel (safe)."""
    point = data.contact_point_id or contact.point
    if data.outcome is Outcome.STOP:
        return _refuse(state, Refusal(data.channel, point, False, data.occurred_ms, fact.id))  # noqa: FBT003
    if data.outcome is Outcome.WRONG_NUMBER:
        channel = data.channel if point is None else None
        return _refuse(state, Refusal(channel, point, True, data.occurred_ms, fact.id))  # noqa: FBT003
    return state


def _for_the_record(state: Borrower, _fact: Fact, _data: Event, _now: int) -> Borrower:
    return state


def _with_contact(state: Borrower, contact: Contact) -> Borrower:
    others = (other for other in state.contacts if other.id != contact.id)
    return replace(state, contacts=tuple(sorted((*others, contact), key=lambda it: it.id)))


def _not_from_the_future(instant_ms: int, now: int) -> None:
    if instant_ms > now + FUTURE_MAX_MS:
        raise Dead(DeadReason.DATE_IMPOSSIBLE)


def _added(entries: tuple[T, ...], entry: T, key: Callable[[T], Any], most: int) -> tuple[T, ...]:
    if len(entries) >= most:
        raise Dead(DeadReason.BOUND_EXCEEDED)
    return tuple(sorted((*entries, entry), key=key))


def _with_latest(
    entries: tuple[T, ...], entry: T, scope: Callable[[T], Any], rank: Callable[[T], tuple[int, str]]
) -> tuple[T, ...]:
    """Keep the latest word of each scope."""
    known = next((other for other in entries if scope(other) == scope(entry)), None)
    if known is not None and rank(known) >= rank(entry):
        return entries
    others = tuple(other for other in entries if other is not known)
    return _added(others, entry, scope, SCOPES_MAX)


_HANDLERS: Final[dict[type[Event], Callable[[Borrower, Fact, Any, int], Borrower]]] = {
    BorrowerProfile: _profile,
    BorrowerOptedOut: _opted_out,
    BorrowerConsented: _consented,
    BorrowerCeased: _ceased,
    BorrowerHoldPlaced: _hold_placed,
    BorrowerHoldLifted: _hold_lifted,
    LoanLinked: _linked,
    LoanUnlinked: _unlinked,
    ContactRequested: _requested,
    ContactWithdrawn: _withdrawn,
    ClearanceRequested: _clearance,
    OutreachOutcome: _outcome,
    StageChanged: _for_the_record,
    ReportChanged: _for_the_record,
}
