"""What the fuzzer runs: the codec on one record, and each core on a small log. Anything raised is a finding.

Bytes become a log: records are divided by byte 0x1e. The first byte of a record says on which of the service's topics
it lies, or that it is a tick; the second byte which key it has, or how long after the last tick it comes; then comes
the value, taken for a record with headers where it begins with 0x1d and has another 0x1d.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from services.cli.processors import PROCESSORS
from shared.contract.codec import Envelope, Rejected, decode, encode
from shared.contract.ticks import Tick
from shared.contract.topics import TOPICS
from shared.domain.policy import load_policy
from shared.engine.epoch import Deployment, EpochLoop
from shared.engine.processor import Processor
from shared.engine.progress import birth
from shared.engine.store import MemoryStore
from shared.engine.topology import Topology
from tests.shared.engine.fold import LogRecord

SEPARATOR: Final = b"\x1e"
HEADER_MARK: Final = b"\x1d"
KEY: Final = "K1"
KEYS: Final = (b"K1", b"K1", b"K1", b"K1", b"K2", None, b"", b"\xff\xfe")
START_MS: Final = 1_708_228_800_000
STEPS_MS: Final = (1, 1_000, 3_600_000, 10_000_000, 86_400_000, 7 * 86_400_000, 40 * 86_400_000, 400 * 86_400_000)
RECORDS_MAX: Final = 64
STATE_BYTES_MAX: Final = 1024 * 1024


@cache
def deployment() -> Deployment:
    """Return one partition of everything, under the default policy."""
    policy = load_policy()
    return Deployment(Topology(dict.fromkeys(TOPICS, 1)), {policy.hash: policy}, "fuzz")


def log_of(processor: Processor[Any], data: bytes) -> dict[str, list[LogRecord]]:
    """Read bytes as the logs of a partition, the clock's included; the last tick covers everything."""
    (policy,) = deployment().policies
    logs: dict[str, list[LogRecord]] = {topic: [] for topic in (*processor.reads, processor.clock)}
    at = START_MS
    for chunk in [*data.split(SEPARATOR)[:RECORDS_MAX], b"\xff\x02", b"\xff\x04"]:
        kind, choice = (*chunk[:2], 0, 0)[:2]
        which = kind % (len(processor.reads) + 1)
        if which < len(processor.reads) and kind != 0xFF:
            topic = processor.reads[which]
            value, headers = split_headers(chunk[2:])
            logs[topic].append(LogRecord(len(logs[topic]), KEYS[choice % len(KEYS)], value, headers))
            continue
        at = min(at + STEPS_MS[choice % len(STEPS_MS)], 4_102_444_800_000)
        tick = Tick(at=at, barriers={topic: len(logs[topic]) for topic in processor.reads}, policy=policy)
        value = encode(Envelope(f"t{at}", "/clock", tick.TYPE, tick))
        logs[processor.clock].append(LogRecord(len(logs[processor.clock]), None, value))
    return logs


def split_headers(value: bytes) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
    """Return the value, and the headers that precede it where there are any (CloudEvents in binary mode)."""
    parts = value.split(HEADER_MARK, 2)
    if len(parts) != 3 or parts[0]:
        return value, ()
    pairs = (line.partition(b"=") for line in parts[1].split(b"\n"))
    return parts[2], tuple((name.decode(errors="replace"), text) for name, _, text in pairs)


def codec(data: bytes) -> str:
    """Decode one record on one topic; what can be read is written and read again the same. Return the verdict."""
    topic = list(TOPICS)[data[0] % len(TOPICS)] if data else next(iter(TOPICS))
    value, headers = split_headers(data[2:])
    found = decode(topic, KEYS[data[1] % len(KEYS)] if len(data) > 1 else None, value, headers)
    if isinstance(found, Rejected):
        return found.reason
    key = KEYS[data[1] % len(KEYS)]
    assert decode(topic, key, encode(found)) == found, "what was written reads differently"
    return "readable"


def core(processor: Processor[Any]) -> Callable[[bytes], str]:
    """Return the target for a service: every record gets one disposition, and each state can be written."""

    def target(data: bytes) -> str:
        logs = log_of(processor, data)
        loop = EpochLoop(processor, deployment(), 0, MemoryStore(), birth(processor.reads, 0, {}, "fuzz"))
        for topic, records in logs.items():
            loop.feed(topic, records, len(records))
        while (transaction := loop.advance()) is not None:
            assert all(len(v or b"") < STATE_BYTES_MAX for v in transaction.changes.records.values())
            loop.committed(transaction)
        counts = loop.progress.counts
        assert all(counts[topic].total == len(logs[topic]) for topic in processor.reads), "a record was lost"
        return " ".join(f"{counts[topic].applied}/{counts[topic].dead}" for topic in processor.reads)

    return target


TARGETS: Final[dict[str, Callable[[bytes], str]]] = {
    "codec": codec,
    **{processor.name: core(processor) for processor in PROCESSORS},
}


def seeds(name: str) -> Iterator[bytes]:
    """Yield beginnings for the search: each event that may lie on a topic that the target reads."""
    from tests.fuzz.hostile import readable  # noqa: PLC0415 - the table there is built from this module

    processor = next((one for one in PROCESSORS if one.name == name), None)
    for number, topic in enumerate(TOPICS if processor is None else processor.reads):
        for value in readable(topic):
            yield bytes((number, 0)) + value + (b"" if processor is None else SEPARATOR + b"\xff\x04")
