"""Lenders, borrowers and gateways on a real broker: the simulation's own, answering each tick of the gate's clock.

One participant plays them all, one after the other, so that what they publish lies in one order whoever is quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.cli.demo.acts import Acts
from shared.contract.outcomes import OUTCOMES
from shared.contract.outreach import OUTREACH
from shared.contract.ticks import BORROWER_CLOCK
from shared.contract.topics import RATE_LIMITER
from shared.runtime.participant import Participant
from shared.runtime.settings import Settings
from shared.simulation.log import Publication
from shared.simulation.scenario import Scenario

SIMULATORS: Final = "simulators"


async def play(settings: Settings, scenario: Scenario, acts: Acts) -> None:
    """Answer every tick up to the last."""
    lender, gateway = scenario.lender(), scenario.gateway()
    async with _simulators(settings) as simulators:
        async for moment in simulators.moments():
            gateway.hear(moment.records[OUTREACH])
            lender.hear(moment.records[OUTCOMES])
            await acts.perform(moment.at)
            said = (*gateway.answer(moment.at), *lender.answer(moment.at))
            await _publish(simulators, said)
            await simulators.answer(moment)
            if moment.at >= scenario.setting.end_ms:
                return


def _simulators(settings: Settings) -> Participant:
    """They answer a tick when the gate has applied it, so that they have heard all its permits, whoever is quick."""
    return Participant(settings, SIMULATORS, BORROWER_CLOCK, reads=(OUTREACH, OUTCOMES), after=(RATE_LIMITER,))


async def _publish(simulators: Participant, publications: Sequence[Publication]) -> None:
    for said in publications:
        assert said.key is not None, "everything that simulators say is about somebody"
        await simulators.publish(said.topic, said.key, said.value, said.headers, said.partition)
