"""Each event in one plain sentence. No event is left without one: the test walks the catalogue."""

from __future__ import annotations

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
from shared.kernel.money import EXPONENTS, format_money
from shared.kernel.zones import to_local


@singledispatch
def phrase(event: Event, zone: str) -> str:
    """Return one sentence without a full stop; instants are told in `zone`."""
    raise NotImplementedError(f"no sentence for {type(event).__name__} (zone {zone})")


def moment(instant_ms: int, zone: str) -> str:
    """Return `2024-03-05 09:00` as read in the zone."""
    return f"{to_local(instant_ms, zone):%Y-%m-%d %H:%M}"


def _bare(amount_minor: int) -> str:
    return f"{amount_minor} minor units"


def _rules(rules: tuple[BlockingRule, ...], zone: str) -> str:
    told = (
        f"{rule.rule_id} ({rule.severity.value}"
        + (f", until {moment(rule.until_ms, zone)})" if rule.until_ms is not None else ")")
        for rule in rules
    )
    return ", ".join(told)


# --- what we were told


@phrase.register
def _(event: LoanOpened, zone: str) -> str:
    people = ", ".join(f"{o.borrower_id} as {o.role.value}" for o in event.terms.obligors)
    return f"loan {event.loan_id} opened by {event.terms.lender_id}: {event.terms.product}, {people}"


@phrase.register
def _(event: LoanBoarded, zone: str) -> str:
    return (
        f"loan {event.loan_id} boarded as of {event.as_of} with {len(event.instalments)} unpaid instalments, "
        f"rung {event.current_rung.value}"
    )


@phrase.register
def _(event: LoanClosed, zone: str) -> str:
    return f"loan {event.loan_id} closed on {event.closed_on}: {event.reason.value}"


@phrase.register
def _(event: InstalmentScheduled, zone: str) -> str:
    return f"instalment {event.instalment_id} of {_bare(event.amounts.total_minor)} falls due on {event.due_date}"


@phrase.register
def _(event: InstalmentChanged, zone: str) -> str:
    return f"instalment {event.instalment_id} changed: {_bare(event.amounts.total_minor)} on {event.due_date}"


@phrase.register
def _(event: InstalmentCancelled, zone: str) -> str:
    return f"instalment {event.instalment_id} cancelled"


@phrase.register
def _(event: ChargeAssessed, zone: str) -> str:
    return f"{event.component.value} of {_bare(event.amount_minor)} added to instalment {event.instalment_id}"


@phrase.register
def _(event: RepaymentReceived, zone: str) -> str:
    amount = format_money(event.amount_minor, event.currency)
    return f"repayment {event.payment_id} of {amount} for {event.loan_id}, value date {event.value_date}"


@phrase.register
def _(event: RepaymentReversed, zone: str) -> str:
    return f"repayment {event.payment_id} did not stand: {event.reason.value} on {event.reversed_on}"


@phrase.register
def _(event: HoldPlaced, zone: str) -> str:
    return f"hold on loan {event.loan_id}: {event.reason.value} {_interval(event.from_ms, event.until_ms, zone)}"


@phrase.register
def _(event: HoldLifted, zone: str) -> str:
    return f"hold {event.hold_id} on loan {event.loan_id} lifted"


@phrase.register
def _(event: PromiseMade, zone: str) -> str:
    return f"promise to pay {format_money(event.amount_minor, event.currency)} by {event.due_on}"


@phrase.register
def _(event: DeadLetterDiscarded, zone: str) -> str:
    return f"dead letter {event.coordinates} discarded: {event.reason}"


@phrase.register
def _(event: BorrowerProfile, zone: str) -> str:
    zones = ", ".join(event.zones) or "no known zone"
    return f"lives in {zones}; {len(event.contact_points)} contact points; rules of {', '.join(event.jurisdictions)}"


@phrase.register
def _(event: BorrowerConsented, zone: str) -> str:
    return f"agreed to {event.channel.value}" + (f" ({event.purpose.value})" if event.purpose else "")


@phrase.register
def _(event: BorrowerOptedOut, zone: str) -> str:
    return f"refused {event.channel.value if event.channel else f'contact point {event.contact_point_id}'}"


@phrase.register
def _(event: BorrowerCeased, zone: str) -> str:
    return f"demanded that {event.lender_id or 'every lender'} stop contact"


@phrase.register
def _(event: BorrowerHoldPlaced, zone: str) -> str:
    return f"hold on the person: {event.reason.value} {_interval(event.from_ms, event.until_ms, zone)}"


@phrase.register
def _(event: BorrowerHoldLifted, zone: str) -> str:
    return f"hold {event.hold_id} on the person lifted"


@phrase.register
def _(event: OutreachOutcome, zone: str) -> str:
    by = "under our permit" if event.permit_id else "without our permit"
    return f"{event.channel.value}: {event.outcome.value} at {moment(event.occurred_ms, zone)}, {by}"


def _interval(from_ms: int, until_ms: int | None, zone: str) -> str:
    end = f"until {moment(until_ms, zone)}" if until_ms is not None else "until lifted"
    return f"from {moment(from_ms, zone)} {end}"


# --- what we asked


@phrase.register
def _(event: ContactRequested, zone: str) -> str:
    amount = format_money(event.amount_due_minor, event.currency)
    channels = " or ".join(channel.value for channel in event.channels)
    return f"asks for {event.contact_class.value} ({event.step}) about {amount} of {event.loan_id} by {channels}"


@phrase.register
def _(event: ContactWithdrawn, zone: str) -> str:
    return f"takes back a wish for contact about {event.loan_id}: {event.reason.value}"


@phrase.register
def _(event: LoanLinked, zone: str) -> str:
    return f"answers for loan {event.loan_id} as {event.role.value}"


@phrase.register
def _(event: LoanUnlinked, zone: str) -> str:
    return f"no longer answers for loan {event.loan_id}"


@phrase.register
def _(event: StageChanged, zone: str) -> str:
    amount = format_money(event.amount_overdue_minor, event.currency)
    return (
        f"case of {event.loan_id} {event.move.value} from {event.rung_before.value} to {event.rung.value}: "
        f"{amount} overdue, {event.treatment_days} treatment days, rule {event.rule}"
    )


@phrase.register
def _(event: ClearanceRequested, zone: str) -> str:
    return f"asks for clearance: {event.purpose.value} of {event.loan_id}" + (f" {event.month}" if event.month else "")


@phrase.register
def _(event: ReportChanged, zone: str) -> str:
    what = f"{event.regime} month {event.month} of {event.loan_id}"
    if event.action is ReportAction.CORRECTED:
        return f"{what} corrected from {event.code_before} to {event.code}: {event.reason}"
    if event.action is ReportAction.HELD:
        return f"{what} held back: {event.reason}"
    return f"{what} {event.action.value} as {event.code}: {event.reason}"


# --- what the gate decided


@phrase.register
def _(event: PermitGranted, zone: str) -> str:
    loans = " + ".join(f"{l.loan_id} {format_money(l.amount_due_minor, l.currency)}" for l in event.loans)
    span = f"{moment(event.valid_from_ms, zone)} to {moment(event.valid_until_ms, zone)}"
    return f"PERMIT {event.channel.value} to {event.contact_point_id} for {loans}, {span}"


@phrase.register
def _(event: PermitDeferred, zone: str) -> str:
    earliest = f" until {moment(event.earliest_ms, zone)}" if event.earliest_ms is not None else ""
    return f"not now{earliest} ({event.contact_class.value}, {event.loan_id}): {_rules(event.rules, zone)}"


@phrase.register
def _(event: PermitRefused, zone: str) -> str:
    return f"refused ({event.contact_class.value}, {event.loan_id}): {_rules(event.rules, zone)}"


@phrase.register
def _(event: PermitWithdrawn, zone: str) -> str:
    return f"permit withdrawn: {event.reason}"


@phrase.register
def _(event: PermitExpired, zone: str) -> str:
    return "permit expired without an outcome; counted as used"


@phrase.register
def _(event: BreachRecorded, zone: str) -> str:
    who = "under our permit" if event.permit_id else "made by others"
    return f"BREACH: {event.channel.value} at {moment(event.occurred_ms, zone)}, {who}: {_rules(event.rules, zone)}"


@phrase.register
def _(event: ContactAnswered, zone: str) -> str:
    return f"the gate's answer about {event.loan_id}: {event.answer.value} ({event.contact_class.value})"


@phrase.register
def _(event: ContactOutcome, zone: str) -> str:
    return f"loan {event.loan_id} learns of {event.channel.value}: {event.outcome.value}"


@phrase.register
def _(event: ClearanceAnswered, zone: str) -> str:
    if event.cleared:
        return f"clearance given: {event.purpose.value} of {event.loan_id}"
    return f"clearance denied: {event.purpose.value} of {event.loan_id}: {_rules(event.rules, zone)}"


@phrase.register
def _(event: PersonHoldForwarded, zone: str) -> str:
    return f"loan {event.loan_id} learns of the hold on {event.borrower_id}: {event.reason.value}"


def money(amount_minor: int, currency: str) -> str:
    """Return an amount as a person reads it; a currency that we do not know is told in minor units."""
    return format_money(amount_minor, currency) if currency in EXPONENTS else _bare(amount_minor)
