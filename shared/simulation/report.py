"""What a run amounted to, computed from its topics alone: the same numbers for a simulation and for a real broker."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.contract.arrangements import ARRANGEMENTS
from shared.contract.loans import DUE_DATES, LoanBoarded, LoanOpened
from shared.contract.outcomes import Direction, Outcome, OutreachOutcome
from shared.contract.outreach import PermitDeferred, PermitGranted, PermitRefused
from shared.contract.people import BORROWERS, BorrowerProfile
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import ContactClass, ContactRequested, ReportAction, ReportChanged
from shared.contract.ticks import LOAN_CLOCK
from shared.domain.packs import Packs, Per, Unit
from shared.kernel.zones import DAY_MS
from shared.simulation.checkers.chronicle import Chronicle
from shared.simulation.checkers.ledger import Ledger, business_day
from shared.simulation.checkers.local_time import local_moment
from shared.simulation.checkers.p5_pay_to_silence import chances
from shared.simulation.checkers.p8_replayable import digest
from shared.simulation.checkers.verdict import Verdict

RULES_SHOWN: Final = 10
WINDOW_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution in three numbers."""

    median: int
    p99: int
    largest: int

    @classmethod
    def of(cls, values: Iterable[int]) -> Spread:
        """Return the spread of some values; zeros for none."""
        ordered = sorted(values) or [0]
        return cls(ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], ordered[-1])

    @classmethod
    def of_counts(cls, counts: Mapping[int, int]) -> Spread:
        """Return the spread of values of which each is there so many times."""
        total = sum(counts.values())
        at = {total // 2: 0, min(max(0, total - 1), total * 99 // 100): 0}
        passed = 0
        for value in sorted(counts):
            passed += counts[value]
            at = {place: value if passed - counts[value] <= place < passed else known for place, known in at.items()}
        median, p99 = at[total // 2], at[min(max(0, total - 1), total * 99 // 100)]
        return cls(median, p99, max(counts, default=0))


@dataclass(frozen=True, slots=True)
class Report:
    """The deterministic part: equal for equal seeds, whatever was killed and however many workers ran."""

    facts: int
    loans: int
    people: int
    days: int
    contacts_wanted: int
    contacts_merged: int
    contacts_deferred: int
    contacts_refused: int
    contacts_made: int
    contacts_withdrawn_in_time: int
    prevented_by_rule: tuple[tuple[str, int], ...]
    contacts_per_person: Spread
    contacts_per_person_max: int
    """What the policy allows in seven local days."""
    chances_to_dun_after_payment: int
    attempts_after_payment: int
    cured: int
    cured_without_human: int
    reports_filed: int
    reports_held: int
    reports_corrected: int
    dead_letters: int
    verdicts: tuple[Verdict, ...]
    sha256: str

    @property
    def kept(self) -> bool:
        """Whether every promise was tried and kept."""
        return all(verdict.kept for verdict in self.verdicts)


def report(chronicle: Chronicle, packs: Packs, verdicts: Sequence[Verdict]) -> Report:
    """Compute the report of a recording."""
    granted = chronicle.of(PermitGranted)
    reports = Counter(entry.data.action for entry in chronicle.of(ReportChanged))
    met = list(chances(chronicle))
    end = max((at for ticks in chronicle.ticks.values() for at in ticks.ats), default=0)
    cured, cured_without_human = cured_loans(chronicle, end)
    return Report(
        facts=_records(chronicle, DUE_DATES, REPAYMENTS, ARRANGEMENTS, BORROWERS),
        loans=len({entry.record.key for entry in chronicle.of_each(LoanOpened, LoanBoarded)}),
        people=len({record.key for topic, records in chronicle.topics() if topic == BORROWERS for record in records}),
        days=_days(chronicle),
        contacts_wanted=len(chronicle.of(ContactRequested)),
        contacts_merged=sum(len(entry.data.loans) - 1 for entry in granted),
        contacts_deferred=len({entry.data.request_id for entry in chronicle.of(PermitDeferred)}),
        contacts_refused=len({entry.data.request_id for entry in chronicle.of(PermitRefused)}),
        contacts_made=sum(1 for _ in contacts_made(chronicle)),
        contacts_withdrawn_in_time=len({chance.request_id for chance in met if not chance.contacted}),
        prevented_by_rule=_prevented(chronicle),
        contacts_per_person=Spread.of(contacts_per_window(chronicle)),
        contacts_per_person_max=weekly_cap(packs),
        chances_to_dun_after_payment=len(met),
        attempts_after_payment=sum(chance.contacted for chance in met),
        cured=cured,
        cured_without_human=cured_without_human,
        reports_filed=reports[ReportAction.FILED],
        reports_held=reports[ReportAction.HELD],
        reports_corrected=reports[ReportAction.CORRECTED],
        dead_letters=_records(chronicle, "collections.dead-letters"),
        verdicts=tuple(verdicts),
        sha256=digest(chronicle),
    )


def _records(chronicle: Chronicle, *topics: str) -> int:
    return sum(len(records) for topic, records in chronicle.topics() if topic in topics)


def _days(chronicle: Chronicle) -> int:
    ticks = [at for (clock, _), ticks in chronicle.ticks.items() if clock == LOAN_CLOCK for at in ticks.ats]
    return (max(ticks) - min(ticks)) // DAY_MS if ticks else 0


def contacts_made(chronicle: Chronicle) -> Iterator[OutreachOutcome]:
    """Yield one outcome of each contact that somebody made, with or without a permit."""
    seen: set[str] = set()
    for entry in chronicle.of(OutreachOutcome):
        outcome = entry.data
        if outcome.outcome is Outcome.NOT_ATTEMPTED or outcome.direction is Direction.INBOUND:
            continue
        contact = outcome.permit_id or f"{outcome.borrower_id}/{outcome.channel}/{outcome.occurred_ms}"
        if contact not in seen:
            seen.add(contact)
            yield outcome


def _prevented(chronicle: Chronicle) -> tuple[tuple[str, int], ...]:
    """Count the wishes that each rule stood against, most first."""
    stood: set[tuple[str, str]] = set()
    for entry in chronicle.of(PermitDeferred):
        stood |= {(rule.rule_id, entry.data.request_id) for rule in entry.data.rules}
    for refused in chronicle.of(PermitRefused):
        stood |= {(rule.rule_id, refused.data.request_id) for rule in refused.data.rules}
    counts = Counter(rule for rule, _ in stood)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:RULES_SHOWN])


def contacts_per_window(chronicle: Chronicle) -> list[int]:
    """Return, for each contact with a permit but a notice, how many the person had in the week that ends with it."""
    notices = {
        entry.data.permit_id
        for entry in chronicle.of(PermitGranted)
        if entry.data.contact_class is ContactClass.STATUTORY_NOTICE
    }
    zones = _zones(chronicle)
    days: dict[str, list[int]] = defaultdict(list)
    for outcome in contacts_made(chronicle):
        if outcome.permit_id is not None and outcome.permit_id not in notices:
            zone = zones.get(outcome.borrower_id, "UTC")
            days[outcome.borrower_id].append(local_moment(outcome.occurred_ms, zone).day)
    return [sum(1 for other in made if day - WINDOW_DAYS < other <= day) for made in days.values() for day in made]


def _zones(chronicle: Chronicle) -> dict[str, str]:
    profiles = sorted(chronicle.of(BorrowerProfile), key=lambda entry: entry.data.revision, reverse=True)
    return {entry.data.borrower_id: entry.data.zones[0] for entry in profiles if entry.data.zones}


def weekly_cap(packs: Packs) -> int:
    """Return the tightest cap on all contacts of a person in seven local days."""
    caps = [cap for pack in packs.packs for cap in pack.caps if cap.per is Per.PERSON and cap.unit is Unit.ATTEMPT]
    return max((cap.limit for cap in caps if cap.days == WINDOW_DAYS), default=0)


def cured_loans(chronicle: Chronicle, end: int) -> tuple[int, int]:
    """Count the loans that were overdue once and are not at `end`, and those of them that no person ever called."""
    called = {
        loan.loan_id
        for entry in chronicle.of(PermitGranted)
        if entry.data.contact_class is ContactClass.HUMAN_CALL
        for loan in entry.data.loans
    }
    overdue = {
        entry.data.loan_id
        for entry in chronicle.of(ContactRequested)
        if entry.data.contact_class in {ContactClass.OVERDUE, ContactClass.HUMAN_CALL}
    }
    ledger = Ledger(chronicle)
    cured = set()
    for loan_id in sorted(overdue):
        position = ledger.position(loan_id, end)
        terms = position.terms
        if terms is not None and not position.days_past_due(business_day(end, terms.accounting_zone, terms.cutoff)):
            cured.add(loan_id)
    return len(cured), len(cured - called)
