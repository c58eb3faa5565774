"""Who belongs together: loans, the people who answer for them, and everybody whom we asked about them.

Promises P3 to P7 are about one person or one loan at a time. A household is the smallest set of loans and people that
no record connects with anybody else, so each can be judged by itself, as if there were nobody else in the world.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from shared.contract.base import Event
from shared.contract.loans import LoanBoarded, LoanOpened
from shared.contract.outreach import PermitGranted
from shared.contract.topics import DEAD_LETTERS, TOPICS, Keyed
from shared.engine.dead_letters import PREFIX

LOAN: Final = b"l"
PERSON: Final = b"p"
_NEVER: Final = -(2**63)


class Households:
    """A union of subjects (a loan or a person each, by number). It keeps some numbers and a name per subject."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._parents = array("q")
        self._records = array("q")
        self._latest = array("q")

    def number(self, subject: bytes) -> int:
        """Return the subject's number, a new one for a new subject."""
        number = self._numbers.setdefault(subject, len(self._parents))
        if number == len(self._parents):
            self._parents.append(number)
            self._records.append(0)
            self._latest.append(_NEVER)
        return number

    def link(self, subjects: Iterable[bytes]) -> None:
        """Put subjects into one household, with everybody who was in theirs."""
        first = -1
        for subject in subjects:
            root = self._root(self.number(subject))
            if first not in {-1, root}:
                self._parents[root] = first
            first = root if first == -1 else first

    def saw(self, number: int, at: int) -> None:
        """Count a record about a subject."""
        self._records[number] += 1
        self._latest[number] = max(self._latest[number], at)

    def chapters(self, records_max: int, since: int | None = None) -> Iterator[list[int]]:
        """Yield subjects, whole households at a time, about so many records together; always in the same order.

        A household that alone has more records is not divided. `since` leaves out those of whom nothing was heard then
        or later.
        """
        members: dict[int, list[int]] = {}
        for number in range(len(self._parents)):
            members.setdefault(self._root(number), []).append(number)
        chapter: list[int] = []
        size = 0
        for subject in sorted(self._numbers):
            household = members.pop(self._root(self._numbers[subject]), [])
            records = sum(self._records[number] for number in household)
            recent = since is None or any(self._latest[number] >= since for number in household)
            if not records or not recent:
                continue
            if chapter and size + records > records_max:
                yield chapter
                chapter, size = [], 0
            chapter += household
            size += records
        if chapter:
            yield chapter

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            self._parents[number] = number = self._parents[self._parents[number]]
        return number


def subject_of(topic: str, key: bytes | None) -> bytes | None:
    """Return the loan or person that a record on a topic is about by its key; None for nobody."""
    if key is None or topic not in TOPICS:
        return None
    match TOPICS[topic].keyed:
        case Keyed.LOAN:
            return LOAN + key
        case Keyed.BORROWER:
            return PERSON + key
        case Keyed.NONE:
            return None


def subject_of_letter(key: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """Return the loan or person that a dead letter is about: whose key the buried record had."""
    topic = (key or b"").decode(errors="replace").split("/")[0]
    return None if topic == DEAD_LETTERS else subject_of(topic, dict(headers).get(PREFIX + "key"))


def others_named(event: Event) -> Iterator[bytes]:
    """Yield the loans and people that an event names besides its key."""
    loan_id, borrower_id = getattr(event, "loan_id", None), getattr(event, "borrower_id", None)
    if isinstance(loan_id, str):
        yield LOAN + loan_id.encode()
    if isinstance(borrower_id, str):
        yield PERSON + borrower_id.encode()
    if isinstance(event, (LoanOpened, LoanBoarded)):
        yield from (PERSON + obligor.borrower_id.encode() for obligor in event.terms.obligors)
    elif isinstance(event, PermitGranted):
        yield from (LOAN + loan.loan_id.encode() for loan in event.loans)
