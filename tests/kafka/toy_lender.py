"""Simulators for the toy house: a lender that publishes at each tick, and a gateway that reports what it was permitted.

`python -m tests.kafka.toy_lender lender|gateway`. With `TOY_TWICE` set the lender says everything twice, as after a
crash between what it published and its answer.
"""

import asyncio
import os
import sys

from shared.contract.loans import DUE_DATES
from shared.contract.outreach import OUTREACH
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import ESCALATIONS
from shared.contract.ticks import BORROWER_CLOCK, LOAN_CLOCK
from shared.runtime.participant import Participant
from shared.runtime.settings import settings_from
from tests.shared.engine.toy import HOUR_MS, START_MS, due, repayment, wish


async def lender() -> None:
    """Publish facts that follow from the tick alone."""
    async with Participant(settings_from(os.environ), "lender", LOAN_CLOCK) as part:
        async for moment in part.moments():
            number = (moment.at - START_MS) // HOUR_MS
            for i in (*range(8), *range(8)) if "TOY_TWICE" in os.environ else range(8):
                loan = f"L{(number * 7 + i * 13) % 60}"
                topic, record = (DUE_DATES, due(loan, number)) if i % 2 else (REPAYMENTS, repayment(loan, number))
                await part.publish(topic, *record)
            await part.answer(moment)


async def gateway() -> None:
    """Answer every permit by a wish of its own, so that what stage 2 decides comes back to it."""
    settings = settings_from(os.environ)
    async with Participant(settings, "gateway", BORROWER_CLOCK, reads=(OUTREACH,), after=("rate_limiter",)) as part:
        async for moment in part.moments():
            keys = sorted(record.key.decode() for record in moment.records[OUTREACH])
            for i, key in enumerate(keys):
                if (len(key) + i) % 3 == 0:
                    await part.publish(ESCALATIONS, *wish(key, 1000 + (moment.at - START_MS) // HOUR_MS))
            await part.answer(moment)


if __name__ == "__main__":
    asyncio.run({"lender": lender, "gateway": gateway}[sys.argv[1]]())
