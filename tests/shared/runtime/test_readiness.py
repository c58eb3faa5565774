"""Ready means progress, not merely an assignment."""

import pytest

from shared.engine.waiting import WAITING_FOR_POLICY, WAITING_FOR_RECORDS, WAITING_FOR_TICK, Waiting
from shared.runtime.readiness import STILL_SECONDS, STUCK_SECONDS, obstacle

TICK = Waiting(WAITING_FOR_TICK)


@pytest.mark.parametrize(
    ("waiting", "waited", "still", "why"),
    [
        (None, None, 0.0, None),
        (TICK, None, 1.0, None),
        (TICK, None, STILL_SECONDS, "no tick comes"),
        (Waiting(WAITING_FOR_RECORDS, "lending.repayments", 7), STUCK_SECONDS - 1, 29.0, None),
        (Waiting(WAITING_FOR_RECORDS, "lending.repayments", 7), STUCK_SECONDS, 30.0, "waits for records lending.repay"),
        (Waiting(WAITING_FOR_POLICY, policy="abc"), STUCK_SECONDS, 30.0, "waits for policy abc"),
        (None, None, STILL_SECONDS, "partition 3 has settled nothing for 60 s"),
    ],
)
def test_a_partition_that_settles_nothing_says_why(waiting, waited, still, why):
    """Records, a policy, or ticks that do not come: each is a reason after its time, and none before."""
    found = obstacle(3, waiting, waited, still, true_time=True)
    assert (found is None) == (why is None)
    assert why is None or why in (found or "")


def test_simulated_time_has_no_hurry():
    """Where ticks come when everybody has answered, a pause between two is no fault."""
    assert obstacle(3, TICK, None, 10 * STILL_SECONDS, true_time=False) is None
