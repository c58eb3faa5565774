"""A cluster of real brokers on this machine: one controller and three brokers, each a process of its own.

The controller is separate, so that the death of a broker, however many of them die, never takes the metadata with it.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError, KafkaError, NodeNotReadyError

from shared.runtime.local_kafka.java import find_java, kafka_classpath
from shared.runtime.local_kafka.network import LOOPBACK, brokers_known, free_ports, port_is_free
from shared.runtime.local_kafka.process import dying_with_starter
from shared.runtime.local_kafka.properties import SETTINGS, properties_text

CONTROLLER = 100
GROUP_COORDINATOR, TRANSACTION_COORDINATOR = 0, 1
JVM_OPTIONS = (
    "-Xms64m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
HEAP_OF_BROKER, HEAP_OF_CONTROLLER, HEAP_OF_TOOL = "-Xmx320m", "-Xmx128m", "-Xmx96m"
START_SECONDS = 120.0
STOP_SECONDS = 60.0
AT_ONCE = signal.SIGKILL
"""How nodes end with their starter: a broker that is told to end waits for its controller, which is gone as well."""


class Node:
    """One process of the cluster: a folder, a port, and whatever process runs there now."""

    def __init__(self, cluster: Cluster, number: int, port: int) -> None:
        self.cluster, self.number, self.port = cluster, number, port
        self.directory = cluster.directory / f"node-{number}"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.host = LOOPBACK if number == CONTROLLER else cluster.host
        self.popen: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        return self.directory / "node.log"

    @property
    def is_running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def format(self, cluster_id: str) -> subprocess.Popen[bytes]:
        """Begin to give the data folder its identity; the caller waits."""
        (self.directory / "server.properties").write_text(properties_text(self.cluster.properties(self)))
        arguments = ["format", "--cluster-id", cluster_id, "--config", "server.properties"]
        return self._java(HEAP_OF_TOOL, "kafka.tools.StorageTool", *arguments)

    def launch(self) -> None:
        """Start the process; whoever asks for answers at once waits for them with `answering`."""
        assert not self.is_running, f"node {self.number} runs already"
        heap = HEAP_OF_CONTROLLER if self.number == CONTROLLER else HEAP_OF_BROKER
        self.popen = self._java(heap, "kafka.Kafka", "server.properties")

    def _java(self, heap: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [find_java(), heap, *JVM_OPTIONS, "-cp", self.cluster.classpath, *arguments]
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                dying_with_starter(command, AT_ONCE),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def answers(self) -> bool:
        """Whether clients are served, and told of all brokers that run (a controller: whether its port is open)."""
        if self.number == CONTROLLER:
            return not port_is_free(self.port, self.host)
        running = sum(node.is_running for node in self.cluster.brokers.values())
        return brokers_known(self.port, self.host) >= running

    def signal(self, number: int) -> None:
        if self.popen is not None and self.popen.poll() is None:
            self.popen.send_signal(number)

    def end(self, how: int) -> None:
        """End the process and wait for it; by force when it takes too long."""
        if self.popen is None:
            return
        self.signal(how)
        self.signal(signal.SIGCONT)
        try:
            self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen = None


class Cluster:
    """Three brokers (or as many as told) and a controller on free ports of this machine.

    Topics are kept three times with two in sync, internal ones too. Every broker can be started, stopped, killed and
    paused by its number, 1 and up. Processes die with the thread that started them: start them from the main thread.

    Args:
        directory: Where data and logs are kept.
        brokers: How many.
        replicas: How often internal topics are kept; by default three times, or as often as there are brokers.
        host: The address of this machine on which clients find the brokers.
        classpath: The jars of Kafka; by default those of the version in use.
    """

    def __init__(
        self,
        directory: Path,
        *,
        brokers: int = 3,
        replicas: int | None = None,
        host: str = LOOPBACK,
        classpath: str | None = None,
    ) -> None:
        self.directory, self.host = directory, host
        self.replicas = min(3, brokers) if replicas is None else replicas
        self.classpath = classpath or kafka_classpath()
        ports = free_ports(brokers, host)
        controller = next(port for port in free_ports(1 + brokers) if port not in ports)
        self.controller = Node(self, CONTROLLER, controller)
        self.brokers = {number: Node(self, number, port) for number, port in enumerate(ports, 1)}

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.controller, *self.brokers.values())

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{node.host}:{node.port}" for node in self.brokers.values())

    def properties(self, node: Node) -> Mapping[str, object]:
        """Return the settings of one node."""
        of_role: dict[str, object] = {
            "process.roles": "controller",
            "listeners": f"CONTROLLER://{LOOPBACK}:{node.port}",
        }
        if node.number != CONTROLLER:
            here = f"PLAINTEXT://{node.host}:{node.port}"
            of_role = {"process.roles": "broker", "listeners": here, "advertised.listeners": here}
        enough = 2 if self.replicas > 2 else 1
        return {
            **{k: v for k, v in SETTINGS.items() if k != "inter.broker.listener.name" or node.number != CONTROLLER},
            **of_role,
            "node.id": node.number,
            "controller.quorum.voters": f"{CONTROLLER}@{LOOPBACK}:{self.controller.port}",
            "default.replication.factor": self.replicas,
            "offsets.topic.replication.factor": self.replicas,
            "offsets.topic.num.partitions": 6,
            "transaction.state.log.replication.factor": self.replicas,
            "transaction.state.log.num.partitions": 6,
            "transaction.state.log.min.isr": enough,
            "min.insync.replicas": enough,
            "unclean.leader.election.enable": "false",
            # Three seconds are too few where four processes of Java start on two cores.
            "broker.session.timeout.ms": 6_000,
            "broker.heartbeat.interval.ms": 1_000,
        }

    def start(self, *brokers: int) -> str:
        """Format once, start the controller and all brokers (or those named), wait, return the addresses."""
        if not (self.directory / "formatted").exists():
            cluster_id = "A" + secrets.token_urlsafe(16)[1:]
            formats = [node.format(cluster_id) for node in self.nodes]
            codes = [process.wait() for process in formats]
            assert not any(codes), self.tails()
            (self.directory / "formatted").touch()
        wanted = (CONTROLLER, *(brokers or self.brokers))
        self.launch(*(number for number in wanted if not self.node(number).is_running))
        self.wait_until_answering()
        return self.bootstrap

    def node(self, number: int) -> Node:
        return self.controller if number == CONTROLLER else self.brokers[number]

    def launch(self, *numbers: int) -> None:
        """Start processes without waiting for them."""
        for number in numbers:
            self.node(number).launch()

    def wait_until_answering(self, seconds: float = START_SECONDS) -> None:
        """Wait until every process that was started answers; fail loudly when one never does."""
        deadline = time.monotonic() + seconds
        while not all(node.answers() for node in self.nodes if node.popen is not None):
            dead = [node.number for node in self.nodes if node.popen is not None and not node.is_running]
            assert not dead, f"nodes {dead} ended\n{self.tails()}"
            assert time.monotonic() < deadline, self.tails()
            time.sleep(0.1)

    async def answering(self, *numbers: int, seconds: float = START_SECONDS) -> None:
        """The same for some, while others go on."""
        deadline = time.monotonic() + seconds
        while not all([await asyncio.to_thread(self.node(number).answers) for number in numbers]):
            assert time.monotonic() < deadline, self.tails()
            await asyncio.sleep(0.1)

    def stop_broker(self, number: int) -> None:
        """End one by SIGTERM, as an operator does: it hands its partitions over first."""
        self.node(number).end(signal.SIGTERM)

    def kill_broker(self, *numbers: int) -> None:
        """End some by SIGKILL, all at the same moment."""
        for number in numbers:
            self.node(number).signal(signal.SIGKILL)
        for number in numbers:
            self.node(number).end(signal.SIGKILL)

    def pause_broker(self, number: int) -> None:
        self.node(number).signal(signal.SIGSTOP)

    def resume_broker(self, number: int) -> None:
        self.node(number).signal(signal.SIGCONT)

    def close(self) -> None:
        """End everything, at once: nothing here is worth a farewell."""
        for node in self.nodes:
            node.signal(signal.SIGKILL)
        for node in self.nodes:
            node.end(signal.SIGKILL)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tails(self, characters: int = 1000) -> str:
        """Return the ends of all logs."""
        logs = [node.log_file for node in self.nodes if node.log_file.exists()]
        return "\n".join(f"--- {log}\n{log.read_text(errors='replace')[-characters:]}" for log in logs)

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[Any]:
        client = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    async def leaders(self, topic: str) -> dict[int, int]:
        """Return the broker that leads each partition of a topic; -1 where none does."""
        (described,) = await self._ask(lambda admin: admin.describe_topics([topic]))
        return {partition["partition"]: partition["leader"] for partition in described["partitions"]}

    async def group_coordinator(self, group: str) -> int:
        return int(await self._ask(lambda admin: admin.find_coordinator(group, GROUP_COORDINATOR)))

    async def transaction_coordinator(self, transactional_id: str) -> int:
        return int(await self._ask(lambda admin: admin.find_coordinator(transactional_id, TRANSACTION_COORDINATOR)))

    async def _ask(self, question: Callable[[Any], Awaitable[Any]], seconds: float = 30.0) -> Any:
        """Ask the cluster, again where a dead broker was asked, or an office has nobody who holds it yet."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                async with self.admin() as admin:
                    return await question(admin)
            except (GroupCoordinatorNotAvailableError, KafkaConnectionError, NodeNotReadyError):
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.2)

    async def in_sync(self, topics: Iterable[str] | None = None, seconds: float = START_SECONDS) -> None:
        """Wait until every partition (of all topics, or those named) has a leader and all its replicas in sync."""
        deadline = time.monotonic() + seconds
        lacking: object = "nothing was asked yet"
        while lacking:
            assert time.monotonic() < deadline, f"{lacking}\n{self.tails()}"
            try:
                lacking = await self._lacking(topics)
            except KafkaError as error:
                lacking = error
            await asyncio.sleep(0.2)

    async def _lacking(self, topics: Iterable[str] | None) -> list[str]:
        async with self.admin() as admin:
            described = await admin.describe_topics(None if topics is None else list(topics))
            alive = {broker["node_id"] for broker in (await admin.describe_cluster())["brokers"]}
        lacking = [f"broker {number}" for number in self.brokers if number not in alive]
        return lacking + [
            f"{topic['topic']}/{partition['partition']}"
            for topic in described
            for partition in topic["partitions"]
            if partition["leader"] < 0 or len(partition["isr"]) < len(partition["replicas"])
        ]
