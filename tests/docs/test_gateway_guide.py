"""The gateway guide holds: its gateway, run as it stands, keeps every clause of the contract."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from shared.contract.base import Channel
from shared.contract.codec import Envelope, encode
from shared.contract.examples import EXAMPLES
from shared.contract.outcomes import OUTCOMES, OutreachOutcome
from shared.contract.outreach import OUTREACH, PermitGranted, PermitWithdrawn
from shared.contract.ticks import BORROWER_CLOCK, OutreachMode, Switch, Tick
from shared.kernel.partitioning import Partitioner, partition_of
from shared.runtime.records import Deployment
from tests.docs.samples import DOCS, samples
from tests.services.cli.topic_set import PARTITIONS, make_topics, put, records

GUIDE = "gateway-guide.md"
MINUTE_MS = 60_000
_numbers = count(1)

pytestmark = pytest.mark.kafka


def borrower_in(partition: int) -> str:
    """Return a borrower whose records lie in the partition."""
    names = (f"person-{number}" for number in count(1))
    return next(n for n in names if partition_of(n.encode(), PARTITIONS, Partitioner.MURMUR2) == partition)


class Gate:
    """What the gate and its clock would write: permits, withdrawals and ticks of now."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.now_ms = time.time_ns() // 1_000_000
        self._going: dict[int, Tick] = {}

    def tick(self, partition: int, *switches: Switch, silent: tuple[str, ...] = ()) -> None:
        """Let the time of a partition go on, from now on under these switches."""
        self._going[partition] = Tick(at=self.now_ms, barriers={}, policy="abc", silent=silent, switches=switches)
        self.tick_on()

    def tick_on(self) -> None:
        """Tell every partition whose time goes on what time it is: a gateway may take a while to come up."""
        for partition, tick in self._going.items():
            self._tell(partition, tick)

    def stand_still(self, partition: int, age_ms: int) -> None:
        """Write a stage-2 tick of this age to a partition, the last one until its time goes on."""
        self._tell(partition, Tick(at=self.now_ms, barriers={}, policy="abc"), age_ms)

    def _tell(self, partition: int, tick: Tick, age_ms: int = 0) -> None:
        at = time.time_ns() // 1_000_000 - age_ms
        told = encode(Envelope(str(at), "/clock", tick.TYPE, tick.model_copy(update={"at": at})))
        put(self.deployment, BORROWER_CLOCK, borrower_in(partition).encode(), told)

    def permit(
        self, name: str, partition: int, start_ms: int = -1000, end_ms: int = 10 * MINUTE_MS, **more: object
    ) -> None:
        """Write a permit whose interval is relative to now."""
        example = EXAMPLES["collections.permit.granted.v1"]
        assert isinstance(example, PermitGranted)
        interval = {"valid_from_ms": self.now_ms + start_ms, "valid_until_ms": self.now_ms + end_ms}
        granted = example.model_copy(
            update={"permit_id": name, "borrower_id": borrower_in(partition), **interval, **more}
        )
        self._write(granted, name)

    def withdraw(self, name: str, partition: int) -> None:
        """Write the withdrawal of a permit."""
        withdrawn = PermitWithdrawn(
            borrower_id=borrower_in(partition), permit_id=name, reason="paid", decided_ms=self.now_ms
        )
        self._write(withdrawn, f"{name}-withdrawn")

    def _write(self, event: PermitGranted | PermitWithdrawn, event_id: str) -> None:
        envelope = Envelope(event_id, "/duecourse/rate_limiter/0", event.TYPE, event)
        put(self.deployment, OUTREACH, event.borrower_id.encode(), encode(envelope))


@pytest.fixture
def deployment(kafka: str) -> Deployment:
    """A deployment of this test's own, with all topics."""
    made = Deployment(kafka, f"gateway-{next(_numbers)}")
    make_topics(made)
    return made


@contextmanager
def gateway(deployment: Deployment, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the guide's gateway as it stands until the end of the block, then kill it."""
    with (directory / "said").open("a") as said:
        running = subprocess.Popen(
            [sys.executable, "-c", samples(GUIDE)["gateway"]],
            cwd=directory,
            env={**os.environ, "BROKER": deployment.broker, "PREFIX": deployment.prefix},
            stdout=said,
            stderr=said,
            text=True,
        )
        try:
            yield running
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait()


def outcomes(gate: Gate, running: subprocess.Popen[str], wanted: int) -> dict[str, str]:
    """Wait until that many outcomes are reported, and return them by permit; all must be valid."""
    deadline = time.monotonic() + 90
    while True:
        gate.tick_on()
        found = [record.decode() for record in records(gate.deployment, [OUTCOMES])]
        assert all(isinstance(envelope, Envelope) for envelope in found)
        data = [envelope.data for envelope in found]
        assert all(isinstance(outcome, OutreachOutcome) for outcome in data)
        if len({outcome.outcome_id for outcome in data}) >= wanted:
            return {outcome.permit_id: outcome.outcome.value for outcome in data}
        assert running.poll() is None, "the gateway ended"
        assert time.monotonic() < deadline, data
        time.sleep(0.2)


def sent(directory: Path) -> list[str]:
    """Return the permits on which the gateway acted, in order."""
    lines = (directory / "said").read_text().splitlines()
    assert [line for line in lines if not line.startswith("SENT ")] == []
    return [line.split()[1] for line in lines]


def test_the_gateway_keeps_the_contract(deployment: Deployment, tmp_path: Path) -> None:
    """It acts once inside the interval, never on a withdrawn, past, foreign or stale permit, and reports each."""
    gate = Gate(deployment)
    gate.tick(0)
    gate.stand_still(1, age_ms=31_000)
    gate.permit("good", 0)
    gate.permit("withdrawn", 0)
    gate.withdraw("withdrawn", 0)
    gate.permit("past", 0, start_ms=-10 * MINUTE_MS, end_ms=-MINUTE_MS)
    gate.permit("other-channel", 0, channel=Channel.CALL)
    gate.permit("early", 0, start_ms=5 * MINUTE_MS)
    gate.permit("stale", 1)
    gate.permit("no-tick", 2)
    with gateway(deployment, tmp_path) as running:
        reported = outcomes(gate, running, 3)
        assert reported == {"good": "attempted", "withdrawn": "not_attempted", "past": "not_attempted"}
        assert sent(tmp_path) == ["good"]
        gate.tick(1)
        reported = outcomes(gate, running, 4)
        assert reported["stale"] == "attempted"
    assert sent(tmp_path) == ["good", "stale"]


def test_the_gateway_stops_when_operators_say_so(deployment: Deployment, tmp_path: Path) -> None:
    """A permit granted before a stop waits while the newest tick closes its channel or lender; no other waits."""
    gate = Gate(deployment)
    gate.tick(0, Switch(mode=OutreachMode.STOPPED, lender_id="wary"))
    gate.tick(1, Switch(mode=OutreachMode.STOPPED, channel=Channel.SMS))
    gate.tick(2, Switch(mode=OutreachMode.STOPPED, channel=Channel.CALL))
    gate.permit("closed-lender", 0, lender_id="wary")
    gate.permit("open-lender", 0, lender_id="bold")
    gate.permit("closed-channel", 1)
    gate.permit("open-channel", 2)
    with gateway(deployment, tmp_path) as running:
        assert sorted(outcomes(gate, running, 2)) == ["open-channel", "open-lender"]
        gate.tick(1)
        assert sorted(outcomes(gate, running, 3)) == ["closed-channel", "open-channel", "open-lender"]
    assert "closed-lender" not in sent(tmp_path)


def test_the_gateway_waits_for_who_asked(deployment: Deployment, tmp_path: Path) -> None:
    """While the newest tick calls one of those who asked silent, the permit waits: the person may have paid."""
    gate = Gate(deployment)
    loan = EXAMPLES["collections.permit.granted.v1"].loans[0]
    asked = {name: loan.model_copy(update={"asked_by": name}) for name in ("reminder/1", "escalation/1")}
    gate.tick(0, silent=("reminder/1", "reminder/2"))
    gate.permit("behind", 0, loans=tuple(asked.values()))
    gate.permit("ahead", 0, loans=(asked["escalation/1"],))
    with gateway(deployment, tmp_path) as running:
        assert sorted(outcomes(gate, running, 1)) == ["ahead"]
        gate.tick(0)
        assert sorted(outcomes(gate, running, 2)) == ["ahead", "behind"]
    assert sent(tmp_path) == ["ahead", "behind"]


def test_the_gateway_acts_once_whatever_happens(deployment: Deployment, tmp_path: Path) -> None:
    """After kill -9 and a new start it acts on nothing again, and reports again what it had done."""
    gate = Gate(deployment)
    gate.tick(0)
    gate.permit("first", 0)
    with gateway(deployment, tmp_path) as running:
        outcomes(gate, running, 1)
    gate.tick(0)
    gate.permit("second", 0)
    with gateway(deployment, tmp_path) as running:
        reported = outcomes(gate, running, 2)
    assert reported == {"first": "attempted", "second": "attempted"}
    assert sent(tmp_path) == ["first", "second"]


def test_the_guide_names_every_outcome() -> None:
    """The table of outcomes is that of the contract."""
    text = (DOCS / GUIDE).read_text()
    model = OutreachOutcome.model_fields["outcome"].annotation
    assert model is not None
    words = [word.value for word in model]
    assert len(words) == 7
    assert [word for word in words if f"| `{word}` |" not in text] == []
