"""Few people, few loans, much happens to them: each trait of a seed's choice befalls about every second of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Final

from shared.contract.arrangements import HoldLifted, HoldPlaced, PromiseMade
from shared.contract.base import Channel, Component, Event, HoldReason, Rung
from shared.contract.loans import (
    BoardedInstalment,
    ClosedReason,
    InstalmentChanged,
    InstalmentScheduled,
    LoanBoarded,
    LoanClosed,
    LoanOpened,
    LoanTerms,
    Obligor,
    Role,
)
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.people import BorrowerConsented, BorrowerOptedOut, BorrowerProfile
from shared.contract.repayments import Allocation, Payer, RepaymentReceived, RepaymentReversed, ReversalReason
from shared.kernel.ids import derive_id
from shared.kernel.zones import DAY_MS, HOUR_MS, MINUTE_MS, at_local, local_date
from shared.simulation.desk import publication
from shared.simulation.dice import dice
from shared.simulation.log import Publication
from shared.simulation.portfolio import (
    LENDERS,
    PLACES,
    REVOLVING,
    TERM,
    Manner,
    Person,
    Place,
    Portfolio,
    amounts_of,
    contact_points,
    terms_of,
)
from shared.simulation.swarm.crossings import Season, Trait
from shared.simulation.swarm.draw import Draw
from shared.simulation.swarm.restless import more_instalments, snapped, to_loan, to_person

MOVED_DAYS_MAX: Final = 20
"""How far a due date moves at most, past the end of a month that is judged already (T-59)."""
_CLOCK_CHANGES: Final = tuple(place for place in PLACES if place.name in {"new-york", "london"})


class Workload:
    """Everything that lenders and people say in one world, in order of time, and the traits that it shows."""

    def __init__(self, draw: Draw) -> None:
        self.said: list[tuple[int, Publication]] = []
        self.shown: set[Trait] = set()
        self._draw = draw
        self._people = [self._person(number) for number in range(draw.people)]
        self.portfolio = Portfolio.of(self._people, ())
        for number in range(draw.loans):
            self._loan(number)
        if self._has(Trait.MANY_LOANS):
            for number in range(draw.loans, draw.loans + 3):
                self._loan(number)
            self.shown.add(Trait.MANY_LOANS)
        if self._has(Trait.SWITCHED):
            self.shown.add(Trait.SWITCHED)
        self.said.sort(key=lambda one: one[0])

    def _has(self, trait: Trait) -> bool:
        return trait in self._draw.traits

    def _befalls(self, trait: Trait, about: str) -> bool:
        """Whether a trait of this seed befalls one loan or person: the first of them always."""
        if not self._has(trait):
            return False
        return about in {"b0", "l0"} or dice(self._draw.seed, trait, about).random() < 0.5

    def _say(self, at: int, event: Event, lender_id: str = "self-service", trait: Trait | None = None) -> None:
        about = "\x1f".join(str(getattr(event, name, "")) for name in event.BUSINESS_KEY)
        if self._draw.lively and not isinstance(event, BorrowerProfile | LoanOpened | LoanBoarded):
            at = snapped(at, self._draw.rounds, self._draw.seed, f"{event.TYPE} {about}")
        at = max(at, self._draw.start_ms)
        self.said.append((at, publication(event, derive_id("swarm", event.TYPE, about), f"/lenders/{lender_id}", at)))
        if trait is not None:
            self.shown.add(trait)

    # --- people

    def _person(self, number: int) -> Person:
        name = f"b{number}"
        roll = dice(self._draw.seed, "person", name)
        changing = self._draw.season in {Season.CLOCKS_FORWARD, Season.CLOCKS_BACK}
        place = roll.choice(_CLOCK_CHANGES if changing else PLACES)
        manner = roll.choices((Manner.ORDINARY, Manner.SAYS_STOP, Manner.NEVER_ANSWERS), (80, 10, 10))[0]
        person = Person(name, place, (place.zone,), contact_points(name, roll, place.zone), manner)
        self._profile(person, self._draw.start_ms + roll.randrange(4 * HOUR_MS), person.zones, 0)
        if self._befalls(Trait.MOVE, name):
            others = [other.zone for other in PLACES if other is not place]
            self._profile(person, self._instant(roll.random()), (roll.choice(others),), 1)
            self.shown.add(Trait.MOVE)
        if self._befalls(Trait.OPT_OUT, name):
            self._opts_out(name)
        if self._befalls(Trait.UNASKED_CALL, name):
            self._is_called(person)
        for trait in (Trait.PERSON_HOLD, Trait.CEASED, Trait.CALLBACK, Trait.POINT_REFUSED):
            if self._befalls(trait, name):
                begins = self._instant(dice(self._draw.seed, trait, "begins", name).random())
                for at, event in to_person(trait, person, begins, self._draw.seed):
                    self._say(at, event, trait=trait)
        return person

    def _instant(self, share: float) -> int:
        """Return the instant at which that share of the world has passed."""
        return self._draw.start_ms + int(share * self._draw.days * DAY_MS)

    def _profile(self, person: Person, at: int, zones: tuple[str, ...], revision: int) -> None:
        profile = BorrowerProfile(
            borrower_id=person.borrower_id,
            revision=revision,
            zones=zones,
            jurisdictions=(person.place.jurisdiction,),
            contact_points=person.contact_points,
        )
        self._say(at, profile)

    def _opts_out(self, name: str) -> None:
        roll = dice(self._draw.seed, "opts-out", name)
        at = self._instant(roll.random())
        channel = roll.choice((Channel.SMS, Channel.EMAIL, Channel.CALL))
        opt_out = BorrowerOptedOut(borrower_id=name, opt_out_id=f"{name}-o", channel=channel, given_ms=at)
        self._say(at, opt_out, trait=Trait.OPT_OUT)
        if roll.random() < 0.4:
            back = at + roll.randint(1, 60) * HOUR_MS
            consent = BorrowerConsented(borrower_id=name, consent_id=f"{name}-c", channel=channel, given_ms=back)
            self._say(back, consent)

    def _is_called(self, person: Person) -> None:
        roll = dice(self._draw.seed, "called", person.borrower_id)
        at = self._instant(roll.random())
        for number in range(roll.randint(1, 4)):
            call = OutreachOutcome(
                borrower_id=person.borrower_id,
                outcome_id=f"{person.borrower_id}-call-{number}",
                outcome=roll.choice((Outcome.ATTEMPTED, Outcome.NO_ANSWER, Outcome.CONVERSATION)),
                occurred_ms=at + number * 30 * MINUTE_MS,
                channel=Channel.CALL,
                contact_point_id=person.contact_points[0].contact_point_id,
            )
            self._say(at + 3 * HOUR_MS + roll.choice((0, 30)) * HOUR_MS, call, trait=Trait.UNASKED_CALL)

    # --- loans

    def _loan(self, number: int) -> None:
        loan_id = f"l{number}"
        roll = dice(self._draw.seed, "loan", loan_id)
        many = self._has(Trait.MANY_LOANS)
        person = self._people[0 if many else roll.randrange(len(self._people))]
        terms = self._terms(loan_id, person)
        opens = self._draw.start_ms + roll.randrange(4 * HOUR_MS)
        due = self._draw.first_day + timedelta(days=roll.randint(0, max(1, self._draw.days - 2)))
        amounts = amounts_of(roll, terms.currency)
        if self._befalls(Trait.BOARDED, loan_id):
            due = self._board(loan_id, terms, opens)
        else:
            self._say(opens, LoanOpened(loan_id=loan_id, terms=terms), terms.lender_id)
            instalment = InstalmentScheduled(
                loan_id=loan_id, instalment_id=f"{loan_id}-i", due_date=due, amounts=amounts
            )
            self._say(opens + roll.choice((0, 2)) * HOUR_MS, instalment, terms.lender_id)
            if self._befalls(Trait.INSTALMENTS, loan_id):
                for other in more_instalments(loan_id, instalment, self._draw.seed):
                    self._say(opens + 2 * HOUR_MS, other, terms.lender_id, Trait.INSTALMENTS)
            self._change(loan_id, terms, instalment)
        self._money(loan_id, terms, due, amounts.total_minor)
        self._arrange(loan_id, terms, amounts.total_minor, due)

    def _terms(self, loan_id: str, person: Person) -> LoanTerms:
        roll = dice(self._draw.seed, "terms", loan_id)
        obligors = [Obligor(borrower_id=person.borrower_id, role=Role.BORROWER)]
        others = [other for other in self._people if other is not person]
        if self._befalls(Trait.JOINT, loan_id) and others:
            role = roll.choice((Role.CO_BORROWER, Role.CO_BORROWER, Role.GUARANTOR))
            obligors.append(Obligor(borrower_id=roll.choice(others).borrower_id, role=role))
            self.shown.add(Trait.JOINT)
        place: Place = person.place
        product, cutoff = roll.choice((TERM, REVOLVING)), roll.choice(("00:00", "22:00"))
        return terms_of(
            tuple(obligors), roll.choice(LENDERS), roll.choice(place.currencies), product, place, cutoff=cutoff
        )

    def _board(self, loan_id: str, terms: LoanTerms, at: int) -> date:
        roll = dice(self._draw.seed, "boarded", loan_id)
        due = self._draw.first_day - timedelta(days=roll.randint(2, 70))
        unpaid = BoardedInstalment(instalment_id=f"{loan_id}-i", due_date=due, unpaid=amounts_of(roll, terms.currency))
        boarded = LoanBoarded(
            loan_id=loan_id,
            terms=terms,
            as_of=self._draw.first_day - timedelta(days=1),
            instalments=(unpaid,),
            current_rung=self._rung(loan_id, roll.choice((Rung.NONE, Rung.MESSAGE))),
        )
        self._say(at, boarded, terms.lender_id, Trait.BOARDED)
        return self._draw.first_day + timedelta(days=1)

    def _rung(self, loan_id: str, rung: Rung) -> Rung:
        """Return where a boarded loan stood: in lively worlds on a rung whose people are called, half of them."""
        roll = dice(self._draw.seed, "stood", loan_id)
        called = self._draw.lively and roll.random() < 0.5
        return roll.choice((Rung.HUMAN_CALL, Rung.RESTRICTION)) if called else rung

    def _change(self, loan_id: str, terms: LoanTerms, instalment: InstalmentScheduled) -> None:
        if not self._befalls(Trait.CHANGE, loan_id):
            return
        roll = dice(self._draw.seed, "changes", loan_id)
        changed = InstalmentChanged(
            loan_id=loan_id,
            instalment_id=instalment.instalment_id,
            revision=1,
            due_date=instalment.due_date + timedelta(days=roll.randint(-2, MOVED_DAYS_MAX)),
            amounts=amounts_of(roll, terms.currency),
        )
        self._say(self._instant(roll.random()), changed, terms.lender_id, Trait.CHANGE)

    def _money(self, loan_id: str, terms: LoanTerms, due: date, amount_minor: int) -> None:
        roll = dice(self._draw.seed, "pays", loan_id)
        late = self._befalls(Trait.LATE_PAYER, loan_id)
        bounces = self._befalls(Trait.REVERSAL, loan_id)
        back = self._befalls(Trait.BACK_DATED, loan_id)
        third = self._befalls(Trait.THIRD_PAYER, loan_id)
        if not (late or bounces or back or third) and roll.random() < 0.6:
            return
        day = due + timedelta(days=roll.randint(1, 5) if late else roll.randint(-3, 1))
        back_days = roll.randint(1, 9) if back else 0
        if self._befalls(Trait.BOARDED, loan_id):
            # Whether the boarded amounts contain an older payment is a question for a person (decision 0008).
            day = max(day, self._draw.first_day)
            back_days = min(back_days, (day - self._draw.first_day).days)
        at = at_local(day, time(roll.randrange(24), 20), terms.accounting_zone)
        first = RepaymentReceived(
            loan_id=loan_id,
            payment_id=f"{loan_id}-p",
            amount_minor=roll.choice((amount_minor, max(1, amount_minor // 3))),
            currency=terms.currency,
            value_date=day - timedelta(days=back_days),
            payer=Payer.THIRD_PERSON if third else Payer.BORROWER,
            allocations=self._allocations(loan_id, amount_minor) if third and roll.random() < 0.5 else (),
        )
        shown = ((late, Trait.LATE_PAYER), (back, Trait.BACK_DATED), (third, Trait.THIRD_PAYER))
        self.shown |= {trait for has, trait in shown if has}
        self._say(at, first, terms.lender_id)
        if bounces:
            self._bounce(first, terms, at + roll.randint(5, 60) * HOUR_MS, day + timedelta(days=2))

    def _allocations(self, loan_id: str, amount_minor: int) -> tuple[Allocation, ...]:
        part = max(1, amount_minor // 4)
        return (Allocation(instalment_id=f"{loan_id}-i", component=Component.PRINCIPAL, amount_minor=part),)

    def _bounce(self, payment: RepaymentReceived, terms: LoanTerms, at: int, day: date) -> None:
        reason = dice(self._draw.seed, "bounces", payment.payment_id).choice(tuple(ReversalReason))
        event = RepaymentReversed(
            loan_id=payment.loan_id, payment_id=payment.payment_id, reversed_on=day, reason=reason
        )
        self._say(at, event, terms.lender_id, Trait.REVERSAL)

    def _arrange(self, loan_id: str, terms: LoanTerms, amount_minor: int, due: date) -> None:
        roll = dice(self._draw.seed, "arranges", loan_id)
        arrangements: tuple[tuple[Trait, Callable[[int], Event]], ...] = (
            (Trait.PROMISE, lambda _: _promise(loan_id, terms, amount_minor, due)),
            (Trait.HOLD, lambda at: _hold(loan_id, at, at + roll.randint(1, 5) * DAY_MS)),
            (Trait.CLOSED, lambda _: LoanClosed(loan_id=loan_id, closed_on=due, reason=ClosedReason.SETTLED)),
        )
        for trait, event in arrangements:
            if self._befalls(trait, loan_id):
                at = self._instant(roll.random())
                self._say(at, event(at), terms.lender_id, trait)
                if trait is Trait.HOLD and roll.random() < 0.4:
                    lifted = at + roll.randint(1, 30) * HOUR_MS
                    self._say(lifted, HoldLifted(loan_id=loan_id, hold_id=f"{loan_id}-h", lifted_ms=lifted))
        for trait in (Trait.CANCELLED, Trait.CHARGED, Trait.DECEASED):
            if self._befalls(trait, loan_id):
                begins = self._instant(dice(self._draw.seed, trait, "begins", loan_id).random())
                today = local_date(begins, terms.accounting_zone)
                for at, happening in to_loan(trait, loan_id, begins, today, amount_minor):
                    self._say(at, happening, terms.lender_id, trait)


def _promise(loan_id: str, terms: LoanTerms, amount_minor: int, due: date) -> PromiseMade:
    return PromiseMade(
        loan_id=loan_id,
        promise_id=f"{loan_id}-t",
        amount_minor=amount_minor,
        currency=terms.currency,
        promised_on=due,
        due_on=due + timedelta(days=3),
        tolerance_days=1,
    )


def _hold(loan_id: str, from_ms: int, until_ms: int) -> HoldPlaced:
    return HoldPlaced(
        loan_id=loan_id, hold_id=f"{loan_id}-h", reason=HoldReason.DISPUTE, from_ms=from_ms, until_ms=until_ms
    )
