"""What happens to loans: they open or move in; instalments are scheduled, changed, cancelled, disputed, settled."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from shared.contract.arrangements import HoldLifted, HoldPlaced
from shared.contract.base import Component, Event, HoldReason
from shared.contract.loans import (
    ChargeAssessed,
    ClosedReason,
    InstalmentCancelled,
    InstalmentChanged,
    InstalmentScheduled,
    LoanBoarded,
    LoanClosed,
    LoanOpened,
)
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS
from shared.simulation.books import Book, Owed
from shared.simulation.desk import Desk
from shared.simulation.dice import dice
from shared.simulation.lives import ARRIVAL_MS
from shared.simulation.money import Money
from shared.simulation.portfolio import TERM, Account, Due, Paying


class Courses:
    """Plans what happens to each loan, and says it when it does."""

    def __init__(self, desk: Desk, books: Mapping[str, Book], money: Money) -> None:
        self._desk = desk
        self._books = books
        self._money = money

    def plan(self, account: Account) -> None:
        """Put a loan's course on the agenda."""
        roll = dice(self._desk.seed, "account", account.loan_id)
        scripted = account.is_scripted
        opens = self._desk.start_ms + (0 if scripted else roll.randrange(ARRIVAL_MS))
        self._desk.at(opens, partial(self._open, account))
        for due in account.schedule:
            if account.terms.product != TERM:
                statement = self._money.local(account, due.due_date - timedelta(days=20), 3 * HOUR_MS)
                self._desk.at(max(statement, opens + MINUTE_MS), partial(self._schedule, account, due))
            if not scripted:
                self._plan_instalment(account, due)
        for chance, plan in () if scripted else ((0.02, self._dispute), (0.015, self._settle_early)):
            if roll.random() < chance:
                when = self._desk.start_ms + roll.randint(5, 50) * DAY_MS + roll.randrange(DAY_MS)
                self._desk.at(when, partial(plan, account))

    def _say(self, account: Account, event: Event, now: int) -> None:
        self._desk.say(event, now, account.terms.lender_id)

    def _open(self, account: Account, now: int) -> None:
        if account.boarded is None:
            self._say(account, LoanOpened(loan_id=account.loan_id, terms=account.terms), now)
        else:
            self._say(account, account.boarded, now)
            self._plan_boarded(account, account.boarded, now)
        for due in account.schedule if account.terms.product == TERM else ():
            self._schedule(account, due, now)

    def _plan_boarded(self, account: Account, boarded: LoanBoarded, now: int) -> None:
        for unpaid in boarded.instalments:
            self._books[account.loan_id].owed[unpaid.instalment_id] = Owed(unpaid.due_date, unpaid.unpaid.total_minor)
            roll = dice(self._desk.seed, "boarded", unpaid.instalment_id)
            if roll.random() < 0.6 and not account.is_scripted:
                when = now + roll.randint(6, 20) * DAY_MS
                self._desk.at(when, partial(self._money.pay_instalment, account, unpaid.instalment_id))

    def _schedule(self, account: Account, due: Due, now: int) -> None:
        book = self._books[account.loan_id]
        if book.closed:
            return
        book.owed[due.instalment_id] = Owed(due.due_date, due.amounts.total_minor)
        event = InstalmentScheduled(
            loan_id=account.loan_id, instalment_id=due.instalment_id, due_date=due.due_date, amounts=due.amounts
        )
        self._say(account, event, now)

    def _plan_instalment(self, account: Account, due: Due) -> None:
        roll = dice(self._desk.seed, "instalment", due.instalment_id)
        noon = partial(self._money.local, account, after_midnight_ms=DAY_MS // 2)
        chance = roll.random()
        if chance < 0.012:
            self._desk.at(noon(due.due_date - timedelta(days=4)), partial(self._change, account, due))
        elif chance < 0.018:
            self._desk.at(noon(due.due_date - timedelta(days=2)), partial(self._cancel, account, due))
        if account.paying is not Paying.ON_TIME and roll.random() < 0.3:
            self._desk.at(noon(due.due_date + timedelta(days=6)), partial(self._charge, account, due))
        self._plan_payments(account, due)

    def _plan_payments(self, account: Account, due: Due) -> None:
        roll = dice(self._desk.seed, "paying", due.instalment_id)
        hour = roll.randint(7, 21) * HOUR_MS + roll.randrange(HOUR_MS)
        match account.paying:
            case Paying.ON_TIME:
                self._pay_on(account, due, -roll.randint(0, 4), hour)
            case Paying.LATE:
                self._pay_on(account, due, roll.randint(1, 25), hour)
            case Paying.AFTER_REMINDER:
                self._pay_on(account, due, roll.randint(20, 35), hour)
            case Paying.IN_PARTS:
                parts = roll.randint(2, 4)
                for number in range(parts):
                    share = None if number == parts - 1 and roll.random() < 0.8 else parts + 1
                    day = due.due_date + timedelta(days=number * roll.randint(3, 9) - 1)
                    pay = partial(self._money.pay_part, account, due.instalment_id, share)
                    self._desk.at(self._money.local(account, day, hour), pay)
            case Paying.STOPS if due is account.schedule[0] and roll.random() < 0.4:
                self._pay_on(account, due, 0, hour)
            case _:
                pass

    def _pay_on(self, account: Account, due: Due, days: int, hour: int) -> None:
        when = self._money.local(account, due.due_date + timedelta(days=days), hour)
        self._desk.at(when, partial(self._money.pay_instalment, account, due.instalment_id))

    def _change(self, account: Account, due: Due, now: int) -> None:
        owed = self._books[account.loan_id].owed.get(due.instalment_id)
        if owed is None or owed.paid_minor:
            return
        owed.due_date = due.due_date + timedelta(days=5)
        event = InstalmentChanged(
            loan_id=account.loan_id,
            instalment_id=due.instalment_id,
            revision=1,
            due_date=owed.due_date,
            amounts=due.amounts,
        )
        self._say(account, event, now)

    def _cancel(self, account: Account, due: Due, now: int) -> None:
        owed = self._books[account.loan_id].owed.get(due.instalment_id)
        if owed is not None and not owed.paid_minor:
            owed.owed_minor = 0
            event = InstalmentCancelled(loan_id=account.loan_id, instalment_id=due.instalment_id, revision=2)
            self._say(account, event, now)

    def _charge(self, account: Account, due: Due, now: int) -> None:
        book = self._books[account.loan_id]
        owed = book.owed.get(due.instalment_id)
        if owed is None or owed.open_minor < account.terms.tolerance_minor * 4 or book.closed:
            return
        penalty = max(1, account.terms.tolerance_minor)
        owed.owed_minor += penalty
        event = ChargeAssessed(
            loan_id=account.loan_id,
            charge_id=f"{due.instalment_id}-late",
            instalment_id=due.instalment_id,
            component=Component.PENALTY,
            amount_minor=penalty,
            assessed_on=self._money.today(account, now),
        )
        self._say(account, event, now)

    def _dispute(self, account: Account, now: int) -> None:
        roll = dice(self._desk.seed, "dispute", account.loan_id)
        hold_id = f"{account.loan_id}-h1"
        days = roll.choice((7, 14, None))
        hold = HoldPlaced(
            loan_id=account.loan_id,
            hold_id=hold_id,
            reason=roll.choice((HoldReason.DISPUTE, HoldReason.PAYMENT_IN_FLIGHT, HoldReason.COMPLAINT)),
            from_ms=now,
            until_ms=None if days is None else now + days * DAY_MS,
        )
        self._say(account, hold, now)
        if days is None or roll.random() < 0.3:
            lifted = now + roll.randint(2, 20) * DAY_MS
            event = HoldLifted(loan_id=account.loan_id, hold_id=hold_id, lifted_ms=lifted)
            self._desk.at(lifted, partial(self._say, account, event))

    def _settle_early(self, account: Account, now: int) -> None:
        book = self._books[account.loan_id]
        if book.closed:
            return
        self._money.pay_amount(account, book.open_minor, now)
        book.closed = True
        day = self._money.today(account, now)
        event = LoanClosed(loan_id=account.loan_id, closed_on=day, reason=ClosedReason.SETTLED_EARLY)
        self._desk.at(now + HOUR_MS, partial(self._say, account, event))
