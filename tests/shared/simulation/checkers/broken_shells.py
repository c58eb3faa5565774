"""Shells that break what a shell must keep: nothing lost, nothing twice, nothing late, one build for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from services.escalation.processor import PROCESSOR as ESCALATION
from services.rate_limiter.processor import PROCESSOR as RATE_LIMITER
from services.reminder.processor import PROCESSOR as REMINDER
from shared.contract.codec import Envelope, decode, encode
from shared.contract.outreach import PermitGranted
from shared.contract.repayments import REPAYMENTS
from shared.contract.requests import ContactRequested, ContactWithdrawn
from shared.contract.topics import DEAD_LETTERS
from shared.engine.epoch import Deployment
from shared.engine.processor import Input, Processor
from shared.engine.store import STATE_PREFIX
from shared.engine.transaction import Output, Transaction
from shared.kernel.ids import derive_id
from shared.kernel.step import Emit, Step
from shared.simulation.faults import Faults
from shared.simulation.log import MemoryLog, changelog_of
from shared.simulation.service import Instance

SKIPPED: Final = 5

Outputs = Mapping[tuple[str, int], list[Output]]


class ForgetsStates(Instance):
    """Leaves some states of escalation out of the changelog."""

    def commit(self, transaction: Transaction, at: int) -> int | None:
        """Commit without the states whose keys end in 3."""
        if self.processor is not ESCALATION:
            return super().commit(transaction, at)
        kept = {
            key: value
            for key, value in transaction.changes.records.items()
            if not (key.startswith(STATE_PREFIX) and key.endswith(b"3"))
        }
        return super().commit(replace(transaction, changes=replace(transaction.changes, records=kept)), at)


class SkipsAFact(Instance):
    """Goes on after a repayment that it has read and not applied."""

    def _feed(self) -> None:
        fed, end = self._fed.get(REPAYMENTS, 0), self._log.end(REPAYMENTS, self.partition)
        if self.processor is REMINDER and fed <= SKIPPED < end:
            read = self._log.read(REPAYMENTS, self.partition, fed)
            self._loop.feed(REPAYMENTS, [record for record in read if record.offset != SKIPPED], end)
            self._fed[REPAYMENTS] = end
        super()._feed()


class WritesOldState(Instance):
    """Writes, every fortieth time, a state again that it had written before."""

    old: tuple[bytes, bytes] | None = None

    def commit(self, transaction: Transaction, at: int) -> int | None:
        """Commit, and sometimes put an old state of the reminder behind it."""
        offset = super().commit(transaction, at)
        states = [(k, v) for k, v in transaction.changes.records.items() if k.startswith(STATE_PREFIX) and v]
        if self.processor is REMINDER and states and self.old is None:
            self.old = states[0]
        elif self.old is not None and transaction.progress.n % 40 == 0:
            self._log.append(changelog_of(self.processor.name), self.partition, *self.old, (), at)
        return offset


class ChangesOutputs(Instance):
    """Commits something else than the outputs that were computed."""

    def commit(self, transaction: Transaction, at: int) -> int | None:
        """Commit with other outputs."""
        return super().commit(replace(transaction, outputs=self.instead(transaction, transaction.outputs)), at)

    def instead(self, transaction: Transaction, outputs: Outputs) -> Outputs:
        """Return what is published instead."""
        raise NotImplementedError


class LosesDeadLetters(ChangesOutputs):
    """Loses dead letters."""

    def instead(self, transaction: Transaction, outputs: Outputs) -> Outputs:
        """Leave them out."""
        return {place: said for place, said in outputs.items() if place[0] != DEAD_LETTERS}


class LosesTheLast(ChangesOutputs):
    """Loses the last record of a transaction now and then."""

    def instead(self, transaction: Transaction, outputs: Outputs) -> Outputs:
        """Leave one out where there are several."""
        if self.processor is not RATE_LIMITER or transaction.progress.n % 7:
            return outputs
        return {place: said[:-1] if len(said) > 1 else said for place, said in outputs.items()}


class ChangesPlaces(ChangesOutputs):
    """Publishes two neighbours in the other order."""

    def instead(self, transaction: Transaction, outputs: Outputs) -> Outputs:
        """Exchange the first two of each place."""
        return {place: [*said[1::-1], *said[2:]] for place, said in outputs.items()}


class SaysTwice(Instance):
    """At least once: some outputs of the reminder are appended again."""

    def commit(self, transaction: Transaction, at: int) -> int | None:
        """Commit, and publish the outputs of every fifth transaction a second time."""
        offset = super().commit(transaction, at)
        if self.processor is REMINDER and transaction.progress.n % 5 == 0:
            for (topic, target), outputs in transaction.outputs.items():
                for output in outputs:
                    self._log.append(topic, target, output.key, output.value, output.headers, at)
        return offset


class PermitsAgain(ChangesOutputs):
    """Publishes a permit again under another id, as one does who derives ids from a counter."""

    def instead(self, transaction: Transaction, outputs: Outputs) -> Outputs:
        """Say every permit of each ninth transaction once more."""
        if self.processor is not RATE_LIMITER or transaction.progress.n % 9:
            return outputs
        return {place: [*said, *self._again(place[0], said)] for place, said in outputs.items()}

    def _again(self, topic: str, said: list[Output]) -> list[Output]:
        found = []
        for output in said:
            read = decode(topic, output.key, output.value, output.headers)
            if isinstance(read, Envelope) and isinstance(read.data, PermitGranted):
                other = derive_id(read.id, "again")
                data = read.data.model_copy(update={"permit_id": other})
                found.append(replace(output, value=encode(replace(read, id=other, data=data))))
        return found


class SaysLate(Instance):
    """Keeps what it has to say back and publishes it after the next, as a process does that slept."""

    kept: Outputs | None = None
    slept = 0

    def commit(self, transaction: Transaction, at: int) -> int | None:
        """Hold the outputs of every third transaction back that has any."""
        late, self.kept = self.kept, None
        self.slept += bool(transaction.outputs)
        if self.processor is REMINDER and transaction.outputs and late is None and self.slept % 3 == 0:
            self.kept = transaction.outputs
            transaction = replace(transaction, outputs={})
        offset = super().commit(transaction, at)
        for (topic, target), outputs in (late or {}).items():
            for output in outputs:
                self._log.append(topic, target, output.key, output.value, output.headers, at)
        return offset


class LosesWithdrawals(ChangesOutputs):
    """Forgets in a crash that it has to take wishes back."""

    def instead(self, transaction: Transaction, outputs: Outputs) -> Outputs:
        """Leave the withdrawals of wishes out."""
        return {
            place: [output for output in said if not _is_withdrawal(place[0], output)]
            for place, said in outputs.items()
        }


def _is_withdrawal(topic: str, output: Output) -> bool:
    read = decode(topic, output.key, output.value, output.headers)
    return isinstance(read, Envelope) and isinstance(read.data, ContactWithdrawn)


class OtherBuild(Instance):
    """One worker of two runs a build with another template."""

    def __init__(
        self, processor: Processor[Any], deployment: Deployment, partition: int, log: MemoryLog, faults: Faults
    ) -> None:
        other = processor
        if processor is REMINDER and partition == 1:
            other = replace(processor, decide=_with_another_template)
        super().__init__(other, deployment, partition, log, faults)


def _with_another_template(state: Any, key: str, received: Input, now: int, policy: Any) -> Step[Any]:
    step = REMINDER.decide(state, key, received, now, policy)
    return replace(step, events=tuple(_retold(emit) for emit in step.events))


def _retold(emit: Emit) -> Emit:
    if not isinstance(emit.data, ContactRequested):
        return emit
    return replace(emit, data=emit.data.model_copy(update={"template": "template-of-yesterday"}))
