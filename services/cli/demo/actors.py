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
from shared.runtime.participant import Participant
from shared.runtime.settings import Settings
from shared.simulation.gateway import Gateway
from shared.simulation.lender import Lender
from shared.simulation.log import Publication

SIMULATORS: Final = "simulators"


async def play(settings: Settings, lender: Lender, gateway: Gateway, acts: Acts, end_ms: int) -> None:
    """Answer every tick up to the last."""
    async with Participant(settings, SIMULATORS, BORROWER_CLOCK, reads=(OUTREACH, OUTCOMES)) as simulators:
        async for moment in simulators.moments():
            gateway.hear(moment.records[OUTREACH])
            lender.hear(moment.records[OUTCOMES])
            await acts.perform(moment.at)
            said = (*acts.strays(moment.at), *gateway.answer(moment.at), *lender.answer(moment.at))
            await _publish(simulators, said)
            await simulators.answer(moment)
            if moment.at >= end_ms:
                return


async def _publish(simulators: Participant, publications: Sequence[Publication]) -> None:
    for said in publications:
        assert said.key is not None, "everything that simulators say is about somebody"
        await simulators.publish(said.topic, said.key, said.value, said.headers, said.partition)
