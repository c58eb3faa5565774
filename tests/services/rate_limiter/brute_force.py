"""A slow evaluator of P3, P4 and P5, written apart from the gate: it reads events only, and tries everything.

It shares no code with the service. Local time comes from another implementation (dateutil), and the numbers of the
default policy are written out here once more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dateutil import tz

from shared.contract.outcomes import OutreachOutcome
from shared.contract.outreach import PermitGranted, PermitWithdrawn
from shared.contract.people import (
    BorrowerCeased,
    BorrowerConsented,
    BorrowerHoldLifted,
    BorrowerHoldPlaced,
    BorrowerOptedOut,
    BorrowerProfile,
)
from shared.contract.requests import ContactRequested, ContactWithdrawn

DIGITAL = {"push", "in_app", "sms", "email"}
MINUTE = 60_000


@lru_cache(maxsize=200_000)
def reads(instant: int, zone: str) -> datetime:
    """What the clocks of a zone read at an instant."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant)).astimezone(tz.gettz(zone))


@dataclass
class Made:
    """One contact: what, when, and whether it was given back."""

    key: str
    channel: str
    point: str | None
    lender: str | None
    loans: set[str]
    notice: bool
    start: int
    end: int
    permitted: bool
    inbound: bool = False
    outcomes: set[str] = field(default_factory=set)
    talks: list[int] = field(default_factory=list)

    def days(self, zone: str) -> set:
        """Every local day that it touches."""
        return {reads(instant, zone).date() for instant in (self.start, self.end - 1)}

    @property
    def counts(self) -> bool:
        """Whether it takes room in a cap of attempts."""
        return not self.notice and not self.inbound and self.outcomes != {"not_attempted"}


class Observer:
    """Hears what the gate hears and says, epoch by epoch, and lists every promise broken."""

    def __init__(self) -> None:
        self.profile: BorrowerProfile | None = None
        self.said: list = []
        self.holds: dict[str, list] = {}
        self.lifted: dict[str, int] = {}
        self.made: dict[str, Made] = {}
        self.wishes: dict[str, ContactRequested] = {}
        self.gone: set[str] = set()
        self.violations: list[str] = []
        self.tried = 0
        self.granted: set[str] = set()

    def hear(self, data) -> None:
        """Take note of a fact."""
        match data:
            case BorrowerProfile():
                if self.profile is None or data.revision > self.profile.revision:
                    self.profile = data
            case BorrowerOptedOut() | BorrowerConsented() | BorrowerCeased():
                self.said.append(data)
            case BorrowerHoldPlaced():
                self.holds.setdefault(data.hold_id, []).append(data)
            case BorrowerHoldLifted():
                self.lifted[data.hold_id] = max(self.lifted.get(data.hold_id, 0), data.lifted_ms)
            case ContactRequested():
                self.wishes[data.request_id] = data
            case ContactWithdrawn():
                self.gone.add(data.request_id)
            case OutreachOutcome():
                self._made(data)

    def _made(self, data: OutreachOutcome) -> None:
        made = self.made.get(data.permit_id or "")
        if made is None:
            if data.outcome == "not_attempted":
                return
            key = f"{data.channel}{data.occurred_ms}{data.contact_point_id}{data.lender_id}{data.direction}"
            made = self.made.setdefault(
                key,
                Made(
                    key,
                    data.channel,
                    data.contact_point_id,
                    data.lender_id,
                    set(),
                    notice=False,
                    start=data.occurred_ms,
                    end=data.occurred_ms + 1,
                    permitted=False,
                    inbound=data.direction == "inbound",
                ),
            )
        made.loans.update(data.loan_ids)
        made.outcomes.add(data.outcome)
        if data.outcome == "attempted":
            made.start, made.end = min(made.start, data.occurred_ms), max(made.end, data.occurred_ms + 1)
        if data.outcome == "conversation":
            made.talks.append(data.occurred_ms)
        if data.outcome in ("stop", "wrong_number"):
            point = data.contact_point_id or made.point
            channel = None if data.outcome == "wrong_number" and point else data.channel
            self.said.append(
                BorrowerOptedOut(
                    borrower_id=data.borrower_id,
                    opt_out_id=data.outcome_id,
                    channel=channel,
                    contact_point_id=point,
                    given_ms=data.occurred_ms,
                )
            )

    def judge(self, at: int, events: list) -> None:
        """Check every permit that a tick grants against all that is known below its barriers."""
        for data in events:
            if isinstance(data, PermitWithdrawn) and data.permit_id not in self.granted:
                self.violations.append("a permit was withdrawn that nobody had granted")
            if isinstance(data, PermitGranted):
                self._judge_permit(at, data)

    def _judge_permit(self, at: int, permit: PermitGranted) -> None:
        self.tried += 1
        if permit.permit_id in self.granted:
            self.violations.append("P2: a permit was granted twice")
        self.granted.add(permit.permit_id)
        mine = Made(
            permit.permit_id,
            permit.channel,
            permit.contact_point_id,
            permit.lender_id,
            {entry.loan_id for entry in permit.loans},
            notice=permit.contact_class == "statutory_notice",
            start=permit.valid_from_ms,
            end=permit.valid_until_ms,
            permitted=True,
        )
        zones = self._zones()
        broken = [
            *self._quiet(permit, zones),
            *self._paid(at, permit),
            *([] if mine.notice or not zones else self._capped(mine, zones)),
        ]
        self.violations.extend(f"{rule} at {at}: {permit.permit_id}" for rule in broken)
        self.made[permit.permit_id] = mine

    def _zones(self) -> list[str]:
        if self.profile is None:
            return []
        own = [it.zone for it in self.profile.contact_points if it.zone]
        return sorted({*self.profile.zones, *own})

    def _quiet(self, permit: PermitGranted, zones: list[str]) -> list[str]:
        broken = []
        if not zones:
            broken.append("P4: nobody knows where the person lives")
        minutes = [*range(permit.valid_from_ms, permit.valid_until_ms, MINUTE), permit.valid_until_ms - 1]
        if any(not 9 <= reads(instant, zone).hour < 20 for instant in minutes for zone in zones):
            broken.append("P4: outside the hours")
        if permit.valid_until_ms <= permit.valid_from_ms:
            broken.append("P4: an empty interval")
        for hold_id, placed in self.holds.items():
            newest = max(placed, key=lambda it: it.revision)
            ends = [end for end in (newest.until_ms, self.lifted.get(hold_id)) if end is not None]
            if newest.from_ms < permit.valid_until_ms and all(permit.valid_from_ms < end for end in ends):
                broken.append("P4: into a hold")
        points = self.profile.contact_points if self.profile else ()
        if not any(it.contact_point_id == permit.contact_point_id and permit.channel in it.channels for it in points):
            broken.append("P4: no such contact point")
        if self._refused(permit.channel, permit.contact_point_id):
            broken.append("P4: into an opt-out")
        ceased = [it for it in self.said if isinstance(it, BorrowerCeased)]
        notice = permit.contact_class == "statutory_notice"
        if not notice and any(it.lender_id in (None, permit.lender_id) for it in ceased):
            broken.append("P4: into a cease")
        return broken

    def _refused(self, channel: str, point: str) -> bool:
        for no in self.said:
            if not isinstance(no, BorrowerOptedOut):
                continue
            if no.channel not in (None, channel) or no.contact_point_id not in (None, point):
                continue
            lifting = [
                yes
                for yes in self.said
                if isinstance(yes, BorrowerConsented)
                and yes.channel == channel
                and yes.given_ms > no.given_ms
                and (yes.contact_point_id == point or (yes.contact_point_id is None and no.contact_point_id is None))
            ]
            if not lifting:
                return True
        return False

    def _paid(self, at: int, permit: PermitGranted) -> list[str]:
        broken = []
        for entry in permit.loans:
            wish = self.wishes.get(entry.request_id)
            if wish is None or entry.request_id in self.gone:
                broken.append("P5: a withdrawn wish was granted")
            elif not wish.not_before_ms <= at < wish.not_after_ms or permit.valid_until_ms > wish.not_after_ms:
                broken.append("P5: a wish was granted outside its time")
            elif (wish.lender_id, wish.contact_class) != (permit.lender_id, permit.contact_class):
                broken.append("P5: wishes of two lenders or classes share a permit")
            elif permit.channel not in wish.channels or wish.amount_due_minor != entry.amount_due_minor:
                broken.append("P5: the permit says other than the wish")
        return broken

    def _capped(self, mine: Made, zones: list[str]) -> list[str]:
        everything = [it for it in [*self.made.values(), mine] if it.counts]
        digital = [it for it in everything if it.channel in DIGITAL]
        calls = [it for it in everything if it.channel == "call"]
        broken = []
        if mine.channel in DIGITAL:
            broken += _over(digital, mine, zones, 1, 1, "digital-day")
            broken += _over(digital, mine, zones, 7, 3, "digital-week")
        if mine.channel == "call":
            same = [it for it in calls if it.point in (None, mine.point)]
            broken += _over(same, mine, zones, 1, 3, "calls-number-day")
            for loan in mine.loans:
                about = [it for it in calls if loan in it.loans or (not it.loans and it.lender in (None, mine.lender))]
                broken += _over(about, mine, zones, 7, 7, "calls-loan-week")
            broken += self._talked(mine, zones)
        return broken + _over(everything, mine, zones, 7, 5, "contacts-week")

    def _talked(self, mine: Made, zones: list[str]) -> list[str]:
        talks = [talk for it in self.made.values() if it.channel in ("call", "visit") for talk in it.talks]
        today = [zone for zone in zones for talk in talks if reads(talk, zone).date() in mine.days(zone)]
        return ["P3: conversation-day"] if today else []


def _over(contacts: list[Made], mine: Made, zones: list[str], days: int, limit: int, rule: str) -> list[str]:
    """Try every window of so many local days that the contact touches, in every zone."""
    for zone in zones:
        for day in mine.days(zone):
            for back in range(days):
                window = {day - timedelta(days=back) + timedelta(days=ahead) for ahead in range(days)}
                if sum(1 for it in contacts if it.days(zone) & window) > limit:
                    return [f"P3: {rule}"]
    return []
