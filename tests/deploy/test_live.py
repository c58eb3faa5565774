"""A small deployment in true time, really running: what it tells of itself, and what dashboards make of it."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.monitoring.dashboards import dashboards
from deploy.monitoring.pictures import bound
from deploy.monitoring.sources import load_alerts
from shared.contract.topics import SERVICES as DECLARED
from shared.runtime.local_kafka.network import free_port, port_is_free
from shared.runtime.local_kafka.process import dying_with_starter
from shared.runtime.metric_catalogue import SERIES_MAX
from shared.runtime.records import Deployment
from tests.drills.traffic import garbage
from tests.drills.watch import Watch, start_watch

WARM_SECONDS: Final = 240.0
MOVES, EXISTS, ZERO = "moves", "exists", "is zero"
LOANS = ("reminder", "escalation", "credit_report")
SERVICES = (*LOANS, "rate_limiter")
NAMED: Final[tuple[tuple[str, Iterable[str], str, Mapping[str, str], str], ...]] = (
    ("age of the newest tick, stage 1", LOANS, "tick_timestamp_seconds", {"stage": "loan"}, MOVES),
    ("age of the newest tick, stage 2", ("rate_limiter",), "tick_timestamp_seconds", {"stage": "borrower"}, MOVES),
    ("silent pairs", ("clock",), "clock_silent_pairs", {}, EXISTS),
    ("how far pairs are behind", ("clock",), "clock_pair_behind_seconds", {"behind": "reminder"}, EXISTS),
    ("clock disagreement", ("clock",), "clock_disagrees", {}, ZERO),
    ("epoch duration", SERVICES, "epoch_duration_seconds_count", {}, MOVES),
    ("lag in records", SERVICES, "lag_records", {}, EXISTS),
    ("lag in seconds", SERVICES, "lag_seconds", {}, EXISTS),
    ("fact to request", ("reminder",), "fact_to_action_seconds_count", {"action": "request"}, MOVES),
    ("fact to withdrawal", ("reminder",), "fact_to_action_seconds_count", {"action": "withdrawal"}, MOVES),
    ("fact to permit", ("rate_limiter",), "fact_to_action_seconds_count", {"action": "permit"}, MOVES),
    ("exposure", ("rate_limiter",), "exposure_seconds_count", {}, EXISTS),
    ("decisions", ("rate_limiter",), "outreach_decisions_total", {"decision": "granted"}, MOVES),
    ("channel capacity", ("rate_limiter",), "channel_capacity_used_ratio", {}, EXISTS),
    ("dead letters", ("escalation",), "dead_letters_total", {"reason": "not_json"}, MOVES),
    ("loans in doubt", ("escalation",), "loans_in_doubt", {}, EXISTS),
    ("loans by stage", ("escalation",), "loans", {}, MOVES),
    ("overdue amounts", ("escalation",), "overdue_amount", {"currency": "USD"}, MOVES),
    ("promises violated", ("auditor",), "promise_violations", {}, ZERO),
    ("cases of the audit", ("auditor",), "promise_cases", {"promise": "P8"}, MOVES),
    ("transactions", SERVICES, "transactions_total", {}, MOVES),
    ("duration of a commit", SERVICES, "commit_duration_seconds_count", {}, MOVES),
    ("fencings", SERVICES, "process_ends_total", {"reason": "fenced"}, ZERO),
    ("ends in doubt, whose transactions are aborted", SERVICES, "process_ends_total", {"reason": "doubt"}, ZERO),
    ("recovery, remaining", SERVICES, "recovered_records_total", {}, EXISTS),
    ("recovery, duration", SERVICES, "recovery_duration_seconds_count", {}, MOVES),
    ("store, entries", SERVICES, "store_entries", {}, EXISTS),
    ("store, bytes", SERVICES, "store_bytes", {}, MOVES),
    ("disk", SERVICES, "disk_free_bytes", {}, MOVES),
    ("queues", SERVICES, "queued_records", {}, EXISTS),
    ("paused inputs", SERVICES, "paused_inputs", {}, ZERO),
    ("rebalances", SERVICES, "rebalances_total", {}, MOVES),
    ("event loop", SERVICES, "event_loop_lag_seconds_count", {}, MOVES),
    ("build", (*SERVICES, "clock", "auditor"), "build_info", {}, MOVES),
    ("policy", SERVICES, "policy_info", {}, MOVES),
    ("contacts per person", ("auditor",), "contacts_per_person", {"spread": "p99"}, EXISTS),
    ("near misses", ("auditor",), "contacts_near_quiet_hours", {}, EXISTS),
    ("contacts exempt from caps", ("auditor",), "contacts_exempt", {}, EXISTS),
    ("correction latency", ("credit_report",), "fact_to_action_seconds_count", {"action": "correction"}, EXISTS),
    ("attempts after payment", ("auditor",), "attempts_after_payment", {}, EXISTS),
    ("notices near their deadline", ("rate_limiter",), "notices_near_deadline", {}, ZERO),
)
"""What the operators were promised, who tells it, under which name, and what must be seen of it within minutes."""
EMPTY_WHEN_WELL: Final = frozenset(
    {
        "Blocked by rule",
        "Dead letters and doubt",
        "Time to withdraw a permit, 99th percentile",
        "Permits that outlived their reason",
    }
)
"""Panels that filter for what is above zero, or show what a few minutes need not bring."""
IDENTIFIER = re.compile(r"[lb]\d+-\d+|[0-9a-f]{8}-[0-9a-f]{4}|acme")


@dataclass
class Live:
    """A deployment that has run for a while, with Prometheus over it where there is one."""

    ports: Mapping[str, int]
    watch: Watch | None

    def answers(self) -> bool:
        """Whether every process can be asked."""
        try:
            return all(self.text(process) for process in self.ports)
        except OSError:
            return False

    def text(self, process: str) -> str:
        """Return what a process tells now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[process]}/metrics", timeout=10) as told:
            return str(told.read().decode())

    def _samples(self, process: str) -> list[tuple[str, dict[str, str], float]]:
        """Return what a process tells now: nothing where it is too busy to answer."""
        try:
            return _samples(self.text(process))
        except OSError:
            return []

    def lacking(self) -> list[str]:
        """Return what was promised and cannot be seen."""
        told = {process: self._samples(process) for process in self.ports}
        return [
            f"{what}: {process} {name} {expected}"
            for what, processes, name, labels, expected in NAMED
            for process in processes
            if not _is_as(
                expected, [v for n, of, v in told[process] if n == f"duecourse_{name}" and labels.items() <= of.items()]
            )
        ]


def _samples(text: str) -> list[tuple[str, dict[str, str], float]]:
    return [(it.name, it.labels, it.value) for family in text_string_to_metric_families(text) for it in family.samples]


def _is_as(expected: str, values: list[float]) -> bool:
    if expected == MOVES:
        return any(values)
    return bool(values) and (expected == EXISTS or not any(values))


@pytest.fixture(scope="module")
def live(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Start everything, wait until what was promised is seen, and leave it running."""
    names = (*DECLARED, "clock", "auditor")
    folder, port = tmp_path_factory.mktemp("live"), _first_of_free_ports(len(names))
    ports = dict(zip(names, range(port, port + len(names)), strict=True))
    with ExitStack() as stack:
        command = [sys.executable, "-m", "tests.drills.live", kafka, "live", str(folder), str(port)]
        process = subprocess.Popen(dying_with_starter(command), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.send_signal, signal.SIGINT)
        watch = None
        if shutil.which("promtool") and shutil.which("prometheus"):
            watch = start_watch(folder, list(ports.values()), load_alerts(), stack, pages=False)
        found = Live(ports, watch)
        _wait_until(found.answers)
        asyncio.run(garbage(Deployment(kafka, "live"), [f"l{process.pid}-{number}" for number in (1, 2)]))
        _wait_until(lambda: not found.lacking())
        yield found


def _first_of_free_ports(count: int) -> int:
    """Return the first of so many ports in a row that nobody listens on."""
    while True:
        first = free_port()
        if all(port_is_free(port) for port in range(first, first + count)):
            return first


def _wait_until(done: Callable[[], bool]) -> None:
    began = monotonic()
    while not done() and monotonic() - began < WARM_SECONDS:
        sleep(1)


def test_everything_that_operators_were_promised_is_told(live: Live) -> None:
    """Each metric is there, what must move has moved, and what counts failures stands at zero."""
    assert live.lacking() == []


def test_no_label_names_anybody(live: Live) -> None:
    """No loan, borrower, lender or event is in any label of a system that has met hundreds of them."""
    for process in live.ports:
        values = {value for _, labels, _ in _samples(live.text(process)) for value in labels.values()}
        assert values
        assert [value for value in values if IDENTIFIER.search(value)] == []


def test_series_stay_within_their_budget_while_everything_moves(live: Live) -> None:
    """A process that has met everything tells fewer series than its budget allows."""
    for process in live.ports:
        ours = [name for name, _, _ in _samples(live.text(process)) if name.startswith("duecourse_")]
        assert 10 < len(ours) < SERIES_MAX


@pytest.mark.promtool
def test_promtool_accepts_the_metrics(live: Live) -> None:
    """Names, types, units and help texts are as Prometheus wants them, of every process."""
    for process in live.ports:
        ours = "\n".join(line for line in live.text(process).splitlines() if " python_" not in line[:14])
        done = subprocess.run(["promtool", "check", "metrics"], input=ours, capture_output=True, text=True, check=False)
        complaints = [
            line for line in done.stdout.splitlines() + done.stderr.splitlines() if line.startswith("duecourse")
        ]
        assert complaints == [], process


@pytest.mark.promtool
@pytest.mark.parametrize("name", list(dashboards()))
def test_every_query_of_a_dashboard_has_an_answer(live: Live, name: str) -> None:
    """No panel of a living system is empty, but those that show only what has gone wrong."""
    assert live.watch is not None
    queries = {
        f"{panel['title']}: {target['expr']}": bound(target["expr"])
        for panel in dashboards()[name]["panels"]
        if panel["type"] != "row"
        for target in panel["targets"]
        if panel["title"] not in EMPTY_WHEN_WELL
    }
    _wait_until(lambda: all(live.watch.shows(query) for query in queries.values()))
    assert [what for what, query in queries.items() if not live.watch.shows(query)] == []
