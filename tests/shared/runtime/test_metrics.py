from dataclasses import dataclass

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from services.cli.processors import PROCESSORS
from shared.contract.base import Channel
from shared.contract.examples import example
from shared.contract.loans import DUE_DATES
from shared.contract.outreach import BlockingRule, PermitDeferred, PermitGranted, PermitWithdrawn, Severity
from shared.contract.requests import ContactClass
from shared.contract.ticks import LOAN_CLOCK, PROBE_AT
from shared.contract.topics import SERVICES
from shared.domain.policy import load_policy
from shared.engine.epoch import EpochLoop
from shared.engine.progress import birth
from shared.engine.store import Changes, MemoryStore
from shared.engine.transaction import Emitted, Transaction
from shared.runtime.decision_metrics import DecisionCounts
from shared.runtime.delays import ORIGIN_HEADER, Delays, origin_header
from shared.runtime.metric_board import Board
from shared.runtime.metric_catalogue import (
    CAPACITY_USED,
    CATALOGUE,
    DEAD_LETTERS,
    DECISIONS,
    EXPOSURE,
    FACT_TO_ACTION,
    PARTITIONS_FOR_BUDGET,
    PREFIX,
    SERIES_MAX,
    TICK_INSTANT,
    TRANSACTIONS,
    Kind,
    metrics_of,
)
from shared.runtime.metrics import Metrics
from shared.runtime.pseudonyms import Pseudonyms
from tests.shared.engine.fold import LogRecord
from tests.shared.engine.toy import LOANS, START_MS, deployment, due, tick

POLICY = load_policy()
PROCESSES = (*SERVICES, "clock", "auditor")


def test_an_epoch_is_one_line_and_some_counts_and_names_nobody():
    """Facts, wakes, outputs and dead letters are counted; no key, id or value appears in line or metrics."""
    loop = EpochLoop(LOANS, deployment(loans=1, borrowers=1), 0, MemoryStore(), birth(LOANS.reads, 0, {}, "b"))
    later = due("CANARY1", 1, revision=1)
    records = [later, later, (b"CANARY2", b"{CANARY3")]
    with capture_logs() as lines:
        metrics = Metrics(LOANS, {})
        loop.feed(DUE_DATES, [LogRecord(i, *record) for i, record in enumerate(records)])
        loop.feed(LOAN_CLOCK, [LogRecord(0, *tick(START_MS, {DUE_DATES: 3}))])
        while (transaction := loop.advance()) is not None:
            loop.committed(transaction, 0)
            metrics.saw_transaction(transaction, 0.01)
    (line,) = [line for line in lines if line["event"] == "epoch"]
    assert line["facts"] == {"applied": 1, "duplicate": 1, "dead": 1}
    assert (line["wakes"], line["dead"], line["partition"]) == (1, {"not_json": 1}, 0)
    text = generate_latest(metrics.registry).decode()
    assert f'duecourse_facts_total{{service="reminder",topic="{DUE_DATES}",verdict="dead"}} 1.0' in text
    assert metrics.board.value(TRANSACTIONS) == 2
    assert metrics.board.value(TICK_INSTANT, "loan", "0") == START_MS / 1000
    assert metrics.board.value(DEAD_LETTERS, DUE_DATES, "not_json") == 1
    assert "CANARY" not in text + str(lines)


def test_a_clocks_probe_is_no_tick_to_be_old():
    """Before the first tick that tells the time no age is shown; from it on, that tick's."""
    loop = EpochLoop(LOANS, deployment(loans=1, borrowers=1), 0, MemoryStore(), birth(LOANS.reads, 0, {}, "b"))
    metrics, shown = Metrics(LOANS, {}), []
    for offset, at in enumerate((PROBE_AT, START_MS)):
        loop.feed(LOAN_CLOCK, [LogRecord(offset, *tick(at, {DUE_DATES: 0}))])
        while (transaction := loop.advance()) is not None:
            loop.committed(transaction, 0)
            metrics.saw_transaction(transaction, 0.01)
        shown.append("duecourse_tick_timestamp_seconds{" in generate_latest(metrics.registry).decode())
    assert shown == [False, True]
    assert metrics.board.value(TICK_INSTANT, "loan", "0") == START_MS / 1000


def board_of(service):
    """Return the board of a process as it stands before anything happened."""
    if service in ("clock", "auditor"):
        return Board(service, "b", {"stage": ("loan", "borrower"), "promise": [f"P{n}" for n in range(1, 9)]})
    processor = next(p for p in PROCESSORS if p.name == service)
    return Metrics(processor, {POLICY.hash: POLICY}, "b").board


@pytest.mark.parametrize("service", PROCESSES)
def test_metrics_stay_within_their_budget(service):
    """All series that a process can have, sixteen partitions included, fit its budget and that of each metric."""
    budget = sum(metric.series_max for metric in metrics_of(service))
    assert budget < SERIES_MAX
    made = {}
    for family in board_of(service).registry.collect():
        made[family.name] = len(family.samples)
    for metric in metrics_of(service):
        name = metric.full_name.removesuffix("_total") if metric.kind is Kind.COUNTER else metric.full_name
        assert made.get(name, 0) <= metric.series_max, metric.name
        if "partition" in metric.labels:
            assert metric.series_max >= PARTITIONS_FOR_BUDGET


@pytest.mark.parametrize("service", SERVICES)
def test_every_failure_exists_at_zero_from_the_start(service):
    """A counter of failures is there before the first failure, so that its first rise is seen."""
    names = {sample.name for family in board_of(service).registry.collect() for sample in family.samples}
    wanted = {metric.full_name for metric in metrics_of(service) if metric.starts_at_zero}
    plain = {name.removesuffix("_count") for name in names}
    assert wanted
    assert {name for name in wanted if name not in plain} == set()


def test_no_label_can_hold_an_identifier():
    """Labels are few and known; none is an id, a key, an offset or a text."""
    labels = {label for metric in CATALOGUE for label in metric.labels}
    assert labels == {
        "action", "behind", "bucket", "build", "channel", "contact_class", "currency", "decision", "level", "mode",
        "move", "outcome", "partition", "policy", "promise", "reason", "rule", "spread", "stage", "topic", "verdict",
        "what",
    }  # fmt: skip


def test_names_follow_prometheus_conventions():
    """Counters end in `_total`, times and sizes in their base unit, and no metric is said twice."""
    names = [metric.full_name for metric in CATALOGUE]
    assert len(set(names)) == len(names)
    assert all(name.startswith(PREFIX) for name in names)
    assert {m.name for m in CATALOGUE if (m.kind is Kind.COUNTER) != m.name.endswith("_total")} == set()
    assert {m.name for m in CATALOGUE if m.kind is Kind.HISTOGRAM and not m.name.endswith("_seconds")} == set()
    assert [m.name for m in CATALOGUE if not m.text.endswith(".")] == []


@dataclass
class Appended:
    """A record as a consumer hands it over."""

    timestamp: int
    headers: tuple = ()


def transaction(applied, emitted, ticks=1):
    """Return a transaction that applied facts and said events."""
    return Transaction(0, None, True, Changes(), {}, (), ticks, 0, 1, 1, applied=applied, emitted=emitted)  # type: ignore[arg-type]


def withdrawn(caused_by):
    """Return a permit's withdrawal."""
    return PermitWithdrawn(borrower_id="b", permit_id=ID, reason="paid", decided_ms=START_MS, caused_by=caused_by)


ID = "6f1c6a6e-1f0a-5b86-9d0e-8c2f5b1f7a11"
FACT = "7f1c6a6e-1f0a-5b86-9d0e-8c2f5b1f7a12"


def test_a_delay_runs_from_the_first_append_to_the_confirmation():
    """The gate measures from the lender's fact, not from the request that told it; what time alone did is left out."""
    board = board_of("rate_limiter")
    delays = Delays(board)
    told = Appended(9_000, ((ORIGIN_HEADER, origin_header(7_000)[0][1]),))
    one = transaction([(FACT, "t", told)], [Emitted(ID, START_MS, "t", "b", withdrawn((FACT,)))])
    assert delays.origins(one) == {ID: 7_000}
    delays.saw(one, {ID: 7_000}, 9_500)
    assert (
        board.registry.get_sample_value(EXPOSURE.full_name + "_bucket", {"service": "rate_limiter", "le": "5.0"}) == 1
    )
    assert board.registry.get_sample_value(EXPOSURE.full_name + "_sum", {"service": "rate_limiter"}) == 2.5
    later = transaction([], [Emitted(ID, START_MS, "t", "b", withdrawn((FACT,)))])
    assert delays.origins(later) == {ID: 7_000}
    assert delays.origins(later) == {}
    assert board.value(FACT_TO_ACTION, "permit_withdrawal") == 1


def test_a_garbled_origin_is_not_believed():
    """A header that is no instant is passed over: the record's own append time counts."""
    delays = Delays(board_of("rate_limiter"))
    for value in (b"soon", b"", None, b"9" * 40):
        seen = transaction(
            [(FACT, "t", Appended(9_000, ((ORIGIN_HEADER, value),)))], [Emitted(ID, 1, "t", "b", withdrawn((FACT,)))]
        )
        assert delays.origins(seen) == {ID: 9_000}


def granted(number):
    """Return a permit for one message."""
    asked = {"channel": Channel.SMS, "contact_point_id": f"p{number}"}
    return example(PermitGranted.TYPE).data.model_copy(update=asked)


def test_the_capacity_used_is_the_peak_of_the_last_minute():
    """A tick's grants count together, a smaller tick does not hide the peak, and a minute later it is gone."""
    board = board_of("rate_limiter")
    counts = DecisionCounts(board, {"sms": 4})
    counts.saw([Emitted(ID, START_MS, "t", "b", granted(number)) for number in range(3)])
    counts.saw([Emitted(ID, START_MS + 1_000, "t", "b", granted(1))])
    counts.passed(START_MS + 59_000)
    assert board.value(CAPACITY_USED, "sms") == 0.75
    counts.passed(START_MS + 61_000)
    assert board.value(CAPACITY_USED, "sms") == 0


def test_decisions_are_counted_by_their_first_rule_and_lines_name_nobody():
    """A deferral counts once, each of its rules too, an unknown rule as `other`; the line holds hashes only."""
    with capture_logs() as lines:
        metrics = Metrics(
            next(p for p in PROCESSORS if p.name == "rate_limiter"),
            {POLICY.hash: POLICY},
            pseudonyms=Pseudonyms("k" * 16),
        )
        event = PermitDeferred(
            borrower_id="CANARY-B", request_id=ID, loan_id="CANARY-L", contact_class=ContactClass.OVERDUE,
            rules=tuple(BlockingRule(rule_id=r, severity=Severity.LAW) for r in ("opt_out", "invented")),
            decided_ms=START_MS, policy="0" * 16,
        )  # fmt: skip
        metrics._decisions.saw([Emitted(ID, START_MS, "t", "CANARY-B", event)])
        metrics._lines.write([Emitted(ID, START_MS, "t", "CANARY-B", event)])
    assert metrics.board.value(DECISIONS, "none", "deferred", "opt_out") == 1
    text = generate_latest(metrics.registry).decode()
    assert 'duecourse_blocked_by_rule_total{rule="other",service="rate_limiter"} 1.0' in text
    assert (lines[0]["rules"], lines[0]["contact_class"]) == (["opt_out", "invented"], "overdue")
    assert len(lines[0]["borrower_ref"]) == 16
    assert lines[0]["borrower_ref"] != lines[0]["loan_ref"]
    assert "CANARY" not in text + str(lines)
    assert Channel.SMS.value not in str(lines)
