"""A log read while a service is in the middle of a long epoch."""

import pytest

from services.escalation.processor import PROCESSOR as ESCALATION
from services.rate_limiter.processor import PROCESSOR as RATE_LIMITER
from services.reminder.processor import PROCESSOR as REMINDER
from shared.domain.policy import load_policy
from shared.engine.epoch import Deployment, Limits
from shared.simulation.checkers import Build, check_spool, spooled
from shared.simulation.faults import Faults
from shared.simulation.service import Instance
from shared.simulation.world import Setting
from tests.shared.simulation.stage import PROCESSORS, play


class Interrupted(Exception):
    """Somebody looks at the log now."""


def _violations(looked_at, processor, is_then):
    """Judge the log as it lies after so many transactions of a service that are of a kind."""
    logs = []

    class Looking(Instance):
        def commit(self, transaction, at):
            offset = super().commit(transaction, at)
            if self.processor is processor and transaction.durable and not transaction.ticks and is_then(transaction):
                logs.append(self._log)
                if len(logs) == looked_at:
                    raise Interrupted
            return offset

    with pytest.raises(Interrupted):
        play(faults=Faults(5, limits=Limits(1, 1)), instance=Looking)
    policy = load_policy()
    with spooled(logs[0]) as spool:
        deployment = Deployment(Setting(20, loan_partitions=2, borrower_partitions=2).topology(), {policy.hash: policy})
        build = Build(PROCESSORS, deployment)
        found = {verdict.promise: verdict for verdict in check_spool(spool, build, promises=("P1", "P8"))}
    assert found["P1"].cases
    return [verdict for verdict in found.values() if verdict.violated]


@pytest.mark.parametrize("looked_at", [1, 3, 8, 21])
def test_an_epoch_that_is_not_over_loses_nothing(looked_at: int) -> None:
    """After any transaction, the facts that it applied are part of the fold, though their tick is not."""
    assert _violations(looked_at, ESCALATION, lambda transaction: transaction.facts) == []


@pytest.mark.parametrize("looked_at", [1, 2])
def test_a_topic_of_which_markers_alone_are_left_keeps_nobody_back(looked_at: int) -> None:
    """Facts of a later topic are part of the fold, though the one before it ended in a marker below its barrier."""
    before = {}

    def has_come_to_another_topic(transaction):
        """Whether this is a fact of the same epoch as the one before, and of another topic."""
        place = transaction.partition, transaction.progress.clock_offset
        former, before[place] = before.get(place), {topic for _, topic, _ in transaction.applied}
        return bool(former and before[place] and former != before[place])

    assert _violations(looked_at, RATE_LIMITER, has_come_to_another_topic) == []


@pytest.mark.parametrize("processor", [ESCALATION, REMINDER, RATE_LIMITER], ids=lambda found: found.name)
@pytest.mark.parametrize("looked_at", [1, 2, 7, 20])
def test_a_tick_that_woke_some_loses_nothing(looked_at: int, processor) -> None:
    """Between two wakes of one tick, those that were made are part of the fold, and the others are not."""
    assert _violations(looked_at, processor, lambda transaction: transaction.wakes) == []
