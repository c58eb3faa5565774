"""One wake of one person: first what was made, then what must be taken back, then what may be granted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from services.rate_limiter.answered import all_remembered
from services.rate_limiter.answers import Answers
from services.rate_limiter.breaches import broken_rules
from services.rate_limiter.facts import PENDING_MAX, REMEMBER_MS
from services.rate_limiter.judge import LEAST_VALID_MS, TICK_RULES, Block, Judge, Ruling, block
from services.rate_limiter.state import Answered, Asked, Borrower, Clearance, Contact, Request
from shared.contract.base import Channel
from shared.contract.outcomes import Outcome
from shared.contract.outreach import Answer
from shared.contract.requests import ClearancePurpose, ContactClass
from shared.contract.ticks import Tick
from shared.domain.packs import Packs, Standing
from shared.kernel.ids import derive_id
from shared.kernel.step import Skip, Step
from shared.kernel.zones import DAY_MS, MINUTE_MS, SECOND_MS

LOANS_PER_PERMIT_MAX: Final = 64
CONTACTS_MAX: Final = 500
KEEP_CONTACTS_DAYS: Final = 35
"""At least so long, so that a late outcome still finds its permit; longer where a rule's window is."""
KEEP_NOTICES_DAYS: Final = 400
"""So long an adverse report may still ask whether its notice was sent."""
_LOOK_AGAIN_MS: Final = {
    Standing.CHANNEL_CAPACITY: 1,
    Standing.UPSTREAM_BEHIND: 5 * SECOND_MS,
    Standing.OUTREACH_STOPPED: MINUTE_MS,
    Standing.SHADOW: MINUTE_MS,
}
_CLASS_RANK: Final = {contact_class: rank for rank, contact_class in enumerate(ContactClass)}


class SkipReason(StrEnum):
    """Why a wake left a request as it was."""

    NOT_YET = "not_yet"
    STILL_BLOCKED = "still_blocked"


class Desk:
    """The working copy of one wake; `step` is its outcome."""

    def __init__(
        self,
        borrower_id: str,
        state: Borrower,
        tick: Tick,
        packs: Packs,
        policy_hash: str,
        spent: Mapping[Channel, int],
    ) -> None:
        self._borrower_id = borrower_id
        self._state = state
        self._now = tick.at
        self._packs = packs
        self._spent = dict(spent)
        self._granted: list[str] = []
        self._judge = Judge(borrower_id, state, packs, tick, self._spent)
        self._answers = Answers(borrower_id, tick.at, policy_hash)
        self._contacts = {contact.id: contact for contact in state.contacts}
        self._pending = {request.id: request for request in state.pending}
        self._permits = _permits_by_request(state.contacts)
        self._skips: list[Skip] = []
        self._wakes: list[int] = []
        self._answered: list[Answered] = []

    def step(self) -> Step[Borrower]:
        """Decide everything that this tick can decide about the person."""
        self._pass_on_outcomes()
        self._settle_permits()
        self._forward_holds()
        self._answer_clearances()
        self._decide_requests()
        state = self._tidied()
        return Step(state, self._answers.emits, state.wake_ms, tuple(self._skips), spends=tuple(self._granted))

    # --- what was made

    def _pass_on_outcomes(self) -> None:
        for report in self._state.reports:
            contact = self._contacts[report.contact_id]
            self._answers.outcome(contact, report)
            broken = broken_rules(self._judge, self._state, contact, report, list(self._contacts.values()))
            if broken:
                self._answers.breached(contact, report, broken)
            if not contact.is_permit:
                self._contacts[contact.id] = replace(contact, is_judged=True)
            if contact.is_used:
                self._fulfil_what_waited_for(contact)
        self._state = replace(self._state, reports=())

    def _fulfil_what_waited_for(self, contact: Contact) -> None:
        """A withdrawn permit was used all the same: what it said about the others has been said (T-43)."""
        for request in [it for it in self._pending.values() if it.awaits == contact.id]:
            self._drop(request)

    # --- what must be taken back

    def _settle_permits(self) -> None:
        for contact in list(self._contacts.values()):
            if not contact.requests:
                continue
            if contact.is_open(self._now):
                self._settle_open(contact)
            else:
                if not contact.outcomes and contact.withdrawn_ms is None:
                    self._answers.expired(contact)
                    contact = replace(contact, is_expired=True)  # noqa: PLW2901 - the same contact, one step on
                self._contacts[contact.id] = replace(contact, requests=(), withdrawals=())

    def _settle_open(self, permit: Contact) -> None:
        if permit.withdrawals:
            causes = [withdrawal.fact_id for withdrawal in permit.withdrawals]
            self._take_back(permit, permit.withdrawals[0].reason.value, causes, ())
            return
        objections = self._judge.objections(permit, list(self._contacts.values()), self._now)
        rules = tuple(it.rule_id for it in objections)
        others = [it for request in permit.requests for it in self._permits_for(request) if it.id != permit.id]
        if any(it.is_used for it in others):
            rules = (Standing.ALREADY_SAID.value, *rules)
        if rules:
            causes = [request.fact_id for request in permit.requests]
            self._take_back(permit, rules[0], causes, rules)
        else:
            self._wakes.append(permit.valid_until_ms)

    def _take_back(self, permit: Contact, reason: str, causes: list[str], rules: tuple[str, ...]) -> None:
        """Withdraw the permit as a whole; the wishes that still stand wait until it is known that it was not used."""
        self._answers.withdrawn(permit, reason, causes, rules)
        gone = {withdrawal.request_id for withdrawal in permit.withdrawals}
        for request in permit.requests:
            if request.id in gone:
                self._answered.append(Answered(request.id, request.not_after_ms))
            else:
                waiting = replace(request, awaits=permit.id, told_rules=(), told_earliest_ms=None)
                self._pending[request.id] = waiting
        self._contacts[permit.id] = replace(permit, withdrawn_ms=self._now, requests=(), withdrawals=())

    # --- what stage 1 must know

    def _forward_holds(self) -> None:
        for link in self._state.links:
            for hold in self._state.holds:
                is_over = hold.end_ms is not None and hold.end_ms <= self._now
                if hold.reason is not None and (hold.is_news or (link.is_news and not is_over)):
                    self._answers.forwarded(link.loan_id, hold)
        self._state = replace(
            self._state,
            links=tuple(replace(link, is_news=False) for link in self._state.links),
            holds=tuple(replace(hold, is_news=False) for hold in self._state.holds),
        )

    def _answer_clearances(self) -> None:
        for clearance in self._state.clearances:
            self._answers.cleared(clearance, self._objections_to(clearance))
            self._answered.append(Answered(clearance.id, self._now + REMEMBER_MS))
        self._state = replace(self._state, clearances=())

    def _objections_to(self, clearance: Clearance) -> tuple[Block, ...]:
        now = self._now
        blocks = [block(rule, end) for rule, _, end in self._judge.pauses(now, now + 1)]
        blocks.extend(block(rule) for rule in self._judge.switched(None, clearance.lender_id))
        if clearance.purpose is ClearancePurpose.REFERRAL and self._judge.is_ceased(clearance.lender_id):
            blocks.append(block(Standing.CEASE))
        if clearance.notice_request_id is not None:
            blocks.extend(self._notice(clearance.notice_request_id))
        by_rule = {it.rule_id: it for it in sorted(blocks, key=lambda it: (it.rule_id, it.until_ms or 1 << 62))}
        return tuple(by_rule.values())

    def _notice(self, request_id: str) -> list[Block]:
        notices = [
            contact
            for contact in self._contacts.values()
            if any(asked.request_id == request_id for asked in contact.asked) and contact.is_used
        ]
        if not notices:
            return [block(Standing.NOTICE_NOT_SENT)]
        reached = [it for it in notices if not {Outcome.BOUNCED, Outcome.WRONG_NUMBER}.intersection(it.outcomes)]
        return [] if reached else [block(Standing.NOTICE_BOUNCED)]

    # --- what may be granted

    def _decide_requests(self) -> None:
        waiting = sorted(self._pending.values(), key=_priority)
        for request in waiting[PENDING_MAX:]:
            self._refuse(request, (block(Standing.PENDING_BOUND),))
        # Of all of them first: what was said must not travel along with a wish that is decided before.
        unsaid = [request.id for request in waiting[:PENDING_MAX] if not self._was_said(request)]
        for request_id in unsaid:
            if request_id in self._pending:
                self._decide(self._pending[request_id])

    def _was_said(self, request: Request) -> bool:
        """Refuse a wish when it, or the one that it replaces, became a contact; let it wait while that may still be."""
        permits = self._permits_for(request)
        if any(it.is_used for it in permits):
            self._refuse(request, (block(Standing.ALREADY_SAID),))
            return True
        unknown = [it for it in permits if not it.is_returned]
        if unknown:
            newest = max(unknown, key=lambda it: (it.valid_until_ms, it.id))
            self._pending[request.id] = replace(request, awaits=newest.id)
        return False

    def _permits_for(self, request: Request) -> list[Contact]:
        """Return what earlier ticks permitted for the wish, or for the one that it replaces."""
        names = (request.id,) if request.replaces is None else (request.id, request.replaces)
        return [self._contacts[permit_id] for name in names for permit_id in self._permits.get(name, ())]

    def _decide(self, request: Request) -> None:
        if self._now >= request.not_after_ms:
            self._refuse(request, (block(Standing.USEFUL_UNTIL),), Answer.EXPIRED)
        elif self._now < request.not_before_ms:
            self._skips.append(Skip(SkipReason.NOT_YET, request.id))
            self._wakes.append(request.not_before_ms)
        else:
            self._rule_on(request)

    def _rule_on(self, request: Request) -> None:
        """Try the channels in order of preference; where none is free, refuse what never can be, defer the rest."""
        rulings: list[Ruling] = []
        contacts = list(self._contacts.values())
        for channel, point in self._judge.candidates(request):
            ruling = self._judge.ruling(request, channel, point, contacts, self._now)
            if ruling.is_free:
                self._grant(request, ruling)
                return
            rulings.append(ruling)
        hopeful = [ruling for ruling in rulings if not ruling.is_final]
        if hopeful:
            self._defer(request, rulings, hopeful, contacts)
        else:
            self._refuse(request, _united([_final_only(ruling) for ruling in rulings]))

    def _grant(self, request: Request, ruling: Ruling) -> None:
        """Make one permit of the request and of all that may travel with it: same lender, class and channel."""
        requests, until = [request], ruling.until_ms
        contacts = list(self._contacts.values())
        for other in sorted(self._pending.values(), key=_priority):
            if len(requests) < LOANS_PER_PERMIT_MAX and self._may_travel(other, request, ruling):
                joined = self._judge.ruling(other, ruling.channel, ruling.point, contacts, self._now)
                if joined.is_free:
                    requests.append(other)
                    until = min(until, joined.until_ms)
        permit = Contact(
            id=derive_id("permit", self._borrower_id, request.id, self._now),
            is_permit=True,
            channel=ruling.channel,
            point=ruling.point,
            lender_id=request.lender_id,
            contact_class=request.contact_class,
            asked=tuple(Asked(it.id, it.loan_id) for it in requests),
            loan_ids=tuple(sorted({it.loan_id for it in requests})),
            valid_from_ms=self._now,
            valid_until_ms=until,
            from_ms=self._now,
            until_ms=until,
            requests=tuple(requests),
        )
        if until - self._now < LEAST_VALID_MS:
            raise AssertionError("a permit that nobody could use in time")
        self._contacts[permit.id] = permit
        for granted in requests:
            del self._pending[granted.id]
        self._spent[ruling.channel] = self._spent.get(ruling.channel, 0) + 1
        self._granted.append(ruling.channel.value)
        self._answers.granted(permit, request.template, self._judge.checked(permit))
        self._wakes.append(until)

    def _may_travel(self, other: Request, request: Request, ruling: Ruling) -> bool:
        return (
            other.id != request.id
            and other.lender_id == request.lender_id
            and other.contact_class is request.contact_class
            and ruling.channel in other.channels
            and other.not_before_ms <= self._now < other.not_after_ms
        )

    def _defer(self, request: Request, rulings: list[Ruling], hopeful: list[Ruling], contacts: list[Contact]) -> None:
        found = [self._judge.earliest(request, ruling, contacts) for ruling in hopeful]
        earliest = min((at for at in found if at is not None), default=None)
        blocks = _united(rulings)
        rules = tuple(it.rule_id for it in blocks)
        self._wakes.append(request.not_after_ms)
        if earliest is not None:
            self._wakes.append(max(earliest, self._now + 1))
        self._wakes.extend(self._now + pause for ruling in hopeful if (pause := _look_again(ruling)) is not None)
        if (rules, earliest) == (request.told_rules, request.told_earliest_ms):
            self._skips.append(Skip(SkipReason.STILL_BLOCKED, request.id))
            return
        self._answers.deferred(request, blocks, earliest)
        self._pending[request.id] = replace(request, told_rules=rules, told_earliest_ms=earliest)

    def _refuse(self, request: Request, blocks: tuple[Block, ...], answer: Answer = Answer.REFUSED) -> None:
        self._answers.refused(request, blocks, answer)
        self._drop(request)

    def _drop(self, request: Request) -> None:
        del self._pending[request.id]
        forget_ms = max(request.not_after_ms, self._now + DAY_MS)
        self._answered.append(Answered(request.id, forget_ms, request.replaces))

    # --- what is kept

    def _tidied(self) -> Borrower:
        """Forget what no rule and no late outcome can need, and say when to look again."""
        now = self._now
        days = max(KEEP_CONTACTS_DAYS, self._packs.longest_window_days + 2)
        contacts = [
            it for it in self._contacts.values() if it.requests or _ends(it) > now - _kept_days(it, days) * DAY_MS
        ]
        if len(contacts) > CONTACTS_MAX:
            contacts = sorted(contacts, key=lambda it: (bool(it.requests), _ends(it), it.id))[-CONTACTS_MAX:]
        state = all_remembered(self._state, self._answered)
        return replace(
            state,
            wake_ms=max(min(self._wakes), now + 1) if self._wakes else None,
            callbacks=tuple(it for it in state.callbacks if it.until_ms > now - days * DAY_MS),
            doubts=tuple(doubt for doubt in state.doubts if doubt.until_ms > now),
            pending=tuple(self._pending[name] for name in sorted(self._pending)),
            contacts=tuple(sorted(contacts, key=lambda it: it.id)),
            answered=tuple(entry for entry in state.answered if entry.forget_ms > now),
        )


def _priority(request: Request) -> tuple[int, int, str]:
    return (_CLASS_RANK[request.contact_class], -request.days_past_due, request.id)


def _ends(contact: Contact) -> int:
    return max(contact.until_ms, contact.valid_until_ms, *contact.conversations_ms[-1:])


def _kept_days(contact: Contact, days: int) -> int:
    return max(days, KEEP_NOTICES_DAYS) if contact.contact_class is ContactClass.STATUTORY_NOTICE else days


def _final_only(ruling: Ruling) -> Ruling:
    return replace(ruling, blocks=tuple(it for it in ruling.blocks if it.is_final))


def _look_again(ruling: Ruling) -> int | None:
    """Return after how long a ruling may change with the tick alone: where nothing but ticks has no end."""
    endless = [it.rule_id for it in ruling.blocks if it.until_ms is None]
    if not endless or not TICK_RULES.issuperset(endless):
        return None
    return max(_LOOK_AGAIN_MS[Standing(rule_id)] for rule_id in endless)


def _united(rulings: list[Ruling]) -> tuple[Block, ...]:
    """Name every rule that blocks somewhere, each with the first instant at which it would not."""
    found: dict[str, Block] = {}
    for ruling in rulings:
        for entry in ruling.blocks:
            known = found.get(entry.rule_id)
            if known is None or (entry.until_ms is not None and entry.until_ms < (known.until_ms or 1 << 62)):
                found[entry.rule_id] = entry
    return tuple(found[rule_id] for rule_id in sorted(found))


def _permits_by_request(contacts: Iterable[Contact]) -> dict[str, list[str]]:
    permits: dict[str, list[str]] = defaultdict(list)
    for contact in contacts:
        for asked in contact.asked:
            permits[asked.request_id].append(contact.id)
    return permits
