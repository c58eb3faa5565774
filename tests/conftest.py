"""What all tests may ask for."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from shared.runtime.local_kafka import LocalKafka

# Examples are the same in every run, and none is judged by how long it takes: the verdict on a commit depends neither
# on dice nor on how busy the machine is. Chance has its place in `make nightly`, which asks for the other profile.
settings.register_profile(
    "chance", deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("gate", settings.get_profile("chance"), derandomize=True)
settings.load_profile("gate")


def pytest_sessionstart() -> None:
    """Let Ctrl-C reach the programs that tests start, even where whoever started the tests has it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """The one real broker of this session, running; who stops or kills it starts it again before the test ends."""
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"), die_with_starter=True)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def kafka(kafka_broker: LocalKafka) -> str:
    """The address, host:port, of the session's real broker; tests keep apart by the names of their topics."""
    return kafka_broker.start()
