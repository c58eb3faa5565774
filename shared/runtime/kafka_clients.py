"""Every client of Kafka that this system makes, apart from Faust's own consumer.

Nobody else names a broker to a client, so that none can forget how it is let in; a test of the house sees to that.
"""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import CloseReason, create_conn

from shared.runtime.kafka_security import Access, Security
from shared.runtime.tolerant_records import RECORDS_MAX, read_tolerantly


def new_producer(access: Access, **options: Any) -> Any:
    """Return aiokafka's producer, not started."""
    return AIOKafkaProducer(**_entrance(access), **options)


def new_consumer(access: Access, **options: Any) -> Any:
    """Return aiokafka's consumer, not started, which no record can stop."""
    read_tolerantly()
    return AIOKafkaConsumer(max_poll_records=RECORDS_MAX, **_entrance(access), **options)


def new_admin(access: Access, **options: Any) -> Any:
    """Return aiokafka's admin client, not started."""
    return AIOKafkaAdminClient(**_entrance(access), **options)


def new_client(access: Access) -> Any:
    """Return aiokafka's client for single requests; `bootstrap` connects it."""
    return AIOKafkaClient(**_entrance(access))


async def try_login(host: str, port: int, security: Security) -> None:
    """Open one connection to one broker, as clients do, and close it; raise what the broker answers."""
    connection = await create_conn(host, port, **security.client_arguments())
    await connection.close(reason=CloseReason.SHUTDOWN)


def _entrance(access: Access) -> dict[str, Any]:
    return {"bootstrap_servers": access.broker, **access.security.client_arguments()}
