"""Reporting: when the credit bureau is told of a loan, and what must happen before it is told anything adverse.

Read from TOML and checked as a whole before a service starts. A segment's table differs from its product's, a product's
from the defaults; unlike a strategy's, these tables are flat, so they are merged key by key.
"""

from __future__ import annotations

import json
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from shared.contract.base import Channel, Record, Word
from shared.domain import pboc
from shared.domain.policy_errors import PolicyError
from shared.kernel.zones import DAY_MS, HOUR_MS, at_local

_MIDNIGHT_AFTER: Final = "24:00"
_NOT_FOR_NOTICES: Final = frozenset({Channel.VISIT, Channel.CALL})
_ONE_DAY: Final = timedelta(days=1)


class ReportingRules(Record):
    """What holds for one kind of loan."""

    regime: Literal["pboc"]
    cutoff_day: Literal["last"] | Annotated[int, Field(ge=1, le=28)]
    cutoff_time: Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
    notice_lead_days: Annotated[int, Field(ge=1, le=27)]
    notice_from_days_past_due: Annotated[int, Field(ge=1, le=60)]
    notice_attempts: Annotated[int, Field(ge=1, le=5)]
    notice_channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=7)]
    notice_template: Word
    waiting_days: Annotated[int, Field(ge=1, le=60)]
    decide_within_days: Annotated[int, Field(ge=1, le=90)]
    clearance_again_hours: Annotated[int, Field(ge=1, le=240)]
    history_months: Annotated[int, Field(ge=1, le=84)]
    says_paid_late_in_month: bool
    says_guarantor_paid: bool
    returned_payment_counts: bool

    @property
    def waiting_ms(self) -> int:
        """From the notice to the report: days of 24 hours, so that no clock change shortens them."""
        return self.waiting_days * DAY_MS

    @property
    def lead_ms(self) -> int:
        """How long before a cut-off a late loan is warned of it."""
        return self.notice_lead_days * DAY_MS

    @property
    def decide_within_ms(self) -> int:
        """How long after its cut-off (or after it became known) a month may wait at the gate."""
        return self.decide_within_days * DAY_MS

    @property
    def clearance_again_ms(self) -> int:
        """How long after a refused clearance it is asked for again."""
        return self.clearance_again_hours * HOUR_MS

    def encode(self, state: pboc.MonthState) -> str:
        """Return the regime's code of a month."""
        return pboc.encode(
            state, says_paid_late=self.says_paid_late_in_month, says_guarantor_paid=self.says_guarantor_paid
        )

    def cutoff_date(self, month: str) -> date:
        """Return the day of `month` (YYYY-MM) whose end is reported (trap T-62)."""
        year, number = int(month[:4]), int(month[5:])
        last = monthrange(year, number)[1]
        return date(year, number, last if self.cutoff_day == "last" else self.cutoff_day)

    def cutoff_ms(self, month: str, zone_name: str) -> int:
        """Return the instant at which a month is closed for reporting, on the clocks of that zone."""
        day = self.cutoff_date(month)
        if self.cutoff_time == _MIDNIGHT_AFTER:
            return at_local(day + _ONE_DAY, time(0), zone_name)
        return at_local(day, time(int(self.cutoff_time[:2]), int(self.cutoff_time[3:])), zone_name)

    def first_month_after(self, day: date) -> str:
        """Return the first month whose cut-off day lies after `day`."""
        month = month_of(day)
        return month if self.cutoff_date(month) > day else next_month(month)

    def first_day(self, month: str) -> date:
        """Return the first day that belongs to a month: the one after the cut-off day before it."""
        return self.cutoff_date(previous_month(month)) + _ONE_DAY


@dataclass(frozen=True, slots=True)
class Reporting:
    """The whole policy of reporting. What it does not name is reported by the next wider table."""

    defaults: ReportingRules
    products: Mapping[str, ReportingRules]
    segments: Mapping[tuple[str, str], ReportingRules]

    def rules(self, product: str, segment: str) -> ReportingRules:
        """Return what holds for a loan of that product and segment."""
        return self.segments.get((product, segment)) or self.products.get(product) or self.defaults


def month_of(day: date) -> str:
    """Return the month (YYYY-MM) of a day."""
    return f"{day.year:04d}-{day.month:02d}"


def next_month(month: str) -> str:
    """Return the month after `month`."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1:04d}-01" if number == 12 else f"{year:04d}-{number + 1:02d}"


def previous_month(month: str) -> str:
    """Return the month before `month`."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1:04d}-12" if number == 1 else f"{year:04d}-{number - 1:02d}"


_TABLES: Final = {"defaults", "products"}
_RULES: Final = TypeAdapter(ReportingRules)


def load_reporting(table: dict[str, Any], where: str) -> Reporting:
    """Return the checked policy; raise `PolicyError` naming file, key and what is wrong there."""
    for name in sorted(set(table) - _TABLES):
        raise PolicyError(f"{where}: {name}", "only [defaults] and [products.NAME] stand here")
    wider = _table(table.get("defaults"), f"{where}: defaults")
    defaults = _rules(wider, f"{where}: defaults")
    products: dict[str, ReportingRules] = {}
    segments: dict[tuple[str, str], ReportingRules] = {}
    for name, content in sorted(_table(table.get("products", {}), f"{where}: products").items()):
        place = f"{where}: products.{name}"
        own = dict(_table(content, place))
        narrower = _table(own.pop("segments", {}), f"{place}.segments")
        products[name] = _rules(wider | own, place)
        for segment, differs in sorted(narrower.items()):
            here = f"{place}.segments.{segment}"
            segments[name, segment] = _rules(wider | own | _table(differs, here), here)
    return Reporting(defaults, products, segments)


def _table(content: object, where: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise PolicyError(where, "expected a table")
    return content


def _rules(content: dict[str, Any], where: str) -> ReportingRules:
    try:
        # Through JSON: there a list may be a tuple and a word an enum's value, and nothing else is coerced.
        rules = _RULES.validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        key = error.errors()[0]["loc"][:1]
        wrong = [str(one["msg"]) for one in error.errors() if one["loc"][:1] == key]
        raise PolicyError(".".join((where, *map(str, key))), ", or: ".join(wrong)) from error
    _check(rules, where)
    return rules


def _check(rules: ReportingRules, where: str) -> None:
    channels = rules.notice_channels
    if len(set(channels)) < len(channels):
        raise PolicyError(f"{where}.notice_channels", "each channel at most once")
    for channel in channels:
        if channel in _NOT_FOR_NOTICES:
            raise PolicyError(f"{where}.notice_channels", f"a {channel.value} leaves nothing in writing: not a notice")
    if rules.waiting_days >= rules.notice_lead_days:
        text = f"a notice must come more than waiting_days ({rules.waiting_days}) before the cut-off that it warns of"
        raise PolicyError(f"{where}.notice_lead_days", text)
    if rules.waiting_days >= rules.decide_within_days:
        text = "a month that turns adverse at its last hour must have time for notice and waiting"
        raise PolicyError(f"{where}.decide_within_days", text)
