"""A broker with a folder of its own: started once however often one asks, stopped only if it is ours."""

import json
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from shared.runtime.local_kafka.errors import LocalKafkaError
from shared.runtime.local_kafka.files import exclusive_lock, write_whole
from shared.runtime.local_kafka.java import find_java, kafka_classpath
from shared.runtime.local_kafka.network import LOOPBACK, broker_answers, free_ports, port_is_free
from shared.runtime.local_kafka.process import OwnedProcess, dying_with_starter
from shared.runtime.local_kafka.properties import DATA_FOLDER, Ports, server_properties

START_TRIES_MAX: Final = 3
START_TIMEOUT_SECONDS: Final = 120.0
STOP_TIMEOUT_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1
PAUSE_SECONDS_MAX: Final = 5.0
LOG_LINES_LOOKED_AT_MAX: Final = 200
SCRAM: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512")
JVM_OPTIONS: Final = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
QUICK_COMPILER: Final = "-XX:TieredStopAtLevel=1"


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """A broker process that runs.

    Attributes:
        bootstrap: Its address, host:port.
        pid: Its process.
        answers: Whether it serves requests already.
    """

    bootstrap: str
    pid: int
    answers: bool


@dataclass(frozen=True, slots=True)
class _Record:
    """What the folder remembers of the broker that was started last."""

    pid: int
    began: str
    port: int
    controller_port: int
    doors: dict[str, int] = field(default_factory=dict)

    @property
    def ports(self) -> Ports:
        return Ports(self.port, self.controller_port, self.doors)

    @property
    def process(self) -> OwnedProcess:
        return OwnedProcess(self.pid, self.began)


class LocalKafka:
    """One Kafka broker that lives in one folder.

    Promises: asked to start twice, by one process or by two at once, one broker runs. A broker that cannot be brought
    up, or whose start is interrupted, is not left behind. After a stop or a kill the next start has the same data and,
    if they are still free, the same ports. No process is ever signalled but this folder's own broker.

    Args:
        directory: Where properties, data, log and process number are kept; made when missing.
        die_with_starter: Whether the broker ends when the thread that started it dies (for tests and the demo; Linux).
            Such a broker lives for minutes, so its code is compiled for a quick start: a third less CPU in the first
            half minute, as much in two, half as much again from then on.
        host: The address of this machine on which clients find it; another than loopback only where clients live in
            network namespaces of this machine.
        more: Broker settings that overrule those of `properties.py`.
        doors: Further listeners, each with its protocol (SSL, SASL_SSL ...) by its name; `more` says what they need.
        users: Passwords by user, for SCRAM.
    """

    def __init__(
        self,
        directory: Path,
        *,
        die_with_starter: bool = False,
        host: str = LOOPBACK,
        more: Mapping[str, object] = MappingProxyType({}),
        doors: Mapping[str, str] = MappingProxyType({}),
        users: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._more = more
        self._doors = dict(doors)
        self._users = dict(users)
        self.directory = directory.absolute()
        self.host = host
        self._die_with_starter = die_with_starter
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        """Where the broker writes what it has to say."""
        return self.directory / "broker.log"

    def start(self) -> str:
        """Bring the broker up, wait until it can be used, and return its address as host:port.

        Raises:
            LocalKafkaError: Java or Maven is missing, or the broker would not start.
        """
        with self._locked():
            record = self._running()
            if record is None:
                java, classpath = find_java(), kafka_classpath()
                self._format(java, classpath)
                record = self._launch(java, classpath)
            elif not self._wait_until_answering(record):
                raise self._failure()
            return f"{self.host}:{record.port}"

    def door(self, name: str) -> str:
        """Return the address, host:port, of a further listener of the broker that was started last.

        Raises:
            KeyError: There is none of that name.
        """
        record = self._last_record()
        return f"{self.host}:{({} if record is None else record.doors)[name]}"

    def stop(self) -> bool:
        """End the broker by SIGTERM, by SIGKILL if that takes too long, and wait for its end; False when none ran."""
        return self._end(signal.SIGTERM)

    def kill(self) -> bool:
        """End the broker by SIGKILL, as a crash would, and wait for its end; False when none ran."""
        return self._end(signal.SIGKILL)

    def pause(self) -> bool:
        """Let the broker stand still by SIGSTOP: it accepts connections and answers nothing; False when none runs."""
        if not self._signal(signal.SIGSTOP):
            return False
        # The signal stops one thread after the other: for a moment some still answer.
        deadline = time.monotonic() + PAUSE_SECONDS_MAX
        while (status := self.status()) is not None and status.answers and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return True

    def resume(self) -> bool:
        """Let a paused broker go on; False when none runs."""
        return self._signal(signal.SIGCONT)

    def status(self) -> BrokerStatus | None:
        """Describe the broker that runs in this folder; None when there is none. Changes nothing."""
        record = self._running()
        if record is None:
            return None
        return BrokerStatus(f"{self.host}:{record.port}", record.pid, broker_answers(record.port, self.host))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.directory.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(self.directory / "lock"):
            yield

    def _signal(self, number: signal.Signals) -> bool:
        record = self._running()
        return record is not None and record.process.signal(number)

    def _end(self, how: signal.Signals) -> bool:
        if not self.directory.is_dir():
            return False
        with self._locked():
            record = self._running()
            if record is None:
                return False
            self._terminate(record.process, how)
            return True

    def _terminate(self, process: OwnedProcess, how: signal.Signals) -> None:
        process.signal(how)
        process.signal(signal.SIGCONT)  # a paused process would never hear of it
        if not process.wait(STOP_TIMEOUT_SECONDS):
            process.signal(signal.SIGKILL)
            process.wait(STOP_TIMEOUT_SECONDS)
        if self._child is not None:
            self._child.wait()
            self._child = None

    def _last_record(self) -> _Record | None:
        try:
            return _Record(**json.loads((self.directory / "broker.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def _running(self) -> _Record | None:
        record = self._last_record()
        return record if record is not None and record.process.is_alive() else None

    def _format(self, java: str, classpath: str) -> None:
        """Give the data folder its cluster id, once; a format that was interrupted is begun anew."""
        stamp = self.directory / "formatted"
        if stamp.exists():
            return
        shutil.rmtree(self.directory / DATA_FOLDER, ignore_errors=True)
        self._write_properties(self._free_ports())
        command = [java, *JVM_OPTIONS, QUICK_COMPILER, "-cp", classpath, "kafka.tools.StorageTool"]
        cluster_id = "A" + secrets.token_urlsafe(16)[1:]  # no leading dash: it is an argument
        with self.log_file.open("ab") as log:
            arguments = ["format", "--cluster-id", cluster_id, "--config", "server.properties"]
            for user, password in self._users.items():
                for mechanism in SCRAM:
                    arguments += ["--add-scram", f"{mechanism}=[name={user},password={password}]"]
            done = subprocess.run([*command, *arguments], cwd=self.directory, stdout=log, stderr=log, check=False)
        if done.returncode != 0:
            raise self._failure()
        stamp.touch()

    def _free_ports(self) -> Ports:
        plain, *of_doors = free_ports(1 + len(self._doors), self.host)
        taken = {plain, *of_doors}
        controller = next(port for port in free_ports(1 + len(taken)) if port not in taken)
        return Ports(plain, controller, dict(zip(self._doors, of_doors, strict=True)))

    def _are_free(self, ports: Ports) -> bool:
        of_clients = (ports.plain, *ports.doors.values())
        return all(port_is_free(port, self.host) for port in of_clients) and port_is_free(ports.controller)

    def _write_properties(self, ports: Ports) -> None:
        text = server_properties(ports, self.host, self._more, self._doors)
        write_whole(self.directory / "server.properties", text)

    def _launch(self, java: str, classpath: str) -> _Record:
        """Start the process on the ports of last time, or on new ones as long as somebody else takes them first."""
        last = self._last_record()
        ports = last.ports if last is not None and last.doors.keys() == self._doors.keys() else self._free_ports()
        for _ in range(START_TRIES_MAX):
            if not self._are_free(ports):
                ports = self._free_ports()
            record = self._launch_once(java, classpath, ports)
            if record is not None:
                return record
        raise self._failure()

    def _launch_once(self, java: str, classpath: str, ports: Ports) -> _Record | None:
        self._write_properties(ports)
        options = [*JVM_OPTIONS, QUICK_COMPILER] if self._die_with_starter else [*JVM_OPTIONS]
        command = [java, *options, "-cp", classpath, "kafka.Kafka", "server.properties"]
        if self._die_with_starter:
            command = dying_with_starter(command)
        answers = False
        try:
            with self.log_file.open("ab") as log:
                # In a session of its own: Ctrl-C in the terminal is for the one who typed, not for the broker.
                self._child = subprocess.Popen(
                    command,
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            process = OwnedProcess.of(self._child.pid)
            if process is None:
                return None
            record = _Record(process.pid, process.began, ports.plain, ports.controller, dict(ports.doors))
            write_whole(self.directory / "broker.json", json.dumps(asdict(record)) + "\n")
            answers = self._wait_until_answering(record)
            return record if answers else None
        finally:
            if not answers and self._child is not None:
                self._child.kill()
                self._child.wait()
                self._child = None

    def _wait_until_answering(self, record: _Record) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while record.process.is_alive() and time.monotonic() < deadline:
            if broker_answers(record.port, self.host):
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _failure(self) -> LocalKafkaError:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_LOOKED_AT_MAX:]
        telling = [line for line in lines if re.match(r"(Caused by: )?[\w.$]*(Exception|Error)\b", line)]
        reason = (telling or lines or ["it said nothing"])[-1].strip()
        return LocalKafkaError(f"Kafka did not start: {reason[:300]}", f"Its whole log is {self.log_file}.")
