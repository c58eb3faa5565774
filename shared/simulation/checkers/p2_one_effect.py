"""P2 one effect: every output is there exactly once, and none of its siblings is missing; what was said is not resaid.

The ids tell: each is derived from service, key, tick, type and its place among what one decision said. So the events
of one decision must be the places 0 to n - 1, each once, whatever crashed between. A step of a reminder is asked for
once, unless it replaces what was taken back; and a wish, with all that it replaces, leads to one contact: not to a
permit while an earlier one may have been used.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from shared.contract.base import Event
from shared.contract.loans import InstalmentChanged
from shared.contract.outcomes import Outcome, OutreachOutcome
from shared.contract.outreach import PermitGranted
from shared.contract.requests import ContactRequested
from shared.contract.topics import DEAD_LETTERS, RATE_LIMITER
from shared.kernel.ids import derive_id
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.demands import STEPS
from shared.simulation.checkers.spool import Spool
from shared.simulation.checkers.verdict import Findings, Verdict


def check(chronicle: Chronicle) -> Verdict:
    """Look for repeated, missing and foreign outputs of each decision."""
    findings = Findings("P2", "one effect")
    decisions: dict[tuple[str, str, int], list[Entry[Event]]] = defaultdict(list)
    for entry in chronicle.outputs():
        service = entry.source.split("/")[2]
        key = "borrower_id" if service == RATE_LIMITER else "loan_id"
        if chronicle.judges(entry.at):
            decisions[service, str(getattr(entry.data, key, "")), entry.at].append(entry)
    for (service, key, at), entries in decisions.items():
        _check_decision(service, key, at, entries, findings)
    _check_steps(chronicle, findings)
    _check_wishes(chronicle, findings)
    return findings.verdict()


def check_streams(spool: Spool, since: int | None = None) -> Verdict:
    """Look for records that were buried twice, and for streams in which time goes back."""
    findings = Findings("P2", "one effect")
    for key, service, count in spool.letters():
        what = f"{(key or b'').decode(errors='replace')} was buried {count} times by {service}"
        findings.require(that=count == 1, where=DEAD_LETTERS, what=what)
    for place in spool.authors():
        before = 0
        for said in spool.said(*place):
            if said.at is not None and (since is None or said.at >= since):
                what = f"said at {said.at} after something said at {before}"
                findings.require(that=said.at >= before, where=said.coordinates, what=what)
            before = before if said.at is None else said.at
    return findings.verdict()


def _check_decision(service: str, key: str, at: int, entries: list[Entry[Event]], findings: Findings) -> None:
    places: dict[int | None, list[Entry[Event]]] = defaultdict(list)
    for entry in entries:
        place = _place(service, key, at, entry, len(entries))
        places[place].append(entry)
        what = "its id is not one of this decision: a sibling is missing, or it was said by somebody else"
        findings.require(that=place is not None, where=entry.where, what=what)
    for place, same in places.items():
        if place is not None and len(same) > 1:
            what = f"output {place} of key {key} at {at} was said {len(same)} times by {service}"
            findings.violated(same[-1].where, what)


def _place(service: str, key: str, at: int, entry: Entry[Event], siblings: int) -> int | None:
    kind = entry.data.TYPE
    return next((n for n in range(siblings) if derive_id(service, key, at, kind, n) == entry.id), None)


def _check_steps(chronicle: Chronicle, findings: Findings) -> None:
    """Look for steps that are asked for again: at most once for each instalment named, and each time that one moved."""
    moved = Counter(entry.data.loan_id for entry in chronicle.of(InstalmentChanged))
    asked: Counter[tuple[object, ...]] = Counter()
    for entry in sorted(chronicle.of(ContactRequested), key=lambda one: one.at):
        wish = entry.data
        if wish.contact_class in STEPS and wish.replaces_request_id is None:
            what = (wish.loan_id, wish.step, wish.instalment_ids, wish.oldest_due_date)
            asked[what] += 1
            most = len(wish.instalment_ids) + moved[wish.loan_id]
            if chronicle.judges(entry.at):
                text = f"step {wish.step} of loan {wish.loan_id} was asked for {asked[what]} times"
                findings.require(that=asked[what] <= most, where=entry.where, what=text)


def _check_wishes(chronicle: Chronicle, findings: Findings) -> None:
    """Look, for every permit, at the earlier ones for the same wishes or for those that they replace."""
    replaced = {entry.data.request_id: entry.data.replaces_request_id for entry in chronicle.of(ContactRequested)}
    made: dict[str, list[int]] = defaultdict(list)
    unused: dict[str, list[int]] = defaultdict(list)
    for told in chronicle.of(OutreachOutcome):
        known = chronicle.known_at(told.record)
        if told.data.permit_id is not None and known is not None and chronicle.is_home(told.record):
            into = unused if told.data.outcome is Outcome.NOT_ATTEMPTED else made
            into[told.data.permit_id].append(known)
    permits: dict[tuple[str, str], list[Entry[PermitGranted]]] = defaultdict(list)
    for entry in chronicle.of(PermitGranted):
        earlier = [
            permit
            for loan in entry.data.loans
            for wish in _wish_and_replaced(loan.request_id, replaced)
            for permit in permits[entry.data.borrower_id, wish]
        ]
        for permit in earlier if chronicle.judges(entry.at) else ():
            permit_id = permit.data.permit_id
            was_used = any(known <= entry.at for known in made[permit_id])
            was_not = any(known <= entry.at for known in unused[permit_id])
            over = was_not or permit.data.valid_until_ms <= entry.at
            what = f"permit {permit_id} for the same wish was used, or may still be"
            findings.require(that=over and not was_used, where=entry.where, what=what)
        for loan in entry.data.loans:
            permits[entry.data.borrower_id, loan.request_id].append(entry)


def _wish_and_replaced(request_id: str, replaced: Mapping[str, str | None]) -> Iterator[str]:
    """Yield a wish, the one that it replaces, and so on back to the first."""
    seen: set[str] = set()
    following: str | None = request_id
    while following is not None and following not in seen:
        seen.add(following)
        yield following
        following = replaced.get(following)
