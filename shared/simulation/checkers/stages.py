"""A case stands where the ladder's conditions put it: judged again from facts, outcomes and earlier moves. Part of P7.

Someone who is moved up is told why by a rule; that the rule did hold is counted here by hand, day by day.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from shared.contract.base import Rung
from shared.contract.loans import LoanBoarded
from shared.contract.outcomes import Direction, Outcome
from shared.contract.outreach import ContactOutcome
from shared.contract.requests import ContactClass, StageChanged, StageMove
from shared.domain.strategy import Ladder, LadderRung
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.ledger import Ledger, Position, business_day
from shared.simulation.checkers.local_time import local_moment
from shared.simulation.checkers.policies import Policies
from shared.simulation.checkers.verdict import Findings

_TRIED = {Outcome.ATTEMPTED, Outcome.NO_ANSWER, Outcome.CONVERSATION}
_FAILED = {Outcome.BOUNCED, Outcome.WRONG_NUMBER}


def check(chronicle: Chronicle, ledger: Ledger, policies: Policies, findings: Findings) -> None:
    """Judge every move of every case, each after the one before."""
    moves: dict[str, list[Entry[StageChanged]]] = defaultdict(list)
    for entry in chronicle.of(StageChanged):
        moves[entry.data.loan_id].append(entry)
    tried = _tried(chronicle)
    for loan_id, entries in moves.items():
        before: Entry[StageChanged] | None = None
        for entry in sorted(entries, key=lambda one: one.at):
            position = ledger.position(loan_id, entry.at)
            if chronicle.judges(entry.at) and position.judged and position.terms is not None:
                _check_numbers(entry, position, findings)
                ladder = (
                    policies.of(entry.data.policy)
                    .strategy.treatment(position.terms.product, position.terms.segment)
                    .ladder
                )
                if entry.data.move is StageMove.RAISED:
                    _check_rise(entry, position, ladder, findings)
                whole = before is not None or _is_whole(chronicle, ledger, loan_id)
                if entry.data.move is StageMove.RAISED and whole:
                    moved_in_at = _moved_in_at(ledger, loan_id)
                    _check_patience(entry, before, moved_in_at, position, ladder, tried[loan_id], findings)
            before = entry


def _is_whole(chronicle: Chronicle, ledger: Ledger, loan_id: str) -> bool:
    """Whether every move of a loan was read: moves long before what is judged are not."""
    return chronicle.since is None or all(known.at >= chronicle.since for known in ledger.facts(loan_id))


def _moved_in_at(ledger: Ledger, loan_id: str) -> int | None:
    """Return the tick that read of a loan with a history elsewhere; None where it began here."""
    return next((known.at for known in ledger.facts(loan_id) if isinstance(known.entry.data, LoanBoarded)), None)


def _today(position: Position, at: int) -> date:
    assert position.terms is not None
    return business_day(at, position.terms.accounting_zone, position.terms.cutoff)


def _check_numbers(entry: Entry[StageChanged], position: Position, findings: Findings) -> None:
    """Require that days and amount are the ledger's."""
    assert position.terms is not None
    day = _today(position, entry.at)
    since = position.late_since(day)
    days = 0 if since is None else (day - since).days
    treated = 0 if since is None else days - position.paused_days(since, day) - position.terms.grace_days
    amount = sum(amount for _, _, amount in position.overdue(day))
    said = (entry.data.days_past_due, entry.data.treatment_days, entry.data.amount_overdue_minor)
    found = (days, max(0, treated), amount)
    what = f"it names {said} as days past due, treatment days and amount, our ledger {found}"
    findings.require(that=said == found, where=entry.where, what=what)


def _check_rise(entry: Entry[StageChanged], position: Position, ladder: Ladder, findings: Findings) -> None:
    """Require of a rise that age and amount carry it, and that the loan did not have to be left alone."""
    move = entry.data
    rung = ladder.find(move.rung)
    carried = (
        rung is not None
        and rung == ladder.above(move.rung_before)
        and move.rule == rung.rule
        and move.treatment_days >= rung.treatment_days
        and move.amount_overdue_minor >= rung.amount_minor.get(move.currency, move.amount_overdue_minor + 1)
    )
    findings.require(that=carried, where=entry.where, what=f"nothing carries {move.rung} after {move.rung_before}")
    left_alone = (
        position.closed is not None
        or position.held(entry.at)
        or position.in_doubt(entry.at)
        or position.promised(_today(position, entry.at))
    )
    findings.require(that=not left_alone, where=entry.where, what="the loan was to be left alone")


def _check_patience(
    entry: Entry[StageChanged],
    before: Entry[StageChanged] | None,
    moved_in_at: int | None,
    position: Position,
    ladder: Ladder,
    tried: list[tuple[int, ContactOutcome]],
    findings: Findings,
) -> None:
    """Require that a rise waited for its days on the rung below, and for attempts really made there.

    Who moved in on a rung stands there from the tick that reads of it; days and attempts before count for nothing.
    """
    assert position.terms is not None
    move, rung = entry.data, ladder.find(entry.data.rung)
    boarded = Rung.NONE if position.boarded is None else position.boarded.current_rung
    stood = boarded if before is None else before.data.rung
    what = f"it is said to have stood on {move.rung_before}, it stood on {stood}"
    findings.require(that=move.rung_before is stood, where=entry.where, what=what)
    since = moved_in_at if before is None else before.at
    if rung is None or since is None:
        return
    zone = position.terms.accounting_zone
    dwelt = local_moment(entry.at, zone).day - local_moment(since, zone).day
    enough = move.rung_before is Rung.NONE or dwelt >= rung.dwell_days
    findings.require(that=enough, where=entry.where, what=f"it dwelt {dwelt} days on {move.rung_before}")
    made = _attempts(tried, ladder.find(move.rung_before), since, entry.at)
    what = f"{made} attempts were made on {move.rung_before}, {rung.attempts} are needed"
    findings.require(that=made >= rung.attempts, where=entry.where, what=what)


def _attempts(tried: list[tuple[int, ContactOutcome]], rung: LadderRung | None, since: int, at: int) -> int:
    """Return how many contacts of the rung's own kind were known as made, and not as failed."""
    kind = ContactClass.HUMAN_CALL if rung is not None and rung.calls is not None else ContactClass.OVERDUE
    told: dict[str, set[Outcome]] = defaultdict(set)
    for known, outcome in tried:
        if known <= at and outcome.contact_class is kind and outcome.occurred_ms >= since:
            told[outcome.permit_id or outcome.outcome_id].add(outcome.outcome)
    return sum(bool(outcomes & _TRIED) and not outcomes & _FAILED for outcomes in told.values())


def _tried(chronicle: Chronicle) -> dict[str, list[tuple[int, ContactOutcome]]]:
    """Return, by loan, what escalation heard of contacts, with the tick at which it did."""
    found: dict[str, list[tuple[int, ContactOutcome]]] = defaultdict(list)
    for entry in chronicle.of(ContactOutcome):
        known = chronicle.known_at(entry.record)
        if known is not None and entry.data.direction is Direction.OUTBOUND:
            found[entry.data.loan_id].append((known, entry.data))
    return found
