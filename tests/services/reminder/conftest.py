"""What the reminder's tests start from."""

from __future__ import annotations

import pytest

from services.reminder.processor import PROCESSOR
from services.reminder.state import ReminderState
from shared.domain.policy import Policy, load_policy
from tests.driver import Driver
from tests.services.lending import LOAN

HOUR = 3_600_000


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The policy that comes with the distribution."""
    return load_policy()


@pytest.fixture
def driver(policy: Policy) -> Driver[ReminderState]:
    """A reminder that knows nothing yet."""
    return Driver(PROCESSOR, policy, LOAN, policy.hash)
