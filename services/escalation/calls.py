"""The calls of a rung: asked for on schedule, taken back when the reason goes, asked anew when the amount changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final

from services.escalation.ladder import SKIP_OF_BLOCK, EscalationSkip
from services.escalation.look import Look
from services.escalation.state import Call
from shared.contract.requests import ContactClass, ContactWithdrawn, WithdrawalReason
from shared.domain.demand import Wish, causes, contact_request, demand_of, objection
from shared.domain.strategy import CallSchedule
from shared.kernel.ids import derive_id
from shared.kernel.zones import at_local, start_of_day

_REVISIONS_MAX: Final = 5
"""How often one call is asked for anew because what would have been said became wrong."""
_FOR_GOOD: Final = frozenset({WithdrawalReason.PAID, WithdrawalReason.LOAN_CLOSED, WithdrawalReason.RUNG_LEFT})


def review_call(look: Look) -> None:
    """Drop a call that is over, take back one that no longer stands."""
    call = look.state.call
    if call is not None and (call.answered or look.now >= call.not_after_ms):
        look.state = replace(look.state, call=None)
    elif call is not None:
        reason, because = _objection(look, call)
        if reason is not None:
            _withdraw(look, call, reason, because)
    again = look.state.call_withdrawn
    if again is not None and (look.now >= again.not_after_ms or schedule_of(look) is None):
        look.state = replace(look.state, call_withdrawn=None)


def ask_for_call(look: Look) -> None:
    """Ask for the call that the rung's schedule wants now, or for the one that was taken back."""
    calls = schedule_of(look)
    if calls is None or look.state.call is not None:
        return
    again = look.state.call_withdrawn
    due_on = _next_call_on(look, calls)
    if again is None and look.now < at_local(due_on, calls.time_of_day, look.terms.accounting_zone):
        return
    subject = f"{look.state.rung.value}/call"
    demand = demand_of(look.case.view.rows_overdue)
    if look.block is not None:
        look.skip(SKIP_OF_BLOCK[look.block.reason], subject)
    elif again is None and look.state.calls_on_rung >= calls.calls_max:
        look.skip(EscalationSkip.CALLS_EXHAUSTED, subject)
    elif again is not None and look.state.call_revisions >= _REVISIONS_MAX:
        look.skip(EscalationSkip.REVISED_TOO_OFTEN, subject)
    elif demand.amount_minor > look.terms.tolerance_minor:
        _ask(look, calls, again)


def next_call_at(look: Look) -> int | None:
    """Return when a call must be looked at again: asked for, or over."""
    if look.state.call is not None:
        return look.state.call.not_after_ms
    calls = schedule_of(look)
    if calls is None or look.block is not None:
        return None
    instant = at_local(_next_call_on(look, calls), calls.time_of_day, look.terms.accounting_zone)
    return instant if instant > look.now else None


def schedule_of(look: Look) -> CallSchedule | None:
    """Return the schedule of the rung on which the case stands; None where nobody is called."""
    rung = look.ladder.find(look.state.rung)
    return rung.calls if rung is not None and look.state.loan.closed is None else None


def _next_call_on(look: Look, calls: CallSchedule) -> date:
    last = look.state.last_call_on
    return look.today if last is None else last + timedelta(days=calls.every_days)


def _objection(look: Look, call: Call) -> tuple[WithdrawalReason | None, Sequence[str]]:
    if look.block is not None:
        return look.block.reason, look.block.caused_by
    if call.borrower_id != look.borrower_id:
        return WithdrawalReason.SUPERSEDED, (look.terms.fact_id,)
    wrong = objection(call.instalments, call.amounts, look.case.view.rows, look.terms.tolerance_minor)
    if wrong is None and call.rung is not look.state.rung:
        return WithdrawalReason.RUNG_LEFT, ()
    return wrong, ()


def _withdraw(look: Look, call: Call, reason: WithdrawalReason, because: Sequence[str]) -> None:
    withdrawn = ContactWithdrawn(
        borrower_id=call.borrower_id,
        request_id=call.request_id,
        loan_id=look.loan_id,
        reason=reason,
        caused_by=causes(because, look.state.touched) or call.caused_by,
    )
    look.emit(call.borrower_id, withdrawn)
    again = None if reason in _FOR_GOOD else call
    look.state = replace(look.state, call=None, call_withdrawn=again)


def _ask(look: Look, calls: CallSchedule, again: Call | None) -> None:
    zone = look.terms.accounting_zone
    ordinal = look.state.requests + 1
    until = start_of_day(look.today + timedelta(days=calls.every_days), zone)
    wish = Wish(
        request_id=derive_id("escalation", look.loan_id, "call", look.state.rung.value, ordinal),
        borrower_id=look.borrower_id,
        contact_class=ContactClass.HUMAN_CALL,
        step=f"{look.state.rung.value}/{look.state.calls_on_rung + (1 if again is None else 0)}",
        channels=calls.channels,
        template=calls.template,
        consequences=calls.consequences,
        local_date=look.today,
        not_before_ms=look.now,
        not_after_ms=until if again is None else again.not_after_ms,
        replaces=again.request_id if again is not None else None,
    )
    demand = demand_of(look.case.view.rows_overdue)
    look.emit(wish.borrower_id, contact_request(look.loan_id, look.terms, wish, demand, look.policy.hash))
    call = Call(
        request_id=wish.request_id,
        borrower_id=wish.borrower_id,
        rung=look.state.rung,
        instalments=demand.instalments,
        amounts=demand.amounts,
        not_after_ms=wish.not_after_ms,
        answered=False,
        caused_by=demand.caused_by,
    )
    look.state = replace(look.state, call=call, call_withdrawn=None, requests=ordinal)
    if again is None:
        made = look.state.calls_on_rung + 1
        look.state = replace(look.state, calls_on_rung=made, call_revisions=0, last_call_on=look.today)
    else:
        look.state = replace(look.state, call_revisions=look.state.call_revisions + 1)
