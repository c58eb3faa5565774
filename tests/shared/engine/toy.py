"""Two small services that use everything an engine offers: a loan service and a gate behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from shared.contract.arrangements import DeadLetterDiscarded
from shared.contract.base import Amounts
from shared.contract.codec import Envelope, encode
from shared.contract.loans import DUE_DATES, InstalmentScheduled
from shared.contract.outreach import LOAN_CONTACTS, OUTREACH, ClearanceAnswered, PermitWithdrawn
from shared.contract.repayments import REPAYMENTS, RepaymentReceived
from shared.contract.requests import ESCALATIONS, REMINDERS, ClearancePurpose, ContactWithdrawn, WithdrawalReason
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK, Switch, Tick
from shared.contract.topics import TOPICS, Keyed
from shared.engine.epoch import Deployment, Limits
from shared.engine.processor import Fact, Input, Processor, PutAside, Unreadable, Wake
from shared.engine.topology import Topology
from shared.kernel.partitioning import Partitioner
from shared.kernel.step import Emit, Skip, Step, Verdict

START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
POLICY = "a1"
AGAIN_MS = 3 * HOUR_MS
MOST = 4
LINES = 7
CRASHING_MINOR = 666
"""An instalment of this amount crashes the toy loan service."""
CRASHING_WAKE_MINOR = 667
"""A loan that owes exactly this crashes the toy loan service whenever it is woken."""


@dataclass(frozen=True, slots=True)
class ToyLoan:
    """What the toy loan service keeps: what is open, how often it asked, the ids it has seen, and when it looks again.

    When it looks again is kept, because a fact that is told twice must leave that where it was.
    """

    borrower: str = ""
    open_minor: int = 0
    asked: int = 0
    doubted: int = 0
    answered: int = 0
    seen: tuple[str, ...] = ()
    next_ms: int | None = None


def decide_loan(state: ToyLoan | None, key: str, given: Input, now: int, policy: object) -> Step[ToyLoan]:
    """Ask again and again while money is open, and once more when it is paid."""
    step = _decided(state, key, given, now)
    return step if step.state is None else replace(step, state=replace(step.state, next_ms=step.wake_at))


def _decided(state: ToyLoan | None, key: str, given: Input, now: int) -> Step[ToyLoan]:
    loan = state or ToyLoan()
    match given:
        case Unreadable():
            return Step(replace(loan, doubted=loan.doubted + 1), wake_at=now)
        case Fact(data=InstalmentScheduled() as due):
            if due.instalment_id in loan.seen:
                return Step(loan, wake_at=loan.next_ms, verdict=Verdict.DUPLICATE)
            if due.amounts.total_minor == CRASHING_MINOR:
                raise ZeroDivisionError("a fact that this build cannot bear")
            if due.amounts.total_minor == 13:
                return Step(state, wake_at=_next(loan, now), dead="amount_impossible")
            changed = replace(
                loan,
                borrower=f"B{hash_free(key) % 97}",
                open_minor=loan.open_minor + due.amounts.total_minor,
                seen=(*loan.seen, due.instalment_id)[-8:],
            )
            return Step(changed, wake_at=now + (due.revision * HOUR_MS))
        case Fact(data=RepaymentReceived() as payment):
            if payment.payment_id in loan.seen:
                return Step(loan, wake_at=loan.next_ms, verdict=Verdict.DUPLICATE)
            left = max(0, loan.open_minor - payment.amount_minor)
            return Step(replace(loan, open_minor=left, seen=(*loan.seen, payment.payment_id)[-8:]), wake_at=now)
        case Fact(data=ClearanceAnswered()):
            return Step(replace(loan, answered=loan.answered + 1), wake_at=_next(loan, now))
    return _acted(loan, key, given, now)


def _acted(loan: ToyLoan, key: str, given: Input, now: int) -> Step[ToyLoan]:
    if isinstance(given, Fact):
        assert isinstance(given.data, DeadLetterDiscarded), given
        return Step(replace(loan, doubted=0), wake_at=now)
    if isinstance(given, PutAside):
        gone = _withdrawal(loan, key, now, WithdrawalReason.FACT_IN_DOUBT)
        return Step(replace(loan, doubted=loan.doubted + 1), (Emit(REMINDERS, loan.borrower, gone),), now)
    assert isinstance(given, Wake), given
    if loan.open_minor == CRASHING_WAKE_MINOR:
        raise ZeroDivisionError("a loan that this build cannot look at")
    return _wake(loan, key, now)


def _withdrawal(loan: ToyLoan, key: str, now: int, reason: WithdrawalReason) -> ContactWithdrawn:
    return ContactWithdrawn(
        borrower_id=loan.borrower, request_id=f"{key}-{loan.asked}", loan_id=key, reason=reason, caused_by=(str(now),)
    )


def hash_free(text: str) -> int:
    """Return a small number of a text, the same in every process."""
    return sum(ord(c) * (i + 1) for i, c in enumerate(text))


def _next(loan: ToyLoan, now: int) -> int | None:
    return now + 2 * HOUR_MS if loan.open_minor else None


def _wake(loan: ToyLoan, key: str, now: int) -> Step[ToyLoan]:
    if not loan.borrower:
        return Step(None, skips=(Skip("unknown_loan", key),))
    reason = WithdrawalReason.PAID if not loan.open_minor else WithdrawalReason.AMOUNT_CHANGED
    event = _withdrawal(loan, key, now, reason)
    if loan.asked >= MOST and loan.open_minor:
        return Step(replace(loan, asked=0), skips=(Skip("asked_enough", key),))
    return Step(
        replace(loan, asked=loan.asked + 1),
        events=(Emit(REMINDERS, loan.borrower, event),),
        wake_at=now + AGAIN_MS if loan.open_minor else None,
    )


@dataclass(frozen=True, slots=True)
class ToyGate:
    """What the toy gate keeps: requests waiting, and how many it let through."""

    pending: tuple[str, ...] = ()
    granted: int = 0
    last_ms: int = 0


def decide_gate(state: ToyGate | None, key: str, given: Input, now: int, policy: object) -> Step[ToyGate]:
    """Let one request through per hour, and none while its service is silent."""
    gate = state or ToyGate()
    match given:
        case Fact(data=ContactWithdrawn() as wish):
            # Sorted and without repetition: the order in which several source partitions come must not matter.
            pending = tuple(sorted({*gate.pending, f"{wish.request_id}@{wish.caused_by[0]}"}))[:20]
            return Step(replace(gate, pending=pending), wake_at=max(now, gate.last_ms + HOUR_MS))
        case Fact() | Unreadable() | PutAside():
            return Step(state)
        case Wake(tick=tick, spent=spent):
            return _grant(gate, key, now, tick, spent)


def _grant(gate: ToyGate, key: str, now: int, tick: Tick, spent: Mapping[str, int]) -> Step[ToyGate]:
    if not gate.pending:
        return Step(state=gate, skips=(Skip("nothing_pending", key),))
    if any(pair.startswith("reminder/") for pair in tick.silent):
        return Step(gate, wake_at=now + 1, skips=(Skip("upstream_behind", key),))
    if spent.get("line", 0) >= LINES:
        return Step(gate, wake_at=now + 1, skips=(Skip("no_line_free", key),))
    first = min(gate.pending)
    left = tuple(p for p in gate.pending if p != first)
    permit = PermitWithdrawn(borrower_id=key, permit_id=first, reason="toy", decided_ms=now)
    loan = first.split("-")[0]
    echo = ClearanceAnswered(
        loan_id=loan,
        borrower_id=key,
        clearance_id=first,
        purpose=ClearancePurpose.REFERRAL,
        cleared=True,
        answered_ms=now,
    )
    again = now + HOUR_MS if left else None
    events = (Emit(OUTREACH, key, permit), Emit(LOAN_CONTACTS, loan, echo))
    return Step(ToyGate(left, gate.granted + 1, now), events, again, spends=("line",))


LOANS: Processor[ToyLoan] = Processor(
    name="reminder",
    clock=LOAN_CLOCK,
    reads=(DUE_DATES, REPAYMENTS, LOAN_CONTACTS),
    writes=(REMINDERS,),
    owns=(DUE_DATES, REPAYMENTS),
    state=ToyLoan,
    decide=decide_loan,
)
GATE: Processor[ToyGate] = Processor(
    name="rate_limiter",
    clock=BORROWER_CLOCK,
    reads=(REMINDERS, ESCALATIONS),
    writes=(OUTREACH, LOAN_CONTACTS),
    owns=(REMINDERS,),
    state=ToyGate,
    decide=decide_gate,
)


def topology(loans: int = 4, borrowers: int = 3, partitioner: Partitioner = Partitioner.MURMUR2) -> Topology:
    """Return partition counts for every topic of the table."""
    counts = {Keyed.LOAN: loans, Keyed.BORROWER: borrowers, Keyed.NONE: 1}
    return Topology({topic.name: counts[topic.keyed] for topic in TOPICS.values()}, partitioner)


def deployment(limits: Limits = Limits(), **counts: int) -> Deployment:  # noqa: B008 - frozen
    """Return a deployment that knows the toy policy."""
    return Deployment(topology(**counts), {POLICY: None}, build="toy", limits=limits)


def due(loan: str, number: int, minor: int = 100, revision: int = 0) -> tuple[bytes, bytes]:
    """Return key and value of an instalment."""
    data = InstalmentScheduled(
        loan_id=loan,
        instalment_id=f"i{number}",
        revision=revision,
        due_date=date(2024, 2, 10),
        amounts=Amounts(principal_minor=minor),
    )
    return loan.encode(), encode(Envelope(f"due-{loan}-{number}", "/lender", data.TYPE, data))


def repayment(loan: str, number: int, minor: int = 50) -> tuple[bytes, bytes]:
    """Return key and value of a repayment."""
    data = RepaymentReceived(
        loan_id=loan, payment_id=f"p{number}", amount_minor=minor, currency="CNY", value_date=date(2024, 2, 10)
    )
    return loan.encode(), encode(Envelope(f"paid-{loan}-{number}", "/lender", data.TYPE, data))


def wish(borrower: str, number: int) -> tuple[bytes, bytes]:
    """Return key and value of a request at the gate."""
    data = ContactWithdrawn(
        borrower_id=borrower,
        request_id=f"L{number}-0",
        loan_id=f"L{number}",
        reason=WithdrawalReason.PAID,
        caused_by=("1",),
    )
    return borrower.encode(), encode(Envelope(f"wish-{number}", "/duecourse/reminder/0", data.TYPE, data))


def tick(
    at: int,
    barriers: dict[str, int],
    *,
    silent: tuple[str, ...] = (),
    policy: str = POLICY,
    switches: tuple[Switch, ...] = (),
) -> tuple[None, bytes]:
    """Return key (none) and value of a tick."""
    data = Tick(at=at, barriers=barriers, policy=policy, silent=silent, switches=switches)
    return None, encode(Envelope(f"tick-{at}", "/duecourse/clock", data.TYPE, data))
