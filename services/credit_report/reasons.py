"""The closed vocabularies: why a month is held, why it was told so, and why a due look led to nothing."""

from __future__ import annotations

from enum import StrEnum


class Shut(StrEnum):
    """Why an adverse month cannot be told yet. What remains when the time is up is told as unknown."""

    BEFORE_CUTOFF = "before_cutoff"
    NOTICE_NOT_SENT = "notice_not_sent"
    NOTICE_BOUNCED = "notice_bounced"
    NOTICE_REFUSED = "notice_refused"
    NO_TIME_FOR_NOTICE = "no_time_for_notice"
    NOTHING_TO_DEMAND = "nothing_to_demand"
    WAITING_TIME = "waiting_time"
    AWAITING_CLEARANCE = "awaiting_clearance"
    CLEARANCE_REFUSED = "clearance_refused"
    DISPUTE = "dispute"
    HOLD = "hold"
    PERSON_HOLD = "person_hold"
    FACT_IN_DOUBT = "fact_in_doubt"
    PROMISE = "promise"
    LOAN_CLOSED = "loan_closed"


class Told(StrEnum):
    """Why a month was told as it was, or taken back."""

    CUTOFF = "cutoff"
    GATE_PASSED = "gate_passed"
    LATE_FACT = "late_fact"
    PAID_IN_WAITING_TIME = "paid_in_waiting_time"
    NOTICE_BOUNCED_LATER = "notice_bounced_later"
    DECEASED = "deceased"
    DOES_NOT_BELONG = "does_not_belong"


class CreditSkip(StrEnum):
    """Why a due look led to nothing. Closed: metrics and `explain` know every value."""

    UNKNOWN_LOAN = "unknown_loan"
    LOAN_OVER = "loan_over"
    NOTHING_ADVERSE = "nothing_adverse"
    BOARDED_MONTH_FILED = "boarded_month_filed"
    KEPT_AS_UNKNOWN = "kept_as_unknown"
    KEPT_AS_TOLD = "kept_as_told"
    AWAITING_GATE = "awaiting_gate"
    UNCHANGED = "unchanged"
