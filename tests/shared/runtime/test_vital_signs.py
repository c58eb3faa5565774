"""What is measured by looking."""

from __future__ import annotations

import pytest

from shared.engine.waiting import WAITING_FOR_POLICY, WAITING_FOR_RECORDS, WAITING_FOR_TICK, Waiting
from shared.runtime.vital_signs import waited_for


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        (None, {"records": 0.0, "policy": 0.0}),
        (Waiting(WAITING_FOR_TICK), {"records": 0.0, "policy": 0.0}),
        (Waiting(WAITING_FOR_RECORDS, "lending.repayments", 7), {"records": 40.0, "policy": 0.0}),
        (Waiting(WAITING_FOR_POLICY, policy="f" * 16), {"records": 0.0, "policy": 40.0}),
    ],
)  # fmt: skip
def test_what_is_waited_for_is_told_and_everything_else_is_zero(
    waiting: Waiting | None, expected: dict[str, float]
) -> None:
    """A wait that is over, or for another thing, leaves no old value behind; to wait for a tick is no wait."""
    assert waited_for(waiting, 40.0) == expected
