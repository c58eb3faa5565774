"""One look at one loan at one tick: take back what no longer stands, then say the one thing that is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from services.reminder.course import (
    SKIP_OF_BLOCK,
    Fit,
    ReminderSkip,
    dues_in_reach,
    find_step,
    next_step_at,
)
from services.reminder.returned import Returned, returned_payments
from services.reminder.state import Asked, Course, Notice, ReminderState
from shared.contract.requests import REMINDERS, ContactClass, ContactWithdrawn, WithdrawalReason
from shared.domain.delinquency import Basis, InstalmentRow, assess
from shared.domain.demand import (
    Demand,
    Wish,
    blocked,
    causes,
    contact_request,
    demand_of,
    objection,
    primary_borrower,
)
from shared.domain.loan import business_date, gravestone_at, next_change_at
from shared.domain.loan_state import Terms
from shared.domain.policy import Policy
from shared.domain.strategy import ReminderCourse, ReminderStep, ReturnedNotice
from shared.kernel.ids import derive_id
from shared.kernel.step import Emit, Skip, Step
from shared.kernel.zones import at_local, local_date

_FOR_GOOD = frozenset({WithdrawalReason.PAID, WithdrawalReason.LOAN_CLOSED})
"""After these nothing is left to say; after any other reason the step may be said anew."""


class Look:
    """What is true of the loan now, what came out so far, and the state as it changes."""

    def __init__(self, loan_id: str, now: int, policy: Policy, terms: Terms, state: ReminderState) -> None:
        self.loan_id = loan_id
        self.now = now
        self.policy = policy
        self.terms = terms
        self.state = state
        self.course: ReminderCourse = policy.strategy.treatment(terms.product, terms.segment).reminder
        self.view = assess(state.loan, business_date(state.loan, now), Basis.CONTACT, policy.calendars)
        self.block = blocked(state.loan, now)
        self.today = local_date(now, terms.accounting_zone)
        self.earliest, self.latest = dues_in_reach(self.today, self.course)
        self.events: list[Emit] = []
        self.skips: list[Skip] = []
        self.later: list[int] = []
        """Instants at which something that had to wait may be said."""

    def act(self) -> Step[ReminderState]:
        """Return what this tick leads to."""
        self._review()
        if self.state.loan.closed is not None:
            return self._end()
        if not self._say_returned_payment():
            self._say_due_step()
        wake_at = self._next_wake()
        self.state = replace(self.state, courses=self._useful_courses(), touched=(), wake_at=wake_at)
        return Step(self.state, tuple(self.events), wake_at, tuple(self.skips))

    def _end(self) -> Step[ReminderState]:
        """Keep of an ended loan what a stray fact needs to find it ended, and look once more when it may shrink."""
        loan = self.state.loan
        wake_at = gravestone_at(loan, self.now)
        self.state = ReminderState(loan, requests=self.state.requests, wake_at=wake_at)
        return Step(self.state, tuple(self.events), wake_at, tuple(self.skips))

    # --- what no longer stands

    def _review(self) -> None:
        asked = self.state.asked
        if asked is None:
            return
        if self.now >= asked.not_after_ms:
            self.state = replace(self.state, asked=None)
        elif self.block is not None:
            self._withdraw(asked, self.block.reason, self.block.caused_by)
        elif asked.borrower_id != primary_borrower(self.terms):
            self._withdraw(asked, WithdrawalReason.SUPERSEDED)
        else:
            reason = objection(asked.instalments, asked.amounts, self.view.rows, self.terms.tolerance_minor)
            if reason is not None:
                self._withdraw(asked, reason)

    def _withdraw(
        self, asked: Asked, reason: WithdrawalReason, because: Sequence[str] = (), *, anew: bool = True
    ) -> None:
        withdrawn = ContactWithdrawn(
            borrower_id=asked.borrower_id,
            request_id=asked.request_id,
            loan_id=self.loan_id,
            reason=reason,
            caused_by=causes(because, self.state.touched) or asked.caused_by,
        )
        self.events.append(Emit(REMINDERS, asked.borrower_id, withdrawn))
        self.state = replace(self.state, asked=None)
        if anew and reason not in _FOR_GOOD:
            self._reopen(asked)

    def _reopen(self, asked: Asked) -> None:
        """Let the step be said anew: by its own instalment, or where that is paid by the oldest other that it named."""
        again = asked.request_id
        if asked.contact_class is ContactClass.RETURNED_PAYMENT:
            found = [replace(n, request_id=again) if n.payment_id == asked.anchor else n for n in self.state.notices]
            self.state = replace(self.state, notices=tuple(found))
            return
        unpaid = {row.instalment_id for row in self.view.rows if row.unpaid_minor}
        named = [asked.anchor, *(instalment_id for instalment_id, _ in asked.instalments)]
        anchor = next((name for name in named if name in unpaid), None)
        courses = [replace(c, request_id=again) if c.instalment_id == anchor else c for c in self.state.courses]
        self.state = replace(self.state, courses=tuple(courses))

    # --- a payment came back (T-16)

    def _say_returned_payment(self) -> bool:
        """Return whether a returned payment has the word: then nothing else is said at this tick."""
        notice = self.course.returned
        found = returned_payments(self.state.loan, self.state.notices, notice.useful_days, self.terms)
        fresh = [item for item in found if self.now < item.not_after_ms]
        for item in found:
            if self.now >= item.not_after_ms:
                self._note(item.payment_id, item.asked)
                self._skip(ReminderSkip.TOO_LATE, item.subject)
        if not fresh:
            return False
        *others, main = fresh
        if self.block is not None:
            self._skip(SKIP_OF_BLOCK[self.block.reason], main.subject)
            return True
        for item in others:
            self._note(item.payment_id, item.asked)
            self._skip(ReminderSkip.SAID_WITH_ANOTHER, item.subject)
        demand = demand_of(self.view.rows_overdue or tuple([row for row in self.view.rows if row.unpaid_minor][:1]))
        reason = self._why_not_returned(main, demand)
        if reason is not None:
            self._note(main.payment_id, main.asked)
            self._skip(reason, main.subject)
            return False
        self._ask(ContactClass.RETURNED_PAYMENT, main.payment_id, "returned", notice, demand, main)
        self._note(main.payment_id, main.asked + 1)
        self.state = replace(self.state, quiet_until=self.today + timedelta(days=notice.quiet_days))
        return True

    def _why_not_returned(self, returned: Returned, demand: Demand) -> ReminderSkip | None:
        if demand.amount_minor == 0:
            return ReminderSkip.PAID
        if demand.amount_minor <= self.terms.tolerance_minor:
            return ReminderSkip.WITHIN_TOLERANCE
        return ReminderSkip.REVISED_TOO_OFTEN if returned.asked > self.course.revisions_max else None

    def _note(self, payment_id: str, asked: int) -> None:
        known = {notice.payment_id: notice for notice in self.state.notices}
        known[payment_id] = Notice(payment_id, asked, None)
        self.state = replace(self.state, notices=tuple(known[name] for name in sorted(known)))

    # --- the steps around due dates

    def _say_due_step(self) -> None:
        fits = self._due_steps()
        if not fits:
            return
        if self.block is not None:
            for fit in fits:
                self._skip(SKIP_OF_BLOCK[self.block.reason], fit.subject)
            return
        has_arrears = sum(self.view.overdue_parts) > self.terms.tolerance_minor
        spoken = [fit for fit in fits if fit.is_overdue or not has_arrears]
        for fit in fits:
            if fit not in spoken:
                self._pass(fit, ReminderSkip.OVERDUE_SPEAKS_FIRST)
        if spoken:
            self._say_one_of(spoken)

    def _due_steps(self) -> list[Fit]:
        """Return the step that is due for each instalment; account for those that lead to nothing."""
        courses = {course.instalment_id: course for course in self.state.courses}
        boarded_as_of = self.state.loan.boarded_as_of
        fits = []
        for row in self.view.rows:
            if not self.earliest <= row.due_date <= self.latest:
                continue
            found = find_step(row, courses.get(row.instalment_id), self.course, self.terms, self.now, boarded_as_of)
            if found.newest is not None and not row.unpaid_minor:
                self._go_on(row, found.newest, 0)
                self._skip(ReminderSkip.PAID, f"{row.instalment_id}/{found.newest.name}")
                continue
            for reason, step in found.passed:
                self._skip(reason, f"{row.instalment_id}/{step.name}")
            if found.passed:
                self._go_on(row, found.passed[-1][1], 0)
            if found.fit is not None:
                fits.append(found.fit)
        return fits

    def _say_one_of(self, fits: Sequence[Fit]) -> None:
        """Say the most pressing step; what it says includes the others (T-13)."""
        main = max(fits, key=lambda fit: (fit.step.offset_days, fit.row.instalment_id))
        told = [fit for fit in fits if fit.step.contact_class is main.step.contact_class]
        demand = demand_of(self.view.rows_overdue if main.is_overdue else tuple([fit.row for fit in told]))
        waits_until = self._waits_until(main)
        if waits_until is not None:
            day, reason = waits_until
            self.later.append(at_local(day, self.course.time_of_day, self.terms.accounting_zone))
            self._skip(reason, main.subject)
            return
        for fit in fits:
            if fit is not main:
                self._pass(fit, ReminderSkip.SAID_WITH_ANOTHER)
        asked = main.course.asked if main.course is not None else 0
        if demand.amount_minor <= self.terms.tolerance_minor:
            self._pass(main, ReminderSkip.WITHIN_TOLERANCE)
        elif asked > self.course.revisions_max:
            self._pass(main, ReminderSkip.REVISED_TOO_OFTEN)
        else:
            self._ask(main.step.contact_class, main.row.instalment_id, main.step.name, main.step, demand, main)
            self._go_on(main.row, main.step, asked + 1)
            if main.is_overdue:
                self.state = replace(self.state, last_overdue_on=self.today)

    def _waits_until(self, fit: Fit) -> tuple[date, ReminderSkip] | None:
        """Return the day before which this step must wait although it is due, and why."""
        quiet = self.state.quiet_until
        if quiet is not None and self.today < quiet:
            return quiet, ReminderSkip.AFTER_RETURNED_PAYMENT
        last = self.state.last_overdue_on
        if fit.is_overdue and fit.course is None and last is not None:
            free = last + timedelta(days=self.course.gap_days)
            if self.today < free:
                return free, ReminderSkip.ASKED_LATELY
        return None

    def _pass(self, fit: Fit, reason: ReminderSkip) -> None:
        self._go_on(fit.row, fit.step, 0)
        self._skip(reason, fit.subject)

    def _go_on(self, row: InstalmentRow, step: ReminderStep, asked: int) -> None:
        """Remember that the instalment's course has gone as far as this step."""
        courses = {course.instalment_id: course for course in self.state.courses}
        courses[row.instalment_id] = Course(row.instalment_id, row.due_date, step.offset_days, asked, None)
        self.state = replace(self.state, courses=tuple(courses[name] for name in sorted(courses)))

    def _useful_courses(self) -> tuple[Course, ...]:
        """Forget courses of instalments that are gone, or none of whose steps can fit any more."""
        owed = {row.instalment_id for row in self.view.rows}
        return tuple([c for c in self.state.courses if c.instalment_id in owed and c.due_date >= self.earliest])

    # --- out

    def _ask(
        self,
        contact_class: ContactClass,
        anchor: str,
        step: str,
        manner: ReminderStep | ReturnedNotice,
        demand: Demand,
        due: Fit | Returned,
    ) -> None:
        if self.state.asked is not None:
            self._withdraw(self.state.asked, WithdrawalReason.SUPERSEDED, anew=False)
        ordinal = self.state.requests + 1
        wish = Wish(
            request_id=derive_id("reminder", self.loan_id, anchor, step, ordinal),
            borrower_id=primary_borrower(self.terms),
            contact_class=contact_class,
            step=step,
            channels=manner.channels,
            template=manner.template,
            consequences=manner.consequences,
            local_date=self.today,
            not_before_ms=self.now,
            not_after_ms=due.not_after_ms,
            replaces=due.replaces,
        )
        demand = replace(demand, caused_by=causes(due.caused_by, demand.caused_by))
        request = contact_request(self.loan_id, self.terms, wish, demand, self.policy.hash)
        self.events.append(Emit(REMINDERS, wish.borrower_id, request))
        asked = Asked(
            request_id=wish.request_id,
            borrower_id=wish.borrower_id,
            contact_class=contact_class,
            anchor=anchor,
            step=step,
            instalments=demand.instalments,
            amounts=demand.amounts,
            not_after_ms=wish.not_after_ms,
            caused_by=demand.caused_by,
        )
        self.state = replace(self.state, asked=asked, requests=ordinal)

    def _skip(self, reason: ReminderSkip, subject: str) -> None:
        self.skips.append(Skip(reason.value, subject))

    # --- when to look again

    def _next_wake(self) -> int | None:
        """Return the next instant at which something may have to be said or taken back."""
        instants = [*self.later, *self._next_steps()]
        asked = self.state.asked
        if asked is not None:
            instants.append(asked.not_after_ms)
        if asked is not None or self.block is not None:
            change = next_change_at(self.state.loan, self.now, self.policy.calendars)
            instants += [change] if change is not None else []
        return max(min(instants), self.now + 1) if instants else None

    def _next_steps(self) -> list[int]:
        """Return the next step of each instalment that still may need one; of later instalments the first will do."""
        found = []
        for row in self.view.rows:
            if row.due_date < self.earliest or not row.unpaid_minor:
                continue
            instant = next_step_at(row.due_date, self.course, self.terms, self.now)
            found += [instant] if instant is not None else []
            if row.due_date > self.latest:
                break
        return found
