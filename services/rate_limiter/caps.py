"""Counting: how many contacts fall into the windows of a cap, in local days of every zone where the person may be.

Where a fact about a contact is missing (which number, which loan), it counts for all: the safe side.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.rate_limiter.hours import day_number, day_start
from services.rate_limiter.state import Callback, Contact
from shared.contract.base import Channel
from shared.contract.requests import ContactClass
from shared.domain.packs import Cap, Hours, Per, Unit


@dataclass(frozen=True, slots=True)
class Asking:
    """A contact that is thought of: the interval [from_ms, until_ms) at one point, about some loans."""

    channel: Channel
    point: str | None
    lender_id: str | None
    loan_ids: tuple[str, ...]
    contact_class: ContactClass | None
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Full:
    """A cap that leaves no room. `until_ms` is the first instant with room, if nothing is added; None: never."""

    until_ms: int | None


def is_in_force(rule: Cap | Hours, zones: Iterable[str], at: int) -> bool:
    """Return whether the rule is in force on the local day of `at` in any of the zones."""
    if rule.effective_from is None and rule.effective_until is None:
        return True
    begin = rule.effective_from.toordinal() if rule.effective_from else 0
    end = rule.effective_until.toordinal() if rule.effective_until else 1 << 30
    return any(begin <= day_number(at, zone_name) < end for zone_name in zones)


def concerns(cap: Cap, asking: Asking, callbacks: Sequence[Callback]) -> bool:
    """Return whether the cap can block the contact at all."""
    if asking.channel not in cap.blocks or asking.contact_class in cap.exempt_classes:
        return False
    return not (
        cap.callback_exempt and is_callback(callbacks, asking.channel, asking.point, asking.from_ms, asking.until_ms)
    )


def is_callback(
    callbacks: Sequence[Callback], channel: Channel, point: str | None, from_ms: int, until_ms: int
) -> bool:
    """Return whether the person asked to be called over the whole interval (T-50)."""
    return any(
        callback.channel is channel
        and callback.point in (None, point)
        and callback.from_ms <= from_ms
        and until_ms <= callback.until_ms
        for callback in callbacks
    )


def full(
    cap: Cap, asking: Asking, zones: Sequence[str], contacts: Iterable[Contact], callbacks: Sequence[Callback]
) -> Full | None:
    """Return that the cap leaves no room for the contact in some window that it touches, or None."""
    if not cap.limit:
        return Full(None)
    relevant = [contact for contact in contacts if _counts(cap, contact, callbacks)]
    if len(relevant) < cap.limit and cap.unit is Unit.ATTEMPT:
        return None
    untils = [
        until
        for about in _keys(cap, asking)
        for zone_name in zones
        if (until := _full_until(cap, asking, zone_name, [it for it in relevant if _is_about(cap, it, about, asking)]))
    ]
    return Full(max(untils)) if untils else None


def _keys(cap: Cap, asking: Asking) -> tuple[str | None, ...]:
    match cap.per:
        case Per.PERSON:
            return (None,)
        case Per.LENDER:
            return (asking.lender_id,)
        case Per.LOAN:
            return asking.loan_ids or (None,)
        case Per.CONTACT_POINT:
            return (asking.point,)


def _is_about(cap: Cap, contact: Contact, about: str | None, asking: Asking) -> bool:
    match cap.per:
        case Per.PERSON:
            return True
        case Per.LENDER:
            return about is None or contact.lender_id in (None, about)
        case Per.LOAN:
            if contact.loan_ids and about is not None:
                return about in contact.loan_ids
            return None in (contact.lender_id, asking.lender_id) or contact.lender_id == asking.lender_id
        case Per.CONTACT_POINT:
            return about is None or contact.point in (None, about)


def _counts(cap: Cap, contact: Contact, callbacks: Sequence[Callback]) -> bool:
    if contact.channel not in cap.channels or contact.is_returned:
        return False
    if cap.unit is Unit.CONVERSATION and not contact.may_be_conversation:
        return False
    # Who was talked to was talked to, whatever for and whoever began it.
    if cap.unit is Unit.ATTEMPT and (contact.is_inbound or contact.contact_class in cap.exempt_classes):
        return False
    if any(outcome in cap.not_counted for outcome in contact.outcomes):
        return False
    exempt = cap.callback_exempt and not contact.is_inbound
    return not (exempt and is_callback(callbacks, contact.channel, contact.point, contact.from_ms, contact.until_ms))


def counted_days(cap: Cap, contact: Contact, zone_name: str) -> list[tuple[int, int]]:
    """Return the first and last local day of each unit that the contact counts for."""
    if cap.unit is Unit.CONVERSATION and contact.conversations_ms:
        days = [day_number(instant, zone_name) for instant in contact.conversations_ms]
        return [(day, day) for day in days]
    return [(day_number(contact.from_ms, zone_name), day_number(contact.until_ms - 1, zone_name))]


def _full_until(cap: Cap, asking: Asking, zone_name: str, contacts: list[Contact]) -> int | None:
    """Return the start of the first local day on which the cap has room again; None: it has room.

    A unit counts in the windows of all days that it touches, and so does the contact that is asked for: its last day
    is of no help, its first one decides. Units of later days (clocks that run ahead) count as well.
    """
    days = sorted((last for contact in contacts for _, last in counted_days(cap, contact, zone_name)), reverse=True)
    if len(days) < cap.limit:
        return None
    oldest_in_the_way = days[cap.limit - 1]
    free_from = oldest_in_the_way + cap.days
    return day_start(free_from, zone_name) if day_number(asking.from_ms, zone_name) < free_from else None


def is_exceeded(
    cap: Cap, contact: Contact, zones: Sequence[str], contacts: Iterable[Contact], callbacks: Sequence[Callback]
) -> bool:
    """Return whether, with `contact` made, some window that it touches holds more than the cap allows.

    For a cap of conversations: whether it was an attempt to reach somebody inside the pause after a conversation.
    """
    asking = Asking(
        contact.channel,
        contact.point,
        contact.lender_id,
        contact.loan_ids,
        contact.contact_class,
        contact.from_ms,
        contact.until_ms,
    )
    if not concerns(cap, asking, callbacks) or contact.is_inbound or contact.is_returned:
        return False
    others = [other for other in contacts if other.id != contact.id and _counts(cap, other, callbacks)]
    if cap.unit is Unit.CONVERSATION:
        others = [other for other in others if any(instant < contact.from_ms for instant in other.conversations_ms)]
    return any(
        _windows_overflow(cap, contact, zone_name, [it for it in others if _is_about(cap, it, about, asking)])
        for about in _keys(cap, asking)
        for zone_name in zones
    )


def _windows_overflow(cap: Cap, contact: Contact, zone_name: str, others: list[Contact]) -> bool:
    units = [unit for other in others for unit in counted_days(cap, other, zone_name)]
    first, last = day_number(contact.from_ms, zone_name), day_number(contact.until_ms - 1, zone_name)
    return any(
        sum(1 for begin, end in units if begin < start + cap.days and end >= start) >= cap.limit
        for start in range(first - cap.days + 1, last + 1)
    )
