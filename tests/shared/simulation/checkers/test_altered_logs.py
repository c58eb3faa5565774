"""A log in which one kind of word is altered afterwards: its checker finds it, and says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from shared.contract.base import Event, Rung
from shared.contract.codec import Envelope, encode
from shared.contract.loans import LoanBoarded, LoanOpened
from shared.contract.outreach import ClearanceAnswered, ContactOutcome, PermitGranted
from shared.contract.recorded import Recorded
from shared.contract.requests import (
    ClearancePurpose,
    ContactClass,
    ContactRequested,
    ContactWithdrawn,
    ReportChanged,
    StageChanged,
    StageMove,
    WithdrawalReason,
)
from shared.contract.ticks import BORROWER_CLOCK, OutreachMode, Switch, Tick
from shared.kernel.zones import DAY_MS
from shared.simulation.checkers import (
    Chronicle,
    Policies,
    p4_quiet,
    p5_pay_to_silence,
    p6_fair_record,
    p7_explained,
)
from tests.shared.simulation.stage import policy, whole_story

Alter = Callable[[str, Event], Event | None]
POLICIES = Policies({policy().hash: policy()})
JUDGES = {
    "P4": lambda chronicle: p4_quiet.check(chronicle, POLICIES),
    "P5": lambda chronicle: p5_pay_to_silence.check(chronicle, POLICIES.calendars),
    "P6": lambda chronicle: p6_fair_record.check(chronicle, POLICIES),
    "P7": lambda chronicle: p7_explained.check(chronicle, POLICIES),
}


def _altered(alter: Alter) -> Iterator[Recorded]:
    for record in whole_story().world.log:
        read = record.decode()
        if not isinstance(read, Envelope):
            yield record
            continue
        data = alter(record.topic, read.data)
        if data is read.data:
            yield record
        elif data is not None:
            yield replace(record, value=encode(replace(read, data=data)))


def _all_stopped(topic: str, event: Event) -> Event:
    stopped = (Switch(mode=OutreachMode.STOPPED),)
    is_gates = isinstance(event, Tick) and topic == BORROWER_CLOCK
    return event.model_copy(update={"switches": stopped}) if is_gates else event


def _all_silent(topic: str, event: Event) -> Event:
    silent = ("reminder/0", "reminder/1")
    is_gates = isinstance(event, Tick) and topic == BORROWER_CLOCK
    return event.model_copy(update={"silent": silent}) if is_gates else event


def _elsewhere(_: str, event: Event) -> Event:
    return event.model_copy(update={"contact_point_id": "nobody"}) if isinstance(event, PermitGranted) else event


def _longer(_: str, event: Event) -> Event:
    if not isinstance(event, PermitGranted):
        return event
    return event.model_copy(update={"valid_until_ms": event.valid_until_ms + 20 * DAY_MS})


def _good(_: str, event: Event) -> Event:
    late = isinstance(event, ReportChanged) and event.adverse
    return event.model_copy(update={"code": "N", "adverse": False}) if late else event


def _in_grace(_: str, event: Event) -> Event:
    if not isinstance(event, LoanOpened | LoanBoarded):
        return event
    return event.model_copy(update={"terms": event.terms.model_copy(update={"grace_days": 40})})


def _a_month_later(_: str, event: Event) -> Event:
    march = isinstance(event, ReportChanged) and event.month == "2024-03"
    return event.model_copy(update={"month": "2024-04"}) if march else event


def _for_something_else(_: str, event: Event) -> Event:
    other = {"purpose": ClearancePurpose.RESTRICTION}
    return event.model_copy(update=other) if isinstance(event, ClearanceAnswered) else event


def _a_day_more(_: str, event: Event) -> Event:
    if not isinstance(event, ContactRequested):
        return event
    return event.model_copy(update={"days_past_due": event.days_past_due + 1})


def _a_unit_less(_: str, event: Event) -> Event:
    if not isinstance(event, ContactRequested):
        return event
    return event.model_copy(update={"amount_due_minor": event.amount_due_minor - 1})


def _of_another_lender(_: str, event: Event) -> Event:
    return event.model_copy(update={"lender_id": "another"}) if isinstance(event, PermitGranted) else event


def _for_a_promise(_: str, event: Event) -> Event:
    paid = isinstance(event, ContactWithdrawn) and event.reason is WithdrawalReason.PAID
    return event.model_copy(update={"reason": WithdrawalReason.PROMISE}) if paid else event


def _more_overdue(_: str, event: Event) -> Event:
    if not isinstance(event, StageChanged):
        return event
    return event.model_copy(update={"amount_overdue_minor": event.amount_overdue_minor + 1})


def _from_below(_: str, event: Event) -> Event:
    raised = isinstance(event, StageChanged) and event.move is StageMove.RAISED and event.rung is Rung.HUMAN_CALL
    return event.model_copy(update={"rung_before": Rung.NONE}) if raised else event


def _as_if_it_were_late(_: str, event: Event) -> Event:
    due = isinstance(event, ContactRequested) and event.contact_class is ContactClass.DUE
    return event.model_copy(update={"contact_class": ContactClass.OVERDUE}) if due else event


def _as_if_money_had_come_back(_: str, event: Event) -> Event:
    due = isinstance(event, ContactRequested) and event.contact_class is ContactClass.DUE
    return event.model_copy(update={"contact_class": ContactClass.RETURNED_PAYMENT}) if due else event


def _nobody_tried(_: str, event: Event) -> Event | None:
    return None if isinstance(event, ContactOutcome) else event


ALTERED: dict[str, tuple[str, Alter]] = {
    "an operator had stopped outreach": ("P4", _all_stopped),
    "no contact point of the person's": ("P4", _elsewhere),
    "was silent at that tick": ("P5", _all_silent),
    "it lasts longer than the request": ("P5", _longer),
    "N: by our ledger it was": ("P6", _good),
    "days of grace": ("P6", _in_grace),
    "month 2024-03 was never told": ("P6", _a_month_later),
    "there is no clearance": ("P6", _for_something_else),
    "days past due, by our ledger": ("P7", _a_day_more),
    "it demands": ("P7", _a_unit_less),
    "it does not say what request": ("P7", _of_another_lender),
    "its reason, promise, was not so": ("P7", _for_a_promise),
    "days past due, treatment days and amount": ("P7", _more_overdue),
    "it is said to have stood on": ("P7", _from_below),
    "attempts were made on": ("P7", _nobody_tried),
    "after the message before, the strategy wants 2": ("P7", _as_if_it_were_late),
    "after the message before, the strategy wants 3": ("P7", _as_if_money_had_come_back),
}


@pytest.mark.parametrize("said", ALTERED)
def test_what_is_altered_is_found(said: str) -> None:
    """The promise is broken by the altered word, for the reason that the checker names."""
    promise, alter = ALTERED[said]
    verdict = JUDGES[promise](Chronicle(_altered(alter)))
    assert any(said in violation.what for violation in verdict.violations)


@pytest.mark.parametrize("promise", JUDGES)
def test_what_is_not_altered_is_whole(promise: str) -> None:
    """The same log as it is breaks nothing, or what is found in the altered one would show nothing."""
    assert JUDGES[promise](Chronicle(_altered(lambda _, event: event))).kept
