"""Facts for measurements: many loans of one shape, and a way to publish them in bulk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from shared.contract.base import Amounts, Event
from shared.contract.codec import Envelope, encode, key_of
from shared.contract.loans import InstalmentScheduled, LoanOpened, LoanTerms, Obligor, Role
from shared.contract.repayments import RepaymentReceived
from shared.runtime.settings import Settings

FACTS_PER_LOAN: Final = 20
KNOWN_MS: Final = 1_710_000_000_000
FIRST_DUE: Final = date(2024, 1, 15)
IN_FLIGHT_MAX: Final = 20_000


def terms(borrower_id: str = "b1", zone: str = "Asia/Shanghai") -> LoanTerms:
    """Return the terms of a loan for which one person answers."""
    return LoanTerms(
        lender_id="bench",
        obligors=(Obligor(borrower_id=borrower_id, role=Role.BORROWER),),
        currency="CNY",
        product="term",
        accounting_zone=zone,
        jurisdiction="CN",
    )


def instalment(loan_id: str, number: int, due: date) -> InstalmentScheduled:
    """Return an instalment of 910.00."""
    amounts = Amounts(principal_minor=90_000, interest_minor=1_000)
    return InstalmentScheduled(loan_id=loan_id, instalment_id=f"{loan_id}-{number}", due_date=due, amounts=amounts)


def facts(count: int) -> Iterator[Event]:
    """Yield `count` facts: for each loan its opening, then repayments and their instalments in turn."""
    shared_terms = terms()
    for number in range(count):
        loan, step = divmod(number, FACTS_PER_LOAN)
        loan_id, due = f"l{loan}", FIRST_DUE + timedelta(days=30 * (step // 2))
        if step == 0:
            yield LoanOpened(loan_id=loan_id, terms=shared_terms)
        elif step % 2:
            yield instalment(loan_id, step // 2, due)
        else:
            yield RepaymentReceived(
                loan_id=loan_id,
                payment_id=f"{loan_id}-{step // 2}",
                amount_minor=91_000,
                currency="CNY",
                value_date=due,
            )


class Feeder:
    """Publishes facts to the partitions of their keys."""

    def __init__(self, settings: Settings, producer: Any) -> None:
        self._settings = settings
        self.producer = producer
        self._sent = 0

    async def send(self, event: Event) -> Any:
        """Hand one fact over; what is returned is done when the broker has appended it."""
        self._sent += 1
        text = key_of(event)
        assert text is not None
        topic, key = event.TOPICS[0], text.encode()
        value = encode(Envelope(f"e{self._sent}", "/bench", event.TYPE, event, time_ms=KNOWN_MS))
        where = self._settings.topology.partition_of(topic, key)
        return await self.producer.send(self._settings.topic(topic), value, key=key, partition=where)

    async def send_all(self, events: Iterable[Event]) -> int:
        """Publish facts as fast as they are taken; return how many they were."""
        sent: list[Any] = []
        count = 0
        for event in events:
            sent.append(await self.send(event))
            count += 1
            if len(sent) == IN_FLIGHT_MAX:
                await asyncio.gather(*sent)
                sent.clear()
        await asyncio.gather(*sent)
        return count


@asynccontextmanager
async def feeder(settings: Settings, linger_ms: int = 20) -> AsyncIterator[Feeder]:
    """Yield a feeder with a producer of its own."""
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=settings.broker, linger_ms=linger_ms, max_batch_size=512 * 1024, acks="all"
    )
    await producer.start()
    try:
        yield Feeder(settings, producer)
    finally:
        await producer.stop()
