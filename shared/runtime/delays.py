"""How long people wait for us: from the broker's append of a fact to the broker's confirmation of what it caused."""

from __future__ import annotations

from typing import Any, Final

from shared.contract.outreach import PermitWithdrawn
from shared.engine.transaction import Emitted, Headers, Transaction
from shared.runtime.decision_metrics import action_of
from shared.runtime.metric_board import Board
from shared.runtime.metric_catalogue import EXPOSURE, FACT_TO_ACTION

ORIGIN_HEADER: Final = "duecourse-origin-ms"
"""On requests and withdrawals: when the newest fact behind them was appended, so that the gate can measure on."""
REMEMBERED_MAX: Final = 8_192
_DIGITS_MAX: Final = 13


class Delays:
    """Remembers when the facts of the last two transactions of a partition were appended: actions follow at once."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._former: dict[int, dict[str, int]] = {}

    def origins(self, transaction: Transaction) -> dict[str, int]:
        """Return, by id of an emitted event, when the newest fact that caused it was appended; others are left out.

        An event whose cause lies further back was due by time alone, and is no answer to a fact.
        """
        partition = transaction.partition
        appended = {fact_id: origin for fact_id, _, record in transaction.applied if (origin := _origin(record))}
        known = {**self._former.get(partition, {}), **appended}
        # With a tick done, only what came after it can still cause anything at the next one.
        self._former[partition] = appended if transaction.ticks or len(known) > REMEMBERED_MAX else known
        found: dict[str, int] = {}
        for each in transaction.emitted if known else ():
            times = [known[cause] for cause in getattr(each.data, "caused_by", ()) if cause in known]
            if times:
                found[each.id] = max(times)
        return found

    def forget(self) -> None:
        """Drop everything: the partitions may belong to somebody else now."""
        self._former.clear()

    def saw(self, transaction: Transaction, origins: dict[str, int], confirmed_ms: int) -> None:
        """Observe the delays of a committed transaction."""
        for each in transaction.emitted:
            origin = origins.get(each.id)
            if origin is not None:
                self._observe(each, max(0, confirmed_ms - origin) / 1000)

    def _observe(self, each: Emitted, seconds: float) -> None:
        action = action_of(each.data)
        if action is not None:
            self._board.observe(FACT_TO_ACTION, seconds, action)
        if isinstance(each.data, PermitWithdrawn):
            self._board.observe(EXPOSURE, seconds)


def origin_header(origin_ms: int) -> Headers:
    """Return the header that tells the next stage when it all began."""
    return ((ORIGIN_HEADER, b"%d" % origin_ms),)


def _origin(record: Any) -> int:
    """Return when the fact that began it all was appended: by the header of ours where there is one."""
    for name, value in record.headers:
        if name == ORIGIN_HEADER and value is not None and len(value) <= _DIGITS_MAX and value.isdigit():
            return int(value)
    return int(getattr(record, "timestamp", 0) or 0)
