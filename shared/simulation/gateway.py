"""The channel gateways and the people at the other end: act on permits by the written contract, report what happened.

At most once per permit, not before `valid_from_ms`, never from `valid_until_ms` on, never on a permit whose withdrawal
is known. What the person does is drawn from the seed and the permit's id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Final

from shared.contract.base import Channel
from shared.contract.codec import Envelope
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import OUTREACH, PermitGranted, PermitWithdrawn
from shared.contract.recorded import Recorded
from shared.kernel.ids import derive_id
from shared.kernel.zones import HOUR_MS, MINUTE_MS
from shared.simulation.desk import publication
from shared.simulation.dice import dice
from shared.simulation.hearing import Hearing
from shared.simulation.log import Publication
from shared.simulation.portfolio import Manner, Person, Portfolio

SOURCE: Final = "/gateways/simulated"
_LATE_MS: Final = (20 * HOUR_MS, 50 * HOUR_MS)


@dataclass(frozen=True, slots=True)
class _Waiting:
    permit: PermitGranted
    acts_at: int


class Gateway:
    """All gateways of a deployment. `answer(at)` reports what they do in the step that begins at `at`, in order.

    It may be asked once the gate has applied the tick `at` and everything that the gate said there has been heard.
    """

    def __init__(self, seed: int, portfolio: Portfolio, *, step_ms: int = HOUR_MS) -> None:
        self._seed = seed
        self._portfolio = portfolio
        self._step_ms = step_ms
        self._hearing = Hearing((OUTREACH,))
        self._waiting: dict[str, _Waiting] = {}
        self._agenda: list[tuple[int, str]] = []
        self._reports: list[tuple[int, int, OutreachOutcome]] = []
        self._serial = 0

    def hear(self, records: Iterable[Recorded]) -> None:
        """Take note of records of `collections.outreach`."""
        self._hearing.hear(records)

    def answer(self, at: int) -> list[Publication]:
        """Return the outcomes of this step, knowing the permits and withdrawals of ticks up to `at`."""
        until = at + self._step_ms
        for envelope in self._hearing.before(at + 1):
            self._note(envelope)
        while self._agenda and self._agenda[0][0] < until:
            _, permit_id = heappop(self._agenda)
            waiting = self._waiting.pop(permit_id, None)
            if waiting is not None:
                self._act(waiting)
        said = []
        while self._reports and self._reports[0][0] < until:
            reported_at, _, outcome = heappop(self._reports)
            said.append(publication(outcome, outcome.outcome_id, SOURCE, max(reported_at, at)))
        return said

    def _note(self, envelope: Envelope) -> None:
        event, known_at = envelope.data, envelope.time_ms or 0
        if isinstance(event, PermitGranted):
            start = max(event.valid_from_ms, known_at)
            room = event.valid_until_ms - start
            roll = dice(self._seed, "acts", event.permit_id)
            acts_at = start + roll.randint(1, max(1, min(50 * MINUTE_MS, room // 2)))
            self._waiting[event.permit_id] = _Waiting(event, acts_at)
            heappush(self._agenda, (acts_at, event.permit_id))
        elif isinstance(event, PermitWithdrawn):
            waiting = self._waiting.pop(event.permit_id, None)
            if waiting is not None:
                self._report(waiting.permit, Outcome.NOT_ATTEMPTED, known_at, known_at)

    def _act(self, waiting: _Waiting) -> None:
        """Make the one attempt, and report each step of it."""
        permit, acts_at = waiting.permit, waiting.acts_at
        roll = dice(self._seed, "outcome", permit.permit_id)
        person = self._portfolio.by_person.get(permit.borrower_id)
        chance = 1.0 if person is not None and person.scripted else roll.random()
        if chance < 0.02:
            self._report(permit, Outcome.NOT_ATTEMPTED, acts_at, acts_at)
            return
        if chance < 0.03:
            return
        reported_at = acts_at + roll.randint(*_LATE_MS) if chance < 0.05 else acts_at
        self._report(permit, Outcome.ATTEMPTED, acts_at, reported_at)
        result = self._result(permit, person, roll)
        if result is not None:
            self._report(permit, result, acts_at + roll.randint(5, 240) * 1000, reported_at)

    def _result(self, permit: PermitGranted, person: Person | None, roll: Random) -> Outcome | None:
        manner = Manner.ORDINARY if person is None else person.manner
        chance = 1.0 if person is not None and person.scripted else roll.random()
        if permit.channel is Channel.CALL:
            if manner is Manner.NEVER_ANSWERS or chance < 0.5:
                return Outcome.NO_ANSWER
            return Outcome.WRONG_NUMBER if chance < 0.53 else Outcome.CONVERSATION
        if manner is Manner.SAYS_STOP and permit.channel is Channel.SMS:
            return Outcome.STOP
        if chance < 0.02:
            return Outcome.BOUNCED
        return Outcome.WRONG_NUMBER if chance < 0.03 and permit.channel is Channel.SMS else None

    def _report(self, permit: PermitGranted, outcome: Outcome, occurred_ms: int, reported_at: int) -> None:
        event = OutreachOutcome(
            borrower_id=permit.borrower_id,
            outcome_id=derive_id("gateway", permit.permit_id, outcome),
            permit_id=permit.permit_id,
            outcome=outcome,
            occurred_ms=occurred_ms,
            channel=permit.channel,
            contact_point_id=permit.contact_point_id,
            lender_id=permit.lender_id,
            loan_ids=tuple(loan.loan_id for loan in permit.loans),
        )
        self._serial += 1
        heappush(self._reports, (reported_at, self._serial, event))
