"""A local Kafka comes up once, goes away wholly, and touches nothing that is not its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.runtime.local_kafka import LocalKafka, LocalKafkaError
from shared.runtime.local_kafka.process import OwnedProcess

START_AND_WAIT = """
import pathlib, sys, time
from shared.runtime.local_kafka import LocalKafka
LocalKafka(pathlib.Path(sys.argv[1]), die_with_starter=True).start()
print("started", flush=True)
time.sleep(600)
"""


def broker_process(directory: Path) -> OwnedProcess:
    record = json.loads((directory / "broker.json").read_text())
    return OwnedProcess(record["pid"], record["began"])


def wait_for(path: Path, timeout_seconds: float = 60) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)


def wait_until_answering(broker: LocalKafka, timeout_seconds: float = 60) -> None:
    """Wait for one that stood still: on a busy machine its first answer may take longer than a status waits for."""
    deadline = time.monotonic() + timeout_seconds
    while (status := broker.status()) is not None and not status.answers:
        assert time.monotonic() < deadline, broker.log_file.read_text()[-2000:]
        time.sleep(0.1)


@pytest.mark.kafka
def test_two_starts_at_once_bring_up_one_broker(tmp_path: Path) -> None:
    """Two starters of one folder get the same address of one process, and a stop ends it for both."""
    addresses: list[str] = []
    starters = [threading.Thread(target=lambda: addresses.append(LocalKafka(tmp_path).start())) for _ in range(2)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    process = broker_process(tmp_path)
    try:
        assert len(addresses) == 2
        assert len(set(addresses)) == 1
        status = LocalKafka(tmp_path).status()
        assert status is not None
        assert (status.bootstrap, status.pid, status.answers) == (addresses[0], process.pid, True)
        assert (tmp_path / "broker.log").read_text().count("Kafka Server started") == 1
    finally:
        assert LocalKafka(tmp_path).stop() is True
    assert not process.is_alive()
    assert LocalKafka(tmp_path).status() is None
    assert LocalKafka(tmp_path).stop() is False


@pytest.mark.kafka
async def test_a_killed_broker_comes_back_at_its_address_with_its_data(tmp_path: Path) -> None:
    """What was acknowledged before a kill is read after the next start, at the same address; no topic makes itself."""
    broker = LocalKafka(tmp_path, die_with_starter=True)
    address = broker.start()
    try:
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        await admin.create_topics([NewTopic("facts", num_partitions=1, replication_factor=1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=True) as producer:
            await producer.send_and_wait("facts", b"paid")

        assert broker.kill() is True
        assert broker.start() == address
        async with AIOKafkaConsumer("facts", bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
            record = await consumer.getone()
            assert record.value == b"paid"
            assert "facts" in await consumer.topics()
            assert "misspelt" not in await consumer.topics()
    finally:
        broker.stop()


@pytest.mark.kafka
def test_a_port_that_somebody_took_meanwhile_is_given_up(tmp_path: Path) -> None:
    """When another program listens on the port of last time, the broker comes up on another one."""
    broker = LocalKafka(tmp_path, die_with_starter=True)
    host, _, port = broker.start().partition(":")
    broker.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((host, int(port)))
        other.listen()
        try:
            assert broker.start() != f"{host}:{port}"
        finally:
            broker.stop()


@pytest.mark.kafka
def test_a_broker_dies_with_its_starter(tmp_path: Path) -> None:
    """A test run or demo that is killed outright leaves no broker behind."""
    starter = subprocess.Popen([sys.executable, "-c", START_AND_WAIT, str(tmp_path)], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"started\n"
    process = broker_process(tmp_path)
    assert process.is_alive()
    starter.kill()
    starter.wait()
    starter.stdout.close()
    assert process.wait(30)


@pytest.mark.kafka
def test_an_interrupted_start_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C while the broker comes up ends the command quietly with 130, and the broker with it; then it starts."""
    starter = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "kafka", "start", "--directory", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_for(tmp_path / "broker.json")
    process = broker_process(tmp_path)
    starter.send_signal(signal.SIGINT)
    output, errors = starter.communicate(timeout=60)
    assert (starter.returncode, output, errors.strip()) == (130, b"", b"")
    assert not process.is_alive()

    broker = LocalKafka(tmp_path, die_with_starter=True)
    try:
        assert broker.start().startswith("127.0.0.1:")
    finally:
        broker.stop()


@pytest.mark.kafka
def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A data folder that is no data folder leads to one error that names the log, and to no process."""
    (tmp_path / "formatted").touch()
    broker = LocalKafka(tmp_path)
    with pytest.raises(LocalKafkaError, match="Kafka did not start") as caught:
        broker.start()
    assert "meta.properties" in caught.value.problem
    assert str(broker.log_file) in caught.value.advice
    assert broker.status() is None


def test_a_stranger_with_the_same_process_number_is_left_alone(tmp_path: Path) -> None:
    """A number that the system has since given to another process is neither reported as ours nor signalled."""
    me = OwnedProcess.of(os.getpid())
    assert me is not None
    record = {"pid": me.pid, "began": f"{me.began}0", "port": 1, "controller_port": 2}
    (tmp_path / "broker.json").write_text(json.dumps(record))
    assert LocalKafka(tmp_path).status() is None
    assert LocalKafka(tmp_path).stop() is False


def test_asking_about_a_folder_that_is_not_there_makes_none(tmp_path: Path) -> None:
    """Status and stop of an unknown folder answer, and leave no trace."""
    broker = LocalKafka(tmp_path / "nowhere")
    assert broker.status() is None
    assert broker.stop() is False
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.kafka
def test_a_paused_broker_answers_nothing_until_it_goes_on_and_ends_when_told(tmp_path: Path) -> None:
    """It keeps its process and its port while it stands still, and a stop needs no force."""
    broker = LocalKafka(tmp_path, die_with_starter=True)
    broker.start()
    try:
        running = broker.status()
        assert running is not None
        assert broker.pause() is True
        paused = broker.status()
        assert paused is not None
        assert (paused.pid, paused.answers) == (running.pid, False)
        assert broker.resume() is True
        wait_until_answering(broker)
        assert broker.status() == running
        broker.pause()
    finally:
        assert broker.stop() is True
    assert broker.pause() is False
    assert "shut down completed" in broker.log_file.read_text()
