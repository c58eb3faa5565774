"""`duecourse dead-letters`."""

import json
from pathlib import Path

import pytest

from services.cli.dead_letter_book import letter_of
from shared.contract.arrangements import ARRANGEMENTS, DeadLetterDiscarded
from shared.contract.codec import Envelope, encode
from shared.contract.examples import example
from shared.contract.recorded import Recorded
from shared.contract.repayments import REPAYMENTS
from shared.contract.topics import DEAD_LETTERS
from shared.kernel.partitioning import Partitioner, partition_of
from shared.runtime.records import Deployment
from tests.services.cli.conftest import Run
from tests.services.cli.topic_set import PARTITIONS, bury, put, records

REPAYMENT = example("lending.repayment.received.v1")
HOME = partition_of(b"loan-7", PARTITIONS, Partitioner.MURMUR2)

pytestmark = pytest.mark.kafka


def repayment(offset: int, key: bytes | None = b"loan-7", value: bytes | None = None, **more: object) -> Recorded:
    """Return a repayment as it was met at an offset of partition 0."""
    return Recorded(REPAYMENTS, 0, offset, key, encode(REPAYMENT) if value is None else value, **more)


def replays(deployment: Deployment, topic: str = REPAYMENTS) -> list[tuple[Recorded, Envelope]]:
    """Return what was replayed to a topic."""
    read = [(record, record.decode()) for record in records(deployment, [topic])]
    return [(record, found) for record, found in read if isinstance(found, Envelope) and found.replaces]


def test_list_shows_every_letter_and_its_fate(deployment: Deployment, run: Run) -> None:
    """Each dead letter is a line with place, reason and fate; filters and counts agree."""
    bury(deployment, repayment(1), "misrouted_key")
    bury(deployment, repayment(2, value=b"garbage\x1b[2J"), "not_json")
    bury(deployment, Recorded("lending.borrowers", 2, 3, b"person-3", b"{"), "not_json")
    assert run("dead-letters", "replay", "lending.repayments/0/1", deployment=deployment)[0] == 0
    code, out, err = run("dead-letters", "list", deployment=deployment)
    assert (code, err) == (0, "")
    told = out.splitlines()
    assert len(told) == 4
    assert told[0].startswith("lending.repayments/0/1")
    assert f"replayed as lending.repayments/{HOME}/0" in told[0]
    assert told[1].endswith("open")
    assert told[3] == "3 dead letters, 2 open: 2 not_json, 1 misrouted_key"
    assert "2 dead letters, 2 open" in run("dead-letters", "list", "--open", deployment=deployment)[1]
    chosen = run("dead-letters", "list", "--topic", REPAYMENTS, "--reason", "not_json", deployment=deployment)[1]
    assert chosen.splitlines()[-1] == "1 dead letters, 1 open: 1 not_json"


def test_show_tells_why_and_what_would_help(deployment: Deployment, run: Run) -> None:
    """One letter is shown with reason, bytes, headers and prospect; control characters do not reach the terminal."""
    headers = (("trace", b"abc"),)
    bury(deployment, repayment(2, value=b"garbage\x1b[2J", headers=headers), "not_json", "expected value")
    bury(deployment, repayment(3), "misrouted_key", "crc32 would explain it")
    code, out, _ = run("dead-letters", "show", "lending.repayments/0/2", deployment=deployment)
    assert code == 0
    assert "\x1b" not in out
    for text in ("not_json: expected value", "loan-7", "escalation at 2024-02-18", "header    trace: abc", "garbage"):
        assert text in out
    assert "replay    not now: not_json" in out
    assert "--value sends a corrected event" in out
    code, out, _ = run("dead-letters", "show", "lending.repayments/0/3", deployment=deployment)
    assert "replay    possible" in out
    assert "What helps: set the deployment's partitioner at the producer, then replay" in out
    assert '"payment_id": "pay-1001"' in out


def test_replay_puts_a_misrouted_record_right_once(deployment: Deployment, run: Run) -> None:
    """A replay lies where its key belongs, says what it replaces, and a second one is not sent."""
    place = bury(deployment, repayment(5), "misrouted_key")
    code, out, _ = run("dead-letters", "replay", place, deployment=deployment)
    assert (code, out) == (0, f"{place}: replayed as lending.repayments/{HOME}/0\n")
    ((record, envelope),) = replays(deployment)
    assert (record.partition, record.key, envelope.replaces) == (HOME, b"loan-7", place)
    assert (envelope.id, envelope.source, envelope.data) == (REPAYMENT.id, REPAYMENT.source, REPAYMENT.data)
    code, out, _ = run("dead-letters", "replay", place, deployment=deployment)
    assert (code, out) == (0, f"{place}: already replayed as lending.repayments/{HOME}/0\n")
    assert len(replays(deployment)) == 1


def test_replay_of_binary_mode(deployment: Deployment, run: Run) -> None:
    """A record that came in binary mode is replayed as the same event."""
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"7"),
        ("ce_source", b"/bank"),
        ("ce_type", REPAYMENT.type.encode()),
    )
    data = REPAYMENT.data.model_dump_json(exclude_none=True).encode()
    place = bury(deployment, repayment(6, value=data, headers=headers), "misrouted_key")
    assert run("dead-letters", "replay", place, deployment=deployment)[0] == 0
    ((_, envelope),) = replays(deployment)
    assert (envelope.id, envelope.source, envelope.data) == ("7", "/bank", REPAYMENT.data)


def test_what_is_still_wrong_is_not_sent(deployment: Deployment, run: Run) -> None:
    """Garbage, a shortened record and a record of a topic of ours stay dead letters, each with its reason; exit 1."""
    garbage = bury(deployment, repayment(1, value=b"garbage"), "not_json")
    large = bury(deployment, repayment(2, value=b"x" * 300_000), "too_large")
    ours = bury(
        deployment,
        Recorded("collections.reminders", 0, 9, b"person-3", encode(example("collections.contact.withdrawn.v1"))),
        "misrouted_key",
    )
    code, out, _ = run("dead-letters", "replay", garbage, large, ours, deployment=deployment)
    assert code == 1
    told = out.splitlines()
    assert told[0].startswith(f"{garbage}: not replayed: not_json")
    assert "kept in part only" in told[1]
    assert "written by duecourse alone" in told[2]
    assert replays(deployment) == []


def test_wrong_keys_need_a_word(deployment: Deployment, run: Run) -> None:
    """A missing, unreadable or different key is replaced by that of the data only with --fix-key."""
    places = [
        bury(deployment, repayment(1, key=None), "no_key"),
        bury(deployment, repayment(2, key=b"\xff"), "key_not_text"),
        bury(deployment, repayment(3, key=b"loan-8"), "key_mismatch"),
    ]
    code, out, _ = run("dead-letters", "replay", "--all", deployment=deployment)
    assert code == 1
    assert out.count("--fix-key trusts the data") == 3
    code, out, _ = run("dead-letters", "replay", "--all", "--fix-key", deployment=deployment)
    assert code == 0
    assert [record.key for record, _ in replays(deployment)] == [b"loan-7"] * 3
    assert {envelope.replaces for _, envelope in replays(deployment)} == set(places)
    code, out, _ = run("dead-letters", "replay", "--all", deployment=deployment)
    assert (code, out) == (0, "no dead letter is open\n")


def test_a_corrected_event_can_take_its_place(deployment: Deployment, run: Run, tmp_path: Path) -> None:
    """`--value` sends a corrected event as the replay; a correction that is wrong itself is refused."""
    place = bury(deployment, repayment(1, value=b"garbage"), "not_json")
    file = tmp_path / "corrected.json"
    file.write_text(json.dumps({"type": "lending.repayment.received.v1"}))
    code, out, _ = run("dead-letters", "replay", place, "--value", str(file), deployment=deployment)
    assert code == 1
    assert "not_cloudevent" in out
    file.write_bytes(encode(REPAYMENT) + b"\n")
    assert run("dead-letters", "replay", place, "--value", str(file), deployment=deployment)[0] == 0
    ((_, envelope),) = replays(deployment)
    assert (envelope.data, envelope.replaces) == (REPAYMENT.data, place)


def test_a_replay_that_died_too_leaves_the_letter_open(deployment: Deployment, run: Run, tmp_path: Path) -> None:
    """When the replay becomes a dead letter itself, the first one is open again and says so."""
    place = bury(deployment, repayment(1), "misrouted_key")
    assert run("dead-letters", "replay", place, deployment=deployment)[0] == 0
    ((record, _),) = replays(deployment)
    bury(deployment, record, "conflicting_duplicate")
    out = run("dead-letters", "list", "--open", deployment=deployment)[1]
    assert f"open, its replay {record.coordinates} died too" in out
    assert "2 dead letters, 2 open" in out


def test_discard_lifts_the_doubt_about_a_loan_once(deployment: Deployment, run: Run) -> None:
    """A discard is a fact about the loan with reason and coordinates, sent once; the letter is no longer open."""
    place = bury(deployment, repayment(4, value=b"garbage"), "not_json")
    code, out, _ = run("dead-letters", "discard", place, "--reason", "a test of the lender", deployment=deployment)
    assert (code, out) == (0, f"{place}: discarded by {ARRANGEMENTS}/{HOME}/0\n")
    code, out, _ = run("dead-letters", "discard", place, "--reason", "again", deployment=deployment)
    assert (code, out) == (0, f"{place}: discarded: a test of the lender\n")
    ((record, envelope),) = [(record, record.decode()) for record in records(deployment, [ARRANGEMENTS])]
    assert record.key == b"loan-7"
    assert envelope.data == DeadLetterDiscarded(loan_id="loan-7", coordinates=place, reason="a test of the lender")
    assert run("dead-letters", "list", "--open", deployment=deployment)[1] == "0 dead letters, 0 open\n"


def test_what_names_no_loan_cannot_be_discarded(deployment: Deployment, run: Run) -> None:
    """A letter of a borrower's topic, or without a readable key, holds no loan in doubt: exit code 2 and a sentence."""
    places = [
        bury(deployment, Recorded("lending.borrowers", 2, 3, b"person-3", b"{"), "not_json"),
        bury(deployment, repayment(1, key=None), "no_key"),
        bury(deployment, repayment(2, key=b"no id!"), "invalid_data"),
    ]
    for place in places:
        code, _, err = run("dead-letters", "discard", place, "--reason", "x", deployment=deployment)
        assert code == 2
        assert f"No loan is in doubt because of {place}." in err
    assert records(deployment, [ARRANGEMENTS]) == []


def test_wrong_questions_are_one_sentence(deployment: Deployment, run: Run) -> None:
    """Unknown coordinates, nothing chosen, no reason, no broker: exit code 2 each."""
    code, _, err = run("dead-letters", "show", "lending.repayments/9/9", deployment=deployment)
    assert code == 2
    assert "There is no dead letter lending.repayments/9/9." in err
    assert run("dead-letters", "replay", deployment=deployment)[0] == 2
    assert run("dead-letters", "replay", "a/0/1", "--all", deployment=deployment)[0] == 2
    assert run("dead-letters", "discard", "a/0/1", deployment=deployment)[0] == 2
    assert run("dead-letters", "list", "--broker", "127.0.0.1:1")[0] == 2
    assert run("dead-letters", "list", deployment=deployment)[1] == "0 dead letters, 0 open\n"


def test_stray_records_on_the_dead_letter_topic_do_no_harm(deployment: Deployment, run: Run) -> None:
    """A record that no service wrote there is listed by its own coordinates."""
    place = put(deployment, DEAD_LETTERS, None, b"who am I", (("duecourse-at", b"soon"), ("other", None)))
    letter = letter_of(Recorded(DEAD_LETTERS, 0, 0, None, b"who am I"))
    assert letter.coordinates == place
    assert run("dead-letters", "show", place, deployment=deployment)[0] == 0
    assert run("dead-letters", "replay", place, deployment=deployment)[0] == 1
