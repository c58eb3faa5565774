"""`duecourse check --every-minutes N`: the judge as a process, whose verdicts are metrics."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import structlog

from services.cli.deployment_options import given_settings
from services.cli.errors import UserError
from services.cli.judging import judged
from services.cli.report_text import VIOLATIONS_SHOWN
from services.cli.sources import Source
from shared.contract.outreach import PermitGranted
from shared.contract.people import BorrowerProfile
from shared.contract.requests import ContactClass
from shared.domain.packs import Packs
from shared.kernel.hours import is_inside
from shared.kernel.zones import MINUTE_MS
from shared.runtime.health import HealthListener
from shared.runtime.log_lines import configure, count_lines_with, tell_the_uncaught
from shared.runtime.metric_board import Board
from shared.runtime.metric_catalogue import (
    AFTER_PAYMENT,
    AUDIT_AT,
    AUDIT_SECONDS,
    AUDITS_FAILED,
    CASES,
    CONTACTS_CAP,
    CONTACTS_EXEMPT,
    CONTACTS_MADE,
    CONTACTS_PER_PERSON,
    CURED,
    CURED_WITHOUT_HUMAN,
    NEAR_MISSES,
    PAYMENT_CHANCES,
    READY,
    VIOLATIONS,
)
from shared.runtime.pseudonyms import Pseudonyms, deployment_key
from shared.runtime.system_clock import now_ms
from shared.simulation.checkers import Chronicle, Policies, Verdict, chapters
from shared.simulation.checkers.p5_pay_to_silence import chances
from shared.simulation.checkers.verdict import Violation
from shared.simulation.report import Spread, contacts_made, contacts_per_window, cured_loans, weekly_cap

AUDITOR: Final = "auditor"
NEAR_MS: Final = 10 * MINUTE_MS
PROMISES: Final = tuple(f"P{number}" for number in range(1, 9))
_ID_OF_OURS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""What `derive_id` makes; an id of another shape was written by a stranger, and may say anything."""


@dataclass(slots=True)
class Conduct:
    """What an audit counts besides the promises, added up over the parts of a log."""

    in_a_week: Counter[int] = field(default_factory=Counter)
    """How many contacts with a permit had so many before them in the week that they end."""
    made: int = 0
    exempt: int = 0
    near_misses: int = 0
    chances_after_payment: int = 0
    attempts_after_payment: int = 0
    cured: int = 0
    cured_without_human: int = 0

    def add(self, chronicle: Chronicle, packs: Packs, end: int) -> None:
        """Add what a part of the log holds, which ends at the instant `end`."""
        self.in_a_week.update(contacts_per_window(chronicle))
        self.made += sum(1 for _ in contacts_made(chronicle))
        self.exempt += exempt_contacts(chronicle)
        self.near_misses += near_misses(chronicle, packs)
        met = list(chances(chronicle))
        self.chances_after_payment += len(met)
        self.attempts_after_payment += sum(chance.contacted for chance in met)
        cured, without_human = cured_loans(chronicle, end)
        self.cured += cured
        self.cured_without_human += without_human


@dataclass(frozen=True, slots=True)
class Audit:
    """What one reading of all topics amounted to."""

    verdicts: Sequence[Verdict]
    conduct: Conduct
    packs: Packs


def audit_of(source: Source, policies: Policies, promises: Sequence[str] = PROMISES) -> Audit:
    """Read everything, judge the promises, and count how people were treated, by the first policy's weeks and hours.

    Raises `UserError` where that cannot be done.
    """
    conduct, packs = Conduct(), next(iter(policies)).packs
    with judged(source, policies, promises=promises) as found:
        end = max((tick.at for tick in found.spool.ticks()), default=0)
        for chapter in chapters(found.spool):
            conduct.add(chapter, packs, end)
        return Audit(found.verdicts, conduct, packs)


class Auditor:
    """Judges again and again. An audit that cannot be made is counted, said, and tried again."""

    def __init__(self, judge: Callable[[], Audit], every_minutes: float, build: str) -> None:
        settings = given_settings()
        configure(json=settings.log_json, level=settings.log_level, service=AUDITOR)
        self.board = Board(AUDITOR, build, {"promise": PROMISES})
        self.board.set(READY, 0)
        count_lines_with(self.board.count_line, self.board.count_cut_line)
        self._pseudonyms = Pseudonyms(deployment_key(settings))
        self._judge = judge
        self._every_seconds = every_minutes * 60
        self._log = structlog.get_logger(AUDITOR)
        self._reason: str | None = "no audit was made yet"
        self._ended = threading.Event()

    def run(self, health_address: str) -> None:
        """Judge until the process is told to end."""
        tell_the_uncaught()
        listener = None
        if health_address:
            listener = HealthListener(
                health_address, self.board.registry, live=lambda: None, ready=lambda: self._reason
            )
            listener.start()
        try:
            while not self._ended.is_set():
                self.audit()
                self._ended.wait(self._every_seconds)
        finally:
            if listener is not None:
                listener.stop()

    def audit(self) -> None:
        """Judge once and publish what came of it."""
        began = monotonic()
        try:
            audit = self._judge()
        except UserError as error:
            self._reason = error.problem
            self.board.add(AUDITS_FAILED, 1)
            self._log.error("audit failed", why=error.problem)
        else:
            self._publish(audit)
            self._reason = None
            self.board.set(AUDIT_SECONDS, monotonic() - began)
            self.board.set(AUDIT_AT, now_ms() / 1000)
        self.board.set(READY, self._reason is None)

    def _publish(self, audit: Audit) -> None:
        for verdict in audit.verdicts:
            self.board.set(VIOLATIONS, verdict.violated, verdict.promise)
            self.board.set(CASES, verdict.cases, verdict.promise)
        self._publish_conduct(audit.conduct, audit.packs)
        violated = {verdict.promise: verdict.violated for verdict in audit.verdicts if verdict.violated}
        tell = self._log.error if violated else self._log.info
        tell("audited", violated=violated, cases={verdict.promise: verdict.cases for verdict in audit.verdicts})
        for verdict in audit.verdicts:
            for violation in verdict.violations[:VIOLATIONS_SHOWN]:
                self._log.error("promise broken", promise=verdict.promise, **self._lead(violation))

    def _lead(self, violation: Violation) -> dict[str, str]:
        """Return what leads to a violation and names nobody: its sentence does, and is told by `duecourse check`."""
        lies, _, event_id = violation.where.partition(" ")
        lead = {"where": lies}
        if _ID_OF_OURS.fullmatch(event_id):
            lead["id"] = event_id
        if violation.about:
            lead["about_ref"] = self._pseudonyms.of(violation.about)
        return lead

    def _publish_conduct(self, found: Conduct, packs: Packs) -> None:
        board, spread = self.board, Spread.of_counts(found.in_a_week)
        for name, value in (("p50", spread.median), ("p99", spread.p99), ("largest", spread.largest)):
            board.set(CONTACTS_PER_PERSON, value, name)
        board.set(CONTACTS_CAP, weekly_cap(packs))
        board.set(CONTACTS_MADE, found.made)
        board.set(CONTACTS_EXEMPT, found.exempt)
        board.set(NEAR_MISSES, found.near_misses)
        board.set(AFTER_PAYMENT, found.attempts_after_payment)
        board.set(PAYMENT_CHANCES, found.chances_after_payment)
        board.set(CURED, found.cured)
        board.set(CURED_WITHOUT_HUMAN, found.cured_without_human)


def exempt_contacts(chronicle: Chronicle) -> int:
    """Count the contacts made on permits for statutory notices."""
    notices = {
        entry.data.permit_id
        for entry in chronicle.of(PermitGranted)
        if entry.data.contact_class is ContactClass.STATUTORY_NOTICE
    }
    return sum(outcome.permit_id in notices for outcome in contacts_made(chronicle))


def near_misses(chronicle: Chronicle, packs: Packs) -> int:
    """Count the permits that may be used within ten minutes of the end of the hours that their day allows."""
    zones: dict[str, tuple[str, ...]] = {}
    for profile in sorted(chronicle.of(BorrowerProfile), key=lambda entry: entry.data.revision):
        zones[profile.data.borrower_id] = profile.data.zones
    hours = [rule for pack in packs.packs for rule in pack.hours]
    found = 0
    for entry in chronicle.of(PermitGranted):
        permit, until = entry.data, entry.data.valid_until_ms
        known = zones.get(permit.borrower_id, ())
        found += any(
            known and permit.channel in rule.channels
            and not is_inside(until, until + NEAR_MS, known, rule.allowed, rule.calendar)
            for rule in hours
        )  # fmt: skip
    return found
