"""Prometheus, Alertmanager and a pager over one deployment: what a drill judges by."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from deploy.monitoring.sources import DEPLOY, Alert
from shared.runtime.local_kafka.network import free_port
from tests.drills.haste import write_rules

ANSWERS_SECONDS_MAX = 60.0
HISTORY = "prometheus"
"""Where, in the folder of a watch, Prometheus keeps what it has seen, and begins with what lies there."""


@dataclass
class Pager:
    """What Alertmanager really sent: instant and receiver of each message, and the names of what fires or is over."""

    told: list[tuple[float, str, str]] = field(default_factory=list)
    over: list[tuple[float, str, str]] = field(default_factory=list)

    def listen(self, stack: ExitStack) -> int:
        """Take messages in until the stack is closed; return the port."""
        lists = {"firing": self.told, "resolved": self.over}

        class Inbox(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for status, kept in lists.items():
                    names = {it["labels"]["alertname"] for it in message["alerts"] if it["status"] == status}
                    kept.extend((monotonic(), self.path.strip("/"), name) for name in sorted(names))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Messages are kept, not printed."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Inbox)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        return int(server.server_address[1])

    def since(self, instant: float, receiver: str) -> dict[str, float]:
        """Return which alerts a receiver was told of since an instant, and after how many seconds first."""
        found: dict[str, float] = {}
        for at, where, name in self.told:
            if at >= instant and where == receiver:
                found.setdefault(name, at - instant)
        return found


@dataclass
class Watch:
    """Where Prometheus and Alertmanager answer, and what the pager was told."""

    prometheus: str
    alertmanager: str
    pager: Pager
    hasten: Callable[[Collection[str]], None]
    """Takes the names of the alerts whose drill comes now."""

    def active(self) -> dict[str, str]:
        """Return the alerts that Alertmanager holds and does not inhibit, with their severities."""
        found = _json(f"{self.alertmanager}/api/v2/alerts?active=true&inhibited=false")
        return {alert["labels"]["alertname"]: alert["labels"]["severity"] for alert in found}

    def shows(self, query: str) -> bool:
        """Whether a query has an answer that is not empty."""
        asked = urllib.parse.urlencode({"query": query})
        return bool(_json(f"{self.prometheus}/api/v1/query?{asked}")["data"]["result"])


async def until(done: Callable[[], bool], seconds: float) -> float | None:
    """Return after how many seconds a condition held, None when it never did."""
    began = monotonic()
    while monotonic() - began < seconds:
        if await asyncio.to_thread(done):
            return monotonic() - began
        await asyncio.sleep(1)
    return None


def start_watch(
    folder: Path, targets: Sequence[int], alerts: Sequence[Alert], stack: ExitStack, *, pages: bool = True
) -> Watch:
    """Start Prometheus over processes of this machine, with the deployment's own files; Alertmanager if it `pages`."""
    prometheus, alertmanager, pager = free_port(), free_port(), Pager()
    _write_configuration(folder, targets, (prometheus, alertmanager, pager.listen(stack)))
    write_rules(folder, alerts, ())
    if pages:
        start_alertmanager(folder, alertmanager, stack)
    process = _start(folder, stack, [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / HISTORY}",
        f"--web.listen-address=127.0.0.1:{prometheus}",
    ])  # fmt: skip

    def hasten(drilled: Collection[str]) -> None:
        write_rules(folder, alerts, drilled)
        process.send_signal(signal.SIGHUP)

    sys.stderr.write(f"Prometheus: http://127.0.0.1:{prometheus}, Alertmanager: http://127.0.0.1:{alertmanager}\n")
    return Watch(f"http://127.0.0.1:{prometheus}", f"http://127.0.0.1:{alertmanager}", pager, hasten)


def alertmanager_program() -> str | None:
    """Return what Alertmanager is called here: Debian's package or anybody else's; None where it is missing."""
    return next(filter(shutil.which, ("prometheus-alertmanager", "alertmanager")), None)


def start_alertmanager(folder: Path, port: int, stack: ExitStack) -> None:
    """Start Alertmanager with the folder's `alertmanager.yml`, and wait until it answers."""
    _start(folder, stack, [
        alertmanager_program() or "alertmanager", f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager'}", f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ])  # fmt: skip
    deadline = monotonic() + ANSWERS_SECONDS_MAX
    while not _answers(f"http://127.0.0.1:{port}/-/ready"):
        if monotonic() > deadline:
            raise TimeoutError(f"Alertmanager does not answer; see {folder}")
        sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except OSError:
        return False


def _write_configuration(folder: Path, targets: Sequence[int], ports: tuple[int, int, int]) -> None:
    prometheus, alertmanager, pager = ports
    config = (DEPLOY / "prometheus/prometheus.yml").read_text().replace("/etc/prometheus/alerts", str(folder))
    config = config.replace("/etc/prometheus", str(DEPLOY / "prometheus"))
    config = config.replace(f"{folder}/*.yml", f"{folder}/*.rules.yml")
    config = config.replace("alertmanager:9093", f"127.0.0.1:{alertmanager}")
    config = config.replace("localhost:9090", f"127.0.0.1:{prometheus}")
    named = json.dumps([f"127.0.0.1:{port}" for port in targets])
    config = re.sub(r"targets:\n(?: +- [a-z_]+:8080\n)+", f"targets: {named}\n", config)
    (folder / "prometheus.yml").write_text(config)
    routes = (DEPLOY / "alertmanager/alertmanager.yml").read_text().replace("pager:8080", f"127.0.0.1:{pager}")
    (folder / "alertmanager.yml").write_text(routes)


def _start(folder: Path, stack: ExitStack, command: list[str]) -> subprocess.Popen[bytes]:
    log = stack.enter_context((folder / f"{Path(command[0]).name}.log").open("wb"))
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


def _json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as told:
        return json.load(told)
