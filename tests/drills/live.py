"""Run the drill's deployment until interrupted: `python -m tests.drills.live BROKER PREFIX FOLDER [PORT]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from shared.runtime.records import Deployment
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin
from tests.drills.traffic import HEALTH_PORT, House, Lenders, gateways

MEND_SECONDS = 1.0


async def live(broker: str, prefix: str, folder: Path, port: int, *, first: int, per_second: float) -> None:
    """Make the topics, start everything, publish and act for ever."""
    settings = Settings(broker=broker, prefix=prefix, loan_partitions=2, borrower_partitions=2)
    async with TopicAdmin(settings) as admin:
        await admin.create()
    house = House(settings, folder, first_port=port)
    house.start()
    tasks = [
        asyncio.create_task(Lenders(Deployment(broker, prefix)).run(first=first, per_second=per_second)),
        asyncio.create_task(gateways(settings)),
    ]
    try:
        while True:
            house.mend()
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(MEND_SECONDS)
    finally:
        house.close()


if __name__ == "__main__":
    first_port = int(sys.argv[4]) if sys.argv[4:] else HEALTH_PORT
    asyncio.run(live(sys.argv[1], sys.argv[2], Path(sys.argv[3]), first_port, first=200, per_second=1.0))
