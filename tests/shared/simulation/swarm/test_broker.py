"""The simulated broker: transactions, fences, and what readers may see."""

import pytest

from shared.contract.recorded import Recorded
from shared.contract.topics import DEAD_LETTERS
from shared.engine.progress import Reported
from shared.simulation.swarm.broker import Fenced, TransactionalLog

TOPIC = DEAD_LETTERS


def _record(value: bytes) -> Recorded:
    return Recorded(TOPIC, 0, 0, b"k", value)


def _values(log: TransactionalLog) -> list[bytes | None]:
    return [record.value for record in log.read(TOPIC, 0, 0)]


def test_nothing_is_seen_before_its_commit() -> None:
    """An open transaction holds readers back, also from what others committed behind it."""
    log = TransactionalLog(1, 1)
    one, two = log.fence("one"), log.fence("two")
    log.begin("one", one)
    log.send("one", one, _record(b"first"))
    log.begin("two", two)
    log.send("two", two, _record(b"second"))
    log.commit("two", two)
    assert _values(log) == []
    assert log.stable(TOPIC, 0) == 0
    log.commit("one", one)
    assert _values(log) == [b"first", b"second"]


def test_a_fence_aborts_and_shuts_out() -> None:
    """What the former owner left open vanishes, keeps its offsets, and nothing more of it is taken."""
    log = TransactionalLog(1, 1)
    old = log.fence("one")
    log.begin("one", old)
    log.send("one", old, _record(b"lost"))
    new = log.fence("one")
    assert _values(log) == []
    assert log.stable(TOPIC, 0) == log.end(TOPIC, 0) == 2
    with pytest.raises(Fenced):
        log.send("one", old, _record(b"zombie"))
    with pytest.raises(Fenced):
        log.commit("one", old)
    log.begin("one", new)
    assert log.send("one", new, _record(b"kept")) == 2
    assert log.refused == 2


def test_only_what_the_broker_knows_can_expire() -> None:
    """A transaction without a record is nothing to it; one with records is aborted, and its producer shut out."""
    log = TransactionalLog(1, 1)
    epoch = log.fence("one")
    log.begin("one", epoch)
    assert not log.expire("one")
    log.send("one", epoch, _record(b"slow"))
    assert log.expire("one")
    with pytest.raises(Fenced):
        log.commit("one", epoch)
    assert _values(log) == []


def test_reports_of_former_generations_are_refused() -> None:
    """Who was replaced in the group cannot move its offsets any more."""
    log = TransactionalLog(1, 1)
    old, new = log.join("group", 0), log.join("group", 0)
    assert log.report("group", 0, new, Reported(5, 1, 1, {}))
    assert not log.report("group", 0, old, Reported(9, 2, 2, {}))
    assert log.reports["group", 0].at == 5
