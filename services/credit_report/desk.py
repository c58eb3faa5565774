"""The desk of one wake: what is known, what has been decided so far, and the events that say so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from services.credit_report.books import Books, Picture
from services.credit_report.reasons import CreditSkip, Shut, Told
from services.credit_report.state import NOTICES_MAX, Case, Clearance, CreditState, Month, Notice, Proof
from shared.contract.requests import (
    CREDIT_REPORTS,
    ClearancePurpose,
    ClearanceRequested,
    ContactClass,
    ContactWithdrawn,
    ReportAction,
    ReportChanged,
    WithdrawalReason,
)
from shared.domain import pboc
from shared.domain.delinquency import Delinquency
from shared.domain.demand import Wish, causes, contact_request, demand_of, primary_borrower
from shared.domain.loan_state import Terms
from shared.domain.reporting import ReportingRules
from shared.kernel.ids import derive_id
from shared.kernel.step import Emit, Skip
from shared.kernel.zones import local_date

_SERVICE = "credit_report"


@dataclass(slots=True)
class Desk:
    """One wake of one loan. Decisions change `months` and `cases`, and leave events and skips behind."""

    state: CreditState
    terms: Terms
    books: Books
    now: int
    policy_hash: str
    months: dict[str, Month] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    events: list[Emit] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    asked: int = 0
    _today: Delinquency | None = None

    def __post_init__(self) -> None:
        """Lay out what the state holds."""
        self.months = {month.month: month for month in self.state.months}
        self.cases = {case.month: case for case in self.state.cases}
        self.asked = self.state.asked

    @property
    def rules(self) -> ReportingRules:
        """The policy for this kind of loan."""
        return self.books.rules

    @property
    def today(self) -> Delinquency:
        """What may be asked for now."""
        if self._today is None:
            self._today = self.books.today(self.now)
        return self._today

    def cutoff_ms(self, month: str) -> int:
        """Return the instant at which a month is closed."""
        return self.rules.cutoff_ms(month, self.terms.accounting_zone)

    def deadline_ms(self, case: Case) -> int:
        """Return the instant from which a month no longer waits at the gate."""
        return max(self.cutoff_ms(case.month), case.began_ms) + self.rules.decide_within_ms

    def skip(self, reason: CreditSkip, subject: str = "") -> None:
        """Say why something due led to nothing."""
        self.skips.append(Skip(reason, subject))

    # --- what the bureau is told

    def tell(self, month: Month, picture: Picture, reason: Told | Shut, proof: Proof | None = None) -> None:
        """Report the month as the picture shows it: file it, or correct what was told."""
        self._report(month, picture, picture.code, reason, proof if picture.is_adverse else None)

    def tell_unknown(self, month: Month, picture: Picture, reason: Told | Shut) -> None:
        """Report that nothing can be said of the month: neither bad nor good."""
        shown = replace(picture, days_past_due=0, amount_overdue_minor=0)
        self._report(month, shown, pboc.UNKNOWN, reason, None)

    def _report(self, month: Month, picture: Picture, code: str, reason: Told | Shut, proof: Proof | None) -> None:
        action = ReportAction.FILED if month.told is None else ReportAction.CORRECTED
        after = Month(month.month, told=code, judged=picture.code, version=month.version + 1, proof=proof)
        self._change(
            after, picture, action, reason.value, code=code, before=month.told, adverse=pboc.is_adverse(code),
        )  # fmt: skip

    def hold(self, month: Month, picture: Picture, reason: Shut) -> None:
        """Say that a month waits, and why, whenever the reason is another one. What is withheld is not named."""
        if month.held_for != reason:
            after = replace(month, version=month.version + 1, held_for=reason.value)
            self._change(
                after, picture, ReportAction.HELD, reason.value, code=pboc.UNKNOWN, before=month.told, adverse=False
            )

    def withdraw(self, month: Month) -> None:
        """Take a month back that does not belong to the loan."""
        if month.told is not None:
            after = Month(month.month, version=month.version + 1, withdrawn=True)
            shown = Picture(month.month, month.told, 0, 0, still_unpaid=False, caused_by=())
            self._change(
                after, shown, ReportAction.WITHDRAWN, Told.DOES_NOT_BELONG.value, code=month.told, before=month.told,
                adverse=False,
            )  # fmt: skip
        else:
            self.months[month.month] = replace(month, withdrawn=True)

    def _change(
        self, after: Month, picture: Picture, action: ReportAction, reason: str, *, code: str, before: str | None,
        adverse: bool,
    ) -> None:  # fmt: skip
        proof = after.proof if adverse else None
        self.months[after.month] = after
        event = ReportChanged(
            borrower_id=primary_borrower(self.terms),
            loan_id=self.state.loan.loan_id,
            lender_id=self.terms.lender_id,
            action=action,
            regime=self.rules.regime,
            month=after.month,
            version=after.version,
            code=code,
            code_before=before,
            adverse=adverse,
            days_past_due=picture.days_past_due,
            currency=self.terms.currency,
            amount_overdue_minor=picture.amount_overdue_minor,
            reason=reason,
            notice_permit_id=proof.permit_id if proof is not None else None,
            clearance_id=proof.clearance_id if proof is not None else None,
            decided_ms=self.now,
            policy=self.policy_hash,
            caused_by=causes(self.state.touched, picture.caused_by),
        )
        self.events.append(Emit(CREDIT_REPORTS, event.borrower_id, event))

    # --- what is asked of the gate

    def open_case(self, month: str) -> Case:
        """Return the month's case, a new one if it has none."""
        return self.cases.setdefault(month, Case(month, self.now))

    def close_case(self, month: str, reason: WithdrawalReason) -> None:
        """Forget a month's case, and take back a notice that was not made yet."""
        case = self.cases.get(month)
        if case is not None:
            self.withdraw_notice(case, reason)
            del self.cases[month]

    def ask_notice(self, case: Case) -> None:
        """Ask for the notice that a coming or corrected report needs first, about all that is overdue today."""
        self.asked += 1
        demand = demand_of(self.today.rows_overdue)
        wish = Wish(
            request_id=derive_id(_SERVICE, "notice", self.state.loan.loan_id, case.month, self.asked),
            borrower_id=primary_borrower(self.terms),
            contact_class=ContactClass.STATUTORY_NOTICE,
            step=f"credit-notice-{case.month}",
            channels=self.rules.notice_channels,
            template=self.rules.notice_template,
            consequences=("credit_record",),
            local_date=local_date(self.now, self.terms.accounting_zone),
            not_before_ms=self.now,
            not_after_ms=self.deadline_ms(case) - self.rules.waiting_ms,
            replaces=next((one.request_id for one in reversed(case.notices) if one.withdrawn), None),
        )
        event = contact_request(self.state.loan.loan_id, self.terms, wish, demand, self.policy_hash)
        self.events.append(Emit(CREDIT_REPORTS, wish.borrower_id, event.model_copy(update={"month": case.month})))
        notice = Notice(wish.request_id, wish.borrower_id, demand.instalments, demand.amounts)
        self.cases[case.month] = replace(case, notices=(*case.notices, notice)[-NOTICES_MAX:])

    def withdraw_notice(self, case: Case, reason: WithdrawalReason) -> None:
        """Take back what was asked and not made."""
        for notice in case.notices:
            if notice.is_open:
                event = ContactWithdrawn(
                    borrower_id=notice.borrower_id,
                    request_id=notice.request_id,
                    loan_id=self.state.loan.loan_id,
                    reason=reason,
                    caused_by=self.state.touched or self._behind(notice),
                )
                self.events.append(Emit(CREDIT_REPORTS, notice.borrower_id, event))
        notices = tuple(replace(item, withdrawn=item.withdrawn or item.is_open) for item in case.notices)
        self.cases[case.month] = replace(case, notices=notices)

    def _behind(self, notice: Notice) -> tuple[str, ...]:
        """The facts that the notice rested on: named where what takes it back has no id, as a dead letter has none."""
        loan, named = self.state.loan, {instalment_id for instalment_id, _ in notice.instalments}
        scheduled = causes(item.fact_id for item in loan.instalments if item.instalment_id in named)
        return scheduled or causes([loan.boarding.fact_id] if loan.boarding is not None else [])

    def ask_clearance(self, case: Case, notice: Notice, picture: Picture) -> None:
        """Ask whether anything known about the person forbids the report."""
        self.asked += 1
        clearance_id = derive_id(_SERVICE, "clearance", self.state.loan.loan_id, case.month, self.asked)
        event = ClearanceRequested(
            borrower_id=primary_borrower(self.terms),
            clearance_id=clearance_id,
            loan_id=self.state.loan.loan_id,
            lender_id=self.terms.lender_id,
            purpose=ClearancePurpose.ADVERSE_REPORT,
            notice_request_id=notice.request_id,
            month=case.month,
            policy=self.policy_hash,
            caused_by=causes(self.state.touched, picture.caused_by),
        )
        self.events.append(Emit(CREDIT_REPORTS, event.borrower_id, event))
        self.cases[case.month] = replace(case, clearance=Clearance(clearance_id, self.now))


def valid_notice(case: Case) -> Notice | None:
    """Return the notice that was made first and did not bounce; None while there is none."""
    made = [(notice.sent_ms, notice.request_id, notice) for notice in case.notices if notice.sent_ms is not None]
    valid = [item for item in made if not item[2].bounced]
    return min(valid, key=lambda item: item[:2])[2] if valid else None
