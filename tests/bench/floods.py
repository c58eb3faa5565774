"""A million facts for one loan, and a person with a hundred thousand loans: what each core makes of them.

No broker: the engine and the cores alone, fed ten thousand facts at a time under one tick. What is more than can be
kept is refused by name; the state stays what it was, so the last facts must cost no more than the first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import process_time
from typing import Final

from services.cli.processors import PROCESSORS
from shared.contract.catalogue import EVENTS
from shared.contract.codec import Envelope, encode
from shared.contract.examples import example
from shared.contract.ticks import Tick
from shared.contract.topics import TOPICS
from shared.domain.policy import load_policy
from shared.engine.epoch import Deployment, EpochLoop
from shared.engine.progress import birth
from shared.engine.store import STATE_PREFIX, MemoryStore
from shared.engine.topology import Topology
from tests.bench.processes import load
from tests.shared.engine.fold import LogRecord

FACTS: Final = 1_000_000
LOANS: Final = 100_000
QUICK: Final = 30_000
AT_ONCE: Final = 10_000
START_MS: Final = 1_708_228_800_000
DAY_MS: Final = 86_400_000
KEY: Final = "K1"
FLOODS: Final = (
    ("reminder", "lending.repayment.received.v1", "payment_id", FACTS),
    ("escalation", "lending.repayment.received.v1", "payment_id", FACTS),
    ("credit_report", "lending.repayment.received.v1", "payment_id", FACTS),
    ("rate_limiter", "collections.loan.linked.v1", "loan_id", LOANS),
)


def flood(service: str, kind: str, field: str, count: int) -> str:
    """Run one flood in this process and return its row."""
    processor = next(one for one in PROCESSORS if one.name == service)
    policy = load_policy()
    where = Deployment(Topology(dict.fromkeys(TOPICS, 1)), {policy.hash: policy}, "bench")
    store = MemoryStore()
    loop = EpochLoop(processor, where, 0, store, birth(processor.reads, 0, {}, "bench"))
    flooded = EVENTS[kind].TOPICS[0]
    document = json.loads(encode(example(kind)))
    document["data"][EVENTS[kind].KEY] = KEY
    for topic in processor.reads:
        loop.feed(topic, (), 0 if topic == flooded else 1)
    ticks = [Tick(at=START_MS + day * DAY_MS, barriers={flooded: count}, policy=policy.hash) for day in range(40)]
    loop.feed(
        processor.clock, [LogRecord(n, None, encode(Envelope(f"t{n}", "/c", t.TYPE, t))) for n, t in enumerate(ticks)]
    )
    dead: Counter[str] = Counter()
    spent = []
    for start in range(0, count, AT_ONCE):
        facts = [_fact(document, field, number) for number in range(start, min(count, start + AT_ONCE))]
        loop.feed(flooded, facts)
        began = process_time()
        while (transaction := loop.advance()) is not None:
            dead.update({reason: n for (_, reason), n in transaction.buried.items()})
            loop.committed(transaction)
        spent.append(1e6 * (process_time() - began) / len(facts))
    counts = loop.progress.counts[flooded]
    size = max(len(value) for key, value in store.snapshot().items() if key[:1] == STATE_PREFIX)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    refused = ", ".join(f"{reason} {n:,}" for reason, n in dead.items()) or "none"
    known = f"{service:<14} {count:>9,} facts: {counts.applied:,} applied, refused: {refused}; state {size // 1024} KiB"
    return (
        f"{known}, peak {int(peak.split()[1]) // 1024} MiB, us of CPU a fact: {spent[0]:.0f}, at last {spent[-1]:.0f}"
    )


def _fact(document: dict[str, dict[str, object]], field: str, number: int) -> LogRecord:
    changed = {**document, "id": f"e{number}", "data": {**document["data"], field: f"x{number}"}}
    return LogRecord(number, KEY.encode(), json.dumps(changed).encode())


def run(folder: Path, *, quick: bool) -> str:
    """Run every flood in a process of its own, so that each shows its own peak."""
    del folder
    rows = []
    for service, kind, field, count in FLOODS:
        command = [sys.executable, "-m", "tests.bench.floods", service, kind, field, str(QUICK if quick else count)]
        rows.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    return "\n".join([*rows, load()])


if __name__ == "__main__":
    sys.stdout.write(flood(*sys.argv[1:4], int(sys.argv[4])) + "\n")
