"""How borrowers pay: at once, late, in parts, with a value date in the past; how payments bounce; how they promise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from functools import partial

from shared.contract.arrangements import PromiseMade
from shared.contract.base import Component
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.repayments import (
    Allocation,
    Payer,
    RepaymentReceived,
    RepaymentReversed,
    ReversalReason,
)
from shared.kernel.zones import DAY_MS, HOUR_MS, at_local, local_date
from shared.simulation.books import Book
from shared.simulation.desk import Desk
from shared.simulation.dice import dice
from shared.simulation.portfolio import Account, Paying

PROMISES_MAX = 3


class Money:
    """Moves money, and says so."""

    def __init__(self, desk: Desk, books: Mapping[str, Book]) -> None:
        self._desk = desk
        self._books = books

    def local(self, account: Account, day: date, after_midnight_ms: int) -> int:
        """Return an instant of a local day where the loan's accounts are kept."""
        return at_local(day, time(0), account.terms.accounting_zone) + after_midnight_ms

    def today(self, account: Account, now: int) -> date:
        """Return the local day where the loan's accounts are kept."""
        return local_date(now, account.terms.accounting_zone)

    def pay_instalment(self, account: Account, instalment_id: str, now: int) -> None:
        """Pay what is open of one instalment."""
        owed = self._books[account.loan_id].owed.get(instalment_id)
        if owed is not None and owed.open_minor:
            self.pay(account, owed.open_minor, now)

    def pay_part(self, account: Account, instalment_id: str, share: int | None, now: int) -> None:
        """Pay one of `share` equal parts of an instalment, or the rest of it."""
        owed = self._books[account.loan_id].owed.get(instalment_id)
        if owed is not None and owed.open_minor:
            amount = owed.open_minor if share is None else max(1, owed.owed_minor // share)
            self.pay(account, min(amount, owed.open_minor), now)

    def pay_due(self, account: Account, now: int) -> None:
        """Pay everything that has fallen due."""
        amount = self._books[account.loan_id].due_minor(self.today(account, now))
        if amount:
            self.pay(account, amount, now)

    def pay_amount(self, account: Account, amount_minor: int, now: int) -> None:
        """Pay an amount, but no more than is owed."""
        amount = min(amount_minor, self._books[account.loan_id].open_minor)
        if amount:
            self.pay(account, amount, now)

    def pay(self, account: Account, amount_minor: int, now: int) -> None:
        """Book money: mostly at once, sometimes days after its value date; a few payments bounce."""
        book = self._books[account.loan_id]
        if book.closed:
            return
        book.payments += 1
        payment_id = f"{account.loan_id}-p{book.payments}"
        roll = dice(self._desk.seed, "payment", payment_id)
        chance = 0.5 if account.is_scripted else roll.random()
        back_days = roll.randint(1, 4) if chance < 0.04 else 0
        late_file_days = roll.randint(5, 20) if 0.04 <= chance < 0.05 else 0
        allocations = self._allocations(book, amount_minor) if 0.05 <= chance < 0.08 else ()
        book.settle(amount_minor)
        event = RepaymentReceived(
            loan_id=account.loan_id,
            payment_id=payment_id,
            amount_minor=amount_minor,
            currency=account.terms.currency,
            value_date=self.today(account, now) - timedelta(days=back_days),
            payer=Payer.THIRD_PERSON if chance > 0.99 else Payer.BORROWER,
            allocations=allocations,
        )
        known = now + late_file_days * DAY_MS
        self._desk.at(known, partial(self._say, account, event))
        if 0.08 <= chance < 0.1:
            self._desk.at(known + roll.randint(2, 5) * DAY_MS, partial(self._bounce, account, event))

    def _say(self, account: Account, event: RepaymentReceived, now: int) -> None:
        self._desk.say(event, now, account.terms.lender_id)

    def _allocations(self, book: Book, amount_minor: int) -> tuple[Allocation, ...]:
        """The lender's own word on most of it: it went to the principal of the oldest open instalment."""
        oldest = min(((owed.due_date, name) for name, owed in book.owed.items() if owed.open_minor), default=None)
        if oldest is None:
            return ()
        part = min(amount_minor, book.owed[oldest[1]].open_minor)
        named = max(1, part * 8 // 10)
        return (Allocation(instalment_id=oldest[1], component=Component.PRINCIPAL, amount_minor=named),)

    def _bounce(self, account: Account, payment: RepaymentReceived, now: int) -> None:
        """The bank takes the money back; people who pay at all pay again some days later."""
        event = RepaymentReversed(
            loan_id=account.loan_id,
            payment_id=payment.payment_id,
            reversed_on=self.today(account, now),
            reason=ReversalReason.RETURNED,
        )
        self._desk.say(event, now, account.terms.lender_id)
        undone = self._books[account.loan_id].take_back(payment.amount_minor)
        if account.paying is not Paying.STOPS:
            days = dice(self._desk.seed, "pays-again", payment.payment_id).randint(3, 10)
            self._desk.at(now + days * DAY_MS, partial(self.pay_amount, account, undone))

    # --- reactions

    def react(self, outcome: OutreachOutcome, now: int) -> None:
        """Let people answer a contact: some pay after a reminder, some promise in a conversation."""
        for loan_id in outcome.loan_ids:
            book = self._books.get(loan_id)
            if book is None or book.closed:
                continue
            if outcome.outcome is Outcome.ATTEMPTED and book.account.paying in {Paying.AFTER_REMINDER, Paying.REMINDED}:
                self._pay_after(book, outcome, now)
            elif outcome.outcome is Outcome.CONVERSATION and book.account.paying in {Paying.LATE, Paying.STOPS}:
                self._promise(book, now)

    def _pay_after(self, book: Book, outcome: OutreachOutcome, now: int) -> None:
        """Who was reminded of something that is due already pays it within about a day; some forget the day itself."""
        forgets = timedelta(days=1 if book.account.paying is Paying.REMINDED else 0)
        if book.due_minor(self.today(book.account, now) - forgets):
            hours = dice(self._desk.seed, "reacts", outcome.outcome_id, book.account.loan_id).randint(1, 30)
            self._desk.at(now + hours * HOUR_MS, partial(self.pay_due, book.account))

    def _promise(self, book: Book, now: int) -> None:
        account, today = book.account, self.today(book.account, now)
        amount = book.due_minor(today)
        roll = dice(self._desk.seed, "promise", account.loan_id, book.promises)
        if not amount or roll.random() > 0.4 or book.promises >= PROMISES_MAX:
            return
        book.promises += 1
        due_on = today + timedelta(days=roll.randint(3, 7))
        event = PromiseMade(
            loan_id=account.loan_id,
            promise_id=f"{account.loan_id}-t{book.promises}",
            amount_minor=amount,
            currency=account.terms.currency,
            promised_on=today,
            due_on=due_on,
            tolerance_days=1,
        )
        self._desk.say(event, now, account.terms.lender_id)
        if roll.random() < 0.6:
            self._desk.at(self.local(account, due_on, 15 * HOUR_MS), partial(self.pay_due, account))
