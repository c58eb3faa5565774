"""Each event in one plain sentence. No event is left without one: the test walks the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch

from shared.contract.arrangements import DeadLetterDiscarded, HoldLifted, HoldPlaced, PromiseMade
from shared.contract.base import Event
from shared.contract.loans import (
    ChargeAssessed,
    InstalmentCancelled,
    InstalmentChanged,
    InstalmentScheduled,
    LoanBoarded,
    LoanClosed,
    LoanOpened,
)
from shared.contract.outcomes import OutreachOutcome
from shared.contract.outreach import (
    BlockingRule,
    BreachRecorded,
    ClearanceAnswered,
    ContactAnswered,
    ContactOutcome,
    PermitDeferred,
    PermitExpired,
    PermitGranted,
    PermitRefused,
    PermitWithdrawn,
    PersonHoldForwarded,
)
from shared.contract.people import (
    BorrowerCeased,
    BorrowerConsented,
    BorrowerHoldLifted,
    BorrowerHoldPlaced,
    BorrowerOptedOut,
    BorrowerProfile,
)
from shared.contract.repayments import RepaymentReceived, RepaymentReversed
from shared.contract.requests import (
    ClearanceRequested,
    ContactRequested,
    ContactWithdrawn,
    LoanLinked,
    LoanUnlinked,
    ReportAction,
    ReportChanged,
    StageChanged,
)
from shared.kernel.money import format_money
from shared.kernel.zones import to_local


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom the sentences are: in which zone instants are told, and the currency of each loan by its id."""

    zone: str
    currencies: Mapping[str, str]

    def moment(self, instant_ms: int) -> str:
        """Return e.g. `2024-03-05 09:00`."""
        return f"{to_local(instant_ms, self.zone):%Y-%m-%d %H:%M}"

    def money(self, amount_minor: int, loan_id: str) -> str:
        """Return an amount in the loan's currency; where that is unknown, in minor units."""
        currency = self.currencies.get(loan_id)
        return f"{amount_minor} minor units" if currency is None else format_money(amount_minor, currency)


@singledispatch
def phrase(event: Event, reader: Reader) -> str:
    """Return one sentence without a full stop."""
    raise NotImplementedError(f"no sentence for {type(event).__name__}, read in {reader.zone}")


def _rules(rules: tuple[BlockingRule, ...], reader: Reader) -> str:
    told = (
        f"{rule.rule_id} ({rule.severity.value}"
        + (f", until {reader.moment(rule.until_ms)})" if rule.until_ms is not None else ")")
        for rule in rules
    )
    return ", ".join(told)


# --- what we were told


@phrase.register
def _(event: LoanOpened, reader: Reader) -> str:
    people = ", ".join(f"{o.borrower_id} as {o.role.value}" for o in event.terms.obligors)
    return f"loan {event.loan_id} opened by {event.terms.lender_id}: {event.terms.product}, {people}"


@phrase.register
def _(event: LoanBoarded, reader: Reader) -> str:
    return (
        f"loan {event.loan_id} boarded as of {event.as_of} with {len(event.instalments)} unpaid instalments, "
        f"rung {event.current_rung.value}"
    )


@phrase.register
def _(event: LoanClosed, reader: Reader) -> str:
    return f"loan {event.loan_id} closed on {event.closed_on}: {event.reason.value}"


@phrase.register
def _(event: InstalmentScheduled, reader: Reader) -> str:
    amount = reader.money(event.amounts.total_minor, event.loan_id)
    return f"instalment {event.instalment_id} of {amount} falls due on {event.due_date}"


@phrase.register
def _(event: InstalmentChanged, reader: Reader) -> str:
    amount = reader.money(event.amounts.total_minor, event.loan_id)
    return f"instalment {event.instalment_id} changed: {amount} on {event.due_date}"


@phrase.register
def _(event: InstalmentCancelled, reader: Reader) -> str:
    return f"instalment {event.instalment_id} cancelled"


@phrase.register
def _(event: ChargeAssessed, reader: Reader) -> str:
    amount = reader.money(event.amount_minor, event.loan_id)
    return f"{event.component.value} of {amount} added to instalment {event.instalment_id}"


@phrase.register
def _(event: RepaymentReceived, reader: Reader) -> str:
    amount = format_money(event.amount_minor, event.currency)
    return f"repayment {event.payment_id} of {amount} for {event.loan_id}, value date {event.value_date}"


@phrase.register
def _(event: RepaymentReversed, reader: Reader) -> str:
    return f"repayment {event.payment_id} did not stand: {event.reason.value} on {event.reversed_on}"


@phrase.register
def _(event: HoldPlaced, reader: Reader) -> str:
    return f"hold on loan {event.loan_id}: {event.reason.value} {_interval(event.from_ms, event.until_ms, reader)}"


@phrase.register
def _(event: HoldLifted, reader: Reader) -> str:
    return f"hold {event.hold_id} on loan {event.loan_id} lifted"


@phrase.register
def _(event: PromiseMade, reader: Reader) -> str:
    return f"promise to pay {format_money(event.amount_minor, event.currency)} by {event.due_on}"


@phrase.register
def _(event: DeadLetterDiscarded, reader: Reader) -> str:
    return f"dead letter {event.coordinates} discarded: {event.reason}"


@phrase.register
def _(event: BorrowerProfile, reader: Reader) -> str:
    zones = ", ".join(event.zones) or "no known zone"
    return f"lives in {zones}; {len(event.contact_points)} contact points; rules of {', '.join(event.jurisdictions)}"


@phrase.register
def _(event: BorrowerConsented, reader: Reader) -> str:
    return f"agreed to {event.channel.value}" + (f" ({event.purpose.value})" if event.purpose else "")


@phrase.register
def _(event: BorrowerOptedOut, reader: Reader) -> str:
    return f"refused {event.channel.value if event.channel else f'contact point {event.contact_point_id}'}"


@phrase.register
def _(event: BorrowerCeased, reader: Reader) -> str:
    return f"demanded that {event.lender_id or 'every lender'} stop contact"


@phrase.register
def _(event: BorrowerHoldPlaced, reader: Reader) -> str:
    return f"hold on the person: {event.reason.value} {_interval(event.from_ms, event.until_ms, reader)}"


@phrase.register
def _(event: BorrowerHoldLifted, reader: Reader) -> str:
    return f"hold {event.hold_id} on the person lifted"


@phrase.register
def _(event: OutreachOutcome, reader: Reader) -> str:
    by = "under our permit" if event.permit_id else "without our permit"
    return f"{event.channel.value}: {event.outcome.value} at {reader.moment(event.occurred_ms)}, {by}"


def _interval(from_ms: int, until_ms: int | None, reader: Reader) -> str:
    end = f"until {reader.moment(until_ms)}" if until_ms is not None else "until lifted"
    return f"from {reader.moment(from_ms)} {end}"


# --- what we asked


@phrase.register
def _(event: ContactRequested, reader: Reader) -> str:
    amount = format_money(event.amount_due_minor, event.currency)
    channels = " or ".join(channel.value for channel in event.channels)
    return f"asks for {event.contact_class.value} ({event.step}) about {amount} of {event.loan_id} by {channels}"


@phrase.register
def _(event: ContactWithdrawn, reader: Reader) -> str:
    return f"takes back a wish for contact about {event.loan_id}: {event.reason.value}"


@phrase.register
def _(event: LoanLinked, reader: Reader) -> str:
    return f"answers for loan {event.loan_id} as {event.role.value}"


@phrase.register
def _(event: LoanUnlinked, reader: Reader) -> str:
    return f"no longer answers for loan {event.loan_id}"


@phrase.register
def _(event: StageChanged, reader: Reader) -> str:
    amount = format_money(event.amount_overdue_minor, event.currency)
    return (
        f"case of {event.loan_id} {event.move.value} from {event.rung_before.value} to {event.rung.value}: "
        f"{amount} overdue, {event.treatment_days} treatment days, rule {event.rule}"
    )


@phrase.register
def _(event: ClearanceRequested, reader: Reader) -> str:
    return f"asks for clearance: {event.purpose.value} of {event.loan_id}" + (f" {event.month}" if event.month else "")


@phrase.register
def _(event: ReportChanged, reader: Reader) -> str:
    what = f"{event.regime} month {event.month} of {event.loan_id}"
    if event.action is ReportAction.CORRECTED:
        return f"{what} corrected from {event.code_before} to {event.code}: {event.reason}"
    if event.action is ReportAction.HELD:
        return f"{what} held back: {event.reason}"
    return f"{what} {event.action.value} as {event.code}: {event.reason}"


# --- what the gate decided


@phrase.register
def _(event: PermitGranted, reader: Reader) -> str:
    loans = " + ".join(f"{loan.loan_id} {format_money(loan.amount_due_minor, loan.currency)}" for loan in event.loans)
    span = f"{reader.moment(event.valid_from_ms)} to {reader.moment(event.valid_until_ms)}"
    return f"PERMIT {event.channel.value} to {event.contact_point_id} for {loans}, {span}"


@phrase.register
def _(event: PermitDeferred, reader: Reader) -> str:
    earliest = f" until {reader.moment(event.earliest_ms)}" if event.earliest_ms is not None else ""
    return f"not now{earliest} ({event.contact_class.value}, {event.loan_id}): {_rules(event.rules, reader)}"


@phrase.register
def _(event: PermitRefused, reader: Reader) -> str:
    return f"refused ({event.contact_class.value}, {event.loan_id}): {_rules(event.rules, reader)}"


@phrase.register
def _(event: PermitWithdrawn, reader: Reader) -> str:
    return f"permit withdrawn: {event.reason}"


@phrase.register
def _(event: PermitExpired, reader: Reader) -> str:
    return "permit expired without an outcome; counted as used"


@phrase.register
def _(event: BreachRecorded, reader: Reader) -> str:
    who = "under our permit" if event.permit_id else "made by others"
    return f"BREACH: {event.channel.value} at {reader.moment(event.occurred_ms)}, {who}: {_rules(event.rules, reader)}"


@phrase.register
def _(event: ContactAnswered, reader: Reader) -> str:
    return f"the gate's answer about {event.loan_id}: {event.answer.value} ({event.contact_class.value})"


@phrase.register
def _(event: ContactOutcome, reader: Reader) -> str:
    return f"loan {event.loan_id} learns of {event.channel.value}: {event.outcome.value}"


@phrase.register
def _(event: ClearanceAnswered, reader: Reader) -> str:
    if event.cleared:
        return f"clearance given: {event.purpose.value} of {event.loan_id}"
    return f"clearance denied: {event.purpose.value} of {event.loan_id}: {_rules(event.rules, reader)}"


@phrase.register
def _(event: PersonHoldForwarded, reader: Reader) -> str:
    return f"loan {event.loan_id} learns of the hold on {event.borrower_id}: {event.reason.value}"
