"""Small questions to a real broker: what they cost."""

import pytest
from aiokafka.consumer.fetcher import Fetcher

from shared.contract.ticks import LOAN_CLOCK
from shared.runtime.kafka_offsets import LogEnds
from tests.kafka.house import House
from tests.shared.engine.toy import LOANS

pytestmark = pytest.mark.kafka


async def test_the_ends_of_several_logs_are_one_question(kafka, tmp_path, monkeypatch):
    """A service that starts does not rest for each topic that its new connection has not heard of."""
    asked, ask = [], Fetcher._proc_offset_requests

    async def counted(fetcher, timestamps):
        asked.append(len(timestamps))
        return await ask(fetcher, timestamps)

    async with House(kafka, tmp_path, "one-question") as house:
        settings = house.settings
        places = [
            (settings.topic(topic), p) for topic in (*LOANS.reads, LOAN_CLOCK) for p in range(settings.loan_partitions)
        ]
        async with LogEnds(settings.access, uncommitted=True) as logs:
            await logs.ends(places)  # from here on the broker leads what has just been made
        monkeypatch.setattr(Fetcher, "_proc_offset_requests", counted)
        async with LogEnds(settings.access, uncommitted=True) as logs:
            assert set(await logs.starts(places[:1])) == set(places[:1])
            assert set(await logs.ends(places)) == set(places)
        assert asked == [1, len(places)]
