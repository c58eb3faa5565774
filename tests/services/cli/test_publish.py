"""`duecourse publish`."""

import io
import json
from pathlib import Path

import pytest

from services.cli.publish import Fault, Sendable, checked
from shared.contract.catalogue import EVENTS
from shared.contract.codec import encode, key_of
from shared.contract.examples import example
from shared.contract.topics import CLOCK, SERVICES, TOPICS
from shared.kernel.partitioning import Partitioner, partition_of
from shared.runtime.records import Deployment
from tests.services.cli.conftest import Run
from tests.services.cli.topic_set import PARTITIONS, make_topics, records

OURS = {*SERVICES, CLOCK, "operators"}
FACTS = [kind for kind, model in EVENTS.items() if not OURS.intersection(TOPICS[model.TOPICS[0]].writers)]


def lines(*kinds: str) -> bytes:
    """Return the examples of some types, one a line."""
    return b"".join(encode(example(kind)) + b"\n" for kind in kinds)


@pytest.mark.kafka
def test_every_fact_goes_where_it_belongs(deployment: Deployment, run: Run, tmp_path: Path) -> None:
    """Each fact of the catalogue arrives unchanged, on its topic, under its key, in the key's partition, in order."""
    file = tmp_path / "facts.jsonl"
    file.write_bytes(lines(*FACTS))
    code, out, err = run("publish", str(file), deployment=deployment)
    assert (code, err) == (0, "")
    assert "7 to lending.due-dates" in out
    found = records(deployment, sorted({EVENTS[kind].TOPICS[0] for kind in FACTS}))
    assert sorted(record.value for record in found) == sorted(encode(example(kind)) for kind in FACTS)
    for record in found:
        envelope = record.decode()
        assert record.key == key_of(envelope.data).encode()
        assert record.partition == partition_of(record.key, PARTITIONS, Partitioner.MURMUR2)
    by_topic = [record.value for record in found if record.topic == "lending.due-dates"]
    assert by_topic == [encode(example(kind)) for kind in FACTS if EVENTS[kind].TOPICS[0] == "lending.due-dates"]


@pytest.mark.kafka
def test_partitioner_is_the_deployments(kafka: str, run: Run, tmp_path: Path) -> None:
    """A deployment stamped crc32 gets its keys where librdkafka puts them."""
    other = Deployment(kafka, "cli-crc32")
    make_topics(other, Partitioner.CRC32)
    file = tmp_path / "facts.jsonl"
    line = lines("lending.repayment.received.v1")
    file.write_bytes(b"".join(line.replace(b"loan-7", b"loan-%d" % number) for number in range(20)))
    assert run("publish", str(file), deployment=other)[0] == 0
    found = records(other, ["lending.repayments"])
    assert len(found) == 20
    assert all(record.partition == partition_of(record.key, PARTITIONS, Partitioner.CRC32) for record in found)


@pytest.mark.kafka
def test_one_wrong_line_stops_the_file(deployment: Deployment, run: Run, tmp_path: Path) -> None:
    """A file with wrong lines is not sent at all; each is named with its reason, and exit code 2 follows."""
    good = lines("lending.loan.opened.v1")
    float_money = lines("lending.repayment.received.v1").replace(
        b'"amount_minor":100000,"currency"', b'"amount_minor":1e5,"currency"'
    )
    file = tmp_path / "facts.jsonl"
    file.write_bytes(good + b"{]\n\n" + float_money + good)
    code, out, err = run("publish", str(file), deployment=deployment)
    assert (code, out) == (2, "")
    assert "line 2: not_json" in err
    assert "line 4: invalid_data: data.amount_minor" in err
    assert "2 lines are not a valid event; nothing was sent." in err
    assert records(deployment, ["lending.due-dates", "lending.repayments"]) == []


@pytest.mark.kafka
def test_rate_bounds_and_pipe_works(deployment: Deployment, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events from a pipe arrive all, and a rate sends them in several portions."""
    line = lines("lending.repayment.received.v1")
    piped = io.TextIOWrapper(io.BytesIO(b"".join(line.replace(b"pay-1001", b"pay-%d" % n) for n in range(30))))
    monkeypatch.setattr("sys.stdin", piped)
    code, out, _ = run("publish", "-", "--rate", "100", deployment=deployment)
    assert code == 0
    assert "30 to lending.repayments" in out
    assert len(records(deployment, ["lending.repayments"])) == 30


def test_without_a_broker_one_sentence(run: Run, tmp_path: Path) -> None:
    """No broker, no topics, no file, an empty file: one sentence, what to do, exit code 2, no traceback."""
    file = tmp_path / "facts.jsonl"
    file.write_bytes(lines("lending.loan.opened.v1"))
    code, _, err = run("publish", str(file), "--broker", "127.0.0.1:1")
    assert (code, len(err.splitlines())) == (2, 2)
    assert "No Kafka answers at 127.0.0.1:1." in err
    code, _, err = run("publish", str(tmp_path / "none"), "--broker", "127.0.0.1:1")
    assert code == 2
    assert "No such file" in err
    file.write_bytes(b"\n\n")
    code, _, err = run("publish", str(file), "--broker", "127.0.0.1:1")
    assert code == 2
    assert "holds no events" in err


@pytest.mark.kafka
def test_wrong_topic_set_is_told(kafka: str, run: Run, tmp_path: Path) -> None:
    """A prefix without topics is told as such."""
    file = tmp_path / "facts.jsonl"
    file.write_bytes(lines("lending.loan.opened.v1"))
    code, _, err = run("publish", str(file), "--broker", kafka, "--prefix", "nobody")
    assert code == 2
    assert err.startswith("duecourse: There is no topic nobody.")
    assert "duecourse topics create" in err


def test_dry_run_needs_no_broker(run: Run, tmp_path: Path) -> None:
    """A dry run judges the lines and sends nothing."""
    file = tmp_path / "facts.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + lines("lending.loan.opened.v1", "lending.hold.placed.v1"))
    code, out, _ = run("publish", str(file), "--dry-run", "--broker", "127.0.0.1:1")
    assert code == 0
    assert out == "well formed: 1 to lending.due-dates, 1 to lending.arrangements; nothing was sent\n"


def spoilt(**changes: object) -> bytes:
    """Return a repayment with some fields of its data replaced."""
    document = json.loads(encode(example("lending.repayment.received.v1")))
    document["data"].update(changes)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[]", "not_cloudevent"),
        (b"\xff\xfe", "not_json"),
        (b'{"type": 7}', "not_cloudevent"),
        (b'{"type": "\\ud800"}', "not_json"),
        (b"[" * 100_000, "too_deep"),
        (encode(example("collections.permit.granted.v1")), "wrong_topic"),
        (encode(example("collections.clock.ticked.v1")), "wrong_topic"),
        (encode(example("lending.loan.closed.v1")).replace(b"closed.v1", b"closed.v9"), "unsupported_version"),
        (encode(example("lending.loan.closed.v1")).replace(b"loan.closed", b"loan.sold"), "unknown_type"),
        (spoilt(loan_id=""), "invalid_data"),
        (spoilt(loan_id=7), "invalid_data"),
        (spoilt(loan_id="\u00fc"), "invalid_data"),
        (spoilt(amount_minor=10.0), "invalid_data"),
        (spoilt(note="x" * 300_000), "too_large"),
    ],
)
def test_wrong_lines_are_faults(line: bytes, reason: str) -> None:
    """Whatever a line holds, it is judged with the contract's reason, and its number."""
    found = list(checked([b"\n", line]))
    assert [(fault.line, fault.reason) for fault in found if isinstance(fault, Fault)] == [(2, reason)]


def test_good_lines_keep_their_bytes() -> None:
    """A valid line is sent as it was written, white space around it aside."""
    line = (
        b'  {"data": {"loan_id": "a", "closed_on": "2024-03-01", "reason": "settled"},'
        b' "id": "1", "source": "/x", "specversion": "1.0", "type": "lending.loan.closed.v1", "shop": 3 } '
    )
    assert list(checked([line])) == [Sendable("lending.due-dates", b"a", line.strip())]
