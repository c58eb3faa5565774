"""What goes on while somebody is away: noted once for each absence, so that the table tells what an absence has met."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from shared.contract.recorded import Recorded
from shared.contract.topics import TOPICS
from shared.kernel.zones import DAY_MS
from shared.simulation.swarm.broker import TransactionalLog
from shared.simulation.swarm.crossings import Absence, Crossings, Meanwhile
from shared.simulation.swarm.draw import Away, Draw
from shared.simulation.swarm.fleet import Fleet


class Absentees:
    """Watches the absences of one world."""

    def __init__(self, draw: Draw, fleet: Fleet, log: TransactionalLog, crossings: Crossings) -> None:
        self._draw = draw
        self._fleet = fleet
        self._log = log
        self._crossings = crossings
        self._noted: set[tuple[Away, Meanwhile]] = set()
        self._struck: dict[Away, int] = {}

    def _now(self) -> list[Away]:
        return [away for away in self._draw.absences if away.first <= self._fleet.number < away.until]

    def _note(self, away: Away, meanwhile: Meanwhile) -> None:
        if (away, meanwhile) not in self._noted:
            self._noted.add((away, meanwhile))
            self._crossings.note(away.absence, meanwhile)

    def note_fact(self, record: Recorded) -> None:
        """Take note of a record that came in."""
        for away in self._now():
            if away.service in TOPICS[record.topic].readers and away.partition in {None, record.partition}:
                self._note(away, Meanwhile.FACTS_CAME)

    def note_silent(self, pairs: Iterable[str]) -> None:
        """Take note of the pairs that a stage-2 tick names as silent."""
        services = {pair.split("/")[0] for pair in pairs}
        for away in self._now():
            if away.service in services and away.absence is not Absence.GATE_DOWN:
                self._note(away, Meanwhile.NAMED_SILENT)

    def note_round(self, number: int) -> None:
        """Take note of what has happened since the absence began."""
        for away in self._now():
            began_ms = self._draw.rounds[min(away.first, len(self._draw.rounds) - 1)]
            if self._log.now_ms - began_ms >= DAY_MS:
                self._note(away, Meanwhile.DAYS_PASSED)
            if _month(began_ms) != _month(self._log.now_ms):
                self._note(away, Meanwhile.MONTH_ENDED)
            if self._fleet.struck > self._struck.setdefault(away, self._fleet.struck):
                self._note(away, Meanwhile.OTHERS_CRASHED)

    def are_back(self, lagging: Iterable[str]) -> None:
        """Take note of those who were away and have caught up."""
        behind = {producer.rsplit("-", 1)[0] for producer in lagging}
        for away in self._draw.absences:
            if away.service not in behind:
                self._note(away, Meanwhile.CAUGHT_UP)


def _month(instant_ms: int) -> int:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).month
