"""Record batches as bytes, so that a test can send what no honest producer would: every field may lie."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any

import cramjam
from aiokafka.client import AIOKafkaClient
from aiokafka.codec import lz4_encode
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBase
from aiokafka.record.util import calc_crc32c, encode_varint

HEADER = DefaultRecordBase.HEADER_STRUCT
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
NOW_MS = 1_700_000_000_000
TRANSACTIONAL = 0x10


def varint(value: int) -> bytes:
    """Return the zigzag varint of a number."""
    out = bytearray()
    encode_varint(value, out.append)
    return bytes(out)


def sized(value: bytes | None, *, size: int | None = None) -> bytes:
    """Return bytes after their length, which may be a lie."""
    length = -1 if value is None else len(value)
    return varint(length if size is None else size) + (value or b"")


def record(
    delta: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[bytes, bytes | None]] = (),
    *,
    header_count: int | None = None,
    timestamp_delta: int = 0,
    length: int | None = None,
) -> bytes:
    """Return one record of format 2; header names are bytes, and count and length may lie."""
    body = b"\0" + varint(timestamp_delta) + varint(delta) + sized(key) + sized(value)
    body += varint(len(headers) if header_count is None else header_count)
    body += b"".join(sized(name) + sized(content) for name, content in headers)
    return varint(len(body) if length is None else length) + body


def compressed(codec: str, data: bytes) -> bytes:
    """Return the data as Kafka's producers compress them."""
    match codec:
        case "gzip":
            return gzip.compress(data)
        case "snappy":
            return bytes(cramjam.snappy.compress_raw(data))
        case "lz4":
            return lz4_encode(data)
        case "zstd":
            return bytes(cramjam.zstd.compress(data))
        case _:
            return data


def batch(
    records: Sequence[bytes] | bytes,
    *,
    codec: str = "none",
    count: int | None = None,
    first_timestamp: int = NOW_MS,
    base_offset: int = 0,
    payload: bytes | None = None,
    transaction_of: tuple[int, int] | None = None,
    sequence: int = 0,
) -> bytes:
    """Return a whole batch with a true checksum; `payload` takes the place of the compressed records.

    `transaction_of` makes it part of an open transaction of that producer id and epoch, from `sequence` on.
    """
    number = len(records) if count is None else count
    data = payload if payload is not None else compressed(codec, b"".join(records))
    attributes = CODECS[codec] | (TRANSACTIONAL if transaction_of is not None else 0)
    producer = (-1, -1, -1) if transaction_of is None else (*transaction_of, sequence)
    head = (base_offset, HEADER.size - 12 + len(data), -1, 2, 0, attributes, number - 1)
    full = bytearray(HEADER.pack(*head, first_timestamp, first_timestamp, *producer, number) + data)
    full[17:21] = calc_crc32c(bytes(full[21:])).to_bytes(4, "big")
    return bytes(full)


async def send_raw(broker: str, topic: str, partition: int, data: bytes, transactional_id: str | None = None) -> int:
    """Send a batch as it is; return its offset, or raise what the broker says to it."""
    client: Any = AIOKafkaClient(bootstrap_servers=broker)
    await client.bootstrap()
    try:
        request = ProduceRequest(transactional_id, -1, 10_000, [(topic, [(partition, data)])])
        await client.set_topics([topic])
        node = next(iter(client.cluster.brokers())).nodeId
        response = await client.send(node, request)
        _, [(_, code, offset, *_)] = response.topics[0]
        if code:
            raise for_code(code)
        return int(offset)
    finally:
        await client.close()
