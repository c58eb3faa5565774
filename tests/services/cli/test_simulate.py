"""`duecourse simulate` and `duecourse check`."""

import asyncio
from pathlib import Path

import pytest

from services.cli import main
from shared.contract.recorded import Recorded
from shared.contract.ticks import CONTROL, TimeMode
from shared.runtime.log_directory import read_log, write_log
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin
from shared.simulation.log import CHANGELOG
from shared.simulation.world import World
from tests.shared.simulation.stage import play, twenty_days, whole_story

SMALL = ("--loans", "4", "--days", "3")


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_simulating_twice_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """One seed, one report, to the last character; three days try too little, and the exit code says so."""
    first, second = _run(capsys, "simulate", "--seed", "5", *SMALL), _run(capsys, "simulate", "--seed", "5", *SMALL)
    assert first == second
    assert first[0] == 1
    assert "P6 fair record                           0 / 0  NOT TRIED" in first[1]
    assert "again: duecourse simulate --seed 5 --days 3 --loans 4" in first[1]


def test_simulating_with_faults_names_the_faults(capsys: pytest.CaptureFixture[str]) -> None:
    """The faults that really happened are counted in the report."""
    _, said, _ = _run(capsys, "simulate", "--seed", "1", "--faults", *SMALL)
    assert "faults met: " in said


def test_the_counterfactual_is_labelled(capsys: pytest.CaptureFixture[str]) -> None:
    """What is simulated without the gate says so, and judges no promise."""
    code, said, _ = _run(capsys, "simulate", "--no-gate", *SMALL)
    assert code == 0
    assert "without the gate: every wish is granted, no promise is judged" in said


def test_a_recorded_run_can_be_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The topics of a run, changelogs included, are judged from a folder with the same verdicts."""
    write_log(tmp_path, whole_story().world.log)
    code, said, _ = _run(capsys, "check", "--log", str(tmp_path))
    assert code == 0
    for verdict in whole_story().verdicts():
        assert f"{verdict.violated:,} / {verdict.cases:,}" in said


def test_a_check_since_an_instant_says_how_far_back_it_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It names the window and tries fewer cases; from beyond the end it tries none, says so, and fails."""
    write_log(tmp_path, twenty_days().world.log)
    only = ("check", "--log", str(tmp_path), "--promise", "P3", "--since")
    code, said, _ = _run(capsys, *only, "2024-02-20T00:00:00Z")
    assert code == 0
    assert "decided since 2024-02-20T00:00:00.000Z" in said
    assert "one longest window of the policy" in said
    assert "P1 and P8" not in said
    code, said, _ = _run(capsys, *only, "2030-01-01T00:00:00+08:00")
    assert code == 1
    assert "0 / 0  NOT TRIED" in said
    assert "not tried: P3" in said
    code, _, said = _run(capsys, *only, "yesterday")
    assert code == 2
    assert "yesterday is not an instant" in said


def test_a_tampered_recording_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A recording from which one output was taken is not what its inputs give."""
    records = list(twenty_days().world.log)
    victim = next(record for record in records if record.topic == "collections.outreach")
    write_log(tmp_path, (record for record in records if record is not victim))
    code, said, _ = _run(capsys, "check", "--log", str(tmp_path))
    assert code == 1
    assert "BROKEN" in said


def test_a_recording_without_changelogs_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Without changelogs P1 cannot be tried: one sentence, exit code 2."""
    write_log(tmp_path, (record for record in twenty_days().world.log if not record.topic.endswith(CHANGELOG)))
    code, _, said = _run(capsys, "check", "--log", str(tmp_path))
    assert code == 2
    assert "holds no changelogs" in said
    assert len(list(read_log(tmp_path))) > 0


async def _copy(settings: Settings, world: World) -> None:
    """Put a world's records on a broker, each where it lay."""
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415

    async with TopicAdmin(settings) as admin:
        await admin.create()
    producer = AIOKafkaProducer(bootstrap_servers=settings.broker)
    await producer.start()
    try:
        for record in world.log:
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


@pytest.mark.kafka
def test_the_topics_of_a_broker_can_be_checked(capsys: pytest.CaptureFixture[str], kafka: str) -> None:
    """A run that lies on a real broker gets the same verdicts as in memory."""
    played = play(markers=False)
    settings = Settings(
        broker=kafka, prefix="checked", mode=TimeMode.SIMULATED, loan_partitions=2, borrower_partitions=2
    )
    asyncio.run(_copy(settings, played.world))
    code, said, _ = _run(capsys, "check", "--broker", kafka, "--prefix", "checked")
    assert code == 0
    for verdict in played.verdicts():
        assert f"{verdict.violated:,} / {verdict.cases:,}" in said


def test_a_record_is_a_record_wherever_it_was_read(tmp_path: Path) -> None:
    """What was written to a folder is read back as it was."""
    records = [record for record in twenty_days().world.log if record.topic == "collections.reminders"]
    write_log(tmp_path, records)
    assert list(read_log(tmp_path)) == records
    assert all(isinstance(record, Recorded) for record in records)
