"""Our side: the real shell, exactly-once and epochs on, with the same codec and fold. Same variables, same output."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from time import perf_counter, process_time

from shared.contract.ticks import TimeMode
from shared.runtime.application import create_app, run_app
from shared.runtime.settings import Settings
from tests.bench.fold import POLICY, PROCESSOR


def main() -> None:
    """Run until the last fact is committed."""
    partitions, facts = int(os.environ["PARTITIONS"]), int(os.environ["FACTS"])
    settings = Settings(
        broker=os.environ["BROKER"],
        prefix=os.environ["PREFIX"],
        mode=TimeMode.SIMULATED,
        loan_partitions=partitions,
        borrower_partitions=partitions,
        data_directory=Path(os.environ["FOLDER"]),
        log_level="warning",
    )
    app = create_app(PROCESSOR, settings, {POLICY: None})

    @app.task
    async def watch() -> None:
        started: tuple[float, float] | None = None
        while True:
            await asyncio.sleep(0.002)
            loops = [worker.loop for worker in app.shell.workers.values() if worker.loop is not None]
            counted = sum(count.total for loop in loops for count in loop.progress.counts.values())
            if started is None and any(loop.queued(topic) for loop in loops for topic in PROCESSOR.reads):
                started = perf_counter(), process_time()
            if started is not None and counted >= facts:
                seconds, cpu = perf_counter() - started[0], process_time() - started[1]
                sys.stdout.write(json.dumps({"facts": counted, "seconds": seconds, "cpu_seconds": cpu}) + "\n")
                sys.stdout.flush()
                os._exit(0)

    run_app(app)


if __name__ == "__main__":
    main()
