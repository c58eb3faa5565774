"""All processes of a deployment on their partitions: who owns what, who is away, who dies where, who is a zombie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from shared.engine.epoch import Deployment
from shared.engine.processor import Processor
from shared.engine.progress import decode_progress, encode_progress
from shared.engine.store import PROGRESS_KEY, MemoryStore
from shared.simulation.dice import dice
from shared.simulation.swarm.broker import Fenced, TransactionalLog
from shared.simulation.swarm.crossings import Crossings, ProcessFault, Reader, RecordFault, Step
from shared.simulation.swarm.draw import Draw
from shared.simulation.swarm.process import UNCOMMITTED, Post, Process, StoreRefused, copy_of

Hire = Callable[[Post, Deployment, TransactionalLog, MemoryStore], Process]
"""How a process is started: a broken one, where a test wants to see it found."""
_FAR = 10_000
"""A store ahead of its log is so by more than a world will write: had the log grown past it, nobody could tell."""
_WIPED = 0.5
"""Of the processes that ended by themselves, so many find their store wiped."""


@dataclass(slots=True)
class Seat:
    """A post, the disk under it, and the process on it, if there is one."""

    post: Post
    disk: MemoryStore = field(default_factory=MemoryStore)
    backup: MemoryStore | None = None
    process: Process | None = None
    back_in: int = 0
    """The round in which whoever died is started again."""
    born: bool = False

    @property
    def at(self) -> int:
        """The last tick applied, 0 for none."""
        loop = None if self.process is None else self.process.loop
        return 0 if loop is None else loop.progress.at


class Fleet:
    """Every seat, and the zombies of former owners. `number` is the round."""

    def __init__(
        self,
        draw: Draw,
        processors: tuple[Processor[Any], ...],
        deployment: Deployment,
        log: TransactionalLog,
        crossings: Crossings,
        hire: Hire = Process,
        *,
        disturbed: bool = True,
    ) -> None:
        self._draw = draw
        self._deployment = deployment
        self._log = log
        self._crossings = crossings
        self._hire = hire
        self._strikes = dict(draw.strikes) if disturbed else {}
        self._roll = dice(draw.seed, "schedule", str(disturbed))
        self._passages = dict.fromkeys(Step, 0)
        self.seats = [
            Seat(Post(processor, partition))
            for processor in processors
            for partition in range(log.partitions[processor.clock])
        ]
        self.zombies: list[Process] = []
        self.number = 0
        self.struck = 0
        self.faulty: dict[tuple[str, int], list[tuple[int, RecordFault]]] = {}
        """Offsets of records that something was wrong with."""

    def seat(self, service: str, partition: int) -> Seat:
        """Return one seat."""
        return next(s for s in self.seats if s.post.processor.name == service and s.post.partition == partition)

    def is_away(self, seat: Seat) -> bool:
        """Whether nobody is meant to sit there in this round."""
        post = seat.post
        return any(away.covers(post.processor.name, post.partition, self.number) for away in self._draw.absences)

    def begin_round(self, number: int) -> None:
        """Let those leave who are away now, and those come back whose time it is."""
        self.number = number
        for seat in self.seats:
            if self.is_away(seat):
                seat.process = None
            elif seat.process is None and seat.back_in <= number:
                self._start(seat)

    def end_faults(self) -> None:
        """From now on nobody dies; zombies wake up."""
        self._strikes.clear()
        for seat in self.seats:
            seat.back_in = 0

    def _start(self, seat: Seat) -> None:
        seat.process = self._hire(seat.post, self._deployment, self._log, seat.disk)
        seat.born = True

    # --- work

    def work(self, clock: str) -> None:
        """Let all processes of a stage go on, in an order of the seed's, until all of them wait."""
        seats = [seat for seat in self.seats if seat.post.processor.clock == clock]
        idle: set[Process] = set()
        while True:
            awake = [s for s in seats if s.process is not None and s.process not in idle]
            wandering = [z for z in self.zombies if z.post.processor.clock == clock and z not in idle]
            if not awake and not wandering:
                return
            chosen = self._roll.randrange(len(awake) + len(wandering))
            if chosen < len(awake):
                process = awake[chosen].process
                step = self._advance(awake[chosen])
            else:
                process = wandering[chosen - len(awake)]
                step = self._wander(process)
            if step is Step.IDLE and process is not None:
                idle.add(process)
            elif step in {Step.COMMITTED, Step.FENCED, None}:
                idle.clear()

    def _advance(self, seat: Seat) -> Step | None:
        """Let an owner take its next step, and meet what the seed has in store for it there; None where it died."""
        process = seat.process
        assert process is not None
        try:
            step = process.go_on()
        except StoreRefused:
            seat.disk = MemoryStore()
            self._start(seat)
            return None
        except Fenced:
            self._die(seat, self._maybe_wiped(seat.disk))
            return None
        self._passages[step] += 1
        fault = self._strikes.get((step, self._passages[step]))
        if step is Step.STORED and (seat.backup is None or self._roll.random() < 0.1):
            seat.backup = copy_of(process.store)
        if fault is not None and self._strike(seat, process, step, fault):
            return None
        return step

    def _wander(self, zombie: Process) -> Step | None:
        """Let somebody go on who believes to be the owner still."""
        try:
            return zombie.go_on()
        except (Fenced, StoreRefused):
            self.zombies.remove(zombie)
            return None

    def _maybe_wiped(self, disk: MemoryStore) -> MemoryStore:
        return MemoryStore() if self._roll.random() < _WIPED else disk

    # --- faults

    def _strike(self, seat: Seat, process: Process, step: Step, fault: ProcessFault) -> bool:
        """Do what was drawn, where it can be done; True when the process is gone."""
        disk: MemoryStore | None = seat.disk
        match fault:
            case ProcessFault.EXPIRED:
                if self._log.expire(seat.post.producer):
                    self._met(fault, step)
                return False
            case ProcessFault.STORE_LOST:
                disk = MemoryStore()
            case ProcessFault.STORE_OLD:
                disk = None if seat.backup is None else copy_of(seat.backup)
            case ProcessFault.STORE_AHEAD:
                disk = self._ahead(seat)
            case ProcessFault.TAKEN_OVER:
                disk = MemoryStore() if seat.backup is None else copy_of(seat.backup)
                self.zombies.append(process)
            case ProcessFault.HANDED_OVER:
                disk = self._maybe_wiped(seat.disk)
            case ProcessFault.KILLED:
                pass
        if disk is None:
            return False
        self._met(fault, step)
        self._note_redone(process)
        self._die(seat, disk, at_once=fault in {ProcessFault.TAKEN_OVER, ProcessFault.HANDED_OVER})
        return True

    def _met(self, fault: ProcessFault, step: Step) -> None:
        self.struck += 1
        self._crossings.note(fault, step)

    def _die(self, seat: Seat, disk: MemoryStore, *, at_once: bool = False) -> None:
        seat.process, seat.disk = None, disk
        if at_once or self._draw.prompt or self._roll.random() < 0.5:
            self._start(seat)
        else:
            seat.back_in = self.number + self._roll.randint(1, 3)

    def _ahead(self, seat: Seat) -> MemoryStore | None:
        """Return a store that has seen more than the log holds: as after a restore of the log alone."""
        kept = None if seat.backup is None else seat.backup.get(PROGRESS_KEY)
        if seat.backup is None or kept is None:
            return None
        store, post = copy_of(seat.backup), seat.post
        progress = decode_progress(kept)
        seen = {topic: self._log.end(topic, post.partition) for topic in post.processor.reads}
        clock_offset = self._log.end(post.processor.clock, post.partition)
        ahead = replace(progress, n=progress.n + 1000, at=self._log.now_ms, clock_offset=clock_offset, offsets=seen)
        end = self._log.end(post.changelog, post.partition)
        store.restore(PROGRESS_KEY, encode_progress(ahead), end + _FAR)
        return store

    def _note_redone(self, process: Process) -> None:
        """Count the odd records that the dead process had applied in vain."""
        if process.step not in UNCOMMITTED or process.transaction is None or process.loop is None:
            return
        before, after = process.loop.progress.offsets, process.transaction.progress.offsets
        for topic in process.post.processor.reads:
            for offset, fault in self.faulty.get((topic, process.post.partition), ()):
                if before.get(topic, 0) <= offset < after.get(topic, 0):
                    self._crossings.note(fault, Reader.REDONE)

    # --- what others see

    def reports(self) -> Iterator[tuple[str, dict[int, int]]]:
        """Yield what each group has reported: the last tick applied, by partition."""
        for service in dict.fromkeys(seat.post.processor.name for seat in self.seats):
            progress = {p: one.at for (group, p), one in self._log.reports.items() if group == service}
            if progress:
                yield service, progress

    def state_of(self, service: str, partition: int) -> Reader:
        """Return how a record finds a reader."""
        seat = self.seat(service, partition)
        if not seat.born:
            return Reader.UNBORN
        return Reader.BEHIND if seat.process is None or self.is_away(seat) else Reader.LIVE
