"""A build that is broken on purpose, to show that the harness sees it: `python -m tests.chaos.broken run SERVICE ...`.

It commits outputs in one transaction, and state and progress in the next, as anybody might who has not thought of a
crash between the two: then the outputs are said twice. The gap is one more passage of the crash point `after_fence`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.contract.codec import Headers
from shared.engine.store import Changes
from shared.engine.transaction import Transaction
from shared.runtime.crash_points import CrashPoint
from shared.runtime.partition_producer import PartitionProducer

commit = PartitionProducer.commit
NOTHING = Changes({b"snobody": None})


async def commit_in_two_steps(self: Any, transaction: Transaction, marked: Mapping[str, Headers] | None = None) -> int:
    """Commit the outputs, then the changes."""
    if transaction.outputs:
        await commit(self, replace(transaction, changes=NOTHING), marked)
        self._crash_points.pass_by(CrashPoint.AFTER_FENCE)
    return await commit(self, replace(transaction, outputs={}), marked)


if __name__ == "__main__":
    PartitionProducer.commit = commit_in_two_steps  # type: ignore[method-assign]
    from services.cli import main

    main()
