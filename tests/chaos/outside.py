"""Everybody outside: lenders that publish facts all the time, and gateways that act on permits and report back.

In simulated time they are the demo's own, answering tick by tick; in true time the drills'. Where the broker does not
answer they try again, as theirs would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from aiokafka.errors import KafkaError

from shared.contract.outcomes import OUTCOMES
from shared.contract.outreach import OUTREACH
from shared.contract.recorded import Recorded
from shared.contract.ticks import BORROWER_CLOCK
from shared.contract.topics import RATE_LIMITER
from shared.runtime.participant import Moment, Participant
from shared.runtime.records import BrokerProblem, deployment_of
from shared.runtime.settings import Settings
from shared.simulation.log import Publication
from shared.simulation.scenario import Scenario
from tests.drills.traffic import Lenders, garbage, gateways

OUTSIDE = "outside"
RETRY_SECONDS = 0.5
STILL_SECONDS_MAX, GIVEN_UP_SECONDS = 45.0, 3.0
"""A client that a broker's death has left hanging is given up, as a supervisor would do with its process."""
LOANS_AT_FIRST = 30
LOANS_PER_SECOND = 1.0
GARBAGE_EVERY_SECONDS = 7.0
UNREADABLE = "unreadable"
"""The loan whose repayments nobody can read."""
QUIET_WITHIN_SECONDS = 0.2
MOMENT_SECONDS_MIN = 0.8
"""A simulated step takes at least this long, so that faults meet working processes and not a busy machine."""


class Outside(Protocol):
    """Whoever publishes facts and acts on permits, until cancelled. `quiet`: no new facts, but ticks are answered."""

    quiet: bool

    async def run(self) -> None:
        """Go on for ever."""


class Simulated:
    """The simulation's lenders and gateways. What a moment said is said again until the broker has it."""

    def __init__(self, settings: Settings, scenario: Scenario) -> None:
        self._settings = settings
        self._lender, self._gateway = scenario.lender(), scenario.gateway()
        self._heard: dict[tuple[str, int], int] = {}
        self._unsaid: list[Publication] = []
        self._thought_of = self._answered = 0
        self.quiet = False

    async def run(self) -> None:
        """Answer tick after tick; whoever stands still, though perhaps for want of ticks, is begun anew."""
        while True:
            answering, answered = asyncio.create_task(self._answer_moments()), -1
            try:
                while not answering.done() and answered != self._answered:
                    answered = self._answered
                    await asyncio.wait([answering], timeout=STILL_SECONDS_MAX)
            finally:
                answering.cancel()
            await asyncio.wait([answering], timeout=GIVEN_UP_SECONDS)
            if answering.done() and not answering.cancelled() and not isinstance(answering.exception(), KafkaError):
                answering.result()
            await asyncio.sleep(RETRY_SECONDS)

    async def _answer_moments(self) -> None:
        reads = (OUTREACH, OUTCOMES)
        async with Participant(self._settings, OUTSIDE, BORROWER_CLOCK, reads=reads, after=(RATE_LIMITER,)) as outside:
            async for moment in outside.moments():
                self._think(moment)
                for said in self._unsaid:
                    assert said.key is not None
                    await outside.publish(said.topic, said.key, said.value, said.headers, said.partition)
                await outside.answer(moment)
                self._unsaid.clear()
                self._answered = moment.at
                await asyncio.sleep(MOMENT_SECONDS_MIN)

    def _think(self, moment: Moment) -> None:
        """Hear what is new, and decide once per moment what to say."""
        self._gateway.hear(self._new(moment.records[OUTREACH]))
        self._lender.hear(self._new(moment.records[OUTCOMES]))
        if moment.at > self._thought_of:
            self._thought_of = moment.at
            said = (*self._gateway.answer(moment.at), *self._lender.answer(moment.at))
            self._unsaid += () if self.quiet else said

    def _new(self, records: Sequence[Recorded]) -> list[Recorded]:
        """Leave out what was heard before a new beginning."""
        found = []
        for record in records:
            place = (record.topic, record.partition)
            if record.offset >= self._heard.get(place, 0):
                self._heard[place] = record.offset + 1
                found.append(record)
        return found


class InTrueTime:
    """Lenders with loans that are due or overdue today, sometimes with garbage, and gateways."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self._settings = settings
        self._deployment = deployment_of(settings)
        self._lenders = Lenders(self._deployment, seed)
        self._first = LOANS_AT_FIRST
        self.quiet = False

    async def run(self) -> None:
        """Go on for ever."""
        async with asyncio.TaskGroup() as tasks:
            for act in (self._lend, self._throw_garbage, self._act_on_permits):
                tasks.create_task(self._again_and_again(act))

    async def _again_and_again(self, act) -> None:
        while True:
            try:
                await act()
            except (KafkaError, BrokerProblem):
                await asyncio.sleep(RETRY_SECONDS)

    async def _lend(self) -> None:
        first, self._first = self._first, 0
        lending = asyncio.create_task(self._lenders.run(first=first, per_second=LOANS_PER_SECOND))
        while not self.quiet and not lending.done():
            await asyncio.wait([lending], timeout=QUIET_WITHIN_SECONDS)
        lending.cancel()
        await lending if not self.quiet else await asyncio.sleep(GARBAGE_EVERY_SECONDS)

    async def _throw_garbage(self) -> None:
        await asyncio.sleep(GARBAGE_EVERY_SECONDS)
        if not self.quiet:
            await garbage(self._deployment, (UNREADABLE,))

    async def _act_on_permits(self) -> None:
        await gateways(self._settings)
