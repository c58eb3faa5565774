"""P7 explained: each decision names its reason, the rules by id, the policy in force, and causes that exist.

A rule that is said to block must do so: hours and caps on a person are looked at again by brute force. What is
demanded must be owed to the last unit, a move on the ladder must rest on days, amounts and attempts that are true.
"""

from __future__ import annotations

from typing import Final

from shared.contract.base import Event
from shared.contract.outreach import (
    BreachRecorded,
    PermitDeferred,
    PermitGranted,
    PermitRefused,
    PermitWithdrawn,
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
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK
from shared.contract.topics import RATE_LIMITER
from shared.domain.packs import Cap, Hours, Packs, Per, Unit
from shared.kernel.zones import MINUTE_MS
from shared.simulation.checkers import demands, stages
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.counting import counts
from shared.simulation.checkers.ledger import Ledger
from shared.simulation.checkers.local_time import local_moment
from shared.simulation.checkers.p4_quiet import is_allowed
from shared.simulation.checkers.person import Knowledge, Society, days_between, rules_for
from shared.simulation.checkers.policies import Policies
from shared.simulation.checkers.spool_rows import author
from shared.simulation.checkers.verdict import Findings, Verdict

DECISIONS: Final[tuple[type[Event], ...]] = (
    ContactRequested,
    ContactWithdrawn,
    ClearanceRequested,
    StageChanged,
    ReportChanged,
    LoanLinked,
    LoanUnlinked,
    PermitGranted,
    PermitDeferred,
    PermitRefused,
    PermitWithdrawn,
    BreachRecorded,
)
_WITHOUT_CAUSE: Final = (PermitDeferred, PermitRefused)
"""Time alone can be why these are decided anew; the request that they name is their cause then."""
_LEAST_PERMIT_MINUTES: Final = 5
"""A permit that could be used for less is not granted (gateway guide): hours that end so soon block."""


def check(chronicle: Chronicle, policies: Policies) -> Verdict:
    """Look at every decision of every service."""
    findings = Findings("P7", "explained")
    society = Society(chronicle)
    requests = {entry.data.request_id for entry in chronicle.of(ContactRequested)}
    for entry in chronicle.of_each(*DECISIONS):
        if not chronicle.judges(entry.at):
            continue
        _check_policy(chronicle, entry, findings)
        _check_causes(chronicle, entry, findings)
        _check_reason(entry, policies.rule_ids, findings)
        if isinstance(entry.data, PermitDeferred):
            _check_blocks(entry, entry.data, society, policies.of(entry.data.policy).packs, findings)
        request_id = getattr(entry.data, "request_id", None)
        if request_id is not None and request_id not in requests and chronicle.since is not None:
            findings.left_out()
        elif request_id is not None and not isinstance(entry.data, ContactRequested):
            what = f"request {request_id} was never made"
            findings.require(that=request_id in requests, where=entry.where, what=what)
    ledger = Ledger(chronicle, policies.calendars)
    demands.check(chronicle, ledger, policies, findings)
    stages.check(chronicle, ledger, policies, findings)
    return findings.verdict()


def _check_policy(chronicle: Chronicle, entry: Entry[Event], findings: Findings) -> None:
    writer, named = author(entry.source), getattr(entry.data, "policy", None)
    if writer is None:
        findings.violated(entry.where, f"none of our services decided it: its source is {entry.source}")
    if writer is None or named is None:
        return
    service, partition = writer
    clock = BORROWER_CLOCK if service == RATE_LIMITER else LOAN_CLOCK
    tick = chronicle.tick_of(clock, partition, entry.at)
    what = "it was decided at an instant that is no tick" if tick is None else f"policy {named} was not in force"
    findings.require(that=tick is not None and tick.policy == named, where=entry.where, what=what)


def _check_causes(chronicle: Chronicle, entry: Entry[Event], findings: Findings) -> None:
    causes: tuple[str, ...] = getattr(entry.data, "caused_by", ())
    where = entry.where
    if not isinstance(entry.data, _WITHOUT_CAUSE):
        findings.require(that=bool(causes), where=where, what="no cause is named")
    for cause in causes:
        found = chronicle.by_id.get(cause)
        if not found and chronicle.since is not None:
            findings.left_out()
            continue
        known = chronicle.known_since(found or ())
        what = f"cause {cause} was not known yet" if found else f"cause {cause} is not in the log"
        findings.require(that=known is not None and known <= entry.at, where=where, what=what)


def _check_reason(entry: Entry[Event], known_rules: frozenset[str], findings: Findings) -> None:
    data, where = entry.data, entry.where
    match data:
        case PermitGranted():
            rules = data.rules
        case PermitDeferred() | PermitRefused() | BreachRecorded():
            rules = tuple(rule.rule_id for rule in data.rules)
        case StageChanged():
            findings.require(that=bool(data.rule), where=where, what="no rule of the strategy is named")
            return
        case ContactRequested():
            findings.require(that=bool(data.step), where=where, what="no step is named")
            return
        case _:
            return
    strange = [rule for rule in rules if rule not in known_rules]
    what = f"rules {', '.join(strange)} are not of the policy" if strange else "no rule is named"
    findings.require(that=bool(rules) and not strange, where=where, what=what)


def _check_blocks(
    entry: Entry[Event], deferred: PermitDeferred, society: Society, packs: Packs, findings: Findings
) -> None:
    """Require of each rule of hours, and of each plain cap on the person, that it does stand against a contact."""
    knowledge = society.known(deferred.borrower_id, entry.at)
    hours, caps = rules_for(packs, knowledge.profile)
    named = {rule.rule_id for rule in deferred.rules}
    what = "it names a rule that did not block"
    for rule in hours:
        if rule.rule.id in named:
            blocks = _hours_block(rule, knowledge, entry.at)
            findings.require(that=blocks, where=entry.where, what=f"{what}: {rule.rule.id}")
    for cap in caps:
        if cap.rule.id in named:
            concerns = deferred.contact_class not in cap.exempt_classes
            text = f"{what}: {cap.rule.id} does not concern a {deferred.contact_class}"
            findings.require(that=concerns, where=entry.where, what=text)
        plain = cap.per is Per.PERSON and cap.unit is Unit.ATTEMPT and not cap.callback_exempt
        if plain and cap.rule.id in named:
            blocks = _cap_blocks(cap, knowledge, society, deferred.borrower_id, entry.at)
            findings.require(that=blocks, where=entry.where, what=f"{what}: {cap.rule.id}")


def _hours_block(rule: Hours, knowledge: Knowledge, at: int) -> bool:
    instants = [at + minute * MINUTE_MS for minute in range(_LEAST_PERMIT_MINUTES)]
    instants.append(at + _LEAST_PERMIT_MINUTES * MINUTE_MS - 1)
    return any(not is_allowed(rule, instant, zone) for zone in knowledge.zones() for instant in instants)


def _cap_blocks(cap: Cap, knowledge: Knowledge, society: Society, borrower_id: str, at: int) -> bool:
    """Whether so many contacts, granted until then, reach into the days that a window ending today has."""
    counted = [contact for contact in society.contacts(knowledge, borrower_id) if counts(cap, contact, knowledge)]
    for zone in knowledge.zones():
        first = local_moment(at, zone).day - cap.days + 1
        if sum(days_between(*contact.instants(), zone).stop > first for contact in counted) >= cap.limit:
            return True
    return False
