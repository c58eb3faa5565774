"""Which fault met which phase: everything that a swarm must have seen before its silence means anything.

Four kinds of faults, each with the phases that it can meet; the workload is counted against the calendar alike. What
cannot happen is listed with its reason, so that a cell without a count is either impossible or missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """Where a process is: between assignment and work, or between two steps of the commit sequence."""

    FENCED = "fenced"
    RECOVERING = "recovering"
    RECOVERED = "recovered"
    PLACED = "placed"
    COMPUTED = "computed"
    BEGUN = "begun"
    SENDING = "sending"
    SENT = "sent"
    COMMITTED = "committed"
    STORED = "stored"
    REPORTED = "reported"
    IDLE = "idle"


class ProcessFault(StrEnum):
    """What happens to the process that owns a partition."""

    KILLED = "killed"
    STORE_LOST = "store_lost"
    STORE_OLD = "store_old"
    STORE_AHEAD = "store_ahead"
    TAKEN_OVER = "taken_over"
    EXPIRED = "transaction_expired"
    HANDED_OVER = "handed_over"


class Beat(StrEnum):
    """Where a clock is in its round."""

    BEFORE_LOANS = "before_loans"
    AMID_LOANS = "amid_loans"
    AFTER_LOANS = "after_loans"
    BEFORE_BORROWERS = "before_borrowers"
    AMID_BORROWERS = "amid_borrowers"
    AFTER_BORROWERS = "after_borrowers"


class ClockFault(StrEnum):
    """What happens to a clock."""

    RESTARTED = "clock_restarted"
    FAILED_OVER = "clock_failed_over"
    TWO_CLOCKS = "two_clocks"
    JUMPED = "clock_jumped"
    STOPPED = "clock_stopped"


class Reader(StrEnum):
    """In what state a record finds those who read it."""

    LIVE = "live"
    BEHIND = "behind"
    UNBORN = "unborn"
    REDONE = "redone"
    """Applied by a process that died before it had committed, and then again."""


class RecordFault(StrEnum):
    """What happens to a record on its way."""

    DUPLICATE = "duplicate"
    LATE = "late"
    REVERSED = "reversed"
    """It arrives before what it refers to."""
    BAD_BYTES = "bad_bytes"
    MISROUTED = "misrouted"


class Meanwhile(StrEnum):
    """What goes on while somebody is away."""

    FACTS_CAME = "facts_came"
    NAMED_SILENT = "named_silent"
    DAYS_PASSED = "days_passed"
    OTHERS_CRASHED = "others_crashed"
    MONTH_ENDED = "month_ended"
    CAUGHT_UP = "caught_up"


class Absence(StrEnum):
    """Who is away."""

    SERVICE_DOWN = "service_down"
    GATE_DOWN = "gate_down"
    SILENT_PAIR = "silent_pair"
    BORN_LATE = "born_late"


class Season(StrEnum):
    """What the calendar does while a world lasts."""

    ORDINARY = "ordinary"
    LEAP_DAY = "leap_day"
    MONTH_END = "month_end"
    YEAR_END = "year_end"
    CLOCKS_FORWARD = "clocks_forward"
    CLOCKS_BACK = "clocks_back"


class Trait(StrEnum):
    """What loans and people do."""

    MANY_LOANS = "many_loans"
    JOINT = "joint_borrowers"
    LATE_PAYER = "late_payer"
    THIRD_PAYER = "third_payer"
    REVERSAL = "reversal"
    BACK_DATED = "back_dated"
    OPT_OUT = "opt_out"
    MOVE = "move"
    HOLD = "hold"
    PROMISE = "promise"
    CHANGE = "change"
    BOARDED = "boarded"
    CLOSED = "closed"
    UNASKED_CALL = "unasked_call"
    PERSON_HOLD = "person_hold"
    CEASED = "ceased"
    CALLBACK = "callback"
    CANCELLED = "cancelled"
    CHARGED = "charged"
    DECEASED = "deceased"
    SWITCHED = "switched"
    POINT_REFUSED = "point_refused"
    INSTALMENTS = "several_instalments"


LIVELY_TRAITS: Final = (
    Trait.PERSON_HOLD,
    Trait.CEASED,
    Trait.CALLBACK,
    Trait.CANCELLED,
    Trait.CHARGED,
    Trait.DECEASED,
    Trait.SWITCHED,
    Trait.POINT_REFUSED,
    Trait.INSTALMENTS,
)
"""What happens in lively worlds only."""


Cell = tuple[str, str]
"""A fault and the phase that it met."""

FAMILIES: Final[Mapping[str, tuple[type[StrEnum], type[StrEnum]]]] = {
    "process": (ProcessFault, Step),
    "clock": (ClockFault, Beat),
    "record": (RecordFault, Reader),
    "absence": (Absence, Meanwhile),
    "workload": (Trait, Season),
}
"""By name: the faults, and the phases that each of them must have met."""

_NO_TRANSACTION = "only an open transaction can expire, and the broker knows of none before its first record"
_LET_FINISH = "a partition is handed over only when its open transaction is finished"
IMPOSSIBLE: Final[Mapping[Cell, str]] = {
    **{(ProcessFault.EXPIRED, step): _NO_TRANSACTION for step in Step if step not in {Step.SENDING, Step.SENT}},
    **{
        (ProcessFault.HANDED_OVER, step): _LET_FINISH
        for step in (Step.COMPUTED, Step.BEGUN, Step.SENDING, Step.SENT, Step.COMMITTED, Step.STORED)
    },
    (Absence.GATE_DOWN, Meanwhile.NAMED_SILENT): "only the loan services are waited for; the gate waits for itself",
}
"""The cells that no seed can reach, and why."""


def demanded(families: Iterable[str] = FAMILIES) -> Iterator[Cell]:
    """Yield every cell that is possible."""
    for family in families:
        faults, phases = FAMILIES[family]
        for fault in faults:
            for phase in phases:
                if (fault, phase) not in IMPOSSIBLE:
                    yield fault, phase


@dataclass(slots=True)
class Crossings:
    """Counts of cells, added up over seeds."""

    counts: Counter[Cell]

    @classmethod
    def none(cls) -> Crossings:
        """Return an empty table."""
        return cls(Counter())

    def note(self, fault: StrEnum, phase: StrEnum) -> None:
        """Count a meeting; an impossible one is a broken invariant of the simulation itself."""
        cell = (str(fault), str(phase))
        if cell in IMPOSSIBLE:
            raise AssertionError(f"{fault} met {phase}, which is impossible: {IMPOSSIBLE[cell]}")
        self.counts[cell] += 1

    def add(self, other: Mapping[Cell, int]) -> None:
        """Add another table's counts."""
        self.counts.update(other)

    def never_met(self, families: Iterable[str] = FAMILIES) -> list[Cell]:
        """Return the possible cells without a count."""
        return [(str(fault), str(phase)) for fault, phase in demanded(families) if not self.counts[fault, phase]]
