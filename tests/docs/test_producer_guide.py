"""The producer guide holds: its samples run as they stand, and what they send is read where it belongs."""

from itertools import count
from pathlib import Path

import pytest

from services.cli.publish import Sendable, checked
from shared.contract.codec import Envelope, decode, key_of
from shared.contract.recorded import Recorded
from shared.contract.topics import TOPICS
from shared.kernel.partitioning import Partitioner, partition_of
from shared.runtime.local_kafka import find_java, kafka_classpath
from shared.runtime.records import Deployment
from tests.docs.samples import DOCS, run_sample, samples
from tests.services.cli.topic_set import PARTITIONS, make_topics, records

GUIDE = "producer-guide.md"
_numbers = count(1)


@pytest.fixture
def deployment(kafka: str) -> Deployment:
    """A deployment of this test's own, with all topics."""
    made = Deployment(kafka, f"guide-{next(_numbers)}")
    make_topics(made)
    return made


def run(deployment: Deployment, name: str, directory: Path) -> None:
    """Run a sample against the deployment; it must succeed."""
    done = run_sample(GUIDE, name, directory, BROKER=deployment.broker, PREFIX=deployment.prefix)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def facts(deployment: Deployment, topic: str) -> list[tuple[Recorded, Envelope]]:
    """Return what lies on a topic; every record must be readable and in the partition of its key."""
    found = []
    for record in records(deployment, [topic]):
        envelope = record.decode()
        assert isinstance(envelope, Envelope), envelope
        assert record.key is not None
        assert record.partition == partition_of(record.key, PARTITIONS, Partitioner.MURMUR2)
        found.append((record, envelope))
    return found


@pytest.mark.kafka
def test_publish(deployment: Deployment, tmp_path: Path) -> None:
    """The guide's file of facts is published by the guide's command."""
    (tmp_path / "facts.jsonl").write_text(samples(GUIDE)["facts.jsonl"] + "\n")
    run(deployment, "publish", tmp_path)
    assert [len(facts(deployment, topic)) for topic in ("lending.due-dates", "lending.borrowers")] == [2, 1]
    ((_, repayment),) = facts(deployment, "lending.repayments")
    assert repayment.id == "p-1001"


@pytest.mark.kafka
def test_aiokafka(deployment: Deployment, tmp_path: Path) -> None:
    """The aiokafka sample's repayment arrives."""
    run(deployment, "aiokafka", tmp_path)
    ((record, envelope),) = facts(deployment, "lending.repayments")
    assert (record.key, envelope.type) == (b"loan-7", "lending.repayment.received.v1")


@pytest.mark.kafka
def test_transaction_in_binary_mode(deployment: Deployment, tmp_path: Path) -> None:
    """The transaction's twelve instalments arrive together, from binary mode."""
    run(deployment, "transaction", tmp_path)
    found = facts(deployment, "lending.due-dates")
    assert sorted(envelope.data.due_date.month for _, envelope in found) == list(range(1, 13))
    assert all(b"specversion" not in record.value for record, _ in found)


@pytest.mark.kafka
def test_librdkafka(deployment: Deployment, tmp_path: Path) -> None:
    """With the partitioner that the guide names, librdkafka puts all hundred keys where they belong."""
    run(deployment, "librdkafka", tmp_path)
    found = facts(deployment, "lending.arrangements")
    assert {record.key for record, _ in found} == {b"loan-%d" % number for number in range(100)}
    assert len({record.partition for record, _ in found}) == PARTITIONS


@pytest.mark.kafka
def test_librdkafka_alone_is_crc32(deployment: Deployment, tmp_path: Path) -> None:
    """Without that line librdkafka partitions by crc32, as the guide says and a deployment can be told."""
    text = samples(GUIDE)["librdkafka"].replace('        "partitioner": "murmur2_random",\n', "")
    assert text != samples(GUIDE)["librdkafka"]
    (tmp_path / "send.py").write_text(text)
    (tmp_path / "guide.md").write_text(f"<!-- sample: it -->\n```python\n{text}\n```\n")
    done = run_sample(str(tmp_path / "guide.md"), "it", tmp_path, BROKER=deployment.broker, PREFIX=deployment.prefix)
    assert done.returncode == 0, done.stderr
    found = records(deployment, ["lending.arrangements"])
    assert len(found) == 100
    assert all(record.partition == partition_of(record.key, PARTITIONS, Partitioner.CRC32) for record in found)


@pytest.mark.kafka
def test_java_client(deployment: Deployment, tmp_path: Path) -> None:
    """Kafka's own console producer, which is the Java client, needs nothing but its defaults."""
    script = tmp_path / "kafka-console-producer.sh"
    java = [find_java(), "-cp", kafka_classpath(), "org.apache.kafka.tools.ConsoleProducer"]
    script.write_text(f"""#!/bin/sh\nexec {" ".join(f"'{word}'" for word in java)} "$@" 2>"$0.log"\n""")
    script.chmod(0o755)
    run(deployment, "console", tmp_path)
    found = facts(deployment, "lending.repayments")
    assert sorted(record.key for record, _ in found) == [b"loan-10", b"loan-11", b"loan-9"]


@pytest.mark.kafka
def test_cloudevents_sdk(deployment: Deployment, tmp_path: Path) -> None:
    """The SDK's structured and binary events both arrive."""
    run(deployment, "sdk", tmp_path)
    found = facts(deployment, "lending.borrowers")
    assert [envelope.data.opt_out_id for _, envelope in found] == ["opt-out-0", "opt-out-1"]


def test_facts_in_the_guide_are_valid() -> None:
    """Every line of the guide's file is an event that can be sent."""
    found = list(checked(line.encode() for line in samples(GUIDE)["facts.jsonl"].splitlines()))
    assert [type(line) for line in found] == [Sendable] * 4


def test_every_topic_of_lenders_is_named_with_its_key() -> None:
    """The guide names every topic that lenders write, and keys in the words of the contract."""
    text = (DOCS / GUIDE).read_text()
    for topic in TOPICS.values():
        if "lenders" in topic.writers:
            assert f"`{topic.name}`" in text
    envelope = decode("lending.repayments", b"loan-7", samples(GUIDE)["facts.jsonl"].splitlines()[3].encode())
    assert isinstance(envelope, Envelope)
    assert key_of(envelope.data) == "loan-7"
