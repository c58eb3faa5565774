"""How many lines a process may write."""

import json
import logging
import logging.config
from contextlib import redirect_stdout
from io import StringIO

import pytest
import structlog

from shared.contract.loans import DUE_DATES
from shared.contract.ticks import LOAN_CLOCK
from shared.engine.epoch import EpochLoop
from shared.engine.progress import birth
from shared.engine.store import MemoryStore
from shared.runtime.log_lines import DECISION, configure, count_lines_with
from shared.runtime.log_volume import BURST, CANONICAL, KINDS_MAX, LineBound
from shared.runtime.metrics import Metrics
from tests.shared.engine.fold import LogRecord
from tests.shared.engine.toy import LOANS, START_MS, deployment, tick


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_storm_of_one_kind_is_cut_and_counted_while_others_are_heard() -> None:
    """After a burst one line a second is written, with the number of those that were not."""
    watch = Watch()
    bound = LineBound(clock=watch)
    assert [bound.admits("storm") for _ in range(1000)].count(0) == BURST
    assert bound.admits("other") == 0
    watch.now += 1.0
    assert bound.admits("storm") == 1000 - BURST
    assert bound.admits("storm") is None


@pytest.mark.parametrize("kind", sorted(CANONICAL))
def test_canonical_lines_are_never_cut(kind) -> None:
    """What every epoch, start and stop says is said each time."""
    bound = LineBound({kind: 0.0}, clock=Watch())
    assert {bound.admits(kind) for _ in range(10_000)} == {0}


def test_decisions_have_a_rate_of_their_own() -> None:
    """Their setting bounds them; 0 writes none."""
    bound = LineBound({DECISION: 50.0}, clock=Watch())
    assert [bound.admits(DECISION) for _ in range(2000)].count(0) == 50 * BURST
    assert LineBound({DECISION: 0.0}, clock=Watch()).admits(DECISION) is None


def test_kinds_without_end_share_one_bucket() -> None:
    """A library that writes its data into its texts makes no bucket for each of them."""
    bound = LineBound(clock=Watch())
    admitted = [bound.admits(f"kind {number}") for number in range(KINDS_MAX + 1000)]
    assert admitted.count(0) == KINDS_MAX + BURST


def test_what_was_cut_is_counted_for_lines_of_ours_and_of_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line is either written and counted by level, or counted as cut."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    written, cut = [], []
    count_lines_with(written.append, lambda: cut.append(1))
    logging.config.dictConfig(configure(json=True, level="info", service="tested"))
    try:
        for _ in range(100):
            structlog.get_logger("x").warning("storm")
            logging.getLogger("library").error("storm %d", 1)
            structlog.get_logger("x").info("epoch", at=1)
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
        root.handlers, root.level = handlers, level
        count_lines_with(lambda level: None, lambda: None)
    lines = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == len(written) == 100 + 2 * BURST
    assert len(cut) == 2 * (100 - BURST)
    assert lines.count("epoch") == 100


def test_a_storm_of_poison_is_one_line_per_epoch() -> None:
    """Ten thousand unreadable records under two ticks: two lines, which count them by reason."""
    out = StringIO()
    with redirect_stdout(out):
        configure(json=True, level="debug", service="tested")
    try:
        loop = EpochLoop(LOANS, deployment(loans=1, borrowers=1), 0, MemoryStore(), birth(LOANS.reads, 0, {}, "b"))
        metrics = Metrics(LOANS, {})
        for number in (0, 1):
            first = number * 5_000
            loop.feed(DUE_DATES, [LogRecord(first + n, b"L1", b"{") for n in range(5_000)])
            loop.feed(LOAN_CLOCK, [LogRecord(number, *tick(START_MS + number, {DUE_DATES: first + 5_000}))])
            while (transaction := loop.advance()) is not None:
                loop.committed(transaction, 0)
                metrics.saw_transaction(transaction, 0.01)
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line["dead"]) for line in lines] == [("epoch", {"not_json": 5_000})] * 2
