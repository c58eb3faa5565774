"""`duecourse outreach`."""

import asyncio
from threading import Thread

import pytest

from shared.contract.codec import Envelope, encode
from shared.contract.recorded import Recorded
from shared.contract.ticks import BORROWER_CLOCK, CONTROL, OutreachMode, OutreachSwitched, Switch, Tick
from shared.runtime.control import folded
from shared.runtime.records import Deployment, publisher, reader
from tests.services.cli.conftest import Run
from tests.services.cli.topic_set import records

AT = 1_708_228_800_000


class Clock(Thread):
    """A clock that ticks once for every word of an operator, as the real one would."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(daemon=True)
        self._deployment = deployment
        self.stop = False

    def run(self) -> None:
        """Follow the control topic and tick."""
        asyncio.run(self._tick())

    async def _tick(self) -> None:
        at = AT
        heard: list[Recorded] = []
        async with reader(self._deployment, [CONTROL]) as control, publisher(self._deployment) as out:
            while not self.stop:
                await control.from_instant(0)
                heard = [record async for record in control.until_end()]
                at += 1000
                tick = Tick(at=at, barriers={}, policy="abc", switches=folded(heard).switches)
                await (await out.send(BORROWER_CLOCK, b"0", encode(Envelope(str(at), "/clock", tick.TYPE, tick))))
                await asyncio.sleep(0.05)


@pytest.mark.kafka
def test_stop_shadow_and_start_are_confirmed_by_a_tick(deployment: Deployment, run: Run) -> None:
    """Each word is written once, kept with reason and operator, and confirmed when a tick carries it."""
    clock = Clock(deployment)
    clock.start()
    try:
        stop = run(
            "outreach", "stop", "--channel", "sms", "--reason", "doubled", "--operator", "ann", deployment=deployment
        )
        shadow = run("outreach", "shadow", "--lender", "harbour-bank", "--reason", "trial", deployment=deployment)
        start = run("outreach", "start", "--channel", "sms", "--reason", "repaired", deployment=deployment)
    finally:
        clock.stop = True
        clock.join()
    assert stop[0] == 0, stop
    assert "outreach is stopped: no permit is granted, for sms of all lenders, from 2024-02-18T" in stop[1]
    assert shadow[0] == 0
    assert "shadow mode" in shadow[1]
    assert "for all channels of harbour-bank" in shadow[1]
    assert start[0] == 0
    assert "outreach is started, for sms of all lenders" in start[1]
    found = [record.decode() for record in records(deployment, [CONTROL])]
    said = [envelope.data for envelope in found if isinstance(envelope.data, OutreachSwitched)]
    assert [event.switch.mode.value for event in said] == ["stopped", "shadow", "started"]
    assert (said[0].reason, said[0].operator) == ("doubled", "ann")
    assert len({envelope.id for envelope in found}) == 4
    assert folded(records(deployment, [CONTROL])).switches == (
        Switch(mode=OutreachMode.SHADOW, lender_id="harbour-bank"),
    )


@pytest.mark.kafka
def test_without_a_clock_it_says_that_it_is_not_in_force(deployment: Deployment, run: Run) -> None:
    """A switch that no tick carries is written all the same, and the operator is told, with exit code 1."""
    code, out, err = run("outreach", "stop", "--reason", "now", "--wait", "0.5", deployment=deployment)
    assert (code, out) == (1, "")
    assert "no tick has carried it within 0.5 s" in err
    assert len(records(deployment, [CONTROL])) == 2


def test_wrong_words_are_refused(run: Run) -> None:
    """No reason, an unknown channel, an impossible lender, no broker: exit code 2 and a sentence each."""
    to_nobody = ("--broker", "127.0.0.1:1")
    assert run("outreach", "stop", *to_nobody)[0] == 2
    assert run("outreach", "stop", "--channel", "fax", "--reason", "x", *to_nobody)[0] == 2
    code, _, err = run("outreach", "stop", "--lender", "no bank", "--reason", "x", *to_nobody)
    assert code == 2
    assert "The lender_id is not usable" in err
    code, _, err = run("outreach", "stop", "--reason", "", *to_nobody)
    assert code == 2
    assert "The reason is not usable" in err
    code, _, err = run("outreach", "stop", "--reason", "x", *to_nobody)
    assert code == 2
    assert "No Kafka answers" in err
