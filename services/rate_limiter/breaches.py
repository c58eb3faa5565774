"""What an outcome reveals: contacts, ours or others', that were made against the rules (T-45, T-51)."""

from __future__ import annotations

from typing import Final

from services.rate_limiter.caps import is_exceeded, is_in_force
from services.rate_limiter.hours import open_around
from services.rate_limiter.judge import Block, Judge, block
from services.rate_limiter.state import Borrower, Contact, Report
from shared.contract.outcomes import Outcome
from shared.contract.requests import ContactClass
from shared.domain.packs import Standing
from shared.kernel.zones import SECOND_MS

SKEW_MS: Final = 5 * SECOND_MS
"""Clocks of gateways may differ so much from ours before an attempt counts as early or late."""
WITHDRAWAL_REACHES_MS: Final = 30 * SECOND_MS
"""A gateway never acts on news older than that; an attempt later than this after a withdrawal ignored it."""


def broken_rules(
    judge: Judge, state: Borrower, contact: Contact, report: Report, contacts: list[Contact]
) -> tuple[Block, ...]:
    """Return the rules that the reported contact exceeded, as far as known below this tick's barriers."""
    if contact.is_permit:
        broken = _against_its_permit(contact, report)
        outside = any(it.rule_id == Standing.PERMIT_INTERVAL for it in broken)
        found = [*broken, *(_against_the_rules(judge, state, contact, report.occurred_ms, contacts) if outside else [])]
    elif contact.is_inbound or contact.is_judged:
        found = []
    else:
        found = _against_the_rules(judge, state, contact, report.occurred_ms, contacts)
    return tuple(sorted(found, key=lambda it: it.rule_id))


def _against_its_permit(permit: Contact, report: Report) -> list[Block]:
    if report.outcome is not Outcome.ATTEMPTED:
        return []
    broken = []
    if not permit.valid_from_ms - SKEW_MS <= report.occurred_ms < permit.valid_until_ms + SKEW_MS:
        broken.append(block(Standing.PERMIT_INTERVAL))
    if permit.withdrawn_ms is not None and report.occurred_ms > permit.withdrawn_ms + WITHDRAWAL_REACHES_MS:
        broken.append(block(Standing.PERMIT_WITHDRAWN))
    return broken


def _against_the_rules(
    judge: Judge, state: Borrower, contact: Contact, at: int, contacts: list[Contact]
) -> list[Block]:
    zones = judge.zones
    found = [block(rule) for rule in judge.refused(contact.channel, contact.point, at)]
    if contact.contact_class is not ContactClass.STATUTORY_NOTICE and judge.is_ceased(contact.lender_id, at):
        found.append(block(Standing.CEASE))
    if any(hold.touches(at, at + 1) for hold in state.holds):
        found.append(block(Standing.PERSON_HOLD))
    for rule in judge.hours:
        in_force = contact.channel in rule.channels and is_in_force(rule, zones, at)
        if in_force and zones and open_around(rule, zones, at) is None:
            found.append(block(rule.rule))
    found.extend(
        block(cap.rule)
        for cap in judge.caps
        if is_in_force(cap, zones, at) and is_exceeded(cap, contact, zones, contacts, state.callbacks)
    )
    return found
