"""`duecourse watch`."""

import asyncio
import subprocess
import sys
import time

import pytest

from services.cli.watch import Watcher
from shared.contract.catalogue import EVENTS
from shared.contract.codec import encode, key_of
from shared.contract.examples import example
from shared.contract.recorded import Recorded
from shared.contract.topics import TOPICS
from shared.runtime.records import Deployment
from tests.services.cli.conftest import Run
from tests.services.cli.topic_set import bury, put, put_example


def recorded(kind: str, offset: int = 0) -> Recorded:
    """Return the example of a type as it would lie on its topic."""
    envelope = example(kind)
    key = (key_of(envelope.data) or "").encode()
    return Recorded(envelope.data.TOPICS[0], 1, offset, key, encode(envelope), (), 1_708_228_800_000)


@pytest.mark.kafka
def test_the_past_is_told_line_by_line(deployment: Deployment, run: Run) -> None:
    """Every record gives one line with place, key and meaning; garbage and dead letters too, clocks not."""
    put_example(deployment, "lending.loan.opened.v1")
    put_example(deployment, "lending.repayment.received.v1")
    put_example(deployment, "collections.clock.ticked.v1", "collections.loan-clock")
    place = put(deployment, "lending.borrowers", b"person\x1b[2J", b"garbage")
    bury(deployment, Recorded("lending.borrowers", 0, 7, b"person-9", b"garbage"), "not_json")
    code, out, err = run("watch", "--until-end", "--zone", "Asia/Shanghai", deployment=deployment)
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    told = out.splitlines()
    assert len(told) == 5
    assert told == sorted(told, key=lambda line: line[:19])
    assert sum("loan-7: CNY 1,000.00" in line or "CNY 1,000.00" in line for line in told) == 1
    assert any(place in line and "unreadable: not_json" in line for line in told)
    assert any("dead letter of lending.borrowers/0/7: not_json" in line for line in told)


@pytest.mark.kafka
def test_topics_can_be_chosen(deployment: Deployment, run: Run) -> None:
    """`--topic` leaves everything else out, and shows clocks when they are asked for."""
    put_example(deployment, "lending.loan.opened.v1")
    put_example(deployment, "collections.clock.ticked.v1", "collections.loan-clock")
    code, out, _ = run("watch", "--until-end", "--topic", "collections.loan-clock", deployment=deployment)
    assert code == 0
    assert len(out.splitlines()) == 1
    assert "collections.loan-clock/" in out


@pytest.mark.kafka
def test_the_future_is_followed_until_interrupted(deployment: Deployment) -> None:
    """What is appended while watching appears at once; Ctrl-C ends it quietly with 130."""
    put_example(deployment, "lending.loan.opened.v1")
    command = [sys.executable, "-m", "services.cli", "watch", "--broker", deployment.broker]
    watching = subprocess.Popen(
        [*command, "--prefix", deployment.prefix], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    line = ""
    try:
        reading = asyncio.new_event_loop()
        waiting = reading.run_in_executor(None, watching.stdout.readline)
        while not waiting.done() and time.monotonic() < deadline:
            put_example(deployment, "lending.loan.closed.v1")
            reading.run_until_complete(asyncio.sleep(0.3))
        line = reading.run_until_complete(waiting)
    finally:
        watching.send_signal(2)
        _, err = watching.communicate(timeout=20)
    assert "loan-7" in line
    assert "lending.loan" not in err
    assert (watching.returncode, err.strip()) == (130, "")


def test_a_wrong_zone_is_one_sentence(run: Run) -> None:
    """A zone that nobody lives in is refused by name."""
    code, _, err = run("watch", "--zone", "Moon/Base", "--broker", "127.0.0.1:1")
    assert code == 2
    assert "Moon/Base is not an IANA time zone" in err


def test_without_a_broker_one_sentence(run: Run) -> None:
    """No broker: one sentence, what to do, exit code 2."""
    code, _, err = run("watch", "--broker", "127.0.0.1:1")
    assert (code, len(err.splitlines())) == (2, 2)


def test_filters_keep_what_concerns_one_loan_or_person() -> None:
    """Each event that names a loan or a person passes that filter, and no other's."""
    concerned = 0
    for kind, model in EVENTS.items():
        record = recorded(kind)
        fields = model.model_fields
        if "loan_id" in fields or kind in {"collections.permit.granted.v1", "outreach.outcome.reported.v1"}:
            concerned += 1
            assert Watcher("UTC", loan="loan-7").line(record) is not None
        if "borrower_id" in fields or "terms" in fields:
            concerned += 1
            assert Watcher("UTC", borrower="person-3").line(record) is not None
        assert Watcher("UTC", loan="loan-8").line(record) is None
        assert Watcher("UTC", borrower="person-4").line(record) is None
    assert concerned > 40


def test_every_event_has_a_line() -> None:
    """No event of the catalogue is left without words, whatever was seen before it."""
    watcher = Watcher("Asia/Shanghai")
    for kind in EVENTS:
        line = watcher.line(recorded(kind))
        assert line is not None
        assert line.startswith("2024-02-18 12:00:00  ")
        assert len(line.splitlines()) == 1


def test_unreadable_records_pass_the_filter_of_their_key() -> None:
    """A garbage record under a loan's key concerns that loan."""
    record = Recorded("lending.repayments", 0, 3, b"loan-7", b"garbage")
    assert Watcher("UTC", loan="loan-7").line(record) is not None
    assert Watcher("UTC", loan="loan-8").line(record) is None
    assert set(TOPICS) >= {record.topic}
