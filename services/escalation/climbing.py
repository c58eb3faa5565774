"""How a case moves: cleared on cure, down as far as it must, up by one rung, after clearance where somebody is hurt."""

from __future__ import annotations

from dataclasses import replace

from services.escalation.ladder import CLEARANCE_OF, SKIP_OF_BLOCK, EscalationSkip, highest_carried, obstacle
from services.escalation.look import Look
from services.escalation.state import Clearance
from shared.contract.base import Rung
from shared.contract.requests import ClearanceRequested, StageChanged, StageMove
from shared.domain.demand import demand_of
from shared.domain.strategy import LadderRung
from shared.kernel.ids import derive_id
from shared.kernel.zones import DAY_MS

CURED = "ladder.cured"
CLOSED = "ladder.closed"
NO_LONGER_CARRIED = "ladder.no_longer_carried"


def take_over_boarded_rung(look: Look) -> None:
    """Let a loan that moved in stand where it stood; nothing is published, for nothing changed."""
    boarding = look.state.loan.boarding
    if boarding is None or look.state.placed:
        return
    rung = boarding.current_rung if look.state.rung is Rung.NONE else look.state.rung
    look.state = replace(look.state, placed=True, rung=rung, rung_since_ms=look.now)


def move(look: Look) -> None:
    """Move the case at most once: down wins over up."""
    state = look.state
    if look.state.loan.closed is not None:
        _clear(look, CLOSED)
    elif look.case.is_cured:
        _clear(look, CURED)
    else:
        carried = highest_carried(look.ladder, state.rung, look.case)
        if carried is not state.rung:
            _change(look, StageMove.LOWERED, carried, NO_LONGER_CARRIED)
        else:
            _climb(look)
    _forget_used_answer(look)


def next_clearance_at(look: Look) -> int | None:
    """Return when an unanswered or refused clearance may be asked for again."""
    asked = look.state.clearance
    return _patience_ends(look, asked) if asked is not None else None


def _clear(look: Look, rule: str) -> None:
    if look.state.rung is not Rung.NONE:
        _change(look, StageMove.CLEARED, Rung.NONE, rule)


def _climb(look: Look) -> None:
    following = look.ladder.above(look.state.rung)
    if following is None or look.case.view.treatment_days < following.treatment_days:
        return
    subject = following.rung.value
    if look.block is not None:
        look.skip(SKIP_OF_BLOCK[look.block.reason], subject)
        return
    reason = obstacle(following, look.state, look.ladder, look.case)
    if reason is not None:
        look.skip(reason, subject)
    elif following.rung not in CLEARANCE_OF or _is_cleared(look, following):
        _change(look, StageMove.RAISED, following.rung, following.rule)


def _is_cleared(look: Look, following: LadderRung) -> bool:
    """Tell whether the gate has just said yes; ask it where it was not asked, or too long ago."""
    asked = look.state.clearance
    if asked is not None and asked.rung is following.rung:
        if asked.cleared:
            return True
        if look.now < _patience_ends(look, asked):
            pending = asked.cleared is None
            look.skip(
                EscalationSkip.AWAITING_CLEARANCE if pending else EscalationSkip.NOT_CLEARED, following.rung.value
            )
            return False
    _request_clearance(look, following)
    return False


def _request_clearance(look: Look, following: LadderRung) -> None:
    purpose = CLEARANCE_OF[following.rung]
    ordinal = look.state.requests + 1
    clearance_id = derive_id("escalation", look.loan_id, "clearance", purpose.value, ordinal)
    requested = ClearanceRequested(
        borrower_id=look.borrower_id,
        clearance_id=clearance_id,
        loan_id=look.loan_id,
        lender_id=look.terms.lender_id,
        purpose=purpose,
        policy=look.policy.hash,
        caused_by=look.because(_overdue_facts(look)),
    )
    look.emit(look.borrower_id, requested)
    clearance = Clearance(clearance_id, purpose, following.rung, look.now)
    look.state = replace(look.state, clearance=clearance, requests=ordinal)


def _patience_ends(look: Look, asked: Clearance) -> int:
    """A refusal lasts until its rules say it ends, and at least as long as an unanswered question is waited for."""
    ends = asked.asked_ms + look.ladder.clearance_patience_days * DAY_MS
    return max(ends, asked.until_ms or 0) if asked.cleared is False else ends


def _forget_used_answer(look: Look) -> None:
    """An answer is good for the tick that reads it: later it would be the answer to another question."""
    asked = look.state.clearance
    if asked is None:
        return
    if asked.cleared:
        if look.state.rung is not asked.rung:
            look.skip(EscalationSkip.REASON_GONE, asked.rung.value)
        look.state = replace(look.state, clearance=None)
    elif look.case.is_cured or look.state.loan.closed is not None:
        look.state = replace(look.state, clearance=None)


def _change(look: Look, direction: StageMove, rung: Rung, rule: str) -> None:
    state, view = look.state, look.case.view
    answer = (state.clearance.fact_id,) if state.clearance is not None and direction is StageMove.RAISED else ()
    changed = StageChanged(
        borrower_id=look.borrower_id,
        loan_id=look.loan_id,
        lender_id=look.terms.lender_id,
        move=direction,
        rung_before=state.rung,
        rung=rung,
        changed_ms=look.now,
        treatment_days=view.treatment_days,
        days_past_due=view.days_past_due,
        currency=look.terms.currency,
        amount_overdue_minor=view.amount_overdue_minor,
        rule=rule,
        policy=look.policy.hash,
        caused_by=look.because(answer, _overdue_facts(look) if direction is StageMove.RAISED else ()),
    )
    look.emit(look.borrower_id, changed)
    since = look.now if rung is not Rung.NONE else 0
    attempts = tuple(item for item in state.attempts if item.occurred_ms >= since) if since else ()
    look.state = replace(state, rung=rung, rung_since_ms=since, attempts=attempts, calls_on_rung=0)


def _overdue_facts(look: Look) -> tuple[str, ...]:
    return demand_of(look.case.view.rows_overdue).caused_by
