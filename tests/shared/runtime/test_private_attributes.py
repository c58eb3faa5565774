from importlib import import_module
from importlib.metadata import version

import aiokafka
import faust
import pytest
from aiokafka.consumer.subscription_state import TopicPartitionState
from faust.stores.rocksdb import Store
from mode import Service

from shared.runtime.private_attributes import ACCESSED, OVERRIDDEN


def resolve(path):
    """Return the object that a dotted path names."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        return found
    raise LookupError(path)


def test_the_libraries_are_those_that_the_shell_was_written_for():
    """Another version must pass this file before it is pinned."""
    pinned = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "rocksdict": "0.3.29"}
    assert {name: version(name) for name in pinned} == pinned


@pytest.mark.parametrize("path", sorted(OVERRIDDEN))
def test_what_we_override_exists(path):
    """A method that the library no longer has would silently never be called."""
    missing = [name for name in OVERRIDDEN[path] if not hasattr(resolve(path), name)]
    assert missing == []


async def test_what_we_access_on_aiokafka_exists():
    """Private attributes of a consumer, of a partition's state, and the producer's constant."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    consumer._closed = True
    lacking = [n for n in ACCESSED["aiokafka.AIOKafkaConsumer"] if n not in vars(consumer)]
    assert lacking == []
    assert isinstance(vars(aiokafka.producer.sender)["BACKOFF_OVERRIDE"], float)
    assert "MemoryRecords" in aiokafka.consumer.fetcher.Fetcher._proc_fetch_request.__code__.co_names
    assert "_position" in TopicPartitionState.__init__.__code__.co_names
    fetcher = aiokafka.consumer.fetcher.Fetcher
    assert "_default_reset_strategy" in fetcher.__init__.__code__.co_names
    assert "_default_reset_strategy" in fetcher._proc_fetch_request.__code__.co_names
    assert "_fetch_max_wait_ms" in fetcher.__init__.__code__.co_names
    assert "_fetch_max_wait_ms" in fetcher._get_actions_per_node.__code__.co_names
    assert "_fetch_max_wait_ms" in consumer.start.__func__.__code__.co_names


def test_what_we_access_on_faust_exists():
    """Private attributes of the app, its consumer, a store and a service."""
    consumer = resolve("faust.transport.consumer.ThreadDelegateConsumer")
    makers = [consumer.__init__, *(f for k in consumer.__mro__[:2] for f in (k.__init__, k._reset_state))]
    set_up = {name for maker in makers for name in maker.__code__.co_names}
    assert [n for n in ACCESSED["faust.transport.consumer.Consumer"] if n not in set_up] == []
    assert all(hasattr(Store, name) for name in ACCESSED["faust.stores.rocksdb.Store"])
    assert hasattr(faust.App, "_fetcher")
    assert "_stopped" in Service.__init__.__code__.co_names
