"""`duecourse rebuild` and `duecourse transactions`: what they say and refuse on a deployment that never ran."""

import asyncio
import os

import pytest

from shared.contract.topics import REMINDER
from shared.engine.progress import decode_progress
from shared.engine.store import PROGRESS_KEY
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin
from tests.kafka.ghost import read_all
from tests.services.cli.conftest import Run

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(kafka: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """All topics of a deployment of this test's own, changelogs included, and the variables that name it."""
    made = Settings(broker=kafka, prefix=f"cli-{os.getpid()}-rebuild", loan_partitions=2, borrower_partitions=2)

    async def make() -> None:
        async with TopicAdmin(made) as admin:
            await admin.create()

    asyncio.run(make())
    monkeypatch.setenv("DUECOURSE_BROKER", made.broker)
    monkeypatch.setenv("DUECOURSE_PREFIX", made.prefix)
    return made


def test_a_rehearsal_writes_nothing_and_a_rebuild_leaves_progress(settings: Settings, run: Run) -> None:
    """Without --yes the changelogs stay empty; with it each partition has a progress record that a service can read."""
    places = [(settings.changelog(REMINDER), partition) for partition in range(2)]
    rehearsed = run("rebuild", "reminder")
    before = asyncio.run(read_all(settings.broker, places, "read_committed"))
    done = run("rebuild", "reminder", "--yes")
    after = asyncio.run(read_all(settings.broker, places, "read_committed"))
    newest = [max(found.items())[1] for found in after.values()]
    assert (rehearsed[0], "nothing was written; say --yes" in rehearsed[1]) == (0, True), rehearsed[2]
    assert not any(before.values())
    assert (done[0], done[1].splitlines()[-1]) == (0, "reminder can be started"), done[2]
    assert [record.key for record in newest] == [PROGRESS_KEY] * 2
    assert [decode_progress(record.value).n for record in newest] == [1, 1]


def test_where_nothing_hangs_there_is_nothing_to_do(settings: Settings, run: Run) -> None:
    """All three commands say so and end with 0."""
    said = [run("transactions", name) for name in ("find", "complete", "abort")]
    assert [(code, text.strip()) for code, text, _ in said] == [
        (0, "no transaction hangs"),
        (0, "0 transactions hang"),
        (0, "0 transactions hang"),
    ]
