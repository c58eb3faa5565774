from prometheus_client import generate_latest
from structlog.testing import capture_logs

from shared.contract.loans import DUE_DATES
from shared.contract.ticks import LOAN_CLOCK
from shared.engine.epoch import EpochLoop
from shared.engine.progress import birth
from shared.engine.store import MemoryStore
from shared.runtime.metrics import Metrics
from tests.shared.engine.fold import LogRecord
from tests.shared.engine.toy import LOANS, START_MS, deployment, due, tick


def test_an_epoch_is_one_line_and_some_counts_and_names_nobody():
    """Facts, wakes, outputs and dead letters are counted; no key, id or value appears in line or metrics."""
    loop = EpochLoop(LOANS, deployment(loans=1, borrowers=1), 0, MemoryStore(), birth(LOANS.reads, 0, {}, "b"))
    metrics = Metrics("reminder")
    records = [due("CANARY1", 1), due("CANARY1", 1), (b"CANARY2", b"{CANARY3")]
    with capture_logs() as lines:
        metrics = Metrics("reminder")
        loop.feed(DUE_DATES, [LogRecord(i, *record) for i, record in enumerate(records)])
        loop.feed(LOAN_CLOCK, [LogRecord(0, *tick(START_MS, {DUE_DATES: 3}))])
        while (transaction := loop.advance()) is not None:
            loop.committed(transaction, 0)
            metrics.saw_transaction(transaction, 0.01)
    (line,) = [line for line in lines if line["event"] == "epoch"]
    assert line["facts"] == {"applied": 1, "duplicate": 1, "dead": 1}
    assert (line["wakes"], line["dead"], line["partition"]) == (1, {"not_json": 1}, 0)
    text = generate_latest(metrics.registry).decode()
    assert 'duecourse_facts_total{service="reminder",verdict="dead"} 1.0' in text
    assert 'duecourse_transactions_total{service="reminder"} 2.0' in text
    labels = {"service": "reminder", "partition": "0"}
    assert metrics.registry.get_sample_value("duecourse_tick_applied_seconds", labels) == START_MS / 1000
    assert "CANARY" not in text + str(lines)
