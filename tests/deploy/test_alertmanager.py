"""Who is told what: the routes and the inhibition of production, in a real Alertmanager with a pager behind it."""

import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from deploy.monitoring.rules import CAUSE_KNOWN, every_alert
from deploy.monitoring.sources import DEPLOY
from shared.runtime.local_kafka.network import free_port
from tests.drills.watch import Pager, start_alertmanager

CONFIG: Final = DEPLOY / "alertmanager/alertmanager.yml"
TOLD_SECONDS_MAX: Final = 60.0
FRESH: Final = {"alertname": "ObjectiveFreshBurnsFast", "severity": "page", "slo": "fresh", "window": "5m"}
READABLE: Final = {"alertname": "ObjectiveReadableBurnsFast", "severity": "page", "slo": "readable", "window": "5m"}
KNOWN: Final = {"alertname": CAUSE_KNOWN, "severity": "none", "slo": "fresh", "window": "5m"}
SERVICE: Final = {"alertname": "ServiceAbsent", "severity": "page", "service": "reminder"}
PAIR: Final = {"alertname": "PairSilent", "severity": "page", "service": "reminder", "partition": "1"}
OTHER_PAIR: Final = {**PAIR, "service": "escalation"}
PAGE, TICKET = "page", "ticket"


@dataclass
class Duty:
    """An Alertmanager with production's routes, quicker, and a pager."""

    url: str
    pager: Pager

    def fires(self, *alerts: Mapping[str, str]) -> None:
        """Tell it, as Prometheus does, what fires."""
        self._post([{"labels": dict(labels)} for labels in alerts])

    def ends(self, labels: Mapping[str, str]) -> None:
        """Tell it what is over."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self._post([{"labels": dict(labels), "endsAt": now}])

    def _post(self, alerts: object) -> None:
        body = json.dumps(alerts).encode()
        asked = urllib.request.Request(f"{self.url}/api/v2/alerts", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=10):
            pass

    def told(self, receiver: str, name: str) -> bool:
        """Wait until a receiver was told of an alert; False when it never was."""
        deadline = time.monotonic() + TOLD_SECONDS_MAX
        while name not in self.pager.since(0, receiver):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def heard_the_end_of(self, name: str) -> bool:
        """Wait until the pager was told that an alert is over; False when it never was."""
        deadline = time.monotonic() + TOLD_SECONDS_MAX
        while not any(name == over for _, _, over in self.pager.over):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def was_told(self, receiver: str) -> set[str]:
        """Return of what a receiver has been told up to now."""
        return set(self.pager.since(0, receiver))


@pytest.fixture
def duty(tmp_path: Path) -> Iterator[Duty]:
    """Start it; it waits a second where production waits ten, and two where production waits a minute."""
    with ExitStack() as stack:
        pager = Pager()
        port, inbox = free_port(), pager.listen(stack)
        text = CONFIG.read_text().replace("group_wait: 10s", "group_wait: 1s")
        text = text.replace("group_interval: 1m", "group_interval: 2s").replace("pager:8080", f"127.0.0.1:{inbox}")
        (tmp_path / "alertmanager.yml").write_text(text)
        start_alertmanager(tmp_path, port, stack)
        yield Duty(f"http://127.0.0.1:{port}", pager)


@pytest.mark.alertmanager
def test_an_objective_wakes_nobody_beside_its_cause(duty: Duty) -> None:
    """Who was woken for the cause is not woken again for what follows from it, while another symptom gets through."""
    duty.fires(KNOWN, FRESH, READABLE)
    assert duty.told(PAGE, READABLE["alertname"])
    assert duty.was_told(PAGE) == {READABLE["alertname"]}


@pytest.mark.alertmanager
def test_an_objective_that_outlives_its_cause_wakes_somebody(duty: Duty) -> None:
    """Inhibition only puts off: the symptom that stays is told as soon as its cause is no longer known."""
    duty.fires(KNOWN, FRESH, READABLE)
    assert duty.told(PAGE, READABLE["alertname"])
    assert FRESH["alertname"] not in duty.was_told(PAGE)
    duty.ends(KNOWN)
    assert duty.told(PAGE, FRESH["alertname"])


@pytest.mark.alertmanager
def test_an_objective_wakes_somebody_where_no_cause_is_known(duty: Duty) -> None:
    """A fault that no alert knows is told by what lenders and borrowers feel of it."""
    duty.fires(FRESH)
    assert duty.told(PAGE, FRESH["alertname"])


@pytest.mark.alertmanager
def test_a_cause_over_one_window_leaves_the_other_alone(duty: Duty) -> None:
    """Half an hour after a cause the long memory is still kept silent, and the short one is not."""
    duty.fires({**KNOWN, "window": "30m"}, {**FRESH, "window": "30m"}, FRESH, READABLE)
    assert duty.told(PAGE, FRESH["alertname"])
    assert {**FRESH, "window": "30m"} not in _sent(duty)
    assert FRESH in _sent(duty)


def _sent(duty: Duty) -> list[dict[str, str]]:
    with urllib.request.urlopen(f"{duty.url}/api/v2/alerts?inhibited=false", timeout=10) as told:
        return [alert["labels"] for alert in json.load(told)]


@pytest.mark.alertmanager
def test_a_service_that_is_gone_is_one_page(duty: Duty) -> None:
    """What a missing service leaves undone is not told beside it; another service's fault is."""
    duty.fires(SERVICE, PAIR)
    assert duty.told(PAGE, SERVICE["alertname"])
    assert PAIR["alertname"] not in duty.was_told(PAGE)
    duty.fires(OTHER_PAIR)
    assert duty.told(PAGE, PAIR["alertname"])


@pytest.mark.alertmanager
def test_the_cure_of_one_service_does_not_page_again_for_the_other(duty: Duty) -> None:
    """That one of two is back is told as that: whoever is on call need not look for a new fault."""
    duty.fires(SERVICE, {**SERVICE, "service": "escalation"})
    assert duty.told(PAGE, SERVICE["alertname"])
    duty.fires(READABLE)
    assert duty.told(PAGE, READABLE["alertname"])
    healed = time.monotonic()
    duty.ends(SERVICE)
    assert duty.heard_the_end_of(SERVICE["alertname"])
    assert duty.pager.since(healed, PAGE) == {}


@pytest.mark.alertmanager
def test_tickets_wake_nobody(duty: Duty) -> None:
    """What can wait until morning goes to the tickets, and what is for machines alone to nobody."""
    duty.fires({"alertname": "CommitsSlow", "severity": "ticket"}, KNOWN, {"alertname": "Watchdog", "severity": "none"})
    assert duty.told(TICKET, "CommitsSlow")
    assert duty.was_told(PAGE) == set()
    assert duty.was_told(TICKET) == {"CommitsSlow"}


@pytest.mark.alertmanager
def test_alertmanager_accepts_its_configuration() -> None:
    """It would start with the compose file's configuration."""
    amtool = shutil.which("amtool")
    assert amtool is not None
    done = subprocess.run([amtool, "check-config", str(CONFIG)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_inhibition_names_only_alerts_that_exist() -> None:
    """A rule about an alert that was renamed would inhibit nothing, and nobody would notice."""
    named = re.findall(r'alertname=~?"([^"]+)"', CONFIG.read_text())
    names = {alert.name for alert in every_alert()}
    assert len(named) >= 10
    assert [
        pattern for pattern in "|".join(named).split("|") if not any(re.fullmatch(pattern, it) for it in names)
    ] == []
