"""What a service process counts, and the one canonical log line per epoch with content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import structlog

from shared.contract.base import Channel, Rung
from shared.contract.codec import DeadReason
from shared.contract.requests import ContactClass, ReportAction, StageMove
from shared.contract.ticks import LOAN_CLOCK, PROBE_AT
from shared.contract.topics import DEAD_LETTERS as DEAD_LETTERS_TOPIC
from shared.contract.topics import RATE_LIMITER
from shared.domain.policy import Policy
from shared.engine.processor import Processor
from shared.engine.transaction import Transaction
from shared.kernel.step import Verdict
from shared.runtime.decision_lines import DecisionLines
from shared.runtime.decision_metrics import ECHOES, NONE, DecisionCounts, actions_of
from shared.runtime.delays import Delays
from shared.runtime.metric_board import Board, Vocabularies
from shared.runtime.metric_catalogue import (
    COMMIT_SECONDS,
    DEAD_LETTERS,
    EPOCH_SECONDS,
    FACTS,
    LAG_RECORDS,
    LAG_SECONDS,
    OFFSET,
    OUTPUTS,
    PARTITIONS,
    POLICY,
    QUEUED,
    REBALANCES,
    RECOVERY_REMAINING,
    SKIPS,
    TICK_APPLIED,
    TICK_INSTANT,
    TICKS,
    TICKS_IGNORED,
    TRANSACTIONS,
    WAITING_SECONDS,
    WAKES,
)
from shared.runtime.pseudonyms import Pseudonyms
from shared.runtime.stop import StopReason
from shared.runtime.system_clock import now_ms

if TYPE_CHECKING:
    from shared.runtime.tracing import Tracing

STAGES: Final = {True: "loan", False: "borrower"}
OF_PARTITIONS: Final = (
    TICK_INSTANT,
    TICK_APPLIED,
    LAG_RECORDS,
    LAG_SECONDS,
    OFFSET,
    QUEUED,
    WAITING_SECONDS,
    RECOVERY_REMAINING,
)
"""Gauges that leave with their partitions."""
CLEAN_END: Final = "clean"
KILLED_END: Final = "killed"


def vocabularies(processor: Processor[Any], policies: Mapping[str, Any]) -> Vocabularies:
    """Return what the labels of a service's metrics can say."""
    rules = {rule for policy in policies.values() if isinstance(policy, Policy) for rule in policy.packs.rule_texts()}
    return {
        "topic": (*processor.reads, processor.clock),
        "outputs_total.topic": (*processor.writes, *((DEAD_LETTERS_TOPIC,) if processor.owns else ())),
        "verdict": [verdict.value for verdict in Verdict],
        "reason": [reason.value for reason in DeadReason],
        "process_ends_total.reason": [CLEAN_END, KILLED_END, *(reason.name.lower() for reason in StopReason)],
        "rule": sorted(rules),
        "channel": [channel.value for channel in Channel],
        "contact_class": [contact_class.value for contact_class in ContactClass],
        "action": actions_of(processor.name),
        "report_changes_total.action": [action.value for action in ReportAction],
        "loans.stage": [rung.value for rung in Rung],
        "move": [move.value for move in StageMove],
        "outcome": ("told", "failed"),
    }


class Metrics:
    """The metrics of one service process. No identifier of a person or loan is ever a label."""

    def __init__(
        self,
        processor: Processor[Any],
        policies: Mapping[str, Any],
        build: str = "",
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self.service = processor.name
        self.board = Board(processor.name, build, vocabularies(processor, policies))
        self.registry = self.board.registry
        self.log: Any = structlog.get_logger("epoch")
        self.delays = Delays(self.board)
        self._stage = STAGES[processor.clock == LOAN_CLOCK]
        self._decisions = DecisionCounts(self.board, _capacities(policies) if self.service == RATE_LIMITER else {})
        self._lines = DecisionLines(pseudonyms or Pseudonyms())
        self._policy = ""
        self.tracing: Tracing | None = None
        """What tells spans, where somebody wants them."""

    def saw_assignment(self, partitions: Sequence[int]) -> None:
        """Take note of the partitions that this process owns now."""
        self.board.set(PARTITIONS, len(partitions))
        self.board.add(REBALANCES, 1)
        self.board.forget(*OF_PARTITIONS)
        self.delays.forget()
        self.log.info("partitions at work", partitions=list(partitions))

    def saw_transaction(
        self,
        transaction: Transaction,
        seconds: float,
        *,
        epoch_seconds: float = 0.0,
        origins: Mapping[str, int] | None = None,
    ) -> None:
        """Count a transaction that is committed, and say what its epochs contained.

        `seconds` is how long the commit and the local write took, `epoch_seconds` that and the computation. Before the
        first tick that tells the time there is no age to show: a clock's probe would make it decades.
        """
        board, at = self.board, transaction.progress.at / 1000
        partition = str(transaction.partition)
        confirmed_ms = now_ms()
        if transaction.progress.at > PROBE_AT:
            board.set(TICK_INSTANT, at, self._stage, partition)
            board.set(TICK_APPLIED, confirmed_ms / 1000, self._stage, partition)
        board.add(TICKS, transaction.ticks)
        if transaction.ignored_ticks:
            board.add(TICKS_IGNORED, transaction.ignored_ticks)
        self._saw_policy(transaction.progress.policy)
        if not transaction.durable:
            return
        board.add(TRANSACTIONS, 1)
        board.observe(COMMIT_SECONDS, seconds)
        board.observe(EPOCH_SECONDS, epoch_seconds or seconds)
        self._count(transaction)
        self._decisions.passed(transaction.progress.at)
        if transaction.emitted:
            self.delays.saw(transaction, dict(origins or {}), confirmed_ms)
            self._decisions.saw(transaction.emitted)
            said = [each for each in transaction.emitted if not isinstance(each.data, ECHOES)]
            self._lines.write(said, traced=self.tracing is not None)
        self._log_epochs(transaction)

    def _count(self, transaction: Transaction) -> None:
        board = self.board
        board.add(WAKES, transaction.wakes)
        for (topic, verdict), count in transaction.counted.items():
            board.add(FACTS, count, topic, verdict.value)
        for (topic, reason), count in transaction.buried.items():
            board.add(DEAD_LETTERS, count, topic, reason)
        for (topic, _), outputs in transaction.outputs.items():
            board.add(OUTPUTS, len(outputs), topic)
        for epoch in transaction.epochs:
            for reason, count in epoch.skips.items():
                board.add(SKIPS, count, reason)

    def _saw_policy(self, policy: str) -> None:
        if policy != self._policy:
            self._policy = policy
            self.board.forget(POLICY)
            self.board.set(POLICY, 1, policy or NONE)

    def _log_epochs(self, transaction: Transaction) -> None:
        log = self.log.bind()
        for epoch in transaction.epochs:
            log.info(
                "epoch",
                at=epoch.at,
                partition=transaction.partition,
                n=transaction.progress.n,
                policy=transaction.progress.policy,
                facts=dict(epoch.facts),
                wakes=epoch.wakes,
                outputs=dict(epoch.outputs),
                skips=dict(epoch.skips),
                dead=dict(epoch.dead),
            )


def _capacities(policies: Mapping[str, Any]) -> dict[str, int]:
    """Return the permits per tick of each bounded channel; of several policies, the least."""
    bounds: dict[str, int] = {}
    for policy in policies.values():
        for channel, terms in policy.packs.channels.items() if isinstance(policy, Policy) else ():
            if terms.grants_per_tick is not None:
                bounds[channel.value] = min(terms.grants_per_tick, bounds.get(channel.value, terms.grants_per_tick))
    return bounds
