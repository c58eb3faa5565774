"""`duecourse check` over topics that a broken build wrote, on a real broker."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

import pytest
from aiokafka import AIOKafkaProducer

from services.cli import main
from shared.contract.outreach import OUTREACH, PermitGranted
from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL, TimeMode
from shared.kernel.zones import DAY_MS, format_instant
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin
from tests.shared.simulation.checkers.mutants import MUTANTS
from tests.shared.simulation.stage import Played, play

pytestmark = pytest.mark.kafka

PREFIX = "broken"


async def _publish(settings: Settings, records: Iterable[Recorded]) -> None:
    """Put a world's records on a broker, each where it lay; the stamp is written when the topics are made."""
    async with TopicAdmin(settings) as admin:
        await admin.create()
    producer = AIOKafkaProducer(bootstrap_servers=settings.broker)
    await producer.start()
    try:
        for record in records:
            if record.topic != CONTROL:
                await producer.send(
                    settings.topic(record.topic),
                    record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=list(record.headers),
                )
        await producer.flush()
    finally:
        await producer.stop()


def _check(capsys: pytest.CaptureFixture[str], broker: str, *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(("check", "--broker", broker, "--prefix", PREFIX, *arguments))
    return int(ended.value.code or 0), capsys.readouterr().out


def _broken_run() -> Played:
    """Some weeks with a gate that takes a window of its caps for a day shorter than it is."""
    mutant = next(mutant for mutant in MUTANTS if mutant.title == "windows are a day short")
    return play(loans=mutant.loans, days=mutant.days, processors=mutant.processors, markers=False)


def test_a_broken_gate_is_found_from_its_topics(capsys: pytest.CaptureFixture[str], kafka: str) -> None:
    """Exit code 1; its permits are named by place and id; the build that is in force says other things (P8)."""
    played = _broken_run()
    settings = Settings(broker=kafka, prefix=PREFIX, mode=TimeMode.SIMULATED, loan_partitions=2, borrower_partitions=2)
    asyncio.run(_publish(settings, played.world.log))
    permits = {entry.id: entry for entry in played.chronicle.of(PermitGranted)}

    code, said = _check(capsys, kafka)
    assert code == 1
    broken = set(re.findall(r"(P\d) .*BROKEN", said))
    assert {"P3", "P8"} <= broken
    assert not broken & {"P2", "P4", "P5", "P6"}
    named = set(re.findall(rf"{OUTREACH}/\d+/\d+ ([0-9a-f-]{{36}}): \d+ contacts were known", said))
    assert named
    assert named <= permits.keys()

    code, said = _check(capsys, kafka, "--promise", "P3", "--promise", "P4")
    assert code == 1
    assert "P3 capped" in said
    assert "P8" not in said

    latest = max(permits[name].at for name in named)
    code, said = _check(capsys, kafka, "--promise", "P3", "--since", format_instant(latest))
    assert code == 1
    assert "one longest window of the policy" in said
    assert set(re.findall(r" ([0-9a-f-]{36}): \d+ contacts were known", said)) <= permits.keys()

    beyond = format_instant(played.scenario.setting.end_ms + DAY_MS)
    code, said = _check(capsys, kafka, "--promise", "P3", "--since", beyond)
    assert code == 1
    assert "not tried: P3" in said
