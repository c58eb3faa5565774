"""P7 explained: each decision names its reason, the rules by id, the policy in force, and causes that exist."""

from __future__ import annotations

from collections.abc import Iterable
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
from shared.simulation.checkers.chronicle import Chronicle, Entry
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


def check(chronicle: Chronicle, rule_ids: Iterable[str]) -> Verdict:
    """Look at every decision of every service."""
    findings = Findings("P7", "explained")
    known_rules = frozenset(rule_ids)
    requests = {entry.data.request_id for entry in chronicle.of(ContactRequested)}
    for entry in chronicle.of_each(*DECISIONS):
        if not chronicle.judges(entry.at):
            continue
        _check_policy(chronicle, entry, findings)
        _check_causes(chronicle, entry, findings)
        _check_reason(entry, known_rules, findings)
        request_id = getattr(entry.data, "request_id", None)
        if request_id is not None and request_id not in requests and chronicle.since is not None:
            findings.left_out()
        elif request_id is not None and not isinstance(entry.data, ContactRequested):
            what = f"request {request_id} was never made"
            findings.require(that=request_id in requests, where=entry.record.coordinates, what=what)
    return findings.verdict()


def _check_policy(chronicle: Chronicle, entry: Entry[Event], findings: Findings) -> None:
    named = getattr(entry.data, "policy", None)
    if named is None:
        return
    _, _, service, partition = entry.source.split("/")
    clock = BORROWER_CLOCK if service == RATE_LIMITER else LOAN_CLOCK
    tick = chronicle.tick_of(clock, int(partition), entry.at)
    what = "it was decided at an instant that is no tick" if tick is None else f"policy {named} was not in force"
    findings.require(that=tick is not None and tick.policy == named, where=entry.record.coordinates, what=what)


def _check_causes(chronicle: Chronicle, entry: Entry[Event], findings: Findings) -> None:
    causes: tuple[str, ...] = getattr(entry.data, "caused_by", ())
    where = entry.record.coordinates
    if not isinstance(entry.data, _WITHOUT_CAUSE):
        findings.require(that=bool(causes), where=where, what="no cause is named")
    for cause in causes:
        found = chronicle.by_id.get(cause)
        if found is None and chronicle.since is not None:
            findings.left_out()
            continue
        known = None if found is None else chronicle.known_at(found.record)
        what = f"cause {cause} is not in the log" if found is None else f"cause {cause} was not known yet"
        findings.require(that=known is not None and known <= entry.at, where=where, what=what)


def _check_reason(entry: Entry[Event], known_rules: frozenset[str], findings: Findings) -> None:
    data, where = entry.data, entry.record.coordinates
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
