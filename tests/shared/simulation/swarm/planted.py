"""Engines and brokers that are wrong on purpose: each breaks one rule of the shell, and only under a fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.engine.epoch import EpochLoop
from shared.engine.transaction import Transaction
from shared.simulation.swarm.broker import OpenTransaction, TransactionalLog
from shared.simulation.swarm.clockwork import ClockMachine
from shared.simulation.swarm.crossings import Beat, Step
from shared.simulation.swarm.process import Process


class StoresFirst(Process):
    """Writes its state before its transaction is committed."""

    def _settle(self, loop: EpochLoop[Any], transaction: Transaction) -> Iterator[Step]:
        offset = None
        if transaction.durable:
            self.log.begin(self.post.producer, self._epoch)
            yield Step.BEGUN
            self._send_outputs(transaction)
            yield Step.SENDING
            offset = self._send_changes(transaction)
        loop.committed(transaction, offset)
        yield Step.STORED
        if transaction.durable:
            self.log.commit(self.post.producer, self._epoch)
            yield Step.COMMITTED


class CommitsTwice(Process):
    """Commits its outputs in one transaction, and its state and progress in another."""

    def _settle(self, loop: EpochLoop[Any], transaction: Transaction) -> Iterator[Step]:
        offset = None
        if transaction.durable:
            self.log.begin(self.post.producer, self._epoch)
            self._send_outputs(transaction)
            yield Step.SENDING
            self.log.commit(self.post.producer, self._epoch)
            yield Step.COMMITTED
            self.log.begin(self.post.producer, self._epoch)
            offset = self._send_changes(transaction)
            yield Step.SENT
            self.log.commit(self.post.producer, self._epoch)
        loop.committed(transaction, offset)
        yield Step.STORED


class TrustsEveryStore(Process):
    """Goes on from whatever lies on its disk, though it says more than the changelog does."""

    def _is_trusted(self, changelog_offset: int) -> bool:
        return True


class FencesLate(Process):
    """Reads its state first, and shuts the former owner out only then."""

    def live(self) -> Iterator[Step]:
        yield from self._recover()
        yield Step.RECOVERED
        loop = self.loop = self._place()
        yield Step.PLACED
        self._become_owner()
        yield Step.FENCED
        while True:
            self._feed(loop)
            self.transaction = loop.advance()
            if self.transaction is None:
                yield Step.IDLE
                continue
            yield Step.COMPUTED
            yield from self._settle(loop, self.transaction)
            self.transaction = None
            self._report(loop.progress)
            yield Step.REPORTED


class ReportsFirst(Process):
    """Tells the group how far it is before that is committed."""

    def _settle(self, loop: EpochLoop[Any], transaction: Transaction) -> Iterator[Step]:
        self._report(transaction.progress)
        return super()._settle(loop, transaction)


class FencesNobody(TransactionalLog):
    """A broker that takes what a former owner sends."""

    def require_owner(self, producer: str, epoch: int) -> None:
        self._open.setdefault(producer, OpenTransaction())


class ShowsEverything(TransactionalLog):
    """Readers that see what is not committed, and may never be."""

    def stable(self, topic: str, partition: int) -> int:
        return self.end(topic, partition)


class BelievesItsMachine(ClockMachine):
    """A clock that takes its machine's word for the time."""

    def write_loans(self) -> Iterator[Beat]:
        self._time = type(self._time)()
        return super().write_loans()
