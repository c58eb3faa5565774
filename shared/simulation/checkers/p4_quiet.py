"""P4 quiet: no permit outside the hours allowed where the person may be, into a refusal, a cease or a hold.

Nor into an operator's switch, nor to somebody of whom a record could not be read: it may have been a refusal. And what
closes the way while a permit is open takes the permit back, at the very tick that reads it.

Local time comes from a second implementation; each quarter of an hour of a permit's interval is looked at, and its
last millisecond. In true time, every tick is compared with the broker's append time. One that was on its way to
a broker that stood still is late by no fault of the clock: then nothing at all was appended to the log meanwhile.
"""

from __future__ import annotations

from typing import Final

from shared.contract.outreach import PermitGranted
from shared.contract.requests import ContactClass
from shared.contract.ticks import BORROWER_CLOCK, OutreachMode, TimeMode
from shared.contract.topics import RATE_LIMITER
from shared.domain.packs import Hours, Packs
from shared.kernel.zones import MINUTE_MS
from shared.simulation.checkers.chronicle import Chronicle, Entry
from shared.simulation.checkers.local_time import local_moment
from shared.simulation.checkers.person import Knowledge, Society, date_of, in_force, permit_ends, rules_for
from shared.simulation.checkers.policies import Policies
from shared.simulation.checkers.spool import Spool
from shared.simulation.checkers.verdict import Findings, Verdict

TRUE_TIME_MS_MAX: Final = 5_000
_STEP_MS: Final = 15 * MINUTE_MS


def check(chronicle: Chronicle, policies: Policies) -> Verdict:
    """Look at every permit's whole interval in every zone, and at everything that closes a way to a person."""
    findings = Findings("P4", "quiet")
    society, ends = Society(chronicle), permit_ends(chronicle)
    for borrower_id, permits in sorted(society.permits.items()):
        for entry in permits:
            packs = policies.of(entry.data.policy).packs
            if chronicle.judges(entry.at):
                knowledge = society.known(borrower_id, entry.at)
                _check_hours(entry, knowledge, packs, findings)
                _check_will(entry, knowledge, findings)
                doubted = society.in_doubt(borrower_id, entry.at)
                findings.require(that=not doubted, where=entry.where, what="a record about the person was in doubt")
                _check_switches(entry, chronicle, findings)
            for at in society.news(borrower_id, entry.at, entry.data.valid_until_ms):
                applied = chronicle.standing.has_applied((RATE_LIMITER, entry.record.partition), at)
                if chronicle.judges(at) and applied:
                    closed = _is_closed(entry.data, society.known(borrower_id, at), packs)
                    ended = ends.get(entry.data.permit_id, at + 1) <= at
                    what = f"what became known at {at} closed the way, and the permit stayed open"
                    findings.require(that=ended or not closed, where=entry.where, what=what)
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
    reached = _reaches(permit, knowledge)
    findings.require(that=reached, where=where, what="no contact point of the person's is reached so")
    refused = knowledge.is_refused(permit.channel, permit.contact_point_id)
    findings.require(that=not refused, where=where, what="the person had closed this channel or contact point")
    if permit.contact_class is not ContactClass.STATUTORY_NOTICE:
        ceased = knowledge.has_ceased(permit.lender_id)
        findings.require(that=not ceased, where=where, what="the person had demanded that contact stop")
    held = knowledge.is_held(permit.valid_from_ms, permit.valid_until_ms)
    findings.require(that=not held, where=where, what="a hold on the person touches the permit's interval")


def _reaches(permit: PermitGranted, knowledge: Knowledge) -> bool:
    """Whether the person has the contact point, and it takes the channel."""
    points = () if knowledge.profile is None else knowledge.profile.contact_points
    return any(
        point.contact_point_id == permit.contact_point_id and permit.channel in point.channels for point in points
    )


def _check_switches(entry: Entry[PermitGranted], chronicle: Chronicle, findings: Findings) -> None:
    """Require that no operator had stopped outreach, or made it a shadow, for the channel and the lender."""
    permit = entry.data
    tick = chronicle.tick_of(BORROWER_CLOCK, entry.record.partition, entry.at)
    stopped = any(
        switch.mode is not OutreachMode.STARTED
        and switch.channel in {None, permit.channel}
        and switch.lender_id in {None, permit.lender_id}
        for switch in (() if tick is None else tick.switches)
    )
    findings.require(that=not stopped, where=entry.where, what="an operator had stopped outreach")


def _is_closed(permit: PermitGranted, knowledge: Knowledge, packs: Packs) -> bool:
    """Whether the rest of an open permit's interval lies in what is closed by all that is known now."""
    if knowledge.is_refused(permit.channel, permit.contact_point_id):
        return True
    if permit.contact_class is not ContactClass.STATUTORY_NOTICE and knowledge.has_ceased(permit.lender_id):
        return True
    if knowledge.is_held(knowledge.at, permit.valid_until_ms):
        return True
    hours, _ = rules_for(packs, knowledge.profile)
    instants = [*range(knowledge.at, permit.valid_until_ms, _STEP_MS), permit.valid_until_ms - 1]
    return any(
        not is_allowed(rule, instant, zone)
        for rule in hours
        if permit.channel in rule.channels
        for zone in knowledge.zones()
        for instant in instants
    )
