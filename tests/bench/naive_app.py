"""The peer: a stock Faust app as its user guide teaches it, with the same codec, the same fold and RocksDB.

At-least-once, one event at a time, no epochs. `python -m tests.bench.naive_app` with BROKER, PREFIX, FACTS,
PARTITIONS and FOLDER in the environment prints one JSON line when the last fact is applied, and ends.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter, process_time
from typing import Any

import faust

from shared.contract.codec import Envelope, decode
from shared.contract.topics import logical_name, physical_name
from shared.domain.loan import Loan, apply
from shared.engine.state import StateCodec
from tests.bench.fold import TOPICS

BROKER, PREFIX, FOLDER = os.environ["BROKER"], os.environ["PREFIX"], os.environ["FOLDER"]
FACTS, PARTITIONS = int(os.environ["FACTS"]), int(os.environ["PARTITIONS"])

app: Any = faust.App(
    f"{PREFIX}-naive",
    broker=f"kafka://{BROKER}",
    store="rocksdb://",
    datadir=FOLDER,
    topic_partitions=PARTITIONS,
    key_serializer="raw",
    value_serializer="raw",
    web_enabled=False,
    topic_disable_leader=True,
    table_standby_replicas=0,
    stream_buffer_maxsize=65_536,
    producer_linger=0.02,
)
loans = app.Table("loans", key_type=bytes, value_type=bytes, partitions=PARTITIONS)
codec = StateCodec(Loan)
topics = app.topic(*(physical_name(PREFIX, topic) for topic in TOPICS), key_type=bytes, value_type=bytes)


@app.agent(topics)
async def fold(stream: Any) -> None:
    """Apply each fact to its loan."""
    started: tuple[float, float] | None = None
    count = 0
    async for event in stream.events():
        if started is None:
            started = perf_counter(), process_time()
        message = event.message
        topic = logical_name(PREFIX, message.topic)
        envelope = decode(topic, message.key, message.value)
        assert isinstance(envelope, Envelope)
        stored = loans.get(message.key)
        loan = None if stored is None else codec.decode(stored)[0]
        applied = apply(loan, message.key.decode(), envelope.data, envelope.id, 0)
        if applied.loan is not None:
            loans[message.key] = codec.encode(applied.loan, None)
        count += 1
        if count == FACTS:
            seconds, cpu = perf_counter() - started[0], process_time() - started[1]
            sys.__stdout__.write(json.dumps({"facts": count, "seconds": seconds, "cpu_seconds": cpu}) + "\n")
            sys.__stdout__.flush()
            os._exit(0)


if __name__ == "__main__":
    sys.argv = ["naive", "worker", "-l", "warn", "--without-web"]
    app.main()
