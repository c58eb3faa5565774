"""The lenders and their borrowers: publish what happens to loans and people, and react to contacts really made.

Open loop from the seed, but for two reactions: somebody pays after a reminder, somebody promises in a conversation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from shared.contract.base import Event
from shared.contract.outcomes import OUTCOMES, OutreachOutcome
from shared.contract.recorded import Recorded
from shared.kernel.zones import HOUR_MS
from shared.simulation.books import Book
from shared.simulation.courses import Courses
from shared.simulation.desk import Desk
from shared.simulation.hearing import Hearing
from shared.simulation.lives import Lives
from shared.simulation.log import Publication
from shared.simulation.money import Money
from shared.simulation.portfolio import START_MS, Portfolio


@dataclass(frozen=True, slots=True)
class Scripted:
    """Something that a script makes happen at an instant: an event, or a record as it is, good or bad."""

    at: int
    what: Event | Publication


class Lender:
    """All lenders of a deployment. `answer(at)` gives the facts of the step that begins at `at`, in order."""

    def __init__(
        self,
        seed: int,
        portfolio: Portfolio,
        *,
        start_ms: int = START_MS,
        step_ms: int = HOUR_MS,
        script: Iterable[Scripted] = (),
    ) -> None:
        self._hearing = Hearing((OUTCOMES,))
        self._desk = Desk(seed, start_ms, step_ms)
        self._books = {account.loan_id: Book(account) for account in portfolio.accounts}
        self._money = Money(self._desk, self._books)
        lives, courses = Lives(self._desk), Courses(self._desk, self._books, self._money)
        for person in portfolio.people:
            lives.plan(person)
        for account in portfolio.accounts:
            courses.plan(account)
        for scripted in script:
            self._desk.at(scripted.at, partial(self._follow, scripted.what))

    def hear(self, records: Iterable[Recorded]) -> None:
        """Take note of records of `outreach.outcomes`; they are considered when their instant has passed."""
        self._hearing.hear(records)

    def answer(self, at: int) -> list[Publication]:
        """Return what happens in the step from `at` on, knowing what was said before `at`."""
        for envelope in self._hearing.before(at):
            if isinstance(envelope.data, OutreachOutcome):
                self._money.react(envelope.data, at)
        return self._desk.work(at)

    def _follow(self, what: Event | Publication, now: int) -> None:
        if isinstance(what, Publication):
            self._desk.send(what, now)
            return
        book = self._books.get(getattr(what, "loan_id", ""))
        self._desk.say(what, now, "self-service" if book is None else book.account.terms.lender_id)
        if book is not None:
            book.note(what)
