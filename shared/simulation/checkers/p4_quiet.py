"""P4 quiet: no permit outside the hours allowed where the person may be, into a refusal, a cease or a hold.

Local time comes from a second implementation; each quarter of an hour of a permit's interval is looked at, and its
last millisecond. In true time, every tick is compared with the broker's append time. One that was on its way to
a broker that stood still is late by no fault of the clock: then nothing at all was appended to the log meanwhile.
"""

from __future__ import annotations

from typing import Final

from shared.contract.outreach import PermitGranted
from shared.contract.requests import ContactClass
from shared.contract.ticks import TimeMode
from shared.domain.packs import Hours, Packs
from shared.kernel.zones import MINUTE_MS
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.local_time import local_moment
from shared.simulation.checkers.person import Knowledge, Society, date_of, in_force, rules_for
from shared.simulation.checkers.policies import Policies
from shared.simulation.checkers.spool import Spool
from shared.simulation.checkers.verdict import Findings, Verdict

TRUE_TIME_MS_MAX: Final = 5_000
_STEP_MS: Final = 15 * MINUTE_MS


def check(chronicle: Chronicle, policies: Policies) -> Verdict:
    """Look at every permit's whole interval in every zone, and at everything that closes a way to a person."""
    findings = Findings("P4", "quiet")
    society = Society(chronicle)
    for borrower_id, permits in sorted(society.permits.items()):
        for entry in permits:
            if not chronicle.judges(entry.at):
                continue
            knowledge = society.known(borrower_id, entry.at)
            _check_hours(entry, knowledge, policies.of(entry.data.policy).packs, findings)
            _check_will(entry, knowledge, findings)
    return findings.verdict()


def check_true_time(spool: Spool, since: int | None = None) -> Verdict:
    """Compare, where a deployment lives in true time, every tick with the broker's append time."""
    findings = Findings("P4", "quiet")
    true_time = spool.stamped is not None and spool.stamped.mode is TimeMode.WALL
    for tick in spool.ticks() if true_time else ():
        if since is None or tick.at >= since:
            apart = abs(tick.appended_ms - tick.at)
            what = f"the tick is {apart} ms away from the broker's append time"
            on_its_way = tick.at + TRUE_TIME_MS_MAX, tick.appended_ms - TRUE_TIME_MS_MAX
            true = apart <= TRUE_TIME_MS_MAX or (tick.at < tick.appended_ms and spool.was_silent(*on_its_way))
            findings.require(that=true, where=tick.coordinates, what=what)
    return findings.verdict()


def _check_hours(entry: Entry[PermitGranted], knowledge: Knowledge, packs: Packs, findings: Findings) -> None:
    permit = entry.data
    where = entry.where
    zones = knowledge.zones()
    findings.require(that=bool(zones), where=where, what="nobody knew where the person lives")
    hours, _ = rules_for(packs, knowledge.profile)
    instants = [*range(permit.valid_from_ms, permit.valid_until_ms, _STEP_MS), permit.valid_until_ms - 1]
    for rule in hours:
        if permit.channel not in rule.channels:
            continue
        for zone in zones:
            late = next((instant for instant in instants if not is_allowed(rule, instant, zone)), None)
            findings.require(that=late is None, where=where, what=f"{late} is outside rule {rule.rule.id} in {zone}")


def is_allowed(rule: Hours, instant: int, zone: str) -> bool:
    """Return whether a rule allows contact at an instant, as people in a zone read their clocks."""
    moment = local_moment(instant, zone)
    day = date_of(moment.day)
    if not in_force(rule, day):
        return True
    holiday = rule.allowed.on_holiday is not None and rule.calendar.is_holiday(day)
    windows = rule.allowed.on_holiday if holiday else rule.allowed.by_weekday[day.weekday()]
    return any(one.start_minute * MINUTE_MS <= moment.ms < one.end_minute * MINUTE_MS for one in windows or ())


def _check_will(entry: Entry[PermitGranted], knowledge: Knowledge, findings: Findings) -> None:
    permit = entry.data
    where = entry.where
    refused = knowledge.is_refused(permit.channel, permit.contact_point_id)
    findings.require(that=not refused, where=where, what="the person had closed this channel or contact point")
    if permit.contact_class is not ContactClass.STATUTORY_NOTICE:
        ceased = knowledge.has_ceased(permit.lender_id)
        findings.require(that=not ceased, where=where, what="the person had demanded that contact stop")
    held = knowledge.is_held(permit.valid_from_ms, permit.valid_until_ms)
    findings.require(that=not held, where=where, what="a hold on the person touches the permit's interval")
