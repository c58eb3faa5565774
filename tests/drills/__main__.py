"""The drills, with a real Kafka, Prometheus and Alertmanager: `python -m tests.drills [--only ALERT ...]`.

For each alert with a drill: the fault is put in, the alert must reach Alertmanager within its time and nothing else may
page, the cure is applied, the alert must end. The table goes to standard output; exit code 1 when a row fails.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from deploy.monitoring.sources import DEPLOY, Alert, load_alerts
from shared.runtime.local_kafka import LocalKafka
from shared.runtime.local_kafka.network import free_port
from shared.runtime.settings import Settings
from shared.runtime.topics import TopicAdmin
from tests.drills.faults import FAULTS, Scene
from tests.drills.traffic import House, Lenders, gateways, until_cancelled

WARM_SECONDS = 60.0
OBJECTIVE = "Objective"
CALM_SECONDS = 600.0
KIN = {
    "ClockStopped": {"ServiceAbsent", "GateStandsStill", "PairSilent", "ServiceNotReady"},
    "GateStandsStill": {"ServiceAbsent", "ServiceNotReady"},
    "PairSilent": {"ServiceAbsent", "ServiceNotReady"},
    "PartitionWaits": {"PairSilent", "GateStandsStill", "ServiceNotReady"},
    "ServiceNotReady": {"PairSilent", "GateStandsStill", "PartitionWaits"},
    "ServiceAbsent": {"PairSilent", "ServiceNotReady"},
    "InstanceDown": {"ServiceAbsent", "PairSilent", "ServiceNotReady"},
    "InputLags": {"ClockStopped", "ServiceAbsent", "GateStandsStill"},
    "ProcessKeepsEnding": {"PairSilent", "ServiceNotReady", "ServiceAbsent"},
}
"""What may page beside an alert because it says the same of the same fault, seen from elsewhere."""


@dataclass
class Watch:
    """Prometheus and Alertmanager over one deployment."""

    alertmanager: str

    def active(self) -> dict[str, str]:
        """Return the alerts that Alertmanager holds and does not inhibit, with their severities."""
        with urllib.request.urlopen(
            f"{self.alertmanager}/api/v2/alerts?active=true&inhibited=false", timeout=10
        ) as told:
            return {alert["labels"]["alertname"]: alert["labels"]["severity"] for alert in json.load(told)}


def seconds_of(text: str) -> float:
    """Return the seconds of `3m` or `90s`."""
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


async def until(done: object, seconds: float) -> float | None:
    """Return after how many seconds a condition held, None when it never did."""
    began = monotonic()
    while monotonic() - began < seconds:
        if done():  # type: ignore[operator]
            return monotonic() - began
        await asyncio.sleep(2)
    return None


async def drill(alert: Alert, scene: Scene, watch: Watch) -> tuple[bool, str]:
    """Run one row; return whether it passed, and the row."""
    assert alert.drill is not None
    strangers: set[str] = set()

    def fires() -> bool:
        active = watch.active()
        strangers.update(paging(active) - {alert.name, *KIN.get(alert.name, ())})
        return alert.name in active

    await FAULTS[alert.drill.fault](scene)
    reached = await until(fires, seconds_of(alert.drill.within))
    await FAULTS[alert.drill.heal](scene)
    calm = await until(lambda: is_calm(alert, watch.active()), CALM_SECONDS)
    passed = reached is not None and calm is not None and not strangers
    told = "never" if reached is None else f"{reached:.0f} s"
    healed = "never" if calm is None else f"{calm:.0f} s"
    beside = ", ".join(sorted(strangers)) or "nothing"
    cells = (alert.name, alert.drill.fault, f"{told} of {alert.drill.within}", healed, beside, verdict(passed))
    return passed, row(*cells)


def verdict(passed: bool) -> str:
    """Say how a row ended."""
    return "pass" if passed else "FAIL"


def row(*cells: str) -> str:
    """Return one row of the table."""
    return f"| {' | '.join(cells)} |"


def is_calm(alert: Alert, active: dict[str, str]) -> bool:
    """Whether nothing pages and the drilled alert is over; the watchdog is never over."""
    return not paging(active) and (alert.severity == "none" or alert.name not in active)


def paging(active: dict[str, str]) -> set[str]:
    """The alerts that would wake somebody; budgets burn by design while a cause does, and long after."""
    return {name for name, severity in active.items() if severity == "page" and not name.startswith(OBJECTIVE)}


def start_watch(folder: Path, house: House, stack: ExitStack) -> Watch:
    """Start Prometheus and Alertmanager over the members of a house."""
    prometheus, alertmanager = free_port(), free_port()
    targets = [f"127.0.0.1:{member.port}" for member in house.members.values()]
    config = (DEPLOY / "prometheus/prometheus.yml").read_text().replace("/etc/prometheus", str(DEPLOY / "prometheus"))
    config = config.replace("alertmanager:9093", f"127.0.0.1:{alertmanager}")
    config = config.replace("scrape_interval: 5s", "scrape_interval: 2s")
    config = re.sub(r"targets:\n(?: +- [a-z_]+:8080\n)+", f"targets: {json.dumps(targets)}\n", config)
    config = config.replace("localhost:9090", f"127.0.0.1:{prometheus}")
    (folder / "prometheus.yml").write_text(config)
    commands = (
        ["prometheus-alertmanager" if shutil.which("prometheus-alertmanager") else "alertmanager",
         f"--config.file={DEPLOY / 'alertmanager/alertmanager.yml'}", f"--storage.path={folder / 'alertmanager'}",
         f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address="],
        ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'prometheus'}",
         f"--web.listen-address=127.0.0.1:{prometheus}"],
    )  # fmt: skip
    for command in commands:
        log = stack.enter_context((folder / f"{Path(command[0]).name}.log").open("wb"))
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        stack.callback(process.wait)
        stack.callback(process.terminate)
    sys.stderr.write(f"Prometheus: http://127.0.0.1:{prometheus}, Alertmanager: http://127.0.0.1:{alertmanager}\n")
    return Watch(f"http://127.0.0.1:{alertmanager}")


async def run(only: list[str], folder: Path) -> bool:
    """Run the drills that were asked for."""
    chosen = [alert for alert in load_alerts() if alert.drill is not None and (not only or alert.name in only)]
    broker = LocalKafka(folder / "kafka", die_with_starter=True)
    with ExitStack() as stack:
        stack.callback(broker.stop)
        settings = Settings(broker=broker.start(), prefix="drill", loan_partitions=2, borrower_partitions=2)
        async with TopicAdmin(settings) as admin:
            await admin.create()
        house = House(settings, folder / "house", first_port=free_port())
        stack.callback(house.close)
        house.start()
        watch, scene = start_watch(folder, house, stack), Scene(house)
        tasks = [
            asyncio.create_task(Lenders(scene.deployment).run(first=50, per_second=1.0)),
            asyncio.create_task(gateways(settings)),
            asyncio.create_task(mend(house)),
        ]
        await asyncio.sleep(WARM_SECONDS)
        await until(lambda: not paging(watch.active()), CALM_SECONDS)
        say(row("alert", "fault", "reached Alertmanager", "calm after", "paged beside it", "verdict"))
        say(row(*["---"] * 6))
        passed = True
        for alert in chosen:
            good, line = await drill(alert, scene, watch)
            say(line)
            passed = passed and good
        await until_cancelled(*tasks)
    return passed


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def mend(house: House) -> None:
    """Start again what ended by itself, for ever."""
    while True:
        house.mend()
        await asyncio.sleep(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[])
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(0 if asyncio.run(run(parser.parse_args().only, Path(scratch))) else 1)
