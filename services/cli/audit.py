"""`duecourse check --every-minutes N`: the judge as a process, whose verdicts are metrics."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

import structlog

from services.cli.errors import UserError
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
from shared.runtime.system_clock import now_ms
from shared.simulation.checkers import Chronicle, Verdict
from shared.simulation.report import Report, contacts_made, report

AUDITOR: Final = "auditor"
NEAR_MS: Final = 10 * MINUTE_MS
PROMISES: Final = tuple(f"P{number}" for number in range(1, 9))


@dataclass(frozen=True, slots=True)
class Audit:
    """What one reading of all topics amounted to."""

    chronicle: Chronicle
    verdicts: Sequence[Verdict]
    packs: Packs


class Auditor:
    """Judges again and again. An audit that cannot be made is counted, said, and tried again."""

    def __init__(self, judge: Callable[[], Audit], every_minutes: float, build: str) -> None:
        configure(json=True, level="info", service=AUDITOR)
        self.board = Board(AUDITOR, build, {"promise": PROMISES})
        self.board.set(READY, 0)
        count_lines_with(self.board.count_line, self.board.count_cut_line)
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
        self._publish_report(report(audit.chronicle, audit.packs, audit.verdicts))
        self.board.set(CONTACTS_EXEMPT, exempt_contacts(audit.chronicle))
        self.board.set(NEAR_MISSES, near_misses(audit.chronicle, audit.packs))
        violated = {verdict.promise: verdict.violated for verdict in audit.verdicts if verdict.violated}
        tell = self._log.error if violated else self._log.info
        tell("audited", violated=violated, cases={verdict.promise: verdict.cases for verdict in audit.verdicts})

    def _publish_report(self, found: Report) -> None:
        board, spread = self.board, found.contacts_per_person
        for name, value in (("p50", spread.median), ("p99", spread.p99), ("largest", spread.largest)):
            board.set(CONTACTS_PER_PERSON, value, name)
        board.set(CONTACTS_CAP, found.contacts_per_person_max)
        board.set(CONTACTS_MADE, found.contacts_made)
        board.set(AFTER_PAYMENT, found.attempts_after_payment)
        board.set(PAYMENT_CHANCES, found.chances_to_dun_after_payment)
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


def _alive() -> None:
    """An audit may take long, and it holds nothing that a restart could free."""
