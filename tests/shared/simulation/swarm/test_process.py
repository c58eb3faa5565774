"""One process on one partition: where it may die, and what it may not do after somebody else has come."""

import pytest

from services.reminder.processor import PROCESSOR as REMINDER
from shared.contract.codec import Envelope, encode
from shared.contract.ticks import LOAN_CLOCK, Tick
from shared.engine.store import MemoryStore
from shared.simulation.swarm.broker import Fenced, TransactionalLog
from shared.simulation.swarm.crossings import Step
from shared.simulation.swarm.process import Post, Process, StoreRefused, copy_of
from shared.simulation.swarm.trial import deployment_of
from tests.shared.simulation.stage import policy

POST = Post(REMINDER, 0)
AT = 1_700_000_000_000


def _process(log: TransactionalLog, store: MemoryStore | None = None) -> Process:
    return Process(POST, deployment_of(log, policy()), log, store or MemoryStore())


def _tick(log: TransactionalLog, at: int) -> None:
    barriers = {topic: log.end(topic, 0) for topic in REMINDER.reads}
    tick = Tick(at=at, barriers=barriers, policy=policy().hash)
    log.append(LOAN_CLOCK, 0, None, encode(Envelope(f"t{at}", "/clock", tick.TYPE, tick, time_ms=at)), (), at)


def _until(process: Process, step: Step) -> None:
    while process.go_on() is not step:
        pass


@pytest.mark.parametrize("step", [Step.COMPUTED, Step.BEGUN, Step.SENDING, Step.SENT])
def test_whoever_wakes_up_after_a_fence_can_commit_nothing(step: Step) -> None:
    """Wherever the former owner was stopped before its commit, its next word to the broker is refused."""
    log = TransactionalLog(1, 1)
    former = _process(log)
    _until(former, step)
    _until(_process(log), Step.IDLE)
    committed = log.commits
    with pytest.raises(Fenced):
        _until(former, Step.IDLE)
    assert log.commits == committed == 1


def test_a_successor_goes_on_where_the_commit_was() -> None:
    """Who dies between commit and report loses nothing: the successor reports it and goes on from there."""
    log = TransactionalLog(1, 1)
    former = _process(log)
    _until(former, Step.COMMITTED)
    assert log.reports == {}
    successor = _process(log)
    _until(successor, Step.IDLE)
    assert log.reports["reminder", 0].n == 1
    _tick(log, AT)
    _until(successor, Step.IDLE)
    assert log.reports["reminder", 0].at == AT


def test_a_store_ahead_of_its_changelog_is_refused() -> None:
    """What is on disk belongs to another log, whoever put it there."""
    log = TransactionalLog(1, 1)
    first = _process(log)
    _until(first, Step.IDLE)
    ahead = copy_of(first.store)
    ahead.changelog_offset = log.end(POST.changelog, 0)
    with pytest.raises(StoreRefused):
        _until(_process(log, ahead), Step.RECOVERED)


def test_a_backup_catches_up() -> None:
    """An old snapshot is as good as none: the rest comes from the changelog."""
    log = TransactionalLog(1, 1)
    first = _process(log)
    _until(first, Step.IDLE)
    backup = copy_of(first.store)
    _tick(log, AT)
    _until(first, Step.IDLE)
    restored = _process(log, backup)
    _until(restored, Step.IDLE)
    assert restored.store.snapshot() == first.store.snapshot()
