"""What wants to hurt, tried by name on every input topic of every core, and what the search has found before."""

from collections import Counter
from pathlib import Path

import pytest

from services.cli.processors import PROCESSORS
from shared.contract.codec import Rejected, decode
from shared.engine.epoch import EpochLoop
from shared.engine.progress import birth
from shared.engine.store import MemoryStore
from tests.fuzz.hostile import Hostile, documents, hostile, readable
from tests.fuzz.targets import KEY, SEPARATOR, TARGETS, deployment, log_of, seeds
from tests.shared.engine.fold import LogRecord

CORPUS = Path(__file__).parent / "corpus"
TOPICS = [(processor, topic) for processor in PROCESSORS for topic in processor.reads]
IDS = [f"{processor.name}-{topic}" for processor, topic in TOPICS]


@pytest.mark.parametrize(("processor", "topic"), TOPICS, ids=IDS)
def test_everything_hostile_is_refused_by_name(processor, topic):
    """Oversize, deep, huge, doubled, unreadable, misnamed: one dead letter each, with its reason; the good is read."""
    cases = [*hostile(topic).values(), Hostile(KEY.encode(), next(readable(topic)), "")]
    logs = log_of(processor, b"")
    logs[topic] = [LogRecord(n, case.key, case.value, case.headers) for n, case in enumerate(cases)]
    loop = EpochLoop(processor, deployment(), 0, MemoryStore(), birth(processor.reads, 0, {}, "test"))
    logs[processor.clock] = log_of(processor, _everything_on(processor, topic, len(cases)))[processor.clock]
    for name, records in logs.items():
        loop.feed(name, records, len(records))
    buried = Counter()
    while (transaction := loop.advance()) is not None:
        buried.update({reason: n for (where, reason), n in transaction.buried.items() if where == topic})
        loop.committed(transaction)
    wanted = Counter(str(case.reason) for case in cases[:-1])
    counts = loop.progress.counts[topic]
    assert {reason: n for reason, n in buried.items() if reason in wanted} == wanted
    assert counts.total == len(cases)


def _everything_on(processor, topic, count):
    """Return bytes that make as many records on the topic, so that the ticks cover them all."""
    return SEPARATOR.join([bytes((processor.reads.index(topic), 5))] * count)


@pytest.mark.parametrize(("processor", "topic"), TOPICS, ids=IDS)
def test_the_hostile_differ_from_what_is_readable(processor, topic):
    """The document that is spoilt in so many ways is itself readable: each way counts by itself."""
    assert documents(topic)
    for value in readable(topic):
        assert not isinstance(decode(topic, KEY.encode(), value), Rejected), value


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_search_has_found_is_harmless(name):
    """Every file of the corpus, and each event by its example, is taken by its target without an error."""
    files = sorted((CORPUS / name).iterdir())
    tried = [TARGETS[name](file.read_bytes()) for file in files]
    tried += [TARGETS[name](seed) for seed in seeds(name)]
    assert len(tried) > 3
    assert len(set(tried)) > 1, "all that was tried led to the same: the corpus reaches nothing"
